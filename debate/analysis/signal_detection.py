"""Signal detection: can a critic tell right answers from wrong ones, and how much does it let pass?

Accepting is the response, a right answer the signal. H is the share of right answers accepted, F
that of wrong ones, and

    d′ = z(H) − z(F)            sensitivity: whether it can tell
    c  = −(z(H) + z(F)) / 2     criterion: the lower, the more it waves through, right or wrong

with the log-linear correction of Hautus (1995): half an acceptance and half a rejection are added
to each kind of answer, so that shares of 0 and 1 have a z. The same of log-odds of P(True) as a
rating: d_a, the difference of the two kinds' means in units of the root of their mean variance,
and the midpoint, minus the mean of the two means in that unit; where log-odds are normal with
equal variance and accepted above 0 these are d′ and c (Macmillan & Creelman 2005).

Whose an answer is has two sides: who wrote it, and whose it is said to be. Arms that differ in
nothing but what critics are told give the same answers under each name. Two contrasts, within
item and critic:

- *said to be*: the same answers, said to be one's own minus said to be another's;
- *written by*: one's own answer minus another's to the same question, both right or both wrong,
  said to be the same party's. Another's wrong answer that equals one's own is left out, being
  both; a right one can hardly differ where an answer is all that is shown.

Each is told apart for the two sides of the other, and as their mean.

"The skill is there and the bias is ownership" predicts equal d′ and a lower c along said to be;
familiarity (Wataoka et al. 2410.21819) a lower c along written by, that goes away once answers
are equally likely to the critic:

    logit P(True) = item + w·written + s·said + i·written·said
                    + right·(w′·written + s′·said + i′·written·said) + f·(mean log p) + error

with a fixed effect for each critic, question and rightness, written and said ±½ (own, another's)
and right ±½: s and w are shifts of the criterion in logits, averaged over right and wrong answers,
s′ and w′ changes of how far the two kinds lie apart. Standard errors are cluster-robust by
question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtri

from debate.analysis.intervals import (
    ABSENT,
    Array,
    Codes,
    Interval,
    LinearStatistic,
    compute_clustered_se,
    from_influence,
    get_t_quantile,
    sum_by_code,
)
from debate.analysis.judgements import NO_CLASS, NO_SCALE, name_edge
from debate.analysis.members import compute_logit
from debate.analysis.overtrust import (
    JUDGED_ITEM,
    NAMED_PAIRS,
    NO_LIKELIHOOD,
    P_TRUE_FLOOR,
    SAME_PROMPTS,
    fit_within_items,
)
from debate.analysis.schema import Estimate, from_interval
from debate.analysis.sums import split_groups

OWN, ANOTHERS, NOBODYS = "own", "another's", "nobody's"
RIGHT_ITEM = (*JUDGED_ITEM, "right")
DETECTION_METHOD = "log-linear correction, delta method, clustered by question"
RATING_METHOD = "of log-odds, delta method, clustered by question"
PAIRED = "within item and critic, delta method, clustered by question"
WITHIN_ITEMS = "least squares within critic, question and rightness, clustered by question"
NO_ARMS = "arms that differ in nothing but whose answers are said to be"
NO_PAIRS = "pairs of right and of wrong answers judged on both sides"


class Detection(NamedTuple):
    """A measure of signal detection with each row's influence.

    least_se: that of independent rows; least_change_se: of a difference over so many pairs, if one
    question more differed in all of its pairs, either way.
    """

    linear: LinearStatistic
    least_se: float = 0.0
    least_change_se: float = 0.0


DetectionMeasure = Callable[[pl.DataFrame], Detection | None]


def compute_sensitivity(rows: pl.DataFrame) -> Detection | None:
    """d′ of judgements with `right` and `accepted`; None without answers of both kinds."""
    return _combine_z(rows, weights=(1.0, -1.0))


def compute_criterion(rows: pl.DataFrame) -> Detection | None:
    """c of the same: the lower, the more is accepted."""
    return _combine_z(rows, weights=(-0.5, -0.5))


def _combine_z(rows: pl.DataFrame, *, weights: tuple[float, float]) -> Detection | None:
    accepted = rows["accepted"].to_numpy().astype(np.float64)
    right = rows["right"].to_numpy().astype(bool)
    value, influence, least, change = 0.0, np.zeros(len(accepted)), 0.0, 0.0
    per_question = len(accepted) / max(1, rows["question_code"].n_unique())
    for weight, kind in zip(weights, (right, ~right), strict=True):
        num = int(kind.sum())
        if not num:
            return None
        share = (float(accepted[kind].sum()) + 0.5) / (num + 1)
        z = float(ndtri(share))
        density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        slope = weight / density / (num + 1)
        value += weight * z
        influence[kind] = (accepted[kind] - accepted[kind].mean()) * slope
        least += slope**2 * num * share * (1 - share)
        change += slope**2 * min(num, per_question)  # one question more, its pairs at random
    return Detection(LinearStatistic(value, influence), math.sqrt(least), math.sqrt(change))


def compute_rating_sensitivity(rows: pl.DataFrame) -> Detection | None:
    """d_a of judgements with `right` and `logit`; None where it cannot be had."""
    return _combine_means(rows, weights=(1.0, -1.0))


def compute_midpoint(rows: pl.DataFrame) -> Detection | None:
    """The midpoint of the same, with the sign of c."""
    return _combine_means(rows, weights=(-0.5, -0.5))


def _combine_means(rows: pl.DataFrame, *, weights: tuple[float, float]) -> Detection | None:
    """A weighted sum of the means of right and wrong answers, over their pooled deviation."""
    logit = rows["logit"].to_numpy().astype(np.float64)
    right = rows["right"].to_numpy().astype(bool)
    top, variance = 0.0, 0.0
    of_top, of_variance = np.zeros(len(logit)), np.zeros(len(logit))
    for weight, kind in zip(weights, (right, ~right), strict=True):
        num = int(kind.sum())
        if num < 2:
            return None
        away = logit[kind] - logit[kind].mean()
        spread = float((away**2).sum()) / (num - 1)
        top, variance = top + weight * float(logit[kind].mean()), variance + spread / 2
        of_top[kind] = weight * away / num
        of_variance[kind] = (away**2 - (away**2).mean()) / num / 2
    if variance <= 0:
        return None
    value = top / math.sqrt(variance)
    return Detection(
        LinearStatistic(value, of_top / math.sqrt(variance) - value / 2 / variance * of_variance)
    )


OF_VERDICTS: Mapping[str, DetectionMeasure] = MappingProxyType(
    {"d_prime": compute_sensitivity, "criterion": compute_criterion}
)
OF_RATINGS: Mapping[str, DetectionMeasure] = MappingProxyType(
    {"d_a": compute_rating_sensitivity, "midpoint": compute_midpoint}
)
DETECTION: Mapping[str, DetectionMeasure] = MappingProxyType({**OF_VERDICTS, **OF_RATINGS})
"""The measures of a set of judgements, by the end of their name."""


def make_interval(value: float, influence: Array, codes: Codes, least_se: float = 0.0) -> Interval:
    """The t-interval by question, of a standard error that is at least `least_se`."""
    sums = sum_by_code(codes, influence)[np.bincount(codes) > 0]
    if len(sums) < 2 or compute_clustered_se(sums) >= least_se:
        return from_influence(value, sums)
    half = get_t_quantile(0.95, len(sums) - 1) * least_se
    return Interval(value, value - half, value + half, least_se, len(sums), method="clustered t")


def estimate_detection(judged: pl.DataFrame) -> list[Estimate]:
    """`judging_d_prime`, `judging_criterion`, `judging_d_a` and `judging_midpoint`.

    `subject` is None for every judgement of a cell, "own" and "others" for those of answers that
    critics wrote themselves and that others wrote, "critic -> critic" and "critic -> others" for
    the same of one critic.
    """
    done = add_logit(judged)
    return [
        _estimate_level(name, rows, cell=cell, subject=subject)
        for cell, subject, rows in _split_subjects(done)
        for name in DETECTION
    ]


def add_logit(judged: pl.DataFrame) -> pl.DataFrame:
    """The judgements that completed, with the `logit` of their P(True)."""
    return judged.filter(~pl.col("failed")).with_columns(
        logit=compute_logit(pl.col("p_true"), floor=P_TRUE_FLOOR)
    )


def _split_subjects(done: pl.DataFrame) -> Iterator[tuple[str, str | None, pl.DataFrame]]:
    for (cell,), rows in split_groups(done, "cell"):
        yield str(cell), None, rows
        for (own,), part in split_groups(rows, "own"):
            yield str(cell), "own" if own else "others", part
        for (critic, own), part in split_groups(rows, "critic", "own"):
            yield str(cell), name_edge(critic, critic if own else "others"), part


def _estimate_level(name: str, rows: pl.DataFrame, *, cell: str, subject: str | None) -> Estimate:
    rows = _keep_rated(name, rows)
    found = DETECTION[name](rows)
    about = {"cell": cell, "subject": subject, "unit": "z"}
    method = DETECTION_METHOD if name in OF_VERDICTS else RATING_METHOD
    if found is None:
        lacks = NO_CLASS if rows.height else NO_SCALE
        return Estimate(name=f"judging_{name}", missing=lacks, method=method, **about)  # type: ignore[arg-type]
    linear, codes = found.linear, _get_codes(rows)
    interval = make_interval(linear.value, linear.influence, codes, found.least_se)
    return from_interval(f"judging_{name}", interval, n=rows.height, method=method, **about)


def _keep_rated(name: str, rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The rows that a measure can use: all of verdicts, of ratings those with log-odds."""
    if name in OF_VERDICTS:
        return rows
    return rows.drop_nulls(columns or ("logit",))


