"""What it cost: tokens by cell, model, agent and round."""

from __future__ import annotations

import polars as pl

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
    spoken = states.filter(~pl.col("carried"))
    told = pl.col("generated_tokens").is_not_null().mean()
    grouped = spoken.group_by("cell").agg(
        turns=pl.len(), debates=pl.col("debate").n_unique(), share_told=told,
        **{name: _known_sum(name) for name in TOKENS},
    )  # fmt: skip
    each = (pl.col("generated_tokens") / pl.col("debates")).alias("generated_tokens_per_debate")
    return grouped.with_columns(each).sort("cell")


def _known_sum(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())
