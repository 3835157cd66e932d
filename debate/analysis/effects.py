"""Effects of several arms in one sentence: each with its interval, and what that tells.

The level of the intervals is shared among the arms of a sentence (Bonferroni), so that a word such
as "better" holds for all of them together. An effect about which the run claims something is judged
by the interval of the claim, and named with its outcome, so that both say the same. Up to four
arms are gone through one by one; more are counted, with both extremes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from debate.analysis.hypotheses import Finding, widen
from debate.analysis.intervals import LEVEL, Interval
from debate.analysis.power import compute_level
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.text import format_decimal, name_with_ties, shorten

_UNBROKEN = ",\N{NO-BREAK SPACE}"
MOST_ARMS = 4
"""Arms that a sentence goes through one by one; more are counted."""


@dataclass(frozen=True, kw_only=True)
class MainAnswer:
    """A question that people bring to a run, and the answer.

    is_known: the run can tell; else the sentence says what it lacks. section: the part of `debate
    analyze --section`, and of the page, that holds the numbers.
    """

    question: str
    sentence: str
    section: str
    is_known: bool = True


class ArmEffect(NamedTuple):
    """An effect in one arm, with the 95 % interval, and the claim about it if there is one."""

    arm: str
    interval: Interval
    claim: Finding | None = None


def find_claim(
    analysis: Analysis, found: Estimate, *, contrast: tuple[str, str] | None = None
) -> Finding | None:
    """The claim about the same number as an estimate, if it has an interval.

    contrast: the measure and the control of which the estimate is the difference.
    """
    for claim in analysis.findings:
        is_same = (claim.estimate, claim.control) in ((found.name, None), contrast)
        if not is_same or claim.cell != found.cell or claim.round not in (None, found.round):
            continue
        if claim.low is None or claim.value is None or found.value is None:
            continue
        if math.isclose(claim.value, found.value, abs_tol=1e-9):
            return claim
    return None


def describe_effects(
    effects: Sequence[ArmEffect], words: tuple[str, str, str], *, num: int | None = None
) -> str:
    """The effects of all arms, each with its interval and what it means.

    words: for an interval above 0, below 0, and one that holds 0. num: the effects among which the
    level is shared, by default these.
    """
    level = compute_level(num or len(effects))
    wide = [_widen_effect(each, level) for each in effects]
    at = _describe_level(wide, level)
    if len(wide) <= MOST_ARMS:
        return (
            "; ".join(
                f"{_describe_effect(each)}, {_judge(each, words)}{_describe_outcome(each)}"
                for each in wide
            )
            + f"{at}."
        )
    judged = [_judge(each, words) for each in wide]
    counts = ", ".join(f"{word} in {judged.count(word)}" for word in words)
    least, *_, most = sorted(wide, key=lambda each: each.interval.value or 0.0)
    return (
        f"of {len(wide)} arms {counts}; from {_describe_effect(_name_ties(least, wide))} to "
        f"{_describe_effect(_name_ties(most, wide))}{at}."
    )


def _name_ties(effect: ArmEffect, among: Sequence[ArmEffect]) -> ArmEffect:
    """The effect under its arm's name and those of the arms whose effect is as large."""
    value = effect.interval.value or 0.0
    alike = [e.arm for e in among if math.isclose(e.interval.value or 0.0, value, abs_tol=1e-9)]
    others = [arm for arm in alike if arm != effect.arm]
    return effect._replace(arm=name_with_ties(effect.arm, others))


def _widen_effect(effect: ArmEffect, level: float) -> ArmEffect:
    """The effect with its interval at this level, or with that of the claim about it."""
    claim = effect.claim
    if claim is None:
        return effect._replace(interval=widen(effect.interval, level))
    return effect._replace(interval=effect.interval._replace(low=claim.low, high=claim.high))


def _describe_level(effects: Sequence[ArmEffect], level: float) -> str:
    """The level of the intervals that are not of claims, where it goes without saying no more."""
    claims = [each.claim for each in effects if each.claim]
    at = f"intervals at {_format_level(level)}"
    if not claims:
        return "" if level == LEVEL else f"; {at}"
    of_claims = f", those of claims at {_format_level(claims[0].level)}"
    told = "" if len(claims) == len(effects) else f"; other {at}"
    return told if len(effects) <= MOST_ARMS else f"; {at}{of_claims}"


def _format_level(level: float) -> str:
    return f"{100 * level:.3g}\N{NO-BREAK SPACE}%"


def _describe_outcome(effect: ArmEffect) -> str:
    """The outcome of the claim about an effect, in brackets."""
    claim = effect.claim
    if claim is None:
        return ""
    return f" (claim {shorten(claim.name)}, at {_format_level(claim.level)}: {claim.verdict})"


def _describe_effect(effect: ArmEffect) -> str:
    value = format_decimal(effect.interval.value, signed=True)
    return f"{effect.arm} {value} {format_ends(effect.interval)}"


def _judge(effect: ArmEffect, words: tuple[str, str, str]) -> str:
    above, below, neither = words
    if holds_zero(effect.interval):
        return neither
    return above if (effect.interval.low or 0.0) > 0 else below


def holds_zero(interval: Interval) -> bool:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low <= 0 <= interval.high


def format_ends(interval: Interval, *, signed: bool = True) -> str:
    """Both ends in brackets, which no line break parts.

    >>> format_ends(Interval(0.1, 0.05, 0.15, None, 9))
    '[+0.050,\\xa0+0.150]'
    """
    ends = (format_decimal(end, signed=signed) for end in (interval.low, interval.high))
    return f"[{_UNBROKEN.join(ends)}]"


def list_debating_arms(analysis: Analysis) -> tuple[str, ...]:
    """The conditions in which agents hear one another, in the order of the analysis."""
    known = set(analysis.tables["teams"]["cell"])
    return tuple(cell for cell in analysis.cells if cell in known)


def list_rereading_arms(analysis: Analysis) -> tuple[str, ...]:
    """The conditions whose agents hear themselves and nobody else."""
    edges = analysis.tables["edges"].select("cell", is_own=pl.col("critic") == pl.col("author"))
    alone = set(edges.group_by("cell").agg(pl.col("is_own").all()).filter("is_own")["cell"])
    return tuple(cell for cell in analysis.cells if cell in alone)


def get_interval(estimate: Estimate) -> Interval:
    """The estimate's interval, with as many questions as its degrees of freedom go with."""
    num = estimate.num_questions if estimate.df is None else estimate.df + 1
    method = estimate.method
    return Interval(estimate.value, estimate.low, estimate.high, estimate.se, num, method)


def lack_answer(question: str, sentence: str, section: str) -> MainAnswer:
    return MainAnswer(question=question, sentence=sentence, section=section, is_known=False)
