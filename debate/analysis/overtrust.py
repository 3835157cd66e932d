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

What critics were told or shown besides, labels and broader alternatives, is compared judgement by
judgement: same critic, author, question and seed. Alternatives are compared with the answer alone,
and with as many lines of noise, which is the length control; names are compared with their absence,
and true labels with swapped ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import (
    ABSENT,
    Array,
    Codes,
    Interval,
    LinearStatistic,
    compute_clustered_interval,
)
from debate.analysis.judgements import ALONE, linearise
from debate.analysis.members import compute_logit
from debate.analysis.schema import Estimate, from_interval
from debate.analysis.states import count_questions
from debate.analysis.sums import ClusterSums, split_groups, sum_by_group, sum_by_question

P_TRUE_FLOOR = 1e-4
"""P(True) nearer to 0 or 1 than this is moved to it before a logit is taken."""
PAIRED_METHOD = "own minus another's wrong answer, one critic and question, clustered by question"
UNPAIRED_METHOD = "own minus others', over different questions, clustered by question"
DISCERNMENT_METHOD = "balanced accuracy on others' answers minus own, clustered by question"
NO_PAIRS = "a question on which a critic and another author are both wrong, differently"
NO_SCALE = "log-probabilities of the verdict"


def estimate_overtrust(judged: pl.DataFrame) -> list[Estimate]:
    """`over_trust_gap` (of P(True)), `over_trust_logit` (of its logit), `over_acceptance_gap` (of
    verdicts), each paired, for each cell and each critic in it; `false_accept_gap` and
    `discernment_gap`, which are not.
    """
    num = count_questions(judged)
    estimates: list[Estimate] = []
    for (cell,), rows in split_groups(judged, "cell"):
        pairs = pair_wrong_answers(rows)
        estimates += _estimate_gaps(pairs, str(cell), None, num)
        for critic in sorted(rows.filter("own")["critic"].unique()):
            of_critic = pairs.filter(pl.col("critic") == critic)
            estimates += _estimate_gaps(of_critic, str(cell), str(critic), num)
        estimates += [
            _estimate_false_accept(rows, str(cell), num),
            _estimate_discernment(rows, str(cell)),
        ]
    return estimates


