"""How many model calls cells make at most: each is debated once with clients that only record.

The debate is the real one, by the cell's own protocol. Of what is said no two answers and no two
confidences are alike, so that nobody agrees, nobody falls silent and nothing ends early: no debate
by a shipped protocol makes more calls. One by a protocol of the user's own can only do so if it
asks more where answers agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from debate.agents.agent import Agent, call_hash
from debate.engines.base import Completion, Request
from debate.errors import ConfigError, DebateError
from debate.orchestrator.calls import Calls, Draft
from debate.orchestrator.cell import Cell
from debate.orchestrator.further import BELIEF
from debate.orchestrator.probing import scoring_context
from debate.orchestrator.protocols import PROTOCOLS
from debate.orchestrator.question import debate_question
from debate.types import Answer, CallResult, Confidence, Question, Turn
from debate.wiring.offline import Nowhere

Names = frozenset[str]
"""Calls by the digest of all that decides what is asked: what is alike is made once."""

UNHURRIED = {"stop": "never", "debate_if": None, "quorum": None}
"""A protocol under which each debate has all of its rounds, and everybody is waited for."""


def named_calls(cell: Cell, question: Question, seed: int) -> Names:
    """The most calls that one debate of the cell can make with this question and seed.

    Raises ConfigError where a protocol of the user's own raises an error.
    """
    return frozenset(_debated(cell, question, seed).made)


def named_contexts(cell: Cell, question: Question, seed: int) -> Names:
    """The most prompts of answers whose beliefs can be probed in one debate of the cell."""
    probed = replace(cell, probes=(BELIEF,))
    return frozenset(_debated(probed, question, seed).contexts)


def _debated(cell: Cell, question: Question, seed: int) -> _Asked:
    asked = _Asked(set(), set())
    clients = {agent.spec.model: _Recorder(agent, asked) for agent in cell.agents.values()}
    calls = _Differing(clients=clients, log=Nowhere(), watcher=Nowhere())
    whole = replace(
        cell,
        spec=cell.spec.model_copy(update=UNHURRIED),
        score=_unscored,
        normalise=_as_it_stands,
    )
    debated = debate_question(question, [whole], calls, seed=seed)
    try:
        with ThreadPoolExecutor(1) as thread:  # whoever asks may be inside an event loop
            thread.submit(asyncio.run, debated).result()
    except DebateError:
        raise
    except Exception as error:
        if cell.spec.name in PROTOCOLS:
            raise
        told = f"{type(error).__name__}: {error}"
        raise ConfigError(f"protocol {cell.spec.name}, tried without models, raised {told}") from (
            error
        )
    return asked


def num_distinct(cells: Iterable[Names]) -> int:
    """The calls of several cells on one question, those that are alike made once."""
    return len(frozenset().union(*cells))


class _Asked(NamedTuple):
    """All calls, and the prompts after which candidates were scored, by their digests."""

    made: set[str]
    contexts: set[str]


class _Recorder:
    """A model's client that notes what it is asked and says nothing."""

    def __init__(self, agent: Agent, asked: _Asked) -> None:
        self._agent = agent
        self._asked = asked

    async def complete(self, request: Request) -> Completion:
        """An empty reply; candidates are all equally likely."""
        self._asked.made.add(call_hash(self._agent, request))
        if request.candidates:
            self._asked.contexts.add(scoring_context(self._agent, request))
        scores = tuple(-1.0 for _ in request.candidates)
        return Completion(id=request.id, candidate_log_p=scores or None)


class _Differing(Calls):
    """Takes turns as a run does, except that each says what no other says."""

    async def take(self, draft: Draft) -> Turn:
        """The turn, its calls made; those of another place of the debate are shared as ever."""
        return await super().take(replace(draft, compute=partial(_said, draft)))


async def _said(draft: Draft) -> CallResult:
    result = await draft.compute()
    number = int(draft.turn.prompt_hash[:12], 16)
    is_critique = draft.turn.kind == "critique"
    return replace(
        result,
        text=f"Answer: {number}",
        answer=None if is_critique else Answer(value=str(number)),
        accepts=False if is_critique else None,
        confidences=(Confidence(source="verbal", value=number / 16**12),),
    )


def _unscored(value: str | None, question: Question) -> None:
    return None


def _as_it_stands(value: str, question: Question) -> str:
    return value
