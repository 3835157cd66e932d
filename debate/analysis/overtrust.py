"""Over-trust and familiarity: is a critic milder on its own wrong answer than on another's?

Paired: one critic, one question, both answers wrong and different. What is hard about the question
is then alike on both sides, which the plain difference of false-accept rates does not grant: one
errs where one does not know. What remains may still be familiarity: judges prefer text that they
find likely, whoever wrote it (Wataoka et al. 2410.21819), and one's own answer is likely to
oneself. So, over wrong answers only:

    logit P(True) = item + b·own + c·(mean log p_critic(answer)) + error

with a fixed effect for each critic and question, taken out by subtracting its mean; another
author's answer that equals the critic's own is left out, being both. Standard errors are
cluster-robust by question (Liang & Zeger 1986), as all intervals here are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.cross_critique import linearised
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.intervals import ABSENT, Array, Codes, Interval, Linear, clustered
from debate.analysis.sums import Sums, grouped_sums, groups

LOGIT_FLOOR = 1e-4
"""P(True) nearer to 0 or 1 than this is moved to it before a logit is taken."""
PAIRED = "own minus another's wrong answer, one critic and question, clustered by question"
NO_PAIRS = "a question on which a critic and another author are both wrong, differently"
NO_SCALE = "log-probabilities of the verdict"


def overtrust(judged: pl.DataFrame) -> list[Estimate]:
    """`over_trust_gap` (of P(True)), `over_trust_logit` (of its logit), `over_acceptance_gap` (of
    verdicts), each paired, for each cell and each critic in it; `false_accept_gap` and
    `discernment_gap`, which are not.
    """
    num = num_questions(judged)
    estimates: list[Estimate] = []
    for (cell,), rows in groups(judged, "cell"):
        pairs = wrong_pairs(rows)
        estimates += _gaps(pairs, str(cell), None, num)
        for critic in sorted(rows.filter("own")["critic"].unique()):
            of_critic = pairs.filter(pl.col("critic") == critic)
            estimates += _gaps(of_critic, str(cell), str(critic), num)
        estimates += [_false_accept(rows, str(cell), num), _discernment(rows, str(cell))]
    return estimates


def num_questions(judged: pl.DataFrame) -> int:
    """How many question codes there are."""
    top = judged["question_code"].max()
    return int(top) + 1 if isinstance(top, int) else 0


def wrong_pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each critic's own wrong answer and each other, different wrong one it judged.

    Columns: cell, question, seed, critic, author (the other's), question_code, gap (of P(True)),
    logit_gap, accept_gap: own minus other's.
    """
    place = ["cell", "question", "seed", "critic"]
    wrong = rows.filter(~pl.col("right") & ~pl.col("failed")).with_columns(
        logit=logit(pl.col("p_true"))
    )
    shown = ["claim", "p_true", "logit", "accepted"]
    own = wrong.filter("own").select(*place, *(pl.col(c).alias(f"own_{c}") for c in shown))
    others = wrong.filter(~pl.col("own"))
    paired = others.select(*place, "author", "question_code", *shown).join(own, on=place)
    return paired.filter(pl.col("claim") != pl.col("own_claim")).select(
        *place,
        "author",
        "question_code",
        gap=pl.col("own_p_true") - pl.col("p_true"),
        logit_gap=pl.col("own_logit") - pl.col("logit"),
        accept_gap=pl.col("own_accepted") - pl.col("accepted"),
    )


def logit(p: pl.Expr) -> pl.Expr:
    """Log-odds, clipped by LOGIT_FLOOR."""
    clipped = p.clip(LOGIT_FLOOR, 1 - LOGIT_FLOOR)
    return (clipped / (1 - clipped)).log()


def _gaps(pairs: pl.DataFrame, cell: str, subject: str | None, num: int) -> list[Estimate]:
    columns = {"over_trust_gap": "gap", "over_trust_logit": "logit_gap",
               "over_acceptance_gap": "accept_gap"}  # fmt: skip
    found = grouped_sums(pairs, ["cell"], list(columns.values()), num)
    sums = found.get((cell,), {})
    return [_gap(name, sums.get(column), cell, subject) for name, column in columns.items()]


def _gap(name: str, sums: Sums | None, cell: str, subject: str | None) -> Estimate:
    unit = "logit" if name.endswith("logit") else "probability"
    if sums is None or not sums.n:
        lacks = NO_PAIRS if sums is None else NO_SCALE
        return Estimate(name=name, cell=cell, subject=subject, unit=unit, missing=lacks)
    return from_interval(
        name, sums.mean(), n=sums.n, cell=cell, subject=subject, unit=unit, method=PAIRED
    )


