"""Opinion dynamics with a set truth: competence, drift, shared errors, calibration."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.models import SimulatedModel
from debate.engines.base import DebateState, Request, Sampling
from debate.engines.opinion import compute_belief, draw_opening_weights, list_possible_answers
from debate.engines.simulated import UNREADABLE, SimulatedEngine
from debate.types import Answer, Question, Turn
from tests.engines.builders import complete_one, completions, debate_state, request, turn

AGENTS = ("a", "b", "c")
Hears = Callable[[str], Sequence[str]]


def spec(**fields: Any) -> SimulatedModel:
    return SimulatedModel(engine="simulated", **fields)


def question(number: int) -> Question:
    return Question(id=f"q{number}", text="?", kind="number", target=str(100 + number))


def said(agent: str, value: str | None, **fields: Any) -> Turn:
    """A finished turn with this answer."""
    return turn(agent=agent, answer=Answer(value=value), **fields)


def asked(debate_state: DebateState, **fields: Any) -> Request:
    return request(
        "?",
        id=str(hash((debate_state.question.id, debate_state.agent))),
        debate_state=debate_state,
        **fields,
    )


def critics_in_ring(agent: str) -> Sequence[str]:
    return (AGENTS[AGENTS.index(agent) - 1],)


def all_others(agent: str) -> Sequence[str]:
    return tuple(other for other in AGENTS if other != agent)


def itself(agent: str) -> Sequence[str]:
    return (agent,)


async def beliefs_in_truth(
    model: SimulatedModel, hears: Hears, *, num_questions: int, rounds: int
) -> dict[tuple[int, str], list[float]]:
    """Debate by exchange; p(truth) by question and agent, one entry per round."""
    engine = SimulatedEngine(model)
    found: dict[tuple[int, str], list[float]] = {}
    for number in range(num_questions):
        turns: dict[tuple[str, int], Turn] = {}
        for round in range(rounds + 1):
            for agent in AGENTS:
                now = _state(question(number), agent, round, turns, hears)
                truth = now.question.target or ""
                found.setdefault((number, agent), []).append(compute_belief(model, now)[truth])
                reply = await complete_one(engine, asked(now))
                value = reply.text.splitlines()[0].removeprefix("Answer: ")
                heard = [turns[other, round - 1].ref for other in hears(agent) if round]
                turns[agent, round] = said(
                    agent,
                    value,
                    question=now.question.id,
                    round=round,
                    kind=now.kind,
                    heard=tuple(heard),
                )
    return found


def _state(
    question: Question, agent: str, round: int, turns: dict[tuple[str, int], Turn], hears: Hears
) -> DebateState:
    known = {(agent, earlier) for earlier in range(round)}
    known |= {(other, earlier) for other in hears(agent) for earlier in range(round)}
    return debate_state(
        question=question,
        round=round,
        kind="revision" if round else "opening",
        agent=agent,
        turns=tuple(turns[place] for place in sorted(known, key=lambda place: place[1])),
        heard=tuple(turns[other, round - 1].ref for other in hears(agent)) if round else (),
    )


def drift_by_round(found: dict[tuple[int, str], list[float]]) -> list[tuple[float, float]]:
    """Mean change of the team's p(truth) per round, and its standard error over questions."""
    rounds = len(next(iter(found.values())))
    numbers = sorted({number for number, _ in found})
    results = []
    for round in range(1, rounds):
        changes = [
            statistics.fmean(found[n, a][round] - found[n, a][round - 1] for a in AGENTS)
            for n in numbers
        ]
        error = statistics.stdev(changes) / math.sqrt(len(changes))
        results.append((statistics.fmean(changes), error))
    return results


@pytest.mark.parametrize(
    ("hears", "self_trust"), [(critics_in_ring, 0.0), (all_others, 0.0), (itself, 3.0)]
)
async def test_without_drift_the_teams_belief_in_the_truth_is_a_martingale(
    hears: Hears, self_trust: float
) -> None:
    model = spec(competence=0.5, self_trust=self_trust, conformity=1.5)
    found = await beliefs_in_truth(model, hears, num_questions=300, rounds=3)
    for mean, error in drift_by_round(found):
        assert abs(mean) < 4 * error


@pytest.mark.parametrize("drift", [1.5, -1.5])
async def test_a_set_drift_shows_in_every_round(drift: float) -> None:
    found = await beliefs_in_truth(spec(drift=drift), all_others, num_questions=200, rounds=2)
    for mean, error in drift_by_round(found):
        assert mean * math.copysign(1, drift) > 4 * error


