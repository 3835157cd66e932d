"""A person at a pseudo-terminal: what is shown, how lines are read, how a reply is confirmed."""

from __future__ import annotations

import asyncio
import io
import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from rich.console import Console

from debate.engines.base import Request
from debate.engines.human.human_queue import HumanQueue
from debate.engines.human.human_terminal import TerminalFront
from debate.engines.human.reply_form import ReplyForm, ReplyParts
from debate.errors import EngineError
from debate.terminal import show_display
from debate.types import Message
from tests.engines.builders import debate_state

CTRL_D = "\x04"
PATIENCE_S = 60.0


def read(text: str) -> ReplyParts:
    """The verdict in a text, if there is one."""
    said = {"Verdict: correct": True, "Verdict: incorrect": False}
    accepts = [said[line] for line in text.splitlines() if line in said]
    return ReplyParts(reasoning=text, accepts=accepts[0] if len(accepts) == 1 else None)


FORM = ReplyForm(wanted="verdict", read=read, write=lambda parts: f"Verdict: {parts.accepts}")


def critique(id: str = "r", *messages: Message) -> Request:
    """A request for a critique whose reading needs a verdict."""
    said = messages or (Message(role="user", content="Review this."),)
    state = debate_state(kind="critique", round=1)
    return Request(id=id, messages=said, debate_state=state, form=FORM)


