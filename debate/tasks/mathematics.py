"""Read and compare answers of `kind: math` by math-verify, in a process that can be killed.

The library evaluates what a model wrote, has no limit that works outside a main thread, and may
take any time or memory. So one worker process does it, started when it is first needed.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import select
import subprocess
import sys
import threading
import time
from functools import lru_cache
from typing import Any

from debate.errors import TaskError
from debate.installation import list_missing, make_install_command
from debate.tasks.number import normalise_number, parse_number
from debate.tasks.values import strip_formatting

MAX_LENGTH = 500
"""A longer text is not read as mathematics."""

TIME_LIMIT_S = 5.0
"""What takes longer is no answer, and equal to none."""

_START_LIMIT_S = 120.0
_MEMORY_LIMIT = 2 * 1024**3
_SERVE = "from debate.tasks.mathematics import serve_requests; serve_requests()"

_UNREADABLE = re.compile(
    r"[≈~?%#\"'`;]|\\(?:overline|bar|dots|ldots|cdots|approx|sim|simeq|cong|text|mbox|not)"
    r"(?![a-z])|\d\s?_|0[xb]|__|\d\s+\d|!$"
)
"""Repeating decimals, other bases, two numbers, prose and approximations: read wrongly, or not
to be read."""

_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[pbvB]?matrix\}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_FUNCTIONS = frozenset(("sqrt", "pi", "sin", "cos", "tan", "log", "ln", "exp"))
_PRODUCT = re.compile(r"(?!am|an|as|at|by|my|ad)[abcdkmnpqrstxyz]{2}|abc|xyz")
_REWRITINGS = (
    (re.compile(r"(?<![\\A-Za-z])sqrt\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])(pi|sin|cos|tan|log|ln|exp)(?![A-Za-z])"), r"\\\1 "),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\*"), r" \\cdot "),
)


def require_math_verify() -> None:
    """Raise TaskError where the library of `kind: math` is not installed."""
    if list_missing("math"):
        command = make_install_command("math")
        raise TaskError(f"`kind: math` needs math-verify, which is not installed: {command}")


@lru_cache(maxsize=10_000)
def normalise_math(text: str) -> str | None:
    r"""Return a form in which equal expressions are mostly equal texts; None for no expression.

    A number has the form that it has under `kind: number`; anything else is written in LaTeX by
    sympy. What the library cannot read, or not in time, is none.
    """
    if "..." in text or "…" in text:
        return None
    if (number := normalise_number(text)) is not None:
        return number
    plain = _prepare(text)
    found = _WORKER.ask({"read": plain}) if plain else None
    return found if isinstance(found, str) and found and _prepare(found) else None


@lru_cache(maxsize=10_000)
def are_equal(first: str, second: str) -> bool:
    """Return whether two texts state the same: numbers exactly, else as math-verify finds."""
    forms = normalise_math(first), normalise_math(second)
    if None in forms or forms[0] == forms[1]:
        return None not in forms
    if all(parse_number(text) is not None for text in (first, second)):
        return False
    return _WORKER.ask({"equal": [_prepare(first), _prepare(second)]}) is True


def _prepare(text: str) -> str:
    """Return the text as LaTeX for the library; empty where it could be read wrongly."""
    plain = strip_formatting(text)
    if len(plain) > MAX_LENGTH or _UNREADABLE.search(plain):
        return ""
    if not all(
        word in _FUNCTIONS or _PRODUCT.fullmatch(word)
        for word in _WORD.findall(_ENVIRONMENT.sub(" ", plain))
    ):
        return ""
    for pattern, replacement in _REWRITINGS:
        plain = pattern.sub(replacement, plain)
    return "" if re.search(r"(?<!\\)sqrt|\$", plain) else plain


class _Worker:
    """A process that answers one request after the other, killed where it takes too long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, request: dict[str, Any]) -> object:
        """Return the worker's reply; None where it has none in time, or died."""
        with self._lock:
            reply = self._exchange(self._start(), request, TIME_LIMIT_S)
            if reply is None:
                self.stop()
                return None
            return json.loads(reply)["reply"]

    def _start(self) -> subprocess.Popen[bytes]:
        """Return the running process, or a new one that has loaded the library.

        Raises TaskError where there is none: no answer must count as unreadable for that.
        """
        if self._process is not None and self._owner == os.getpid():
            return self._process
        require_math_verify()
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._process, self._owner = process, os.getpid()
        if self._exchange(process, {}, _START_LIMIT_S) is None:
            self.stop()
            raise TaskError("the process that reads `kind: math` by math-verify cannot be started")
        return process

    def _exchange(
        self, process: subprocess.Popen[bytes], request: dict[str, Any], limit_s: float
    ) -> bytes | None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it died since the last request
            return None
        reply, ends = b"", time.monotonic() + limit_s
        while not reply.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0, ends - time.monotonic()))
            piece = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not piece:
                return None
            reply += piece
        return reply

    def stop(self) -> None:
        """End the process, if this one started it."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()


_WORKER = _Worker()
atexit.register(_WORKER.stop)


def serve_requests() -> None:
    """Answer requests from standard input until it ends; the worker's whole life."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # the parser prints warnings
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401 - loaded before the first request is timed

    for line in sys.stdin:
        try:
            reply = _answer(json.loads(line))
        except (Exception, RecursionError, MemoryError):  # whatever a model's text may raise
            reply = ""
        replies.write(json.dumps({"reply": reply}) + "\n")
        replies.flush()


def _answer(request: dict[str, Any]) -> object:
    if "read" in request:
        form = _write_canonically(_parse(request["read"]))
        is_stable = normalise_number(form) == form or _write_canonically(_parse(form)) == form
        return form if is_stable else ""
    if "equal" in request:
        from math_verify import verify

        first, second = (_parse(text) for text in request["equal"])
        return verify([first], [second], float_rounding=15, timeout_seconds=None)
    return ""


def _parse(text: str) -> Any:
    """Return the one sympy expression of a text; raise ValueError where there is none."""
    from math_verify import LatexExtractionConfig, parse

    found = parse(
        f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None
    )
    if not found or (str(found[0]) in ("EmptySet", "zoo", "nan") and r"\emptyset" not in text):
        raise ValueError(f"{text!r} is no expression")
    return found[0]


def _write_canonically(expression: Any) -> str:
    import sympy

    if isinstance(expression, sympy.Eq) and isinstance(expression.lhs, sympy.Symbol):
        expression = expression.rhs
    simple = _simplify(expression)
    if isinstance(simple, sympy.Rational):
        return normalise_number(str(simple)) or str(simple)
    return str(sympy.latex(simple))


def _simplify(expression: Any) -> Any:
    """Return the expression in a form that equal polynomials and radicals share."""
    import sympy

    if isinstance(expression, sympy.MatrixBase):
        return expression.applyfunc(_simplify)
    if not isinstance(expression, sympy.Expr):
        return expression.func(*map(_simplify, expression.args)) if expression.args else expression
    return sympy.cancel(sympy.expand(sympy.simplify(expression.doit())))
