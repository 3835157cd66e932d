"""What is printed stays what it was: no markup, no emoji codes, and any encoding can hold it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

from rich.console import Console


def make_console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """Return a console that prints texts as they are: `1:x:2` is no emoji, `[b]` no style."""
    return Console(stderr=stderr, soft_wrap=soft_wrap, emoji=False, markup=False)


def accept_any_text() -> None:
    """Let the standard streams write what their encoding lacks as an escape, as in `\\u2026`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what standard output holds back. Raises OSError where it is full or closed.

    Nothing is written there any more after that, not even when Python ends.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as cause:
        discard_output()
        if isinstance(cause, OSError):
            raise


def discard_output() -> None:
    """Let standard output go nowhere, together with what it holds back."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