def _get_codes(rows: pl.DataFrame) -> Codes:
    return rows["question_code"].to_numpy().astype(np.int64)


# The same answers under several names.


class Ownership(NamedTuple):
    """Arms that differ in nothing but whose answers are said to be.

    cell: the arm that the contrasts are told of; other: the one with the other names; nobody: that
    without names, if there is one.
    """

    cell: str
    other: str
    nobody: str | None


def list_ownerships(judged: pl.DataFrame) -> list[Ownership]:
    """The pairs of arms that give each answer both names, with the arm that gives it none."""
    designs = judged.select("cell", "setting", "anonymous", "labels").unique().sort("cell")
    found = []
    for first in designs.rows(named=True):
        alike = designs.filter(pl.col("setting") == first["setting"]).rows(named=True)
        nobody = next((each["cell"] for each in alike if each["anonymous"]), None)
        for second in alike:
            is_named = not first["anonymous"] and not second["anonymous"]
            if is_named and (first["labels"], second["labels"]) in NAMED_PAIRS:
                found.append(Ownership(first["cell"], second["cell"], nobody))
    return found


def estimate_ownership(judged: pl.DataFrame) -> list[Estimate]:
    """`said_to_be_*` and `written_by_*` of each measure of signal detection, and the regression.

    `subject` is None for all, "own answers" and "others' answers" of said_to_be, "said to be
    own", "said to be another's" and "said to be nobody's" of written_by, and "critic" for one.
    """
    done = add_logit(judged)
    estimates: list[Estimate] = []
    for arms in list_ownerships(judged):
        rows = done.filter(pl.col("cell").is_in([arms.cell, arms.other]))
        estimates += _contrast_said(pair_said(rows), arms.cell)
        estimates += _contrast_written(pair_written(rows), arms.cell)
        estimates += _regress(rows, arms.cell)
    for (cell,), rows in split_groups(done.filter("anonymous"), "cell"):
        estimates += _contrast_written(pair_written(rows), str(cell))
    return estimates


