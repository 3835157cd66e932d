"""Turns without an answer behind a claim: counted, and bounded by the best and worst case.

An abstention, a cut reply and a failure count as wrong in accuracy and as no error in
amplification. Neither is a finding: a claim that rests on many of them, or on more of them in one
arm than in the other, holds only if it would hold whatever those turns had said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from debate.analysis.judging import JUDGING
from debate.analysis.measures import CONTRASTED, COST, OF_VOTE, Measures
from debate.analysis.members import CHANGES, MEMBERS, compute_error_mass
from debate.analysis.quantity import Bounds, Quantity, Unavailable
from debate.analysis.schema import UNANSWERED, Estimate
from debate.analysis.verification import VERIFICATION
from debate.config.run import HypothesisSpec

_NO_ANSWER = pl.col("outcome").is_in(UNANSWERED)
_NO_OPENING = pl.col("opening_outcome").is_in(UNANSWERED)
_MOVED = (pl.col("round") > 0) & pl.col("opening_outcome").is_not_null()
_SAME_TURN = pl.col("spoken_in") == 0
_RATES = frozenset(
    name
    for stem in ("abstention_rate", "cut_rate", "failure_rate", "tied_rate", "carried_rate")
    for name in (stem, f"vote_{stem}")
)
COUNT_EVERYTHING = _RATES | {*COST, "generated_tokens", "belief_mass", "copied_rate"}
"""Measures of which an unanswered turn hides nothing: shares of such turns, tokens."""
_VOTE_CHANGES = frozenset(["vote_gain", "gain_over_best_rule"])
_OF_JUDGEMENTS = frozenset(["judging_abstention", "judging_failure", "judging_tokens"])


def _bound_score(value: float, no_answer: pl.Expr, score: str = "score") -> pl.Expr:
    return pl.when(no_answer).then(pl.lit(value)).otherwise(pl.col(score))


def _bound_change(low: pl.Expr, high: pl.Expr) -> Bounds:
    """Both ends of a change since round 0; a state kept since then has not changed."""
    return Bounds(
        *(
            pl.when(_MOVED & _SAME_TURN).then(0.0).when(_MOVED).then(change)
            for change in (low, high)
        )
    )


def _bound_scores(no_answer: pl.Expr) -> Bounds:
    return Bounds(_bound_score(0.0, no_answer), _bound_score(1.0, no_answer))


def _bound_score_change(now: pl.Expr, opening: pl.Expr) -> Bounds:
    return _bound_change(
        _bound_score(0.0, now) - _bound_score(1.0, opening, "opening_score"),
        _bound_score(1.0, now) - _bound_score(0.0, opening, "opening_score"),
    )


def _bound_mass(prefix: str, no_answer: pl.Expr, value: float) -> pl.Expr:
    mass = compute_error_mass(prefix, unknown=value)
    return pl.when(no_answer).then(pl.lit(value)).otherwise(mass)


def _bound_confidence(low: float, of_answers: pl.Expr) -> Bounds:
    return Bounds(
        pl.when(_NO_ANSWER).then(pl.lit(low)).otherwise(of_answers),
        pl.when(_NO_ANSWER).then(pl.lit(1.0)).otherwise(of_answers),
    )


_STATED = MEMBERS["entrenchment_stated"].bounds
assert _STATED is not None, "entrenchment by stated confidence is known in bounds"
_CONFIDENCE, _SCORE = pl.col("confidence"), pl.col("score")
_VOTE, _VOTE_AT_0 = pl.col("unsure"), pl.col("opening_unsure")
IMPUTED: Mapping[str, Bounds] = MappingProxyType(
    {
        **dict.fromkeys(
            ("accuracy", "accuracy_completed", "accuracy_answered"), _bound_scores(_NO_ANSWER)
        ),
        "accuracy_change": _bound_score_change(_NO_ANSWER, _NO_OPENING),
        "confidence": _bound_confidence(0.0, _CONFIDENCE),
        "over_confidence": _bound_confidence(-1.0, _CONFIDENCE - _SCORE),
        "brier": _bound_confidence(0.0, (_CONFIDENCE - _SCORE) ** 2),
        "eai": _bound_change(
            _bound_mass("", _NO_ANSWER, 0.0) - _bound_mass("opening_", _NO_OPENING, 1.0),
            _bound_mass("", _NO_ANSWER, 1.0) - _bound_mass("opening_", _NO_OPENING, 0.0),
        ),
        "entrenchment_stated": _STATED,
        **dict.fromkeys(
            ("vote_0", "vote_T", "vote_accuracy", "vote_accuracy_completed"), _bound_scores(_VOTE)
        ),
        "vote_gain": _bound_score_change(_VOTE, _VOTE_AT_0),
    }
)
"""What is averaged where turns without an answer are taken for as low, and as high, as can be.

