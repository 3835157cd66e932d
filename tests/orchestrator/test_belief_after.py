"""Belief before a turn's working and after it are two estimators, which never meet in a column."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from debate.agents.agent import Agent
from debate.agents.probes import (
    ProbeFinding,
    ProbeSubject,
    probe_belief,
    probe_belief_after,
    probe_p_true,
)
from debate.config.loader import load_run
from debate.config.protocol import ProbeSpec
from debate.engines.base import Completion, Request
from debate.errors import EngineError
from debate.runner.plan import make_plan
from debate.types import Answer, Message, Question, Turn
from tests.orchestrator.test_confidence_of_replies import agent
from tests.support import run, simulated

QUESTION = Question(id="q", text="34+27?", kind="number", target="61")
WORKED = "34 + 27 = 61 shells.\nAnswer: 61"


def _ask(
    text: str, *, after: bool, reasoning: str | None = None, judge: Agent | None = None
) -> tuple[ProbeFinding, list[Request]]:
    """What a probe finds of a reply of this text, and what it asked to find it."""
    made: list[Request] = []

    async def ask(request: Request) -> Completion:
        made.append(request)
        log_p = tuple(-1.0 - n for n in range(len(request.candidates)))
        text = "" if request.candidates else "Because."
        return Completion(id=request.id, text=text, candidate_log_p=log_p, reasoning=reasoning)

    turn = Turn(
        cell="main",
        question="q",
        seed=0,
        round=0,
        kind="opening",
        agent="a",
        model="a",
        text=text,
        reasoning=reasoning,
        answer=Answer(value="61"),
    )
    messages = (Message(role="user", content="34+27?"),)
    subject = ProbeSubject(
        agent=judge or agent(),
        question=QUESTION,
        turn=turn,
        request=Request(id="1", messages=messages),
        candidates=("61", "62"),
    )
    probe = probe_p_true if judge else probe_belief_after if after else probe_belief
    name = "p_true" if judge else "belief_after" if after else "belief"
    return asyncio.run(probe(subject, ProbeSpec(name=name), ask)), made


def test_belief_after_continues_the_reply_up_to_its_answer() -> None:
    found, (request,) = _ask(WORKED, after=True)
    assert request.prefill == "34 + 27 = 61 shells.\nAnswer: "
    assert request.candidates == ("61", "62")
    assert [message.content for message in request.messages] == ["34+27?"]
    assert found.belief is not None
    assert found.belief.log_p == {"61": -1.0, "62": -2.0}
    assert found.confidence is not None
    assert (found.confidence.source, found.confidence.value) == ("belief_after", math.exp(-1))


def test_belief_stands_in_place_of_the_whole_reply() -> None:
    found, (request,) = _ask(WORKED, after=False)
    assert request.prefill == "Answer: "
    assert found.confidence is not None
    assert found.confidence.source == "belief"


def test_a_reply_that_shows_no_place_of_an_answer_has_no_belief_after_it() -> None:
    found, made = _ask("I do not know.", after=True)
    assert (found.belief, found.confidence, made) == (None, None, [])


def test_a_reply_that_private_reasoning_led_to_is_not_continued_without_it() -> None:
    with pytest.raises(EngineError, match="private reasoning before it"):
        _ask(WORKED, after=True, reasoning="34 and 27 make 61")
    assert _ask(WORKED, after=False, reasoning="34 and 27 make 61")[0].belief is not None


def test_a_reason_that_private_reasoning_led_to_is_not_continued_without_it() -> None:
    seat = {"id": "a", "prompts": "compact", "model": {"engine": "simulated"}}
    config = {"agents": [seat], "task": {"generator": "arithmetic", "n": 1}, "rounds": 1}
    (cell,) = make_plan(load_run({**config, "topology": "self_loop"})).cells
    judge = cell.agents["a"]
    assert judge.prompts.spec.p_true.reason
    assert _ask(WORKED, after=False, judge=judge)[0].confidence is not None
    with pytest.raises(EngineError, match="private reasoning before it"):
        _ask(WORKED, after=False, judge=judge, reasoning="it adds up")


def test_both_probes_have_columns_of_their_own_and_belief_alone_makes_log_odds(
    tmp_path: Path,
) -> None:
    agents = [simulated("a"), simulated("b")]
    both = run(tmp_path, agents, num_questions=4, rounds=1, probes=["belief_after", "belief"])
    alone = run(tmp_path, agents, num_questions=4, rounds=1, probes=["belief"], name="alone")
    after = run(tmp_path, agents, num_questions=4, rounds=1, probes=["belief_after"], name="after")
    key = ("question", "agent", "round", "log_p_own", "log_p_target", "belief_mass")
    order = ["question", "agent", "round"]
    rows = both.trajectories()
    assert rows.select(key).sort(order).equals(alone.trajectories().select(key).sort(order))
    assert rows["confidence_belief_after"].null_count() == 0
    assert after.trajectories()["log_p_own"].null_count() == rows.height
    assert after.trajectories()["belief_answer"].null_count() == rows.height
    probes = after.turns().filter(kind="probe")
    assert set(probes["about"]) == {"belief_after"}
    assert probes["belief"].list.len().min() == 2