async def test_self_trust_entrenches_without_moving_the_mean() -> None:
    def spread(found: dict[tuple[int, str], list[float]]) -> float:
        return statistics.fmean(p[-1] * (1 - p[-1]) for p in found.values())

    deaf = await beliefs_in_truth(spec(self_trust=0), itself, num_questions=200, rounds=3)
    loop = await beliefs_in_truth(spec(self_trust=3), itself, num_questions=200, rounds=3)
    assert spread(loop) < 0.8 * spread(deaf)


@pytest.mark.parametrize("competence", [0.0, 0.2, 0.7, 1.0])
async def test_opening_answers_are_right_as_often_as_competence_says(competence: float) -> None:
    engine = SimulatedEngine(spec(competence=competence))
    states = [debate_state(question=question(number)) for number in range(2000)]
    right = 0
    for now in states:
        right += (await complete_one(engine, asked(now))).text.startswith(
            f"Answer: {now.question.target}\n"
        )
    assert abs(right / 2000 - competence) <= 4 * math.sqrt(competence * (1 - competence) / 2000)


@pytest.mark.parametrize("shared", [0.0, 0.4, 1.0])
def test_the_set_share_of_questions_has_an_opinion_in_common(shared: float) -> None:
    model = spec(shared=shared, world=3)
    same = [
        draw_opening_weights(model, question(number), "a")
        == draw_opening_weights(model, question(number), "b")
        for number in range(1500)
    ]
    assert abs(sum(same) / 1500 - shared) <= 4 * math.sqrt(shared * (1 - shared) / 1500)


def test_another_world_shares_nothing() -> None:
    one, other = spec(shared=1, world=1), spec(shared=1, world=2)
    assert draw_opening_weights(one, question(1), "a") != draw_opening_weights(
        other, question(1), "a"
    )


async def test_openings_are_calibrated_at_the_concentration_where_they_must_be() -> None:
    model = spec(competence=0.6, num_wrong=3, concentration=1 / (0.6 - 0.4 / 3))
    engine = SimulatedEngine(model)
    gaps: dict[bool, list[float]] = {True: [], False: []}
    for number in range(4000):
        reply = (await complete_one(engine, asked(debate_state(question=question(number))))).text
        answer, stated = reply.splitlines()
        confidence = float(stated.removeprefix("Confidence: ").rstrip("%")) / 100
        right = answer == f"Answer: {question(number).target}"
        gaps[confidence > 0.7].append(confidence - right)
    for some in gaps.values():
        assert abs(statistics.fmean(some)) < 4 * statistics.stdev(some) / math.sqrt(len(some))


async def test_a_bias_in_logits_is_over_confidence() -> None:
    honest, boastful = spec(), spec(confidence_bias=2.0)
    now = debate_state()
    stated = [
        float((await complete_one(SimulatedEngine(model), asked(now))).text.split()[-1].rstrip("%"))
        for model in (honest, boastful)
    ]
    assert stated[1] > stated[0]


async def test_replies_depend_on_spec_and_state_alone() -> None:
    states = [
        debate_state(question=question(number), agent=agent)
        for number in range(40)
        for agent in "ab"
    ]
    first, second = SimulatedEngine(spec()), SimulatedEngine(spec())
    forwards = await completions(first, [asked(now) for now in states])
    backwards = await completions(second, [asked(now) for now in reversed(states)])
    assert forwards == backwards


async def test_a_sampling_seed_draws_anew_from_the_same_belief() -> None:
    engine = SimulatedEngine(spec(competence=0.5, concentration=50))
    texts = {
        (await complete_one(engine, asked(debate_state(), sampling=Sampling(seed=seed)))).text
        for seed in range(20)
    }
    assert len(texts) > 1


async def test_candidates_are_scored_by_the_belief_that_answers_are_drawn_from() -> None:
    model, now = spec(), debate_state(turns=(said("b", "935"),), kind="revision", round=1)
    opinion = compute_belief(model, now)
    reply = await complete_one(
        SimulatedEngine(model), asked(now, candidates=("936\n", "935", "unheard of"))
    )
    assert reply.candidate_log_p is not None
    assert reply.candidate_log_p[:2] == pytest.approx(
        (math.log(opinion["936"]), math.log(opinion["935"]))
    )
    assert reply.candidate_log_p[2] < -20


async def test_words_of_truth_are_scored_about_the_turn_under_critique() -> None:
    model = spec()
    now = debate_state(kind="critique", round=1, about="b", subject=said("b", "935"))
    reply = await complete_one(SimulatedEngine(model), asked(now, candidates=("True", "False")))
    assert reply.candidate_log_p is not None
    yes, no = map(math.exp, reply.candidate_log_p)
    assert yes == pytest.approx(compute_belief(model, now).get("935", 1e-12))
    assert yes + no == pytest.approx(1)


