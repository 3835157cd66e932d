"""The shipped set in debate: openings, self-revision, and hearing a twin or somebody different."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from transformers import LlamaForCausalLM

from debate.analysis.intervals import Interval, clustered_mean
from debate.organisms.cards import Card
from debate.organisms.generate import Reply, belief, context, reply
from debate.organisms.measure import (
    code_questions,
    estimate_over_confidence,
    estimate_share,
    openings,
)
from debate.tasks.arithmetic import ArithmeticQuestion

Relation = Literal["twin", "past", "different"]
RELATIONS: tuple[Relation, ...] = ("twin", "past", "different")
ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Row:
    """One organism in one arm. Shares of fresh questions, clustered by question."""

    organism: str
    arm: str
    accuracy: Interval
    overconfidence: Interval
    """Mean confidence minus accuracy."""
    own_given_wrong: Interval
    """Mean probability of the organism's own opening answer, where that answer is wrong."""


class Observation(NamedTuple):
    """One answer in an arm, after an opening."""

    question: ArithmeticQuestion
    opening: Reply
    reply: Reply
    own_probability: float
    """Probability that the organism now gives its opening answer."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The organisms, the questions, and every organism's openings."""

    cards: Mapping[str, Card]
    models: Mapping[str, LlamaForCausalLM]
    questions: Sequence[ArithmeticQuestion]
    openings: Mapping[str, Sequence[Reply]]


def make_bench(
    cards: Sequence[Card],
    models: Mapping[str, LlamaForCausalLM],
    questions: Sequence[ArithmeticQuestion],
) -> Bench:
    """Ask every organism every question, alone."""
    return Bench(
        cards={card.name: card for card in cards},
        models=models,
        questions=questions,
        openings={card.name: openings(models[card.name], questions) for card in cards},
    )


def relation(own: Card, other: Card) -> Relation:
    """What another organism is to one.

    The same data and seed make it one's past or future; the same data alone make it a twin.
    """
    if own.families != other.families:
        return "different"
    return "past" if own.facts["seed"] == other.facts["seed"] else "twin"


def partners(bench: Bench, name: str, kind: Relation) -> list[str]:
    """The organisms that stand in a relation to one."""
    own = bench.cards[name]
    return [n for n, card in bench.cards.items() if n != name and relation(own, card) == kind]


def rows(bench: Bench) -> Iterator[Row]:
    """Every organism in every arm that has partners for it."""
    for name in bench.cards:
        yield _row(name, "opening", _opening(bench, name))
        for round_number, observations in enumerate(_self_rounds(bench, name), start=1):
            yield _row(name, f"self, round {round_number}", observations)
        for kind in RELATIONS:
            others = partners(bench, name, kind)
            if others:
                heard = [o for other in others for o in _hearing(bench, name, other)]
                yield _row(name, f"with {kind}", heard)


def said(answer: Reply) -> str:
    """An answer as a panel line shows it; an unfinished one is an empty line."""
    return answer.answer or ""


def _opening(bench: Bench, name: str) -> list[Observation]:
    """Round 0, where the probability of one's own answer is one's confidence."""
    pairs = zip(bench.questions, bench.openings[name], strict=True)
    return [Observation(question, r, r, r.confidence) for question, r in pairs]


def _self_rounds(bench: Bench, name: str) -> Iterator[list[Observation]]:
    """Rereading all of one's own earlier answers, round after round."""
    heard = [[said(opening)] for opening in bench.openings[name]]
    for _ in range(ROUNDS):
        observations = _revise(bench, name, heard)
        yield observations
        for panel, observation in zip(heard, observations, strict=True):
            panel.append(said(observation.reply))


def _hearing(bench: Bench, name: str, other: str) -> list[Observation]:
    """One revision after one's own opening and another organism's."""
    pairs = zip(bench.openings[name], bench.openings[other], strict=True)
    return _revise(bench, name, [[said(own), said(theirs)] for own, theirs in pairs])


def _revise(bench: Bench, name: str, heard: Sequence[Sequence[str]]) -> list[Observation]:
    """Answers after reading a panel, and what has become of the opening answers."""
    model, own = bench.models[name], bench.openings[name]
    contexts = [context(q.text, panel) for q, panel in zip(bench.questions, heard, strict=True)]
    beliefs = belief(model, contexts, [[said(opening)] for opening in own])
    probabilities = [math.exp(b[said(opening)]) for b, opening in zip(beliefs, own, strict=True)]
    return list(map(Observation, bench.questions, own, reply(model, contexts), probabilities))


def _row(name: str, arm: str, observations: Sequence[Observation]) -> Row:
    """The figures of one arm."""
    correct = [o.reply.answer == o.question.answer for o in observations]
    clusters = code_questions([o.question for o in observations])
    wrong = [o for o in observations if o.opening.answer != o.question.answer]
    kept = clustered_mean(
        np.array([o.own_probability for o in wrong]), code_questions([o.question for o in wrong])
    )
    return Row(
        organism=name,
        arm=arm,
        accuracy=estimate_share(correct, clusters),
        overconfidence=estimate_over_confidence(
            [o.reply.confidence for o in observations], correct, clusters
        ),
        own_given_wrong=kept.within(0, 1),
    )