def pair_said(rows: pl.DataFrame) -> pl.DataFrame:
    """The same answers judged under both names: accepted, logit and shared, each with `_other`."""
    place = [*RIGHT_ITEM, "author", "own"]
    shown = ["accepted", "logit", "shared"]
    first = rows.filter(pl.col("told_own")).select(*place, "question_code", *shown)
    second = rows.filter(~pl.col("told_own")).select(*place, *shown)
    return first.join(second, on=place, suffix="_other")


def pair_written(rows: pl.DataFrame) -> pl.DataFrame:
    """One's own answer beside each other's that is right or wrong as it is, under one name."""
    place = [*RIGHT_ITEM, "told_own"]
    shown = ["accepted", "logit"]
    own = rows.filter("own").select(*place, "question_code", *shown)
    same = (pl.col("claim") == pl.col("own_answer")).fill_null(False) & ~pl.col("right")
    others = rows.filter(~pl.col("own") & ~same).select(*place, *shown)
    joined = own.join(others, on=place, suffix="_other", nulls_equal=True)
    return joined.with_columns(shared=pl.lit(False), shared_other=pl.lit(False))


def _contrast_said(pairs: pl.DataFrame, cell: str) -> Iterator[Estimate]:
    parts: dict[str | None, pl.DataFrame] = {
        None: pairs,
        "own answers": pairs.filter("own"),
        "others' answers": pairs.filter(~pl.col("own")),
    }
    yield from _contrast("said_to_be", parts | _split_critics(pairs), cell)


def _contrast_written(pairs: pl.DataFrame, cell: str) -> Iterator[Estimate]:
    told = {OWN: pl.col("told_own"), ANOTHERS: ~pl.col("told_own")}
    parts: dict[str | None, pl.DataFrame] = {
        f"said to be {whose}": pairs.filter(which) for whose, which in told.items()
    }
    if pairs["told_own"].null_count():
        parts = {f"said to be {NOBODYS}": pairs}
    yield from _contrast("written_by", {None: pairs} | parts | _split_critics(pairs), cell)


