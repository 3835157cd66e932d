"""The team's table: what its members can do alone, together, and at what price."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from debate.analysis.drift import team_kinds
from debate.analysis.estimate import Estimate, from_interval
from debate.analysis.ledger import costs
from debate.analysis.states import num_questions
from debate.analysis.sums import grouped_sums

COLUMNS = (
    "mean_member", "best_member", "kappa_p", "error_correlation", "effective_votes", "vote_0",
    "vote_T", "oracle",
)  # fmt: skip


def oracle(states: pl.DataFrame) -> list[Estimate]:
    """Share of debates in which some agent is right at its opening: the best vote could reach."""
    opening = states.filter(pl.col("round") == 0)
    any_right = opening.group_by("cell", "question_code", "debate").agg(
        right=pl.col("correct").any()
    )
    num = num_questions(states)
    summed = grouped_sums(any_right, ["cell"], ["right"], num)
    found = [(cell, sums["right"]) for (cell,), sums in summed.items()]
    return [
        from_interval(
            "oracle", sums.share(), n=sums.n, cell=cell, round=0, unit="probability",
            method="any member right, clustered by question",
        )
        for cell, sums in found
    ]  # fmt: skip


def team_table(estimates: Iterable[Estimate], states: pl.DataFrame) -> pl.DataFrame:
    """One row for each cell; null where a column has nothing to be computed from.

    team: homogeneous or mixed, by the models in its seats.
    best_member is picked on the same questions, which flatters it; a comparison at equal tokens
    needs its own arm (that member alone, sampled as often). kappa_p is the mean over pairs.
    """
    found = list(estimates)
    table, teams = costs(states), team_kinds(states)
    rows = [
        {"cell": cell, "team": teams[cell]}
        | {name: _cell_value(found, cell, name) for name in COLUMNS}
        for cell in table["cell"]
    ]
    schema = {"cell": pl.String(), "team": pl.String()} | dict.fromkeys(COLUMNS, pl.Float64())
    return pl.DataFrame(rows, schema=schema).join(table, on="cell", how="left")


def _cell_value(estimates: list[Estimate], cell: str, column: str) -> float | None:
    inside = [e for e in estimates if e.cell == cell and e.value is not None]
    if column == "best_member" or column == "mean_member":
        members = [e for e in inside if e.name == "accuracy" and e.round == 0]
        alone = [e.value for e in members if e.subject is not None] or [e.value for e in members]
        known = [v for v in alone if v is not None]
        pick = max(known, default=None) if column == "best_member" else _mean(known)
        return pick
    if column in ("vote_0", "vote_T"):
        rounds = [e for e in inside if e.name == "vote_accuracy" and e.round is not None]
        first = sorted(rounds, key=lambda e: (e.round, e.subject or ""))
        if not first:
            return None
        method = first[0].subject
        ordered = [e for e in first if e.subject == method]
        return ordered[0 if column == "vote_0" else -1].value
    named = [e.value for e in inside if e.name == column and e.round == 0]
    return _mean([v for v in named if v is not None])


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
