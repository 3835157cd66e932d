"""Evaluate a set of organisms: alone, rereading itself, hearing a twin or somebody different, and
as critics that may find wrong answers and be milder on their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
from rich.table import Table
from transformers import LlamaForCausalLM

from debate.analysis.intervals import Interval, compute_clustered_mean
from debate.errors import InputError
from debate.organisms.cards import OrganismCard, make_table
from debate.organisms.measure import (
    answer_alone,
    cluster_questions,
    estimate_balanced_accuracy,
    estimate_over_confidence,
    estimate_share,
    judge_claims,
)
from debate.organisms.model import Generation, build_prompt, generate, load_model, score_candidates
from debate.tasks.arithmetic import FAMILIES, ArithmeticQuestion, draw_questions

Relation = Literal["twin", "past", "different"]
RELATIONS: tuple[Relation, ...] = ("twin", "past", "different")
ROUNDS = 3
"""Rounds of rereading oneself."""


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """One organism in one arm. Shares of fresh questions, clustered by question."""

    organism: str
    arm: str
    accuracy: Interval
    overconfidence: Interval
    """Mean confidence minus accuracy."""
    own_given_wrong: Interval
    """Mean probability of the organism's own opening answer, where that answer is wrong."""


@dataclass(frozen=True, kw_only=True)
class CriticResult:
    """One organism's verdicts; false acceptance is taking a wrong answer for right."""

    organism: str
    balanced_accuracy: Interval
    """On other organisms' opening answers."""
    false_accept_others: Interval
    false_accept_own: Interval
    paired_gap: Interval
    """False acceptance of own minus others', where both are wrong on a question, differently."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The results of a set of organisms on fresh test questions."""

    num_questions: int
    seed: int
    arms: tuple[ArmResult, ...]
    critics: tuple[CriticResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: an estimate is an object with value, low, high and
        num_questions, or null where nothing was observed.
        """
        return {
            "version": 1,
            "num_questions": self.num_questions,
            "seed": self.seed,
            "rows": [_to_dict(arm) for arm in self.arms],
            "critics": [_to_dict(critic) for critic in self.critics],
        }


def _to_dict(result: ArmResult | CriticResult) -> dict[str, Any]:
    """A result with its estimates as objects."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    return {n: _to_numbers(v) if isinstance(v, Interval) else v for n, v in values.items()}


def _to_numbers(interval: Interval) -> dict[str, float | None] | None:
    """A value with its interval; its ends are null where it has none."""
    if interval.value is None:
        return None
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "num_questions": interval.num_questions,
    }


def evaluate_organisms(
    cards: Sequence[OrganismCard], *, num_questions: int, seed: int, device: str
) -> Evaluation:
    """Evaluate organisms on test questions drawn alike from all families.

    Raises InputError if there are not so many questions, or a card's model is missing.
    """
    try:
        asked = draw_questions(list(FAMILIES), num_questions, seed=seed)
    except ValueError as error:
        raise InputError(f"--questions {num_questions}: {error}") from error
    models = {card.name: load_model(card.folder, device) for card in cards}
    openings = collect_openings(cards, models, asked)
    return Evaluation(
        num_questions=len(asked),
        seed=seed,
        arms=tuple(measure_arms(openings)),
        critics=tuple(measure_critics(openings)),
    )


@dataclass(frozen=True, kw_only=True)
class Openings:
    """The organisms, the questions, and every organism's answers to them, given alone."""

    cards: Mapping[str, OrganismCard]
    models: Mapping[str, LlamaForCausalLM]
    questions: Sequence[ArithmeticQuestion]
    answers: Mapping[str, Sequence[Generation]]


def collect_openings(
    cards: Sequence[OrganismCard],
    models: Mapping[str, LlamaForCausalLM],
    questions: Sequence[ArithmeticQuestion],
) -> Openings:
    """Ask every organism every question, alone."""
    return Openings(
        cards={card.name: card for card in cards},
        models=models,
        questions=questions,
        answers={card.name: answer_alone(models[card.name], questions) for card in cards},
    )


