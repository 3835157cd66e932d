"""Debates held without models, of which nothing is kept: from recorded turns, or to count calls.

To know the most calls that a cell can make, the real debate is held by the cell's own protocol,
with clients that only record. No two answers and no two confidences are alike, so that nobody
agrees, nobody falls silent and nothing ends early: no debate by a shipped protocol makes more
calls. One by a protocol of the user's own can only do so if it asks more where answers agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from debate.agents.agent import Agent, hash_call, hash_content
from debate.agents.tool_use import count_most_calls
from debate.engines.base import Completion, Request
from debate.errors import ConfigError, DebateError
from debate.orchestrator.call_store import CallStore, PendingTurn
from debate.orchestrator.condition import Condition
from debate.orchestrator.debate import Debate
from debate.orchestrator.probing import BELIEF, hash_scoring_context
from debate.orchestrator.protocols import PROTOCOLS
from debate.orchestrator.question import debate_question, run_debate
from debate.types import (
    Answer,
    CallResult,
    Confidence,
    DebateKey,
    Failure,
    Question,
    Turn,
    Verdict,
    states_answer,
)

Digests = frozenset[str]
"""Calls by the digest of all that decides what is asked: calls that are alike are made once."""

FULL_LENGTH = {"stop": "never", "debate_if": None, "quorum": None}
"""Fields of a protocol under which each debate has all of its rounds and waits for everybody."""
NOT_RECORDED = Failure(boundary="log", message="this turn is not recorded")


class NullLog:
    """The log and the watcher of a debate of which nothing is kept."""

    def __init__(self, recorded: Mapping[str, Turn] | None = None) -> None:
        self._recorded = dict(recorded or {})

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The turns that were given."""
        return self._recorded

    def queue(self, turn: Turn) -> None:
        """Do nothing."""

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Do nothing."""

    def prune(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Do nothing."""

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Do nothing."""

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Do nothing."""


def collect_calls(
    cell: Condition, question: Question, seed: int, *, model: str | None = None
) -> Digests:
    """Return all calls that one debate of the cell can make with this question and seed.

    model: the only one whose calls are wanted. Raises ConfigError where custom code raises an
    error.
    """
    calls = _hold_full_length(cell, question, seed).calls
    return frozenset(digest for digest, name in calls.items() if model in (None, name))


def collect_contexts(cell: Condition, question: Question, seed: int) -> Digests:
    """Return the prompts of all answers that one debate of the cell can make and probe."""
    probed = replace(cell, probes=(BELIEF,))
    return frozenset(_hold_full_length(probed, question, seed).contexts)


def count_distinct(cells: Iterable[Digests]) -> int:
    """Count the calls of several cells on one question, those that are alike once."""
    return len(frozenset().union(*cells))


class _Asked(NamedTuple):
    """All calls with their models, and the prompts after which candidates were scored, by their
    digests.
    """

    calls: dict[str, str]
    contexts: set[str]


def _hold_full_length(cell: Condition, question: Question, seed: int) -> _Asked:
    asked = _Asked({}, set())
    may_ask_again = cell.spec.read == "constrained"
    clients = {
        agent.spec.model: _RecordingClient(agent, asked, may_ask_again=may_ask_again)
        for agent in cell.agents.values()
    }
    calls = _DistinctCalls(clients=clients, log=NullLog(), watcher=NullLog())
    whole = replace(
        cell,
        spec=cell.spec.model_copy(update=FULL_LENGTH),
        score=lambda value, question: None,
        normalise=lambda value, question: value,
    )
    debated = debate_question(question, [whole], calls, seed=seed)
    try:
        with ThreadPoolExecutor(1) as thread:  # the caller may be inside an event loop
            thread.submit(asyncio.run, debated).result()
    except DebateError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        if cell.spec.name in PROTOCOLS:
            raise
        told = f"{type(error).__name__}: {error}"
        message = f"protocol {cell.spec.name}, tried without models, raised {told}"
        raise ConfigError(message) from error
    return asked


