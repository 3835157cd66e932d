"""A person asked in the terminal: the prompt is shown, the reply is typed and confirmed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from debate.config.models import HumanModel, ModelSpec
from debate.engines.human.human_queue import HumanQueue, HumanTurn
from debate.engines.human.reply_form import (
    ReplyForm,
    ReplyParts,
    Wanted,
    describe_reading,
)
from debate.errors import EngineError
from debate.terminal import make_console, take_terminal
from debate.text import clean, count_noun

STDIN, STDERR = 0, 2
MAX_WIDTH = 100
"""Columns up to which texts are set; longer lines are hard to read."""
MAX_ENDS = 3
"""Ends of input in a row after which the terminal is taken for gone."""

GIVEN_UP = "this turn is not waited for any longer; what was typed for it is lost"
SPEAKERS = {"system": "instructions", "user": "asked", "assistant": "you said"}
EXAMPLES: Mapping[Wanted, tuple[ReplyParts, ...]] = {
    "answer": (ReplyParts(answer="…"),),
    "verdict": (ReplyParts(accepts=True), ReplyParts(accepts=False)),
    "confidence": (ReplyParts(confidence=0.8),),
}
"""Replies that state what is wanted."""


def explain_no_terminal(models: Mapping[str, ModelSpec]) -> str | None:
    """Say why the people of a run cannot be asked in this terminal; None where they can be.

    Both standard input and standard error must be one: a pipe, a service or a job has none.
    """
    asked = [n for n, m in models.items() if isinstance(m, HumanModel) and m.via == "terminal"]
    if not asked or (os.isatty(STDIN) and os.isatty(STDERR)):
        return None
    lack = "standard error" if os.isatty(STDIN) else "standard input"
    return (
        f'the person behind model "{asked[0]}" is to be asked in the terminal (via: terminal), and '
        f"{lack} is no terminal; run it in one, or ask on a page: -o models.{asked[0]}.via=web"
    )


def describe_example(form: ReplyForm) -> str:
    """Say how a reply states what is wanted of it, in the marks of the agent's prompt set."""
    return " or ".join(form.write(parts) for parts in EXAMPLES[form.wanted])


class LineReader:
    """Reads lines of a terminal without keeping the event loop waiting.

    The terminal edits the line that is being typed; only whole lines come here.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""
        self._has_ended = False

    def drop_typed(self) -> None:
        """Forget what was typed before anything was asked, so that it answers nothing."""
        self._buffer, self._has_ended = b"", False
        import termios  # there is none on Windows

        with suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)

    async def read_line(self) -> str | None:
        """Return the next line without its end; None for an end of input (Ctrl-D).

        Raises OSError where the terminal is gone.
        """
        while b"\n" not in self._buffer:
            if self._has_ended:
                rest, self._buffer = self._buffer, b""
                self._has_ended = bool(rest)  # the end comes after the line that it ended
                return rest.decode(errors="replace") if rest else None
            await self._wait_for_input()
            read = os.read(self._descriptor, 65_536)
            self._buffer += read
            self._has_ended = not read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    async def _wait_for_input(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)


class TerminalFront:
    """Asks the turns of a queue one after the other, in the terminal of this process."""

    place = "answer in this terminal"

    def __init__(
        self, queue: HumanQueue, *, descriptor: int = STDIN, console: Console | None = None
    ) -> None:
        self._queue = queue
        self._console = console or make_console(stderr=True)
        self._lines = LineReader(descriptor)
        self._task: asyncio.Task[None] | None = None
        self._num_ends = 0

    async def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Stop to ask; what is being typed is lost, and that is said."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _serve(self) -> None:
        try:
            while True:
                while self._queue.first is None:
                    await self._queue.wait()
                with take_terminal():
                    while (turn := self._queue.first) is not None:
                        await self._ask(turn)
        except Exception as cause:  # or the run would wait for ever
            is_told = isinstance(cause, EngineError)
            told = str(cause) if is_told else f"{type(cause).__name__}: {cause}"
            self._queue.fail(EngineError(told, boundary="terminal"))

    async def _ask(self, turn: HumanTurn) -> None:
        """Ask one turn, as long as somebody waits for it."""
        asking = asyncio.create_task(self._converse(turn))
        try:
            await asyncio.wait({asking, turn.future}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not asking.done():
                asking.cancel()
                self._say(f"\n{GIVEN_UP}", "yellow")
        await asyncio.wait({asking})
        if not asking.cancelled():
            self._queue.answer(turn, asking.result())

    async def _converse(self, turn: HumanTurn) -> str:
        """Show a turn and return its reply, once the person has confirmed how it is read."""
        self._lines.drop_typed()
        self._show(turn)
        while True:
            text = await self._read_reply()
            if not text:
                self._say("nothing is written yet; to abstain, say so in your own words")
                continue
            try:
                parts = turn.form.read(text)
            except Exception as cause:
                self._say(f"it cannot be read: {type(cause).__name__}: {cause}", "yellow")
                continue
            if await self._confirm(parts, turn.form.wanted):
                return text
            self._say("write it anew; what you wrote stands above and does not count")

    def _show(self, turn: HumanTurn) -> None:
        waiting = self._queue.waiting
        num = f" · {count_noun(len(waiting), 'turn')} waiting" if len(waiting) > 1 else ""
        self._print(Rule(Text(f"{clean(turn.state.agent)}: {turn.title}{num}"), style="cyan"))
        for message in turn.request.messages:
            self._say(f"[{SPEAKERS[message.role]}]", "cyan")
            self._say(clean(message.content, keep="\n\t"))
        told = "your reply, in as many lines as it takes; an empty line or Ctrl-D ends it"
        self._say(f"\n{told}\nas in: {describe_example(turn.form)}", "cyan")

    async def _read_reply(self) -> str:
        """Return all lines up to an empty one, or to an end of input."""
        lines: list[str] = []
        while line := await self._read_line():
            lines.append(line)
        if line is None:
            self._say("")  # Ctrl-D leaves the cursor where it is
        return "\n".join(lines).strip()

    async def _confirm(self, parts: ReplyParts, wanted: Wanted) -> bool:
        """Tell how a reply is read; return whether it is handed in so.

        Where it does not state what is wanted, it is only with a word for it.
        """
        is_whole = parts.states(wanted)
        style = "green" if is_whole else "yellow"
        self._say(f"read as: {clean(describe_reading(parts, wanted))}", style)
        told = (
            "Enter hands it in, c corrects it" if is_whole else "Enter corrects it, y hands it in"
        )
        while True:
            self._say(told, "cyan")
            line = await self._read_line()
            said = None if line is None else line.strip().casefold()
            if said in ("y", "yes", "c") or said == "":
                return said != "c" if is_whole else said in ("y", "yes")

    async def _read_line(self) -> str | None:
        """Return a line; None at an end of input. Raises EngineError where only ends come."""
        line = await self._lines.read_line()
        self._num_ends = self._num_ends + 1 if line is None else 0
        if self._num_ends >= MAX_ENDS:
            raise EngineError("the input of the terminal has ended")
        return line

    def _say(self, text: str, style: str = "") -> None:
        self._print(Text(text, style=style))

    def _print(self, *shown: Text | Rule) -> None:
        width = min(self._console.width, MAX_WIDTH)
        self._console.print(*shown, width=width, highlight=False, overflow="fold")