def _false_accept(rows: pl.DataFrame, cell: str, num: int) -> Estimate:
    """Acceptance of own minus others' wrong answers, whatever the questions."""
    wrong = rows.filter(~pl.col("right"))
    found = grouped_sums(wrong, ["own"], ["accepted"], num)
    if len(found) < 2:
        lacks = "wrong answers of the critic and of others"
        return Estimate(name="false_accept_gap", cell=cell, unit="probability", missing=lacks)
    own, others = found[(True,)]["accepted"], found[(False,)]["accepted"]
    return from_interval(
        "false_accept_gap", own.minus(others), n=own.n + others.n, cell=cell, unit="probability",
        method="own minus others', over different questions, clustered by question",
        caveats=("one errs where one does not know: see over_trust_gap",),
    )  # fmt: skip


def _discernment(rows: pl.DataFrame, cell: str) -> Estimate:
    """Balanced accuracy of verdicts on others' answers minus that on one's own."""
    rows = rows.filter(~pl.col("failed"))
    name = "judging_balanced_accuracy"
    interval = difference(
        name, rows.filter(~pl.col("own")), rows.filter("own"), num_questions(rows)
    )
    missing = None if interval.value is not None else "right and wrong answers, own and others'"
    return from_interval(
        "discernment_gap", interval, n=rows.height, cell=cell, unit="probability", missing=missing,
        method="balanced accuracy on others' answers minus own, clustered by question",
    )  # fmt: skip


def difference(name: str, first: pl.DataFrame, second: pl.DataFrame, num: int) -> Interval:
    """A measure of one set of completed judgements minus that of another, paired by question."""
    parts = [linearised(name, rows) for rows in (first, second)]
    (one, codes), (two, others) = parts
    if one is None or two is None:
        return ABSENT
    influence: Array = np.concatenate([one.influence, -two.influence])
    return clustered(Linear(one.value - two.value, influence), np.concatenate([codes, others]))


ITEM = ("question", "seed", "critic")
TERMS = ("own_effect", "own_effect_given_likelihood", "likelihood_effect")
WITHIN_ITEMS = "least squares within critic and question, wrong answers, clustered by question"
NO_VARIATION = "questions on which a critic judges its own wrong answer and another's"
NO_LIKELIHOOD = "the probe belief, which tells how likely a critic finds an answer"


class Fit(NamedTuple):
    """Coefficients in order, each with its interval, and the rows that they rest on."""

    intervals: tuple[Interval, ...]
    n: int


def familiarity(judged: pl.DataFrame) -> list[Estimate]:
    """`own_effect` (own alone), `own_effect_given_likelihood`, `likelihood_effect` of each cell.

    The first two in logits, the last in logits per nat and character.
    """
    estimates: list[Estimate] = []
    for (cell,), rows in groups(judged, "cell"):
        rows = _wrong_rows(rows)
        alone = fit(rows, ["own"])
        both = fit(rows.filter(pl.col("log_likelihood").is_not_null()), ["own", "log_likelihood"])
        known = rows["log_likelihood"].is_not_null().any()
        estimates += [
            _coefficient(TERMS[0], alone, 0, str(cell), NO_VARIATION),
            _coefficient(TERMS[1], both, 0, str(cell), NO_VARIATION if known else NO_LIKELIHOOD),
            _coefficient(TERMS[2], both, 1, str(cell), NO_VARIATION if known else NO_LIKELIHOOD),
        ]
    return estimates


def _wrong_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Completed judgements of wrong answers with their logit; no other's that equals the own."""
    same = ~pl.col("own") & (pl.col("claim") == pl.col("own_answer")).fill_null(False)
    wrong = ~pl.col("right") & ~pl.col("failed") & pl.col("p_true").is_not_null()
    return rows.filter(wrong & ~same).with_columns(
        logit=logit(pl.col("p_true")), own=pl.col("own").cast(pl.Float64)
    )


def fit(rows: pl.DataFrame, terms: list[str]) -> Fit | None:
    """The regression of `logit` on the terms within items; None where they do not vary in them.

    Rows that stand alone in their item tell nothing and are left out.
    """
    rows = rows.filter(pl.len().over(ITEM) > 1)
    within = rows.select(
        "question_code", *(pl.col(c) - pl.col(c).mean().over(ITEM) for c in ("logit", *terms))
    )
    x = within.select(terms).to_numpy().astype(np.float64)
    y = within["logit"].to_numpy().astype(np.float64)
    if np.linalg.matrix_rank(x) < len(terms):
        return None
    intervals = least_squares(x, y, within["question_code"].to_numpy().astype(np.int64))
    return Fit(intervals, len(y))


def least_squares(x: Array, y: Array, clusters: Codes) -> tuple[Interval, ...]:
    """Each coefficient of y on x (n, k), with its cluster-robust interval."""
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    influence = (x * (y - x @ beta)[:, None]) @ bread
    return tuple(
        clustered(Linear(float(b), np.asarray(influence[:, j])), clusters)
        for j, b in enumerate(beta)
    )


def _coefficient(name: str, found: Fit | None, term: int, cell: str, lacking: str) -> Estimate:
    unit = "logit per nat" if name == "likelihood_effect" else "logit"
    if found is None:
        return Estimate(name=name, cell=cell, unit=unit, missing=lacking)
    return from_interval(
        name, found.intervals[term], n=found.n, cell=cell, unit=unit, method=WITHIN_ITEMS
    )