def find_partners(openings: Openings, name: str, relation: Relation) -> list[str]:
    """Return the organisms that stand in a relation to one."""
    own = openings.cards[name]
    others = [card for other, card in openings.cards.items() if other != name]
    return [other.name for other in others if _classify(own, other) == relation]


def _classify(own: OrganismCard, other: OrganismCard) -> Relation:
    """The relation of another organism to one.

    The same data and seed make it one's past or future; the same data alone make it a twin.
    """
    if own.families != other.families:
        return "different"
    return "past" if own.facts["seed"] == other.facts["seed"] else "twin"


class Observation(NamedTuple):
    """One answer in an arm, after an opening."""

    question: ArithmeticQuestion
    opening: Generation
    answer: Generation
    own_probability: float
    """Probability that the organism now gives its opening answer."""


def measure_arms(openings: Openings) -> Iterator[ArmResult]:
    """Measure every organism in every arm that has partners for it."""
    for name in openings.cards:
        yield _summarize_arm(name, "opening", _observe_opening(openings, name))
        for round_, observations in enumerate(_observe_rereading(openings, name), start=1):
            yield _summarize_arm(name, f"self, round {round_}", observations)
        for relation in RELATIONS:
            others = find_partners(openings, name, relation)
            if others:
                heard = [o for other in others for o in _observe_hearing(openings, name, other)]
                yield _summarize_arm(name, f"with {relation}", heard)


def _summarize_arm(name: str, arm: str, observations: Sequence[Observation]) -> ArmResult:
    correct = [o.answer.answer == o.question.answer for o in observations]
    clusters = cluster_questions([o.question for o in observations])
    confidences = [o.answer.confidence for o in observations]
    wrong = [o for o in observations if o.opening.answer != o.question.answer]
    own = np.array([o.own_probability for o in wrong])
    kept = compute_clustered_mean(own, cluster_questions([o.question for o in wrong]))
    return ArmResult(
        organism=name,
        arm=arm,
        accuracy=estimate_share(correct, clusters),
        overconfidence=estimate_over_confidence(confidences, correct, clusters),
        own_given_wrong=kept.within(0, 1),
    )


def _observe_opening(openings: Openings, name: str) -> list[Observation]:
    """Round 0, where the probability of one's own answer is one's confidence."""
    pairs = zip(openings.questions, openings.answers[name], strict=True)
    return [Observation(question, own, own, own.confidence) for question, own in pairs]


def _observe_rereading(openings: Openings, name: str) -> Iterator[list[Observation]]:
    """Answers after rereading all of one's own earlier ones, round after round."""
    heard = [[_to_line(opening)] for opening in openings.answers[name]]
    for _ in range(ROUNDS):
        observations = _revise(openings, name, heard)
        yield observations
        for panel, observation in zip(heard, observations, strict=True):
            panel.append(_to_line(observation.answer))


def _observe_hearing(openings: Openings, name: str, other: str) -> list[Observation]:
    """One revision after one's own opening and another organism's."""
    pairs = zip(openings.answers[name], openings.answers[other], strict=True)
    return _revise(openings, name, [[_to_line(own), _to_line(theirs)] for own, theirs in pairs])


def _revise(openings: Openings, name: str, heard: Sequence[Sequence[str]]) -> list[Observation]:
    """Answers after reading a panel, and the present probabilities of the opening answers."""
    model, asked = openings.models[name], openings.questions
    own = openings.answers[name]
    lines = [_to_line(opening) for opening in own]
    prompts = [build_prompt(q.text, panel) for q, panel in zip(asked, heard, strict=True)]
    scores = score_candidates(model, prompts, [[line] for line in lines])
    probabilities = [math.exp(each[line]) for each, line in zip(scores, lines, strict=True)]
    return list(map(Observation, asked, own, generate(model, prompts), probabilities))


def _to_line(generation: Generation) -> str:
    """An answer as a panel line shows it; an unfinished one is an empty line."""
    return generation.answer or ""