class Screen(io.StringIO):
    """What is printed; `changed` is set by each write."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def write(self, text: str) -> int:
        self.changed.set()
        return super().write(text)


class Terminal:
    """The other end of a pseudo-terminal, and what the front has printed."""

    def __init__(self) -> None:
        self.end, self.descriptor = os.openpty()
        self.printed = Screen()
        self.console = Console(file=self.printed, width=120, force_terminal=False)
        self._from = 0

    async def until(self, text: str) -> str:
        """Wait until a text has been printed since the last one; return what stands before it."""
        async with asyncio.timeout(PATIENCE_S):
            while (place := self.printed.getvalue().find(text, self._from)) < 0:
                self.printed.changed.clear()
                await self.printed.changed.wait()
        before = self.printed.getvalue()[self._from : place]
        self._from = place + len(text)
        return before

    def type(self, text: str) -> None:
        """Type whole lines, or an end of input, on its keyboard.

        The kernel brings them to the other end a moment later: whoever reads, or forgets what was
        typed, is to find them there.
        """
        os.write(self.end, text.encode())
        assert select.select([self.descriptor], [], [], PATIENCE_S)[0]

    async def reply(self, text: str) -> None:
        """Type a reply as soon as one is asked for."""
        await self.until("Ctrl-D ends it")
        self.type(text)


@asynccontextmanager
async def sitting() -> AsyncIterator[tuple[Terminal, HumanQueue]]:
    """A person at a terminal, and the queue of their turns."""
    terminal, queue = Terminal(), HumanQueue()
    front = TerminalFront(queue, descriptor=terminal.descriptor, console=terminal.console)
    await front.start()
    yield terminal, queue
    await front.close()
    os.close(terminal.end)
    os.close(terminal.descriptor)


async def test_a_reply_of_several_lines_is_confirmed_and_handed_in() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("The sum is wrong.\nVerdict: incorrect\n\n")
        await terminal.until("read as: verdict incorrect")
        await terminal.until("Enter hands it in, c corrects it")
        terminal.type("\n")
        assert await call == "The sum is wrong.\nVerdict: incorrect"


async def test_the_whole_prompt_is_shown_without_control_characters() -> None:
    messages = (
        Message(role="system", content="You are a sceptic."),
        Message(role="user", content="What is\x1b[2J 2+2?\x07"),
        Message(role="assistant", content="Answer: 4"),
        Message(role="user", content="Agent 1 answers: " + "word " * 40),
    )
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique("r", *messages)))
        shown = await terminal.until("Ctrl-D ends it")
        call.cancel()
    assert "a: critique, question q, round 1" in shown
    for text in ("[instructions]", "a sceptic.", "What is 2+2?", "[you said]", "Agent 1 answers"):
        assert text in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert max(map(len, shown.splitlines())) <= 100


async def test_a_reply_that_is_not_read_needs_a_word_to_be_handed_in() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("I cannot say.\n\n")
        await terminal.until("read as: no verdict")
        terminal.type("\n")
        await terminal.until("write it anew")
        terminal.type("I really cannot say.\n\n")
        await terminal.until("y hands it in")
        terminal.type("y\n")
        assert await call == "I really cannot say."


async def test_a_reply_can_be_corrected_although_it_is_read() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("Verdict: correct\n\n")
        await terminal.until("c corrects it")
        terminal.type("c\n")
        await terminal.until("write it anew")
        terminal.type(f"Verdict: incorrect{CTRL_D}{CTRL_D}")
        await terminal.until("c corrects it")
        terminal.type("\n")
        assert await call == "Verdict: incorrect"


async def test_an_empty_reply_is_no_abstention() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("\n")
        await terminal.until("nothing is written yet")
        terminal.type("Verdict: correct\n\n")
        await terminal.until("c corrects it")
        terminal.type("\n")
        assert await call == "Verdict: correct"


async def test_keys_that_were_pressed_before_a_question_answer_nothing() -> None:
    async with sitting() as (terminal, queue):
        terminal.type("Verdict: correct\n\n\n")
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("Verdict: incorrect\n\n")
        await terminal.until("read as: verdict incorrect")
        await terminal.until("c corrects it")
        terminal.type("\n")
        assert await call == "Verdict: incorrect"


async def test_turns_of_one_person_come_one_after_the_other() -> None:
    async with sitting() as (terminal, queue):
        calls = [asyncio.create_task(queue.ask(critique(id))) for id in "12"]
        for word in ("correct", "incorrect"):
            await terminal.reply(f"Verdict: {word}\n\n")
            await terminal.until("c corrects it")
            terminal.type("\n")
        assert [await call for call in calls] == ["Verdict: correct", "Verdict: incorrect"]


async def test_a_turn_that_is_given_up_is_taken_away_and_the_next_is_asked() -> None:
    async with sitting() as (terminal, queue):
        first, second = (asyncio.create_task(queue.ask(critique(id))) for id in "12")
        await terminal.reply("half typed\n")
        first.cancel()
        await terminal.until("what was typed for it is lost")
        await terminal.reply("Verdict: correct\n\n")
        await terminal.until("c corrects it")
        terminal.type("\n")
        assert await second == "Verdict: correct"


async def test_a_stop_says_that_what_was_typed_is_lost() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("half typed\n")
    assert "what was typed for it is lost" in terminal.printed.getvalue()
    call.cancel()


async def test_input_that_has_ended_fails_the_turn_rather_than_waiting_for_ever() -> None:
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        for _ in range(2):
            await terminal.until("Ctrl-D ends it" if not _ else "nothing is written yet")
            terminal.type(CTRL_D)
        await terminal.until("nothing is written yet")
        terminal.type(CTRL_D)
        with pytest.raises(EngineError, match="input of the terminal has ended"):
            await call
        with pytest.raises(EngineError, match="input of the terminal has ended"):
            await queue.ask(critique("2"))


async def test_a_reply_that_cannot_be_read_is_asked_for_again() -> None:
    def read_or_fail(text: str) -> ReplyParts:
        if text == "x":
            raise ValueError("no such mark")
        return read(text)

    form = replace(FORM, read=read_or_fail)
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(replace(critique(), form=form)))
        await terminal.reply("x\n\n")
        await terminal.until("it cannot be read: ValueError: no such mark")
        terminal.type("Verdict: correct\n\n")
        await terminal.until("c corrects it")
        terminal.type("\n")
        assert await call == "Verdict: correct"


class Display:
    """A live display that notes whether it is there."""

    def __init__(self) -> None:
        self.is_there = asyncio.Event()

    def resume(self) -> None:
        self.is_there.set()

    def pause(self) -> None:
        self.is_there.clear()


async def test_a_live_display_makes_room_while_a_person_is_asked() -> None:
    display = Display()
    async with sitting() as (terminal, queue):
        with show_display(display):
            call = asyncio.create_task(queue.ask(critique()))
            await terminal.until("Ctrl-D ends it")
            assert not display.is_there.is_set()
            terminal.type("Verdict: correct\n\n")
            await terminal.until("c corrects it")
            terminal.type("\n")
            await call
            await display.is_there.wait()


async def test_a_live_display_that_comes_later_waits_until_the_person_has_answered() -> None:
    display = Display()
    async with sitting() as (terminal, queue):
        call = asyncio.create_task(queue.ask(critique()))
        await terminal.reply("Verdict: correct\n\n")
        with show_display(display):
            assert not display.is_there.is_set()
            await terminal.until("c corrects it")
            terminal.type("\n")
            await call
            await display.is_there.wait()
