"""The queue of one person: turns in the order in which they are asked, by whichever front."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from debate.engines.base import DebateState, Request
from debate.engines.human.reply_form import ReplyForm, ReplyParts
from debate.errors import EngineError
from debate.text import clean
from debate.types import Question

WORDS = {
    "opening": "opening answer",
    "critique": "critique",
    "revision": "answer after hearing others",
    "judgment": "judgment",
    "probe": "answer",
}
"""Kinds of turns in words. Whose turn a critique is about is told by the prompt alone, which may
keep it from the person."""

PLAIN_FORM = ReplyForm(
    wanted="answer",
    read=lambda text: ReplyParts(reasoning=text, answer=text.strip() or None),
    write=lambda parts: "\n".join(filter(None, (parts.reasoning, parts.answer))),
)
"""The form of a request that came without one: the whole text is the answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HumanTurn:
    """A turn that waits for the person; its `number` is its own in this queue.

    `place` is what the queue is sorted by. `future` is given the reply; it is cancelled when nobody
    waits for one any more.
    """

    number: int
    place: tuple[int, int, int]
    request: Request
    since: float
    future: asyncio.Future[str] = field(repr=False)

    @property
    def state(self) -> DebateState:
        """The debate behind the prompt, of which the person is shown question, round and kind."""
        assert self.request.debate_state is not None, "a person was given no debate"
        return self.request.debate_state

    @property
    def form(self) -> ReplyForm:
        """What the reply is to hold, and how it would be read."""
        return self.request.form or PLAIN_FORM

    @property
    def question(self) -> Question:
        """The question that is debated."""
        return self.state.question

    @property
    def what(self) -> str:
        """The kind of turn in words."""
        if self.form.wanted == "confidence":
            return "confidence in an answer"
        return WORDS[self.state.kind]

    @property
    def title(self) -> str:
        """What is asked for, in one line."""
        return f"{self.what}, question {clean(self.question.id)}, round {self.state.round}"


class HumanQueue:
    """The turns that wait for one person.

    They are asked question by question, in the order in which the questions came up, and of each
    question round by round. One front takes them; `wait` is woken for it by whatever changes.
    """

    def __init__(self) -> None:
        self._turns: dict[int, HumanTurn] = {}
        self._ranks: dict[tuple[str, int], int] = {}
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()
        self._error: EngineError | None = None

    @property
    def waiting(self) -> Sequence[HumanTurn]:
        """The turns that wait, in the order in which they are asked."""
        waiting = [turn for turn in self._turns.values() if not turn.future.done()]
        return sorted(waiting, key=lambda turn: turn.place)

    @property
    def first(self) -> HumanTurn | None:
        """The turn to be asked next; None where none waits."""
        return next(iter(self.waiting), None)

    def find(self, number: int) -> HumanTurn | None:
        """Find a turn that waits by its number; None where it waits no more."""
        turn = self._turns.get(number)
        return None if turn is None or turn.future.done() else turn

    async def wait(self) -> None:
        """Return as soon as a turn comes or goes."""
        self._changed.clear()
        await self._changed.wait()

    async def ask(self, request: Request) -> str:
        """Return the person's reply; a turn whose caller leaves is taken from the queue.

        Raises EngineError where nobody can be asked any more.
        """
        if self._error is not None:
            raise self._error
        turn = self._make_turn(request)
        self._turns[turn.number] = turn
        self._changed.set()
        try:
            return await turn.future
        finally:
            del self._turns[turn.number]
            self._changed.set()

    def answer(self, turn: HumanTurn, text: str) -> bool:
        """Give a turn its reply. Returns whether somebody still waited for it."""
        if turn.future.done():
            return False
        turn.future.set_result(clean_reply(text))
        return True

    def fail(self, error: EngineError) -> None:
        """Fail the turns that wait, and all that come."""
        self._error = error
        for turn in self._turns.values():
            if not turn.future.done():
                turn.future.set_exception(error)

    def _make_turn(self, request: Request) -> HumanTurn:
        state = request.debate_state
        assert state is not None, "a person was given no debate"
        rank = self._ranks.setdefault((state.question.id, state.seed), len(self._ranks))
        number = next(self._numbers)
        return HumanTurn(
            number=number,
            place=(rank, state.round, number),
            request=request,
            since=time.time(),
            future=asyncio.get_running_loop().create_future(),
        )


def clean_reply(text: str) -> str:
    r"""Return a reply as it is recorded: line ends alike, no control characters, no blank ends.

    >>> clean_reply("\x1b[1mAnswer: 4\r\n\r\n")
    'Answer: 4'
    """
    lines = clean(text.replace("\r\n", "\n").replace("\r", "\n"), keep="\n\t").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()