A vote is open where the ballots that are missing could have turned it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmTurns:
    """What became of the turns of one arm after a round: how many stated no answer, and why.

    round: None where the estimate is over all rounds. num_turns: all that were due.
    """

    cell: str
    round: int | None
    num_turns: int
    abstained: int = 0
    cut: int = 0
    failed: int = 0

    @property
    def unanswered(self) -> int:
        """How many stated no answer."""
        return self.abstained + self.cut + self.failed

    @property
    def share(self) -> float:
        """The share without an answer; 0 of no turns."""
        return self.unanswered / self.num_turns if self.num_turns else 0.0

    def in_words(self) -> str:
        """One clause.

        >>> ArmTurns(cell="self", round=2, num_turns=60, abstained=30, cut=6).in_words()
        'self after round 2: 36 of 60 (30 abstained, 6 cut off)'
        """
        kinds = ((self.abstained, "abstained"), (self.cut, "cut off"), (self.failed, "failed"))
        told = ", ".join(f"{num:,} {kind}" for num, kind in kinds if num)
        where = self.cell if self.round is None else f"{self.cell} after round {self.round}"
        return f"{where}: {self.unanswered:,} of {self.num_turns:,}" + f" ({told})" * bool(told)


class Doubt(NamedTuple):
    """The turns behind a claim and, where too many of them stated no answer, why that matters.

    why: a clause; empty where nothing stands against reading the plain interval.
    """

    arms: tuple[ArmTurns, ...] = ()
    why: str = ""

    @property
    def counts(self) -> str:
        """The arms that lack answers, as a clause; empty where none does."""
        told = [arm.in_words() for arm in self.arms if arm.unanswered]
        return f"without an answer: {'; '.join(told)}" if told else ""


def doubt_quantity(
    hypothesis: HypothesisSpec, name: str, measures: Measures, effect: float
) -> Doubt:
    """The turns that a hypothesis of one arm, or of two, rests on, and whether they suffice.

    name: the measure that decides. effect: its distance from the reference. Too many are those
    above `max_unanswered` in any arm and, of a measure on the scale of a probability, a difference
    in their share that exceeds the effect.
    """
    arms = count_turns(hypothesis, name, measures)
    if name in COUNT_EVERYTHING:
        return Doubt(arms)
    gap = 0.0
    if CONTRASTED[name].unit == "probability" and (is_change(name) or hypothesis.control):
        signs = {hypothesis.cell: 1, hypothesis.control: -1}
        ends = [signs[a.cell] * (-1 if is_change(name) and not a.round else 1) for a in arms]
        gap = abs(sum(sign * arm.share for sign, arm in zip(ends, arms, strict=True)))
    return Doubt(arms, _find_why(arms, hypothesis.max_unanswered, gap=gap, effect=effect))


def is_change(name: str) -> bool:
    """Whether a measure holds a state against the openings."""
    return name in CHANGES or name in _VOTE_CHANGES


def _find_why(
    arms: Sequence[ArmTurns], limit: float, *, gap: float = 0.0, effect: float = 0.0
) -> str:
    if any(arm.share > limit for arm in arms):
        return f"more than the {100 * limit:.3g} % that may lack an answer"
    # Shares that are equal but for rounding do not differ.
    if gap > abs(effect) + 1e-9:
        return f"their share differs by {gap:.3f}, which is more than the effect"
    return ""


