"""Engines that know the right answers: what they say, and that their errors come out as set."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from debate.agents.agent import hash_call
from debate.config.models import CheckerModel, OracleModel
from debate.engines.base import Capabilities, DebateState
from debate.engines.truth import CheckerEngine, OracleEngine
from debate.types import Answer, Question, Turn
from tests.engines.builders import complete_one, debate_state, request, turn
from tests.orchestrator.test_call_hashes import agent

CHECKER = CheckerEngine(CheckerModel(engine="checker"))
QUESTION = Question(id="q", text="347+589", kind="number", target="936")


def oracle(**fields: Any) -> OracleEngine:
    return OracleEngine(OracleModel(engine="oracle", **fields))


def put(value: str, *, target: str = "936", number: int = 0, **place: Any) -> DebateState:
    """A critique of an answer that the run has scored."""
    question = replace(QUESTION, id=f"q{number}", target=target)
    subject = turn(agent="b", answer=Answer(value=value), correct=value == target)
    now = {"round": 1, "kind": "critique", "about": "b"} | place
    return debate_state(question=question, subject=subject, **now)


async def said(engine: CheckerEngine | OracleEngine, state: DebateState) -> str:
    return (await complete_one(engine, request("?", debate_state=state))).text


def accepts(text: str) -> bool | None:
    verdict = text.rpartition("Verdict: ")[2]
    return {"correct": True, "incorrect": False}.get(verdict)


async def test_the_checker_says_whether_an_answer_is_right_and_never_what_is() -> None:
    assert await said(CHECKER, put("936")) == "This answer is right.\nVerdict: correct"
    assert await said(CHECKER, put("926")) == "This answer is wrong.\nVerdict: incorrect"
    assert "936" not in await said(CHECKER, put("926"))


async def test_the_checker_takes_the_scoring_of_the_run() -> None:
    """Within a tolerance 935 may be right; only the run's own scoring knows."""
    state = put("935")
    assert state.subject is not None
    near = replace(state, subject=replace(state.subject, correct=True))
    assert accepts(await said(CHECKER, near)) is True


async def test_the_checker_abstains_from_answering_and_from_what_cannot_be_scored() -> None:
    assert await said(CHECKER, debate_state()) == "no answer"
    state = put("936")
    assert state.subject is not None
    unscored = replace(state, subject=replace(state.subject, correct=None))
    assert accepts(await said(CHECKER, unscored)) is None


async def test_the_rates_of_an_oracle_come_out_as_set() -> None:
    """Of 2,000 answers each; 4 standard errors are at most .045."""
    engine = oracle(coverage=0.8, false_accept=0.3, false_reject=0.1)
    for value, rate in (("936", 1 - 0.1), ("926", 0.3)):
        states = [put(value, number=n) for n in range(2000)]
        verdicts = [accepts(await said(engine, state)) for state in states]
        told = [verdict for verdict in verdicts if verdict is not None]
        assert len(told) / len(states) == pytest.approx(0.8, abs=0.04)
        assert sum(told) / len(told) == pytest.approx(rate, abs=0.045)


async def test_asking_an_oracle_again_tells_nothing_unless_it_draws_anew() -> None:
    rates = {"false_accept": 0.5, "false_reject": 0.5}
    for redraw in (False, True):
        engine = oracle(**rates, redraw=redraw)
        times = [
            {accepts(await said(engine, put("926", number=n, round=r))) for r in range(1, 9)}
            for n in range(20)
        ]
        assert all(len(verdicts) == 1 for verdicts in times) is not redraw


async def test_an_oracle_knows_a_question_or_does_not_whatever_the_answer() -> None:
    engine, rng = oracle(coverage=0.5), random.Random(3)
    for number in range(40):
        values = [str(rng.randrange(900, 940)) for _ in range(4)]
        verdicts = [accepts(await said(engine, put(v, number=number))) for v in values]
        assert len({verdict is None for verdict in verdicts}) == 1


async def test_equal_answers_in_other_words_get_one_verdict() -> None:
    engine = oracle(false_accept=0.5)
    for number in range(30):
        first, second = [put(value, target="4", number=number) for value in ("1926", "1,926")]
        assert await said(engine, first) == await said(engine, second)


async def test_a_user_states_the_answer_where_it_corrects() -> None:
    user = oracle(states_answer=True)
    assert await said(user, put("926")) == "Answer: 936\nVerdict: incorrect"
    assert await said(user, put("936")) == "Answer: 936\nVerdict: correct"
    assert await said(user, debate_state()) == "Answer: 936"
    assert await said(oracle(states_answer=True, coverage=0.0), debate_state()) == "no answer"


async def test_a_user_who_rejects_a_right_answer_states_a_wrong_one() -> None:
    user = oracle(states_answer=True, false_reject=1.0)
    text = await said(user, put("936"))
    assert accepts(text) is False
    assert "936" not in text


def test_the_call_of_one_who_knows_depends_on_whether_the_answer_is_right() -> None:
    right, wrong = (
        replace(put("926"), subject=replace(_get_subject(), correct=correct))
        for correct in (True, False)
    )
    calls = [request("?", debate_state=state) for state in (right, wrong)]
    knowing, blind = agent(capabilities=Capabilities(knows_truth=True)), agent()
    assert len({hash_call(knowing, call) for call in calls}) == 2
    assert len({hash_call(blind, call) for call in calls}) == 1


def _get_subject() -> Turn:
    subject = put("926").subject
    assert subject is not None
    return subject
