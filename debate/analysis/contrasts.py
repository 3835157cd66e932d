"""Conditions against their controls and baselines, and votes against the openings' votes.

Error amplification is held against mere resampling (`repeat`). Entrenchment is not: the prompt of
`repeat` is the opening's, so a probed belief is unchanged there and subtracts exactly 0. What
ownership adds is held against `restate`, which shows the last answer alone and names no speaker:
from round 2 on `self` shows earlier answers, too, so that the difference is of both together. What
the own text adds is the difference from `noise` (as much text) and `sibling` (somebody else's).

Comparisons of votes are of scores, a tie scoring the share of the tied answers that are right,
paired and clustered by question. McNemar's exact test takes each debate as one pair, so with
several seeds its p-value ignores that they share a question: the exact sign-flip test leads. Holm's
correction runs over each family of comparisons with one name, other rules than the run's own apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import polars as pl

from debate.analysis.design import IS_CONTROL, NO_CONTROL, Controls
from debate.analysis.intervals import sum_by_code
from debate.analysis.measures import Measures
from debate.analysis.members import LOGIT_FLOOR, compute_logit
from debate.analysis.paired import (
    adjust_holm,
    compute_detectable_effect,
    compute_mcnemar_p,
    compute_paired_difference,
    compute_paired_p,
)
from debate.analysis.quantity import Measure, Quantity, Unavailable
from debate.analysis.schema import UNANSWERED, Estimate, make_estimate
from debate.analysis.sums import NO_ANSWERS, split_groups, sum_by_question

OTHER_FLOORS = (1e-2, 1e-4)
_ERROR_KEY = ["question", "seed", "agent"]
_CONTRASTS = (
    Measure(
        "eai_over_control",
        "error amplification over control",
        "error amplification − that of the resampling arm, paired by question",
        kind="contrast",
        is_signed=True,
        of_confidence=True,
    ),
    Measure(
        "entrenchment_over_control",
        "entrenchment over control (log-odds)",
        "entrenchment − that of the control named, over all who were wrong at round 0; over "
        "`restate`, which shows the last answer alone, ownership and (from round 2 on) a longer "
        "history together",
        unit="nat",
        kind="contrast",
        is_signed=True,
        lacking="the probe `belief` in both arms",
    ),
    Measure(
        "kept_in_both",
        "errors kept in both arms (logit confidence)",
        "over errors that are still given in both arms: mean difference of the change of "
        "logit c since round 0, c clipped to [.001, .999]",
        unit="logit",
        kind="mean",
        is_signed=True,
        of_confidence=True,
        lacking="errors kept in both arms, with a confidence",
    ),
)
CONTRASTS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _CONTRASTS})
"""Measures that hold a condition against its control."""


def contrast_conditions(measures: Measures, controls: Controls) -> Iterator[Estimate]:
    """Each condition after each round against its controls; `subject` is "over <control>" where
    there may be several.
    """
    points = measures.states.select("cell", "round").unique().filter(pl.col("round") > 0)
    for cell, round_ in points.sort("cell", "round").iter_rows():
        yield _contrast_amplification(measures, controls, cell, round_)
        for control in controls.ownership.get(cell, ()):
            subject = f"over {control}"
            place = {"cell": cell, "round": round_, "subject": subject}
            found = _subtract_control(measures, "entrenchment", cell, control, round_)
            yield make_estimate(CONTRASTS["entrenchment_over_control"], found, **place)
            if round_ == measures.last_round(cell):
                yield _contrast_kept_errors(measures, cell, control, round_)


def _contrast_amplification(
    measures: Measures, controls: Controls, cell: str, round_: int
) -> Estimate:
    control, measure = controls.resampling.get(cell), CONTRASTS["eai_over_control"]
    if control is not None:
        found = _subtract_control(measures, "eai", cell, control, round_)
        return make_estimate(measure, found, cell=cell, round=round_)
    reason = IS_CONTROL if cell in controls.resampling.values() else NO_CONTROL
    return make_estimate(measure, Unavailable(reason), cell=cell, round=round_)


def _subtract_control(
    measures: Measures, name: str, cell: str, control: str, round_: int
) -> Quantity | Unavailable:
    """The measure of the condition minus that of its control, after the control's same round."""
    own = measures.find(name, cell=cell, round=round_)
    other = measures.find(name, cell=control, round=_match_round(measures, control, round_))
    if isinstance(own, Unavailable):
        return own
    return other if isinstance(other, Unavailable) else own.minus(other)


