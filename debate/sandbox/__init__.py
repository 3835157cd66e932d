"""Python that a model wrote, run where it can reach nothing and take no more than it may.

There are two sandboxes. `monty` is an interpreter of a subset of Python that knows no files, no
network and no processes, in worker processes of its own. `bubblewrap` is this very Python in Linux
namespaces, used only where a trial has found that they isolate. There is no third way: where a
sandbox cannot be had, nothing is run.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import Final, Literal

from debate.errors import EngineError
from debate.sandbox import bubblewrap, monty
from debate.sandbox.values import Limits, RawRun, RunOutcome
from debate.text import clean, format_count

SandboxName = Literal["monty", "bubblewrap"]

MAX_CODE: Final = 50_000
"""The most bytes of a program, as UTF-8; a longer one is not run."""
MAX_ERROR: Final = 500
"""The most characters of an error that are told."""

_RUN: Final = {"monty": monty.run, "bubblewrap": bubblewrap.run}


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishedRun:
    """What became of a program: its output and its error, cleaned and of bounded length.

    `error` names an exception and its line, or the limit that ended the program; None where it
    came to its end. `took_s` is in seconds.
    """

    outcome: RunOutcome
    output: str = ""
    error: str | None = None
    took_s: float = 0.0

    @property
    def text(self) -> str:
        """The output, and what went wrong after it, as a reader is told."""
        return "\n".join(filter(None, (self.output, self.error))) or "(nothing was printed)"


def explain_lack(sandbox: SandboxName) -> str | None:
    """Say in one line why a sandbox cannot be used here; None where it can."""
    return bubblewrap.explain_lack() if sandbox == "bubblewrap" else monty.explain_lack()


def run_python(code: str, *, sandbox: SandboxName, limits: Limits) -> FinishedRun:
    """Run a program and return what it printed. What the program does wrong is no exception.

    Raises EngineError where the sandbox cannot be used.
    """
    raw = _run_raw(code, sandbox, limits)
    return FinishedRun(
        outcome=raw.outcome,
        output=clean_output(raw.output, limits.output_chars),
        error=_describe_end(raw, limits),
        took_s=raw.took_s,
    )


def passes_tests(code: str, tests: str, *, sandbox: SandboxName, limits: Limits) -> bool:
    """Return whether a program and then its tests come to their end without an error.

    A program that leaves before the tests have run does not pass. Raises EngineError where the
    sandbox cannot be used.
    """
    token = secrets.token_hex(16)
    whole = f"{code}\n\n{tests}\n\nprint()\nprint('{token}')"
    raw = _run_raw(whole, sandbox, limits)
    return raw.outcome == "done" and raw.output.rstrip().rpartition("\n")[2] == token


def _run_raw(code: str, sandbox: SandboxName, limits: Limits) -> RawRun:
    if lack := explain_lack(sandbox):
        raise EngineError(lack, boundary=f"sandbox {sandbox}")
    encoded = code.encode("utf-8", "replace")
    if len(encoded) > MAX_CODE:
        return RawRun("error", error=f"the program is longer than {MAX_CODE:,} bytes")
    if b"\0" in encoded:
        return RawRun("error", error="SyntaxError: source code cannot contain null bytes")
    begun = time.monotonic()
    raw = _RUN[sandbox](encoded.decode(), limits)
    return replace(raw, took_s=time.monotonic() - begun)


def clean_output(text: str, most: int) -> str:
    """Return the first characters of an output without what a terminal or a prompt may obey.

    >>> clean_output("\\x1b[31ma\\r\\nb\\x00\\n", 9), clean_output("abcdef", 4)
    ('a\\nb�', 'abcd\\n[… the rest is left out]')
    """
    plain = clean(text.replace("\r\n", "\n"), keep="\n\t").strip("\n")
    if len(plain) <= most:
        return plain
    return f"{plain[:most]}\n[… the rest is left out]"


def _describe_end(raw: RawRun, limits: Limits) -> str | None:
    ends: dict[RunOutcome, str | None] = {
        "done": None,
        "error": raw.error,
        "timeout": f"it was ended: it took more than {limits.time_s:g} s",
        "memory": f"it was ended: it took more than {limits.memory_mb:,} MB of memory",
        "flood": f"it was ended: it printed more than {format_count(limits.max_raw)} characters",
        "died": f"its process ended{f' by {raw.error}' if raw.error else ''}",
    }
    told = ends[raw.outcome]
    return told and clean(" ".join(told[: 4 * MAX_ERROR].split()))[:MAX_ERROR]
