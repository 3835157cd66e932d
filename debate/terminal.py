"""What is printed stays what it was: no markup, no emoji codes, and any encoding can hold it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

NO_LIMIT = 10_000
"""The width of what is no terminal."""


def make_console(
    *, stderr: bool = False, soft_wrap: bool = False, overflows: bool = False
) -> Console:
    """Return a console that prints texts as they are: `1:x:2` is no emoji, `[b]` no style.

    overflows: without a terminal, and where COLUMNS says nothing else, lines may be of any length.
    """
    console = Console(stderr=stderr, soft_wrap=soft_wrap, emoji=False, markup=False)
    if overflows and not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = NO_LIMIT
    return console


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


def print_whole(table: Table, console: Console) -> None:
    """Print a table of which no cell is cut: cells fold, and rows overflow where words are longer
    than the terminal, or than the 80 columns of a pipe, allows.
    """
    roomy = console.options.update(width=10_000)
    for column in table.columns:
        column.overflow = "fold"
        fields = [Measurement.get(console, roomy, each) for each in (column.header, *column.cells)]
        column.min_width = max(column.min_width or 0, *(each.minimum for each in fields))
    needed = Measurement.get(console, roomy, table).minimum
    width = console.width
    console.width = max(width, needed)
    console.print(table, crop=False)
    console.width = width


class LiveDisplay(Protocol):
    """A display that rewrites its lines on the terminal, and can leave it for a while."""

    def pause(self) -> None:
        """Take the lines away, and write nothing until `resume`."""

    def resume(self) -> None:
        """Show them again."""


class _Terminal:
    """The displays on this process's terminal, and whether somebody has it alone."""

    def __init__(self) -> None:
        self.displays: list[LiveDisplay] = []
        self.is_taken = False


_terminal = _Terminal()


@contextmanager
def show_display(display: LiveDisplay) -> Iterator[None]:
    """Show a display while the body runs, but for the time that somebody else has the terminal."""
    _terminal.displays.append(display)
    if not _terminal.is_taken:
        display.resume()
    try:
        yield
    finally:
        _terminal.displays.remove(display)
        display.pause()


@contextmanager
def take_terminal() -> Iterator[None]:
    """Have the terminal alone while the body runs: displays are taken away before."""
    _terminal.is_taken = True
    for display in _terminal.displays:
        display.pause()
    try:
        yield
    finally:
        _terminal.is_taken = False
        for display in _terminal.displays:
            display.resume()