def pair_wrong_answers(rows: pl.DataFrame) -> pl.DataFrame:
    """A row for each critic's own wrong answer and each other, different wrong one it judged.

    Columns: cell, question, seed, critic, author (the other's), question_code, gap (of P(True)),
    logit_gap, accept_gap: own minus other's.
    """
    place = ["cell", "question", "seed", "critic"]
    wrong = rows.filter(~pl.col("right") & ~pl.col("failed")).with_columns(
        logit=compute_logit(pl.col("p_true"), floor=P_TRUE_FLOOR)
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


def _estimate_gaps(pairs: pl.DataFrame, cell: str, subject: str | None, num: int) -> list[Estimate]:
    columns = {
        "over_trust_gap": "gap",
        "over_trust_logit": "logit_gap",
        "over_acceptance_gap": "accept_gap",
    }
    found = sum_by_group(pairs, ["cell"], list(columns.values()), num)
    sums = found.get((cell,), {})
    return [
        _estimate_gap(name, sums.get(column), cell, subject) for name, column in columns.items()
    ]


def _estimate_gap(name: str, sums: ClusterSums | None, cell: str, subject: str | None) -> Estimate:
    unit = "logit" if name.endswith("logit") else "probability"
    if sums is None or not sums.n:
        lacks = NO_PAIRS if sums is None else NO_SCALE
        return Estimate(name=name, cell=cell, subject=subject, unit=unit, missing=lacks)
    return from_interval(
        name, sums.mean(), n=sums.n, cell=cell, subject=subject, unit=unit, method=PAIRED_METHOD
    )


def _estimate_false_accept(rows: pl.DataFrame, cell: str, num: int) -> Estimate:
    """Acceptance of own minus others' wrong answers, whatever the questions."""
    wrong = rows.filter(~pl.col("right"))
    found = sum_by_group(wrong, ["own"], ["accepted"], num)
    if len(found) < 2:
        lacks = "wrong answers of the critic and of others"
        return Estimate(name="false_accept_gap", cell=cell, unit="probability", missing=lacks)
    own, others = found[(True,)]["accepted"], found[(False,)]["accepted"]
    caveat = "one errs where one does not know: see over_trust_gap"
    about = {"cell": cell, "unit": "probability", "method": UNPAIRED_METHOD, "caveats": (caveat,)}
    return from_interval("false_accept_gap", own.minus(others), n=own.n + others.n, **about)


def _estimate_discernment(rows: pl.DataFrame, cell: str) -> Estimate:
    """Balanced accuracy of verdicts on others' answers minus that on one's own."""
    rows = rows.filter(~pl.col("failed"))
    name = "judging_balanced_accuracy"
    interval = subtract_measures(
        name, rows.filter(~pl.col("own")), rows.filter("own"), count_questions(rows)
    )
    missing = None if interval.value is not None else "right and wrong answers, own and others'"
    about = {"cell": cell, "unit": "probability", "missing": missing, "method": DISCERNMENT_METHOD}
    return from_interval("discernment_gap", interval, n=rows.height, **about)


def subtract_measures(name: str, first: pl.DataFrame, second: pl.DataFrame, num: int) -> Interval:
    """A measure of one set of completed judgements minus that of another, paired by question."""
    parts = [linearise(name, rows) for rows in (first, second)]
    (one, codes), (two, others) = parts
    if one is None or two is None:
        return ABSENT
    influence: Array = np.concatenate([one.influence, -two.influence])
    return compute_clustered_interval(
        LinearStatistic(one.value - two.value, influence), np.concatenate([codes, others])
    )


JUDGED_ITEM = ("question", "seed", "critic")
EFFECTS = ("own_effect", "own_effect_given_likelihood", "likelihood_effect")
WITHIN_ITEMS = "least squares within critic and question, wrong answers, clustered by question"
NO_OWN_ERRORS = "questions on which a critic judges its own wrong answer and another's"
NO_LIKELIHOOD = "the probe belief, which tells how likely a critic finds an answer"


class Regression(NamedTuple):
    """Coefficients in order, each with its interval, and the rows that they rest on."""

    intervals: tuple[Interval, ...]
    n: int


def estimate_familiarity(judged: pl.DataFrame) -> list[Estimate]:
    """`own_effect` (own alone), `own_effect_given_likelihood`, `likelihood_effect` of each cell.

    The first two in logits, the last in logits per nat and character.
    """
    estimates: list[Estimate] = []
    for (cell,), rows in split_groups(judged, "cell"):
        rows = _select_wrong(rows)
        alone = fit_within_items(rows, ["own"])
        both = fit_within_items(
            rows.filter(pl.col("log_likelihood").is_not_null()), ["own", "log_likelihood"]
        )
        known = rows["log_likelihood"].is_not_null().any()
        lacking = NO_OWN_ERRORS if known else NO_LIKELIHOOD
        estimates += [
            _estimate_coefficient(EFFECTS[0], alone, 0, str(cell), NO_OWN_ERRORS),
            _estimate_coefficient(EFFECTS[1], both, 0, str(cell), lacking),
            _estimate_coefficient(EFFECTS[2], both, 1, str(cell), lacking),
        ]
    return estimates


def _select_wrong(rows: pl.DataFrame) -> pl.DataFrame:
    """Completed judgements of wrong answers with their logit; no other's that equals the own."""
    same = ~pl.col("own") & (pl.col("claim") == pl.col("own_answer")).fill_null(False)
    wrong = ~pl.col("right") & ~pl.col("failed") & pl.col("p_true").is_not_null()
    return rows.filter(wrong & ~same).with_columns(
        logit=compute_logit(pl.col("p_true"), floor=P_TRUE_FLOOR),
        own=pl.col("own").cast(pl.Float64),
    )


def fit_within_items(
    rows: pl.DataFrame, terms: list[str], *, item: Sequence[str] = JUDGED_ITEM
) -> Regression | None:
    """The regression of `logit` on the terms within items; None where they do not vary in them.

    Rows that stand alone in their item tell nothing and are left out.
    """
    rows = rows.filter(pl.len().over(item) > 1)
    within = rows.select(
        "question_code",
        *(pl.col(c) - pl.col(c).mean().over(item) for c in ("logit", *terms)),
    )
    x = within.select(terms).to_numpy().astype(np.float64)
    y = within["logit"].to_numpy().astype(np.float64)
    if not len(x) or np.linalg.matrix_rank(x) < len(terms):  # of none it can be an error
        return None
    intervals = fit_least_squares(x, y, within["question_code"].to_numpy().astype(np.int64))
    return Regression(intervals, len(y))


def fit_least_squares(x: Array, y: Array, clusters: Codes) -> tuple[Interval, ...]:
    """Each coefficient of y on x (n, k), with its cluster-robust interval."""
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ y
    influence = (x * (y - x @ beta)[:, None]) @ bread
    return tuple(
        compute_clustered_interval(LinearStatistic(float(b), np.asarray(influence[:, j])), clusters)
        for j, b in enumerate(beta)
    )


def _estimate_coefficient(
    name: str, found: Regression | None, term: int, cell: str, lacking: str
) -> Estimate:
    unit = "logit per nat" if name == "likelihood_effect" else "logit"
    if found is None:
        return Estimate(name=name, cell=cell, unit=unit, missing=lacking)
    return from_interval(
        name, found.intervals[term], n=found.n, cell=cell, unit=unit, method=WITHIN_ITEMS
    )


JUDGEMENT = ("question", "seed", "critic", "author")
PADDING = "padding"
CHANGED_MEASURES = {
    "judging_auroc_change": "judging_auroc",
    "judging_brier_change": "judging_brier",
    "judging_balanced_accuracy_change": "judging_balanced_accuracy",
}
SAME_JUDGEMENTS = "the same judgements in both cells, paired by question"
SAME_PROMPTS = "prompts that say whose answer it is; these prompt sets do not"


class JudgingDesign(NamedTuple):
    """The configuration of what critics are told in a cell."""

    cell: str
    anonymous: bool
    labels: str
    alternatives: str
    k: int


def list_designs(judged: pl.DataFrame) -> list[JudgingDesign]:
    """The cells' designs, by name."""
    rows = judged.select(JudgingDesign._fields).unique().sort("cell")
    return [JudgingDesign(*row) for row in rows.iter_rows()]


def estimate_alternatives(judged: pl.DataFrame) -> list[Estimate]:
    """`judging_auroc_change`, `judging_brier_change`, `judging_balanced_accuracy_change` and
    `over_trust_gap_change` of each cell with alternatives; `subject` is "over <cell>".
    `judging_tokens`: tokens of one judgement, of every cell.
    """
    by_cell = {str(cell): rows for (cell,), rows in split_groups(judged, "cell")}
    num = count_questions(judged)
    estimates = [_estimate_tokens(cell, rows, num) for cell, rows in by_cell.items()]
    for design, control in pair_controls(list_designs(judged)):
        estimates += _estimate_changes(by_cell[design.cell], by_cell[control.cell], num)
    return estimates


def pair_controls(designs: list[JudgingDesign]) -> Iterator[tuple[JudgingDesign, JudgingDesign]]:
    """Each cell with alternatives, with the same cell without them, and with noise instead."""
    for design in designs:
        for other in designs:
            told = (design.anonymous, design.labels) == (other.anonymous, other.labels)
            is_alone = design.alternatives != ALONE and other.alternatives == ALONE
            has_noise = (other.alternatives, other.k) == (PADDING, design.k)
            is_noise = design.alternatives not in (ALONE, PADDING) and has_noise
            if told and (is_alone or is_noise):
                yield design, other


def _estimate_tokens(cell: str, rows: pl.DataFrame, num: int) -> Estimate:
    sums = sum_by_question(rows, "tokens", num)
    missing = None if sums.n else "token counts"
    method = "prompt and generated, with the samples made for it, clustered by question"
    about = {"cell": cell, "unit": "tokens", "missing": missing, "method": method}
    return from_interval("judging_tokens", sums.mean(), n=sums.n, **about)


def _estimate_changes(rows: pl.DataFrame, control: pl.DataFrame, num: int) -> Iterator[Estimate]:
    cell, subject = rows["cell"][0], f"over {control['cell'][0]}"
    both = _keep_shared(rows, control)
    for name, measure in CHANGED_MEASURES.items():
        interval = subtract_measures(measure, *both, num)
        missing = None if interval.value is not None else "judgements that both cells have"
        yield from_interval(
            name,
            interval,
            n=both[0].height,
            cell=cell,
            subject=subject,
            unit="probability",
            method=SAME_JUDGEMENTS,
            missing=missing,
        )
    yield _estimate_gap_change(*both, cell, subject, num)


def _keep_shared(rows: pl.DataFrame, control: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The judgements that completed in both cells."""
    done, other = rows.filter(~pl.col("failed")), control.filter(~pl.col("failed"))
    return done.join(other, on=JUDGEMENT, how="semi"), other.join(done, on=JUDGEMENT, how="semi")


def _estimate_gap_change(
    rows: pl.DataFrame, control: pl.DataFrame, cell: str, subject: str, num: int
) -> Estimate:
    about = {"cell": cell, "subject": subject, "unit": "probability"}
    name = "over_trust_gap_change"
    gaps = [sum_by_question(pair_wrong_answers(part), "gap", num) for part in (rows, control)]
    if not all(sums.n for sums in gaps):
        return Estimate(name=name, missing=NO_PAIRS, **about)  # type: ignore[arg-type]
    change = gaps[0].minus(gaps[1])
    return from_interval(name, change, n=gaps[0].n, method=SAME_JUDGEMENTS, **about)


NAMED_PAIRS = frozenset({("own", "others"), ("honest", "swapped")})
"""Labels of two arms that together say of every answer that it is one's own and another's."""


def estimate_labels(judged: pl.DataFrame) -> list[Estimate]:
    """`label_effect`: P(True) of the same wrong answer under one label minus under another.

    `subject` is "told own over <cell>" and "told another's over <cell>" against anonymity, and
    "own label over another's" where a further cell gives the same answers the other label: then
    content is alike on both sides and the label alone differs.
    """
    by_cell = {str(cell): rows for (cell,), rows in split_groups(judged, "cell")}
    designs, num = list_designs(judged), count_questions(judged)
    estimates: list[Estimate] = []
    for design in designs:
        for other in designs:
            beside = (design.alternatives, design.k) == (other.alternatives, other.k)
            if not beside or design.anonymous:
                continue
            pairs = _join_relabelled(by_cell[design.cell], by_cell[other.cell])
            if other.anonymous:
                estimates += _compare_with_anonymous(pairs, design.cell, other.cell, num)
            elif (design.labels, other.labels) in NAMED_PAIRS:
                signed = pairs.with_columns(change=_sign_towards_own(pl.col("change")))
                what = f"own label over another's ({other.cell})"
                estimates.append(_estimate_label_effect(signed, design.cell, what, num))
    return estimates


def _sign_towards_own(change: pl.Expr) -> pl.Expr:
    """The change from the judgement with another's label to the one with one's own."""
    return pl.when("told_own").then(change).otherwise(-change)


def _join_relabelled(rows: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The same wrong answers judged in both cells, with the change of P(True)."""
    wrong = rows.filter(~pl.col("right")).select(
        *JUDGEMENT, "question_code", "told_own", "p_true", "shared"
    )
    before = other.select(*JUDGEMENT, before="p_true", before_shared="shared")
    return wrong.join(before, on=JUDGEMENT).with_columns(
        change=pl.col("p_true") - pl.col("before"), alike=pl.col("shared") | pl.col("before_shared")
    )


def _compare_with_anonymous(
    pairs: pl.DataFrame, cell: str, control: str, num: int
) -> list[Estimate]:
    return [
        _estimate_label_effect(pairs.filter(told), cell, f"told {whose} over {control}", num)
        for whose, told in (("own", pl.col("told_own")), ("another's", ~pl.col("told_own")))
    ]


def _estimate_label_effect(pairs: pl.DataFrame, cell: str, subject: str, num: int) -> Estimate:
    about = {"cell": cell, "subject": subject, "unit": "probability"}
    if pairs.height and pairs["alike"].all():
        return Estimate(name="label_effect", missing=SAME_PROMPTS, **about)  # type: ignore[arg-type]
    found = sum_by_group(pairs.with_columns(all=pl.lit(0)), ["all"], ["change"], num)
    sums = found[(0,)]["change"] if found else None
    if sums is None or not sums.n:
        lacks = "wrong answers judged in both cells"
        return Estimate(name="label_effect", missing=lacks, **about)  # type: ignore[arg-type]
    return from_interval("label_effect", sums.mean(), n=sums.n, method=SAME_JUDGEMENTS, **about)