def _match_round(measures: Measures, control: str, round_: int) -> int:
    """The control's same round, or its last one before that."""
    return min(round_, measures.last_round(control))


def _contrast_kept_errors(measures: Measures, cell: str, control: str, round_: int) -> Estimate:
    """Mean difference of the change of logit confidence, over errors that both conditions give.

    The method tells what other floors of the logit would make of it.
    """
    own = _select_kept_errors(measures, cell, round_)
    other = _select_kept_errors(measures, control, _match_round(measures, control, round_))
    both = own.join(other, on=[*_ERROR_KEY, "opening_answer"], suffix="_control")
    place = {"cell": cell, "round": round_, "subject": f"over {control}"}
    measure = CONTRASTS["kept_in_both"]
    if both.is_empty():
        return make_estimate(measure, Unavailable(measure.lacking), **place)
    found = {
        floor: sum_by_question(
            both.with_columns(gap=pl.col(f"{floor}") - pl.col(f"{floor}_control")),
            "gap",
            measures.num_questions,
        ).quantity("mean")
        for floor in (LOGIT_FLOOR, *OTHER_FLOORS)
    }
    made = make_estimate(measure, found[LOGIT_FLOOR], **place)
    told = "; ".join(f"with {floor:g}: {found[floor].value:+.3f}" for floor in OTHER_FLOORS)
    return replace(made, method=f"{made.method}; logit floor {LOGIT_FLOOR:g} ({told})")


def _select_kept_errors(measures: Measures, cell: str, round_: int) -> pl.DataFrame:
    """The errors of round 0 that are still given after a round, with the change by floor."""
    rows = measures.select(cell, round_).filter(
        (pl.col("opening_outcome") == "wrong") & (pl.col("answer") == pl.col("opening_answer"))
    )
    changes = {
        f"{floor}": compute_logit(pl.col("confidence"), floor=floor)
        - compute_logit(pl.col("opening_confidence"), floor=floor)
        for floor in (LOGIT_FLOOR, *OTHER_FLOORS)
    }
    changed = rows.select(*_ERROR_KEY, "opening_answer", "question_code", **changes)
    return changed.drop_nulls(f"{LOGIT_FLOOR}")