class _RecordingClient:
    """A model's client that notes what it is asked and says nothing.

    Where final lines may be asked for, it says to each call what states no answer and is said to
    no other, so that every such line is counted; and as the turn is then no call that a condition
    without them shares, its calls are told from theirs.
    """

    def __init__(self, agent: Agent, asked: _Asked, *, may_ask_again: bool) -> None:
        self._agent = agent
        self._asked = asked
        self._may_ask_again = may_ask_again

    async def complete(self, request: Request) -> Completion:
        """Return a reply without an answer, and the same log p for every candidate."""
        digest = hash_call(self._agent, request)
        if self._may_ask_again:
            digest = hash_content([digest, "constrained"])
        model = self._agent.spec.model
        self._asked.calls[digest] = model
        for number in range(count_most_calls(self._agent.spec.tools) if request.tools else 0):
            self._asked.calls[hash_content([digest, "tool", number])] = model
        if request.candidates:
            self._asked.contexts.add(hash_scoring_context(self._agent, request))
        if request.candidates:
            return Completion(id=request.id, candidate_log_p=(-1.0,) * len(request.candidates))
        text = f"call {digest}" if self._may_ask_again else ""
        return Completion(id=request.id, text=text, finish_reason="length" if text else None)


class _DistinctCalls(CallStore):
    """Makes calls as a run does, except that no two turns have the same answer or confidence."""

    async def get_or_compute(self, draft: PendingTurn) -> Turn:
        """Return the turn with an answer of its own; a call that is alike is shared as in a run."""
        return await super().get_or_compute(replace(draft, compute=partial(_make_distinct, draft)))


async def _make_distinct(draft: PendingTurn) -> CallResult:
    result = await draft.compute()
    number = int(draft.turn.prompt_hash[:12], 16)
    is_critique = draft.turn.kind == "critique"
    return replace(
        result,
        text=f"Answer: {number}",
        is_cut=False,
        answer=Answer(value=str(number)),
        accepts=False if is_critique else None,
        confidences=(Confidence(source="verbal", value=number / 16**12),),
    )


class StatedAnswer(NamedTuple):
    """A recorded turn that states its agent's answer, and the request that it replied to."""

    turn: Turn
    request: Request


class ReplayedAnswers(NamedTuple):
    """The turns of a debate that state answers, and how many have another prompt than recorded."""

    stated: Sequence[StatedAnswer]
    num_changed: int


async def replay_answers(
    cell: Condition, question: Question, seed: int, recorded: Mapping[str, Turn]
) -> ReplayedAnswers:
    """Hold a debate again from its recorded turns, as far as they go, to know each one's request.

    A turn that is not recorded counts as failed, so that whatever would have heard it has another
    prompt than its record, if it has one.
    """
    calls = _RecordedCalls(recorded)
    debate = Debate(question, cell, calls, seed=seed)
    last = [transcript async for transcript in run_debate(debate)][-1]
    spoken = [turn for turn in last.turns if states_answer(turn) and turn.failure is None]
    stated = [StatedAnswer(t, debate.request(t.ref)) for t in spoken if t.ref not in calls.changed]
    return ReplayedAnswers(stated, len(spoken) - len(stated))


class _RecordedCalls(CallStore):
    """Takes recorded turns in place of calls; `changed` names those of another prompt."""

    def __init__(self, recorded: Mapping[str, Turn]) -> None:
        log = NullLog(recorded)
        super().__init__(clients={}, log=log, watcher=log)
        self._by_ref = recorded
        self.changed: set[str] = set()

    async def get_or_compute(self, draft: PendingTurn) -> Turn:
        """Return the recorded turn, or a failed one."""
        turn = self._by_ref.get(draft.turn.ref)
        if turn is None:
            return replace(draft.turn, failure=NOT_RECORDED)
        if turn.prompt_hash != draft.turn.prompt_hash:
            self.changed.add(draft.turn.ref)
        return turn
