"""What it cost and what the team can do: tokens by cell, model, agent and round; one row a team."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from debate.analysis.estimate import Estimate
from debate.analysis.measures import team_kinds

TOKENS = ("prompt_tokens", "cached_tokens", "generated_tokens")


def ledger(turns: pl.DataFrame) -> pl.DataFrame:
    """Turns and tokens by cell, agent, model, kind and round; null where no turn tells its tokens.

    turns: every turn, critiques and probes included, or the states where only answers are known.
    """
    spoken = turns.filter(~pl.col("carried")) if "carried" in turns.columns else turns
    known = "kind" in spoken.columns
    spoken = spoken if known else spoken.with_columns(kind=pl.lit(None, pl.String))
    by = ["cell", "agent", "model", "kind", "round"]
    summed = spoken.group_by(by).agg(
        turns=pl.len(), **{name: _known_sum(name) for name in TOKENS}
    )  # fmt: skip
    return summed.sort(by, nulls_last=True)


def costs(states: pl.DataFrame) -> pl.DataFrame:
    """Tokens by cell: in all and for each debate, with the share of turns that tell them."""
    spoken = states.select("cell", "debate", "carried", *TOKENS).filter(~pl.col("carried"))
    told = pl.col("generated_tokens").is_not_null().mean()
    grouped = spoken.group_by("cell").agg(
        turns=pl.len(), debates=pl.col("debate").n_unique(), share_told=told,
        **{name: _known_sum(name) for name in TOKENS},
    )  # fmt: skip
    each = (pl.col("generated_tokens") / pl.col("debates")).alias("generated_tokens_per_debate")
    return grouped.with_columns(each).sort("cell")


def _known_sum(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())


COLUMNS = (
    "mean_member", "best_member", "kappa_p", "error_correlation", "effective_votes", "vote_0",
    "vote_T", "oracle",
)  # fmt: skip


def team_table(
    estimates: Iterable[Estimate], states: pl.DataFrame, methods: dict[str, str]
) -> pl.DataFrame:
    """One row for each cell; null where a column has nothing to be computed from.

    team: homogeneous or mixed, by the models in its seats.
    methods: the rule by which each condition was decided. best_member is picked on the same
    questions, which flatters it; a comparison at equal tokens needs its own arm (that member alone,
    sampled as often). kappa_p is the mean over pairs.
    """
    found = list(estimates)
    table, teams = costs(states), team_kinds(states)
    rows = [
        {"cell": cell, "team": teams[cell]}
        | {name: _cell_value(found, cell, name, methods.get(cell)) for name in COLUMNS}
        for cell in table["cell"]
    ]
    schema = {"cell": pl.String(), "team": pl.String()} | dict.fromkeys(COLUMNS, pl.Float64())
    return pl.DataFrame(rows, schema=schema).join(table, on="cell", how="left")


def _cell_value(
    estimates: list[Estimate], cell: str, column: str, method: str | None
) -> float | None:
    inside = [e for e in estimates if e.cell == cell and e.value is not None]
    if column == "best_member" or column == "mean_member":
        members = [e for e in inside if e.name == "accuracy" and e.round == 0]
        alone = [e.value for e in members if e.subject is not None] or [e.value for e in members]
        known = [v for v in alone if v is not None]
        pick = max(known, default=None) if column == "best_member" else _mean(known)
        return pick
    if column in ("vote_0", "vote_T"):
        rounds = [e for e in inside if e.name == "vote_accuracy" and e.round is not None]
        ordered = sorted((e for e in rounds if e.subject == method), key=lambda e: e.round or 0)
        if not ordered:
            return None
        return ordered[0 if column == "vote_0" else -1].value
    named = [e.value for e in inside if e.name == column and e.round == 0]
    return _mean([v for v in named if v is not None])


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