async def test_words_of_truth_are_otherwise_about_the_answer_that_it_gives_there() -> None:
    model = spec()
    for number in range(20):
        now = debate_state(question=question(number))
        answer = (await complete_one(SimulatedEngine(model), asked(now))).text.split()[1]
        scored = await complete_one(SimulatedEngine(model), asked(now, candidates=("y", "n")))
        assert scored.candidate_log_p is not None
        assert math.exp(scored.candidate_log_p[0]) == pytest.approx(
            compute_belief(model, now)[answer]
        )


async def test_a_critique_accepts_what_it_would_answer_itself() -> None:
    engine = SimulatedEngine(spec(competence=1.0))
    verdicts = []
    for value in ("936", "935", None):
        now = debate_state(kind="critique", round=1, about="b", subject=said("b", value))
        verdicts.append((await complete_one(engine, asked(now))).text.splitlines()[1])
    assert verdicts == ["Verdict: correct", "Verdict: incorrect", "Verdict: incorrect"]


async def test_tokens_spell_the_text_and_price_the_answer() -> None:
    model = spec()
    reply = await complete_one(SimulatedEngine(model), asked(debate_state()))
    assert reply.tokens is not None
    assert "".join(token.text for token in reply.tokens) == reply.text
    answer = reply.tokens[1]
    assert answer.log_p == pytest.approx(
        math.log(compute_belief(model, debate_state())[answer.text])
    )


async def test_failures_and_unreadable_replies_come_at_their_rates() -> None:
    engine = SimulatedEngine(spec(failure=0.3, parse_failure=0.5))
    replies = [
        await complete_one(engine, asked(debate_state(question=question(number))))
        for number in range(1000)
    ]
    completed = [reply for reply in replies if reply.failure is None]
    unreadable = [reply for reply in completed if reply.text == UNREADABLE]
    assert abs(len(completed) / 1000 - 0.7) < 0.06
    assert abs(len(unreadable) / len(completed) - 0.5) < 0.08


async def test_a_question_without_target_cannot_be_simulated() -> None:
    now = debate_state(question=Question(id="q", text="?"))
    reply = await complete_one(SimulatedEngine(spec()), asked(now))
    assert reply.failure is not None
    assert "no target" in reply.failure.message


def test_what_was_only_read_for_review_is_not_heard() -> None:
    review = said("a", "936", kind="critique", round=1, about="b", heard=("0:opening:b",))
    now = debate_state(kind="revision", round=1, turns=(said("b", "935"), review))
    assert compute_belief(spec(), now) == compute_belief(spec(), replace(now, turns=()))


def test_an_answer_that_nobody_could_draw_can_still_be_heard() -> None:
    now = debate_state(kind="revision", round=1, turns=(said("b", "a surprise"),))
    assert compute_belief(spec(conformity=4, concentration=4), now)["a surprise"] == pytest.approx(
        0.5
    )


@given(
    st.sampled_from(["936", "-4", "2.5", "1,000", "0", "10000000000000000000001"]),
    st.integers(min_value=1, max_value=30),
)
def test_wrong_numbers_are_different_from_the_truth_and_each_other(truth: str, count: int) -> None:
    answers = list_possible_answers(Question(id="q", text="?", kind="number", target=truth), count)
    assert len(set(answers)) == count + 1
    assert answers[0] == truth
    assert all(math.isfinite(float(answer.replace(",", ""))) for answer in answers)


@pytest.mark.parametrize(("target", "wrong"), [("B", ("A", "C")), ("two", ("one", "three"))])
def test_wrong_choices_are_the_other_options(target: str, wrong: tuple[str, ...]) -> None:
    options = ("one", "two", "three")
    asked = Question(id="q", text="?", kind="choice", options=options, target=target)
    assert list_possible_answers(asked, 9) == (target, *wrong)


@given(
    st.floats(min_value=0, max_value=1),
    st.floats(min_value=1e-6, max_value=1e6),
    st.floats(min_value=-5, max_value=5),
)
def test_a_belief_is_always_a_distribution(
    competence: float, concentration: float, drift: float
) -> None:
    model = spec(competence=competence, concentration=concentration, drift=drift)
    now = debate_state(kind="revision", round=1, turns=(said("a", "936"), said("b", "937")))
    found = compute_belief(model, now)
    assert sum(found.values()) == pytest.approx(1)
    assert min(found.values()) >= 0