def _split_critics(pairs: pl.DataFrame) -> dict[str | None, pl.DataFrame]:
    return {str(critic): part for (critic,), part in split_groups(pairs, "critic")}


def _contrast(
    about: str, parts: Mapping[str | None, pl.DataFrame], cell: str
) -> Iterator[Estimate]:
    stratum = "own" if about == "said_to_be" else "told_own"
    for subject, pairs in parts.items():
        for name in DETECTION:
            yield _estimate_contrast(f"{about}_{name}", name, pairs, cell, subject, stratum)


def _estimate_contrast(
    name: str, measure: str, pairs: pl.DataFrame, cell: str, subject: str | None, stratum: str
) -> Estimate:
    pairs = _keep_rated(measure, pairs, "logit", "logit_other")
    interval = subtract_detection(measure, pairs, stratum)
    missing = NO_PAIRS if interval.value is None else None
    alike = pairs.height > 0 and bool((pairs["shared"] | pairs["shared_other"]).all())
    if alike and interval.value is not None:
        interval = interval._replace(low=None, high=None, se=None, reason="")
    return from_interval(
        name,
        interval,
        n=pairs.height,
        cell=cell,
        subject=subject,
        unit="z",
        method=PAIRED,
        missing=missing,
        caveats=(f"the calls are one: {SAME_PROMPTS}",) if alike else (),
    )


def subtract_detection(measure: str, pairs: pl.DataFrame, stratum: str) -> Interval:
    """A measure of the first side of pairs minus that of the other, paired by row.

    The mean over the values of `stratum` that have it: d′ of answers that differ in leniency is
    smaller together than apart.
    """
    found = [
        (part, change)
        for _, part in split_groups(
            pairs.with_columns(pl.col(stratum).cast(pl.Int8).fill_null(2)), stratum
        )
        if (change := _subtract(measure, part)) is not None
    ]
    if not found:
        return ABSENT
    influence = np.concatenate([change.linear.influence for _, change in found]) / len(found)
    codes = np.concatenate([_get_codes(part) for part, _ in found])
    value = sum(change.linear.value for _, change in found) / len(found)
    least = math.hypot(*(change.least_change_se for _, change in found)) / len(found)
    return make_interval(value, influence, codes, least)


def _subtract(measure: str, pairs: pl.DataFrame) -> Detection | None:
    first, second = (
        DETECTION[measure](
            pairs.select("right", "question_code", accepted=f"accepted{end}", logit=f"logit{end}")
        )
        for end in ("", "_other")
    )
    if first is None or second is None:
        return None
    one, two = first.linear, second.linear
    return Detection(
        LinearStatistic(one.value - two.value, one.influence - two.influence),
        least_change_se=max(first.least_change_se, second.least_change_se),
    )


# The same with answers that the critic finds equally likely.

REGRESSION = MappingProxyType(
    {
        "written_by_logit": "written",
        "said_to_be_logit": "said",
        "written_by_said_to_be_logit": "both",
        "written_by_logit_apart": "written_right",
        "said_to_be_logit_apart": "said_right",
        "written_by_said_to_be_logit_apart": "both_right",
        "familiarity_logit": "log_likelihood",
    }
)
"""The coefficients of the regression, by the name of their estimate."""


def _regress(rows: pl.DataFrame, cell: str) -> Iterator[Estimate]:
    """Every coefficient over the judgements under both names."""
    same = ~pl.col("own") & ~pl.col("right")
    same &= (pl.col("claim") == pl.col("own_answer")).fill_null(False)
    known = rows.filter(~same).drop_nulls(["logit", "log_likelihood"])
    right = pl.col("right").cast(pl.Float64) - 0.5
    coded = known.with_columns(
        written=pl.col("own").cast(pl.Float64) - 0.5, said=pl.col("told_own").cast(pl.Float64) - 0.5
    ).with_columns(both=pl.col("written") * pl.col("said"))
    coded = coded.with_columns(
        (pl.col(name) * right).alias(f"{name}_right") for name in ("written", "said", "both")
    )
    found = fit_within_items(coded, list(REGRESSION.values()), item=RIGHT_ITEM)
    missing = None
    if found is None:
        missing = NO_LIKELIHOOD if known.is_empty() else f"{NO_PAIRS}, of differing likelihood"
    for number, name in enumerate(REGRESSION):
        unit = "logit per nat" if name.startswith("familiarity") else "logit"
        interval, n = (ABSENT, 0) if found is None else (found.intervals[number], found.n)
        yield from_interval(
            name, interval, n=n, cell=cell, unit=unit, method=WITHIN_ITEMS, missing=missing
        )
