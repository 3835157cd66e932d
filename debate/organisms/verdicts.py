"""Organisms as critics: do they find wrong answers, and are they milder on their own?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from debate.analysis.intervals import Interval, clustered_mean
from debate.organisms.evaluate import Bench, said
from debate.organisms.measure import (
    code_questions,
    estimate_balanced_accuracy,
    estimate_share,
    judged,
)
from debate.tasks.arithmetic import ArithmeticQuestion


class Judgment(NamedTuple):
    """One critic's verdict on one author's opening answer."""

    question: ArithmeticQuestion
    claim: str
    accepted: bool

    @property
    def is_right(self) -> bool:
        """Whether the claim is the exact answer."""
        return self.claim == self.question.answer


@dataclass(frozen=True, kw_only=True)
class Critic:
    """One organism's verdicts; false acceptance is taking a wrong answer for right."""

    organism: str
    balanced_accuracy: Interval
    """On other organisms' opening answers."""
    false_accept_others: Interval
    false_accept_own: Interval
    paired_gap: Interval
    """False acceptance of own minus others', where both are wrong on a question, differently."""


def critics(bench: Bench) -> Iterator[Critic]:
    """Every organism's verdicts on its own openings and on everybody else's."""
    for name in bench.cards:
        own = _judgments(bench, name, name)
        others = [_judgments(bench, name, author) for author in bench.cards if author != name]
        pooled = [judgment for judgments in others for judgment in judgments]
        yield Critic(
            organism=name,
            balanced_accuracy=estimate_balanced_accuracy(
                [j.is_right for j in pooled],
                [j.accepted for j in pooled],
                code_questions([j.question for j in pooled]),
            ),
            false_accept_others=_false_accept(pooled),
            false_accept_own=_false_accept(own),
            paired_gap=_paired_gap([p for judgments in others for p in _paired(own, judgments)]),
        )


def _judgments(bench: Bench, critic: str, author: str) -> list[Judgment]:
    """A critic's verdicts on all openings of an author."""
    claims = [said(opening) for opening in bench.openings[author]]
    accepted = judged(bench.models[critic], bench.questions, claims)
    return list(map(Judgment, bench.questions, claims, accepted))


def _false_accept(judgments: Sequence[Judgment]) -> Interval:
    """The share of wrong claims that are accepted."""
    wrong = [j for j in judgments if not j.is_right]
    return estimate_share([j.accepted for j in wrong], code_questions([j.question for j in wrong]))


def _paired(
    own: Sequence[Judgment], other: Sequence[Judgment]
) -> Iterator[tuple[Judgment, Judgment]]:
    """Both judgments of the questions where own and other claim err differently."""
    for mine, theirs in zip(own, other, strict=True):
        if not mine.is_right and not theirs.is_right and mine.claim != theirs.claim:
            yield mine, theirs


def _paired_gap(pairs: Sequence[tuple[Judgment, Judgment]]) -> Interval:
    """Own acceptance minus the other's, on average over pairs."""
    gaps = np.array([float(mine.accepted) - float(theirs.accepted) for mine, theirs in pairs])
    return clustered_mean(gaps, code_questions([mine.question for mine, _ in pairs])).within(-1, 1)