def count_turns(hypothesis: HypothesisSpec, name: str, measures: Measures) -> tuple[ArmTurns, ...]:
    """The turns that a hypothesis rests on, by arm and round; of arms that are not there, none."""
    return tuple(arm for arm in _list_arms(hypothesis, name, measures) if arm.num_turns)


def _list_arms(hypothesis: HypothesisSpec, name: str, measures: Measures) -> Iterator[ArmTurns]:
    for cell in filter(None, (hypothesis.cell, hypothesis.control)):
        rows = measures.select_members(
            name,
            cell,
            round=hypothesis.round,
            subject=None if name in OF_VOTE else hypothesis.subject,
        )
        if is_change(name):
            yield _count_outcomes(rows, "opening_outcome", cell, 0)
        rounds = rows["round"].unique().to_list()
        yield _count_outcomes(rows, "outcome", cell, rounds[0] if len(rounds) == 1 else None)


def _count_outcomes(rows: pl.DataFrame, column: str, cell: str, round: int | None) -> ArmTurns:
    counts = dict(rows[column].drop_nulls().value_counts().iter_rows())
    lacking = {outcome: counts.get(outcome, 0) for outcome in UNANSWERED}
    return ArmTurns(cell=cell, round=round, num_turns=sum(counts.values()), **lacking)


def doubt_estimate(
    hypothesis: HypothesisSpec, measures: Measures, chosen: Estimate, estimates: list[Estimate]
) -> Doubt:
    """The same for an estimate that is read as it is printed: it has no bounds."""
    if chosen.name in JUDGING or chosen.name in VERIFICATION:
        arms = tuple(_count_judgements(chosen, estimates))
    else:
        cells = measures.teams if chosen.cell is None else (chosen.cell,)
        about = hypothesis.model_copy(update={"round": chosen.round, "subject": None})
        arms = tuple(
            arm
            for cell in cells
            for arm in count_turns(about.model_copy(update={"cell": cell}), chosen.name, measures)
        )
    # A verdict that is not there keeps nothing: that is part of what a verdict is worth.
    if chosen.name in COUNT_EVERYTHING | _OF_JUDGEMENTS | VERIFICATION.keys():
        return Doubt(arms)
    return Doubt(arms, _find_why(arms, hypothesis.max_unanswered))


def _count_judgements(chosen: Estimate, estimates: list[Estimate]) -> Iterator[ArmTurns]:
    """The judgements of the arm: without a readable verdict, and failed."""
    place = (chosen.cell, chosen.subject)
    rates = {e.name: e for e in estimates if (e.cell, e.subject) == place}
    no_verdict, failed = rates.get("judging_abstention"), rates.get("judging_failure")
    if no_verdict is None or no_verdict.value is None:
        return
    lost = failed.value * failed.n if failed is not None and failed.value is not None else 0.0
    yield ArmTurns(
        cell=chosen.cell or "",
        round=None,
        num_turns=max(no_verdict.n, failed.n if failed is not None else 0),
        abstained=round(no_verdict.value * no_verdict.n),
        failed=round(lost),
    )


def bound_quantity(
    hypothesis: HypothesisSpec, name: str, measures: Measures, found: Quantity
) -> Quantity | None:
    """The quantity with the bounds of the best and worst case; None where it has none."""
    if name not in IMPUTED or hypothesis.cell is None:
        return None
    # A gap of two means has one mean for each end, once every row has a value.
    kind = "mean" if CONTRASTED[name].kind == "gap" else CONTRASTED[name].kind
    measure = replace(CONTRASTED[name], value=None, bounds=IMPUTED[name], kind=kind)
    about = {"round": hypothesis.round, "subject": hypothesis.subject}
    own = measures.measure_anew(measure, cell=hypothesis.cell, **about)  # type: ignore[arg-type]
    if isinstance(own, Unavailable):
        return None
    if hypothesis.control is not None:
        control = measures.measure_anew(measure, cell=hypothesis.control, **about)  # type: ignore[arg-type]
        if isinstance(control, Unavailable):
            return None
        own = own.minus(control)
    return replace(found, bounds=own.bounds)
