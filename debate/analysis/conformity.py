"""Conformity, obstinacy, identity bias, and revisions for the worse and for the better.

A disagreement event is a turn of an agent with an answer of its own that heard at least one peer
with another answer (2510.07517). C is the share that adopts a peer's answer, O the share that
keeps its own. Identity bias is (C - O) with speaker names minus (C - O) without.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from debate.analysis.controls import Controls
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.heard import from_peers
from debate.analysis.states import num_questions
from debate.analysis.sums import Sums, grouped_sums

METHOD = "disagreement events, clustered by question"
NO_EVENTS = "disagreement between an agent and what it heard (column heard)"


def disagreements(heard: pl.DataFrame) -> pl.DataFrame:
    """The disagreement events: one row for each turn, with `adopted` and `kept`."""
    other = from_peers(heard).filter(pl.col("critic_answer") != pl.col("previous_answer"))
    adopted = (pl.col("answer") == pl.col("critic_answer")).fill_null(False)
    kept = (pl.col("answer") == pl.col("previous_answer")).fill_null(False)
    events = other.group_by("cell", "question_code", "trajectory", "round").agg(
        adopted=adopted.any(), kept=kept.any()
    )
    return events.with_columns(
        lean=pl.col("adopted").cast(pl.Float64) - pl.col("kept").cast(pl.Float64)
    )


def first_seen(heard: pl.DataFrame) -> pl.DataFrame:
    """For each trajectory and outcome, the round in which it first heard a peer in that state."""
    return (
        from_peers(heard)
        .group_by("trajectory", saw="critic_outcome")
        .agg(seen_in=pl.col("round").min())
    )


def conformity(states: pl.DataFrame, events: pl.DataFrame, controls: Controls) -> list[Estimate]:
    """`conformity`, `obstinacy` and `identity_bias` of each cell over its `disagreements`."""
    num = num_questions(states)
    summed = grouped_sums(events, ["cell"], ["adopted", "kept", "lean"], num)
    by_cell = {cell: sums for (cell,), sums in summed.items()}
    leans = {cell: sums["lean"] for cell, sums in by_cell.items()}
    estimates: list[Estimate] = []
    for cell in sorted(states["cell"].unique()):
        for name, column in (("conformity", "adopted"), ("obstinacy", "kept")):
            sums = by_cell[cell][column] if cell in by_cell else None
            estimates.append(_share(name, cell, sums))
        estimates.append(_identity_bias(cell, leans, controls))
    return estimates


def _share(name: str, cell: str, sums: Sums | None) -> Estimate:
    if sums is None:
        return Estimate(name=name, cell=cell, unit="probability", missing=NO_EVENTS)
    return from_interval(name, sums.share(), n=sums.n, cell=cell, unit="probability", method=METHOD)


def _identity_bias(cell: str, leans: Mapping[str, Sums], controls: Controls) -> Estimate:
    twin = controls.anonymous.get(cell)
    lacking = None if twin else "the same arm with anonymous speakers"
    if twin and (cell not in leans or twin not in leans):
        lacking = NO_EVENTS
    if lacking or twin is None:
        return Estimate(name="identity_bias", cell=cell, unit="probability", missing=lacking)
    return from_interval(
        "identity_bias", leans[cell].minus(leans[twin]), n=leans[cell].n + leans[twin].n, cell=cell,
        unit="probability", method="(C - O) named minus anonymous, paired by question",
    )  # fmt: skip


def revisions(states: pl.DataFrame, seen: pl.DataFrame) -> list[Estimate]:
    """`harmful_revision` P(wrong_t | correct_0, saw wrong) and `beneficial_revision`, by round.

    `seen` is what `first_seen` gives.
    """
    harmful = _revised(states, seen, before="correct", saw="wrong", after="wrong")
    beneficial = _revised(states, seen, before="wrong", saw="correct", after="correct")
    return [
        *_by_round("harmful_revision", harmful, states),
        *_by_round("beneficial_revision", beneficial, states),
    ]


def _revised(
    states: pl.DataFrame, seen: pl.DataFrame, *, before: str, saw: str, after: str
) -> pl.DataFrame:
    since = seen.filter(pl.col("saw") == saw)
    exposed = states.filter(
        (pl.col("opening_outcome") == before) & (pl.col("outcome") != "failed")
    ).select("cell", "round", "question_code", "trajectory", "outcome")
    at_risk = exposed.join(since, on="trajectory").filter(pl.col("round") >= pl.col("seen_in"))
    return at_risk.with_columns(revised=pl.col("outcome") == after)


def _by_round(name: str, rows: pl.DataFrame, states: pl.DataFrame) -> list[Estimate]:
    summed = grouped_sums(rows, ["cell", "round"], ["revised"], num_questions(states))
    found = [(cell, round_, sums["revised"]) for (cell, round_), sums in summed.items()]
    lacking = sorted(set(states["cell"].unique()) - {cell for cell, _, _ in found})
    return [
        from_interval(
            name, sums.share(), n=sums.n, cell=cell, round=round_, unit="probability",
            method="of those that ever saw it so far, clustered by question",
        )
        for cell, round_, sums in found
    ] + [
        Estimate(name=name, cell=cell, unit="probability", missing=NO_EVENTS) for cell in lacking
    ]  # fmt: skip
