"""Rows that a foreign table has lost: turns that were due, and of which nothing is there."""

from __future__ import annotations

import polars as pl

_DEBATE = ("cell", "question", "seed")
_AGENT = (*_DEBATE, "agent")


def with_lost_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame of a table with a failed row for each that was lost; `lost` is true for these.

    A row was lost where others of its debate have one in a round and the agent, who has spoken
    before in this debate, has none, although it has one in at least half of the other debates of
    that arm in which the same holds. What an agent that often stays silent did not say was not
    lost, nor what a debate that stopped as a whole did not go on to say.
    """
    lost = _lost_turns(frame)
    named = ("model", "prompt_set", "target", "category", "cluster")
    told = [c for c in named if c in frame.columns]
    earlier = lost.join(frame.select(*_AGENT, *told, said_in="round"), on=_AGENT, how="left")
    earlier = earlier.filter(pl.col("said_in") < pl.col("round")).sort("said_in")
    added = earlier.group_by(*_AGENT, "round").agg(pl.col(c).last() for c in told)
    scored = frame.filter(pl.col("outcome").is_not_null())["question"].unique()
    is_scored = pl.col("question").is_in(scored.implode())
    added = added.with_columns(
        kind=pl.lit("revision"),
        abstained=pl.lit(False),
        failed=pl.lit(True),
        outcome=pl.when(is_scored).then(pl.lit("failed")),
        lost=pl.lit(True),
    )
    whole = pl.concat([frame.with_columns(lost=pl.lit(False)), added], how="diagonal")
    return whole.sort(*_AGENT, "round", maintain_order=True)


def _lost_turns(frame: pl.DataFrame) -> pl.DataFrame:
    """Agents and rounds of which a row was lost."""
    said = frame.select(*_AGENT, "round").unique()
    began = said.group_by(_AGENT).agg(began=pl.col("round").min())
    rounds = said.select(*_DEBATE, "round").unique()
    due = began.join(rounds, on=_DEBATE).filter(pl.col("round") > pl.col("began"))
    seen = due.join(said.with_columns(spoke=True), on=[*_AGENT, "round"], how="left")
    seen = seen.with_columns(pl.col("spoke").fill_null(False))
    others = seen.with_columns(
        num_others=pl.len().over("cell", "agent", "round") - 1,
        num_spoke=pl.col("spoke").sum().over("cell", "agent", "round"),
    )
    is_usual = (pl.col("num_others") > 0) & (2 * pl.col("num_spoke") >= pl.col("num_others"))
    return others.filter(~pl.col("spoke") & is_usual).select(*_AGENT, "round")
