"""What critics were told or shown besides, and what it changed: labels and broader alternatives.

Cells are compared judgement by judgement: same critic, author, question and seed. Alternatives are
compared with the answer alone, and with as many lines of noise, which is the length control; names
are compared with their absence, and true labels with swapped ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.judgements import ALONE
from debate.analysis.overtrust import NO_PAIRS, difference, num_questions, wrong_pairs
from debate.analysis.sums import grouped_sums, groups, question_sums

JUDGEMENT = ("question", "seed", "critic", "author")
PADDING = "padding"
MEASURES = {"judging_auroc_change": "judging_auroc", "judging_brier_change": "judging_brier",
            "judging_balanced_accuracy_change": "judging_balanced_accuracy"}  # fmt: skip
METHOD = "the same judgements in both cells, paired by question"
SAME_PROMPTS = "prompts that say whose answer it is; these prompt sets do not"


class Design(NamedTuple):
    """What critics were told in a cell."""

    cell: str
    anonymous: bool
    swapped: bool
    alternatives: str
    k: int


def designs_of(judged: pl.DataFrame) -> list[Design]:
    """The cells' designs, by name."""
    rows = judged.select(Design._fields).unique().sort("cell")
    return [Design(*row) for row in rows.iter_rows()]


def alternatives(judged: pl.DataFrame) -> list[Estimate]:
    """`judging_auroc_change`, `judging_brier_change`, `judging_balanced_accuracy_change` and
    `over_trust_gap_change` of each cell with alternatives; `subject` is "over <cell>".
    `judging_tokens`: tokens of one judgement, of every cell.
    """
    by_cell = {str(cell): rows for (cell,), rows in groups(judged, "cell")}
    num = num_questions(judged)
    estimates = [_tokens(cell, rows, num) for cell, rows in by_cell.items()]
    for design, control in controls(designs_of(judged)):
        estimates += _changes(by_cell[design.cell], by_cell[control.cell], num)
    return estimates


def controls(designs: list[Design]) -> Iterator[tuple[Design, Design]]:
    """Each cell with alternatives, with the same cell without them, and with noise instead."""
    for design in designs:
        for other in designs:
            told = (design.anonymous, design.swapped) == (other.anonymous, other.swapped)
            is_alone = design.alternatives != ALONE and other.alternatives == ALONE
            is_noise = design.alternatives not in (ALONE, PADDING) and (
                other.alternatives,
                other.k,
            ) == (PADDING, design.k)
            if told and (is_alone or is_noise):
                yield design, other


def _tokens(cell: str, rows: pl.DataFrame, num: int) -> Estimate:
    sums = question_sums(rows, "tokens", num)
    missing = None if sums.n else "token counts"
    return from_interval(
        "judging_tokens", sums.mean(), n=sums.n, cell=cell, unit="tokens", missing=missing,
        method="prompt and generated, with the samples made for it, clustered by question",
    )  # fmt: skip


def _changes(rows: pl.DataFrame, control: pl.DataFrame, num: int) -> Iterator[Estimate]:
    cell, subject = rows["cell"][0], f"over {control['cell'][0]}"
    both = _in_both(rows, control)
    for name, measure in MEASURES.items():
        interval = difference(measure, *both, num)
        missing = None if interval.value is not None else "judgements that both cells have"
        yield from_interval(
            name, interval, n=both[0].height, cell=cell, subject=subject, unit="probability",
            method=METHOD, missing=missing,
        )  # fmt: skip
    yield _gap_change(*both, cell, subject, num)


def _in_both(rows: pl.DataFrame, control: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The judgements that completed in both cells."""
    done, other = rows.filter(~pl.col("failed")), control.filter(~pl.col("failed"))
    return done.join(other, on=JUDGEMENT, how="semi"), other.join(done, on=JUDGEMENT, how="semi")


def _gap_change(
    rows: pl.DataFrame, control: pl.DataFrame, cell: str, subject: str, num: int
) -> Estimate:
    name = "over_trust_gap_change"
    gaps = [question_sums(wrong_pairs(part), "gap", num) for part in (rows, control)]
    if not all(sums.n for sums in gaps):
        return Estimate(name=name, cell=cell, subject=subject, unit="probability", missing=NO_PAIRS)
    return from_interval(
        name, gaps[0].minus(gaps[1]), n=gaps[0].n, cell=cell, subject=subject,
        unit="probability", method=METHOD,
    )  # fmt: skip


def labels(judged: pl.DataFrame) -> list[Estimate]:
    """`label_effect`: P(True) of the same wrong answer under one label minus under another.

    `subject` is "told own over <cell>" and "told another's over <cell>" against anonymity, and
    "own label over another's" where labels were swapped in a further cell: then content is alike
    on both sides and the label alone differs.
    """
    by_cell = {str(cell): rows for (cell,), rows in groups(judged, "cell")}
    designs = designs_of(judged)
    estimates: list[Estimate] = []
    for design in designs:
        for other in designs:
            beside = (design.alternatives, design.k) == (other.alternatives, other.k)
            if not beside or design.anonymous:
                continue
            pairs = _relabelled(by_cell[design.cell], by_cell[other.cell])
            if other.anonymous:
                estimates += _named(pairs, design.cell, other.cell, num_questions(judged))
            elif other.swapped and not design.swapped:
                signed = pairs.with_columns(change=_towards_own(pl.col("change")))
                what = f"own label over another's ({other.cell})"
                estimates.append(_effect(signed, design.cell, what, num_questions(judged)))
    return estimates


def _towards_own(change: pl.Expr) -> pl.Expr:
    """The change from the judgement with another's label to the one with one's own."""
    return pl.when("told_own").then(change).otherwise(-change)


def _relabelled(rows: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """The same wrong answers judged in both cells, with the change of P(True)."""
    wrong = rows.filter(~pl.col("right")).select(
        *JUDGEMENT, "question_code", "told_own", "p_true", "shared"
    )
    before = other.select(*JUDGEMENT, before="p_true", before_shared="shared")
    return wrong.join(before, on=JUDGEMENT).with_columns(
        change=pl.col("p_true") - pl.col("before"), alike=pl.col("shared") | pl.col("before_shared")
    )


def _named(pairs: pl.DataFrame, cell: str, control: str, num: int) -> list[Estimate]:
    return [
        _effect(pairs.filter(told), cell, f"told {whose} over {control}", num)
        for whose, told in (("own", pl.col("told_own")), ("another's", ~pl.col("told_own")))
    ]


def _effect(pairs: pl.DataFrame, cell: str, subject: str, num: int) -> Estimate:
    about = {"cell": cell, "subject": subject, "unit": "probability"}
    if pairs.height and pairs["alike"].all():
        return Estimate(name="label_effect", missing=SAME_PROMPTS, **about)  # type: ignore[arg-type]
    found = grouped_sums(pairs.with_columns(all=pl.lit(0)), ["all"], ["change"], num)
    sums = found[(0,)]["change"] if found else None
    if sums is None or not sums.n:
        lacks = "wrong answers judged in both cells"
        return Estimate(name="label_effect", missing=lacks, **about)  # type: ignore[arg-type]
    return from_interval("label_effect", sums.mean(), n=sums.n, method=METHOD, **about)
