"""Engines without a model: scripted replies, a calculator, the replay of a finished run."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from debate.config.models import CalculatorModel, ReplayModel, ScriptedModel
from debate.engines.base import Completion, DebateState, Request
from debate.engines.opinion import list_possible_answers
from debate.engines.sync_engine import SyncEngine, format_reply, judge_subject
from debate.errors import EngineError, boundary
from debate.log.files import TURNS, list_shards, read_values
from debate.tasks import list_candidates
from debate.types import Failure, Kind, Question, Usage, format_turn_ref

T = TypeVar("T")

DEFAULT_KEY = "*"
"""The key of the replies to questions that have none of their own."""

NUM_WRONG = 3
"""Wrong answers to an open question from which the stated one is drawn."""


class ScriptedEngine(SyncEngine[ScriptedModel]):
    """Gives the replies that its spec holds; the last one again past the end of a list by round."""

    def reply(self, request: Request) -> Completion:
        """Return what is written."""
        text = get_scripted_reply(self.spec, request.debate_state, part=request.part)
        return Completion(id=request.id, text=text, finish_reason="stop")


def get_scripted_reply(spec: ScriptedModel, state: DebateState | None, *, part: int = 0) -> str:
    """Return the reply that is written for a state of the debate. Raises EngineError without one.

    `part` counts the replies of the turn before this one.

    >>> get_scripted_reply(ScriptedModel(engine="scripted", replies="Answer: 4"), None)
    'Answer: 4'
    """
    replies = spec.replies
    if isinstance(replies, str):
        return replies
    assert state is not None, "a script by round or question was given no debate"
    if spec.states is not None:
        return format_reply(choose_answer(state.question, right=spec.states == "right"))
    if isinstance(replies, dict):
        question = state.question.id
        found = replies.get(question, replies.get(DEFAULT_KEY))
        if found is None:
            raise EngineError(f'no reply is written for question "{question}", and none for "*"')
        replies = [found] if isinstance(found, str) else found
    assert replies is not None, "a script has neither replies nor states"
    said = _get_last(replies, state.round)
    return said if isinstance(said, str) else _get_last(said, part)


def _get_last(replies: Sequence[T], number: int) -> T:
    """Return a reply of a list; past its end the last one."""
    if not replies:
        raise EngineError("the list of replies is empty")
    return replies[min(number, len(replies) - 1)]


def choose_answer(question: Question, *, right: bool) -> str:
    """Return the target, or one wrong answer, the same for every agent that is asked.

    Raises EngineError for a question without a target.

    >>> question = Question(id="q", text="2+2", kind="number", target="4")
    >>> choose_answer(question, right=True), choose_answer(question, right=False) == "4"
    ('4', False)
    """
    if question.target is None:
        raise EngineError(f'question "{question.id}" has no target, so no answer to it is known')
    if right:
        return question.target
    closed = list_candidates(question)
    known = closed or list_possible_answers(question, NUM_WRONG)
    wrong = [answer for answer in known if answer != question.target]
    if not wrong:
        raise EngineError(f'question "{question.id}" has no wrong answer')
    return random.Random(f"stated/{question.id}").choice(wrong)


NO_ANSWER = "no answer"
"""The calculator's reply to a question that it cannot calculate: an abstention."""


class CalculatorEngine(SyncEngine[CalculatorModel]):
    """Calculates from the question's text alone; it never looks at the target."""

    def reply(self, request: Request) -> Completion:
        """Return the exact answer, with a verdict where a turn is under critique."""
        state = request.debate_state
        assert state is not None, "the calculator was given no debate"
        exact = calculate(state.question.text)
        if exact is None:
            return Completion(id=request.id, text=NO_ANSWER, finish_reason="stop")
        text = format_reply(exact, verdict=judge_subject(state, exact))
        return Completion(id=request.id, text=text, finish_reason="stop")


def calculate(text: str) -> str | None:
    """Return the exact answer to an arithmetic question; None for any other text.

    >>> calculate("347+589"), calculate("Who wrote Hamlet?")
    ('936', None)
    """
    from debate.tasks.arithmetic import compute_answer

    try:
        return compute_answer(text.strip())
    except ValueError:
        return None


class TurnPosition(NamedTuple):
    """The position of a turn in its debate, which is the same in every cell."""

    question: str
    seed: int
    ref: str


class RecordedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a line of `turns/*.jsonl` that a replay needs."""

    question: str
    seed: int
    round: int
    kind: Kind
    agent: str
    about: str | None = None
    text: str = ""
    finish_reason: str | None = None
    failure: Failure | None = None
    usage: Usage = msgspec.field(default_factory=Usage)
    reasoning: str | None = None
    is_cut: bool = False
    final_line: str | None = None

    @property
    def position(self) -> TurnPosition:
        """The turn's position in its debate."""
        ref = format_turn_ref(round=self.round, kind=self.kind, agent=self.agent, about=self.about)
        return TurnPosition(self.question, self.seed, ref)


class ReplayEngine(SyncEngine[ReplayModel]):
    """Gives the turns of a recorded agent again. One not recorded, or that had failed, fails."""

    def __init__(self, spec: ReplayModel) -> None:
        super().__init__(spec)
        self._turns: dict[TurnPosition, RecordedTurn] = {}

    @property
    def place(self) -> str:
        """The run, which failures are attributed to."""
        return f"replay of {self.spec.path}"

    async def start(self) -> None:
        """Read the run. Raises EngineError where there is none."""
        with boundary(EngineError, self.place):
            self._turns = await asyncio.to_thread(read_recorded_turns, Path(self.spec.path))

    async def close(self) -> None:
        """Drop the recorded turns."""
        self._turns = {}

    def reply(self, request: Request) -> Completion:
        """Return what was recorded at the request's position, as it was heard then."""
        assert request.debate_state is not None, "a replay was given no debate"
        position = self._find_position(request.debate_state)
        turn = self._turns.get(position)
        if turn is None:
            raise EngineError(
                f"turn {position.ref} on question {position.question}, seed {position.seed}, "
                "is not in the recorded run"
            )
        return Completion(
            id=request.id,
            text="\n\n".join(filter(None, (turn.text, turn.final_line))),
            finish_reason=(None if turn.final_line else turn.finish_reason) or "stop",
            usage=turn.usage,
            failure=turn.failure,
            reasoning=turn.reasoning,
            is_reasoning_open=turn.is_cut and turn.reasoning is not None,
        )

    def _find_position(self, state: DebateState) -> TurnPosition:
        agent = self.spec.agent or state.agent
        ref = format_turn_ref(round=state.round, kind=state.kind, agent=agent, about=state.about)
        return TurnPosition(state.question.id, state.seed, ref)


def read_recorded_turns(directory: Path) -> dict[TurnPosition, RecordedTurn]:
    """Read the turns of a run by position; of several cells the first turn that did not fail.

    Where all have failed, it is the first of them.

    Raises EngineError for a directory without turns.
    """
    files = list_shards(directory, TURNS)
    if not files:
        raise EngineError(f"{directory} holds no finished run: there is no {TURNS}/*.jsonl in it")
    found: dict[TurnPosition, RecordedTurn] = {}
    for file in files:
        for turn in read_values(file, RecordedTurn):
            earlier = found.get(turn.position)
            if earlier is None or (earlier.failure and not turn.failure):
                found[turn.position] = turn
    return found