_NO_ANSWER = pl.col("outcome").is_in(UNANSWERED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One paired difference of accuracy (`first` minus `second`), with everything to judge it by.

    first_value, second_value: the two accuracies; first_tied, second_tied: the share of tied
    votes. p_value: exact, by sign-flips of each question's difference; p_holm: corrected within
    `family`; p_mcnemar: exact, debates as pairs; detectable: smallest true difference found in
    80 % of studies of this size, None where none would be; gained and lost: debates that score
    higher in first, in second. is_own: the rule is that of the run's file.
    """

    family: str
    cell: str
    method: str
    first: str
    second: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    num_questions: int
    gained: int
    lost: int
    p_value: float | None
    p_holm: float | None
    p_mcnemar: float
    detectable: float | None
    first_value: float | None = None
    second_value: float | None = None
    first_tied: float = 0.0
    second_tied: float = 0.0
    is_own: bool = True
    missing: str | None = None


def compare_scores(
    pairs: pl.DataFrame, *, family: str, cell: str, method: str, first: str, second: str
) -> Comparison:
    """Compare two columns of scores, `after` and `before`, over debates.

    pairs: question_code, after, before (in [0, 1]), after_tied, before_tied, is_own (booleans), and
    answered, whether either states an answer, where not all do; one row for each debate in both.
    """
    if "answered" in pairs.columns and pairs.height and not pairs["answered"].any():
        nothing = compare_scores(
            pairs.clear(), family=family, cell=cell, method=method, first=first, second=second
        )
        is_own = bool(pairs["is_own"].all())
        return replace(
            nothing, is_own=is_own, first_value=0.0, second_value=0.0, missing=NO_ANSWERS
        )
    after, before = (pairs[c].to_numpy().astype(np.float64) for c in ("after", "before"))
    clusters = pairs["question_code"].to_numpy().astype(np.int64)
    counts = sum_by_code(clusters, np.ones(len(after)))
    differences = sum_by_code(clusters, after - before)
    interval = compute_paired_difference(differences, counts)
    gained, lost = int((after > before).sum()), int((after < before).sum())
    known = len(after) > 0
    return Comparison(
        family=family,
        cell=cell,
        method=method,
        first=first,
        second=second,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=len(after),
        num_questions=interval.num_questions,
        gained=gained,
        lost=lost,
        p_value=compute_paired_p(differences, counts),
        p_holm=None,
        p_mcnemar=compute_mcnemar_p(gained, lost),
        detectable=compute_detectable_effect(interval),
        first_value=float(after.mean()) if known else None,
        second_value=float(before.mean()) if known else None,
        first_tied=float(pairs["after_tied"].to_numpy().mean()) if known else 0.0,
        second_tied=float(pairs["before_tied"].to_numpy().mean()) if known else 0.0,
        is_own=bool(pairs["is_own"].to_numpy().all()),
        missing=None if known else "debates that both have",
    )


def compare_with_openings(vote_states: pl.DataFrame) -> list[Comparison]:
    """vote_T minus vote_0 of the same debates, each rule against itself.

    It is what communication did, free of sampling noise.
    """
    found = []
    for (cell, method), part in split_groups(vote_states, "cell", "agent"):
        last = int(part["round"].to_numpy().max())
        pairs = part.filter((pl.col("round") == last) & pl.col("opening_outcome").is_not_null())
        pairs = pairs.select(
            "question_code",
            "is_own",
            after="score",
            before="opening_score",
            after_tied=pl.col("outcome") == "tied",
            before_tied=pl.col("opening_outcome") == "tied",
            answered=~(_NO_ANSWER & pl.col("opening_outcome").is_in(UNANSWERED)),
        )
        if last:
            found.append(
                compare_scores(
                    pairs,
                    family="vote_T - vote_0",
                    cell=str(cell),
                    method=str(method),
                    first=f"vote_{last}",
                    second="vote_0",
                )
            )
    own = correct_family([c for c in found if c.is_own])
    return [*own, *correct_family([c for c in found if not c.is_own])]


def compare_with_baseline(vote_states: pl.DataFrame, controls: Controls) -> list[Comparison]:
    """Each cell's last vote minus the baseline's, question by question and seed by seed."""
    if not controls.baselines:
        return []
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = vote_states.filter(last & pl.col("is_own")).select(
        "cell",
        "agent",
        "question",
        "question_code",
        "seed",
        "score",
        "is_own",
        tied=pl.col("outcome") == "tied",
        answered=~_NO_ANSWER,
    )
    base = ends.select(
        "agent",
        "question",
        "seed",
        base="cell",
        before="score",
        before_tied="tied",
        also_answered="answered",
    )
    chosen = pl.col("cell").replace_strict(controls.baselines, default=None, return_dtype=pl.String)
    others = ends.with_columns(base=chosen).rename({"score": "after", "tied": "after_tied"})
    pairs = others.join(base, on=["base", "agent", "question", "seed"])
    pairs = pairs.with_columns(answered=pl.col("answered") | pl.col("also_answered"))
    found = [
        compare_scores(
            part,
            family=f"cell - {controls.baselines[str(cell)]}",
            cell=str(cell),
            method=str(method),
            first=str(cell),
            second=controls.baselines[str(cell)],
        )
        for (cell, method), part in split_groups(pairs, "cell", "agent")
    ]
    return correct_family(found)


def correct_family(family: Iterable[Comparison]) -> list[Comparison]:
    """The family with Holm's correction over those that have a p-value."""
    found = list(family)
    adjusted = correct_p_values([c.p_value for c in found])
    return [replace(c, p_holm=p) for c, p in zip(found, adjusted, strict=True)]


def correct_p_values(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction over the p-values that there are.

    >>> correct_p_values([0.01, None, 0.04])
    (0.02, None, 0.04)
    """
    tested = [p for p in p_values if p is not None]
    adjusted = iter(adjust_holm(tested) if tested else ())
    return tuple(None if p is None else next(adjusted) for p in p_values)
