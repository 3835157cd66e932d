"""The command line: each command parses, calls one library function, and prints.

What commands need is imported once signals are heard: it takes long enough to be interrupted.
"""

from __future__ import annotations

import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from debate.errors import BudgetSpent, DebateError, InputError, cut_values
from debate.installation import DISTRIBUTION
from debate.interrupts import hear_signals

if TYPE_CHECKING:
    from debate.cli.commands import app as app

INPUT_WRONG, RUN_FAILED, BUDGET_SPENT = 2, 1, 3
RESUMED_BY_THE_SAME = (["run"], ["probe"], ["models"], ["organisms"])
"""Commands that go on from where they were stopped when they are given again, as does a pilot."""


def main() -> None:
    """Run the command line.

    Exits 0 when done, 1 if the run failed, 2 if the input was wrong, 3 if its budget stopped it,
    and 128 and its number after a signal that asked the process to end.
    """
    with hear_signals(describe_interruption) as listener:
        try:
            code = _run_command()
        except Exception:  # what a signal in the middle of an import, say, leads to
            if listener.heard is None:
                raise
        if listener.heard is not None:
            code = 128 + listener.heard
            _tell(describe_interruption(listener.heard), style="yellow")
    sys.exit(code)


def _run_command() -> int:
    """Run the command, and return its exit code."""
    from debate.terminal import accept_any_text, discard_output, flush_output

    accept_any_text()
    try:
        _require_docstrings()
        from debate.cli.commands import app

        try:
            app(prog_name=DISTRIBUTION if Path(sys.argv[0]).stem == DISTRIBUTION else "debate")
        finally:
            flush_output()
    except InputError as error:
        _tell(_format_error("error", error))
        return INPUT_WRONG
    except BudgetSpent as stopped:
        _tell(_format_error("budget", stopped), style="yellow")
        return BUDGET_SPENT
    except DebateError as error:
        _tell(_format_error("failed", error))
        return RUN_FAILED
    except BrokenPipeError:  # whoever read it has seen enough
        discard_output()
        return RUN_FAILED
    except OSError as error:
        discard_output()
        _tell(_format_error("failed", error))
        return RUN_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _require_docstrings() -> None:
    """Raise InputError where Python has dropped all docstrings, of which help is made."""
    if sys.flags.optimize > 1:
        raise InputError(
            "python -OO (PYTHONOPTIMIZE=2) drops the docstrings, without which neither help nor "
            "pictures can be made; use -O, or neither"
        )


def _tell(what: str, *, style: str = "red") -> None:
    """Print a line to the terminal, if there still is one."""
    from debate.terminal import make_console

    console = make_console(stderr=True, soft_wrap=True)
    with suppress(OSError):
        console.print(what, style=style, markup=False, highlight=False)


def describe_interruption(heard: signal.Signals) -> str:
    """Say what happened, and how to go on."""
    from debate.text import clean

    what = "interrupted" if heard == signal.SIGINT else f"stopped by {heard.name}"
    words = sys.argv[1:]
    goes_on = words[:1] == ["validate"] and "--pilot" in words
    if not goes_on and words[:1] not in RESUMED_BY_THE_SAME:
        return what
    way_on = clean(f"{what}; the same command goes on from here: {shlex.join(['debate', *words])}")
    return f"{way_on}\ncalls that were under way were given up and are made again"


def _format_error(what: str, error: Exception) -> str:
    """Format an error so that nothing that it quotes can steer the terminal."""
    from debate.text import clean

    return clean(f"{what}: {cut_values(str(error))}", keep="\n\t")


def __getattr__(name: str) -> object:
    """Import `app` where it is asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from debate.cli.commands import app

    return app