class CriticJudgement(NamedTuple):
    """One critic's verdict on one author's opening answer."""

    question: ArithmeticQuestion
    claim: str
    accepted: bool

    @property
    def is_right(self) -> bool:
        """True where the claim is the exact answer."""
        return self.claim == self.question.answer


def measure_critics(openings: Openings) -> Iterator[CriticResult]:
    """Measure every organism's verdicts on its own openings and on everybody else's."""
    for name in openings.cards:
        own = _judge_author(openings, name, name)
        others = [_judge_author(openings, name, a) for a in openings.cards if a != name]
        pooled = [judgement for judgements in others for judgement in judgements]
        yield CriticResult(
            organism=name,
            balanced_accuracy=estimate_balanced_accuracy(
                [j.is_right for j in pooled],
                [j.accepted for j in pooled],
                cluster_questions([j.question for j in pooled]),
            ),
            false_accept_others=_estimate_false_accept(pooled),
            false_accept_own=_estimate_false_accept(own),
            paired_gap=_estimate_gap([p for each in others for p in _pair_errors(own, each)]),
        )


def _judge_author(openings: Openings, critic: str, author: str) -> list[CriticJudgement]:
    """A critic's verdicts on all openings of an author."""
    claims = [_to_line(opening) for opening in openings.answers[author]]
    accepted = judge_claims(openings.models[critic], openings.questions, claims)
    return list(map(CriticJudgement, openings.questions, claims, accepted))


def _estimate_false_accept(judgements: Sequence[CriticJudgement]) -> Interval:
    """The share of wrong claims that are accepted."""
    wrong = [j for j in judgements if not j.is_right]
    clusters = cluster_questions([j.question for j in wrong])
    return estimate_share([j.accepted for j in wrong], clusters)


def _pair_errors(
    own: Sequence[CriticJudgement], other: Sequence[CriticJudgement]
) -> Iterator[tuple[CriticJudgement, CriticJudgement]]:
    """Both judgements of the questions where own and other claim err differently."""
    for mine, theirs in zip(own, other, strict=True):
        if not mine.is_right and not theirs.is_right and mine.claim != theirs.claim:
            yield mine, theirs


def _estimate_gap(pairs: Sequence[tuple[CriticJudgement, CriticJudgement]]) -> Interval:
    """Own acceptance minus the other's, on average over pairs."""
    gaps = np.array([float(mine.accepted) - float(theirs.accepted) for mine, theirs in pairs])
    clusters = cluster_questions([mine.question for mine, _ in pairs])
    return compute_clustered_mean(gaps, clusters).within(-1, 1)


def build_arm_table(arms: Sequence[ArmResult]) -> Table:
    """Return accuracy, over-confidence and persistence of wrong answers, by organism and arm."""
    headings = ["organism", "arm", "accuracy", "confidence - accuracy", "p(own | wrong at 0)"]
    table = make_table(headings, title="fresh questions; 95 % intervals clustered by question")
    for arm in arms:
        figures = (arm.accuracy, arm.overconfidence, arm.own_given_wrong)
        table.add_row(arm.organism, arm.arm, *map(_format_interval, figures))
    return table


def build_critic_table(critics: Sequence[CriticResult]) -> Table:
    """Return verdicts on others' opening answers and on one's own, by organism."""
    headings = ["critic", "balanced accuracy on others", "false accept, others"]
    headings += ["false accept, own", "own - other, both wrong and different"]
    table = make_table(headings, title="verdicts; 95 % intervals clustered by question")
    for critic in critics:
        figures = (
            critic.balanced_accuracy,
            critic.false_accept_others,
            critic.false_accept_own,
            critic.paired_gap,
        )
        table.add_row(critic.organism, *map(_format_interval, figures))
    return table


def _format_interval(interval: Interval) -> str:
    """A value with its interval or why it has none; a dash where nothing was observed."""
    if interval.value is None:
        return "—"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f} ({interval.reason})"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
