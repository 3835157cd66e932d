"""Replies that were cut off at their token limit: whose, how many, and what to raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl
from pydantic import ValidationError

from debate.config.run import RunSpec
from debate.config.seating import seats

MANY = 0.01
"""The share of an agent's turns from which on (exclusive) its cut replies are told of."""


class CutOff(NamedTuple):
    """An agent many of whose replies were cut; `max_tokens` is None where it is not told."""

    agent: str
    num_cut: int
    num_turns: int
    max_tokens: int | None


def cut_off(turns: pl.DataFrame | pl.LazyFrame, spec: Mapping[str, Any]) -> list[CutOff]:
    """The agents of whose turns more than `MANY` were cut before their answer, or in a critique
    their verdict, was closed; the largest share first.

    turns: a frame of turns or of trajectories; probes take no part, nor do calls that another turn
    shares. spec: the run's configuration as its manifest holds it; empty for a foreign table.
    """
    rows, names = turns.lazy(), turns.lazy().collect_schema().names()
    if "cut" not in names:
        return []
    if "kind" in names:
        rows = rows.filter(pl.col("kind") != "probe")
    if "shared_with" in names:
        rows = rows.filter(pl.col("shared_with").is_null())
    counted = rows.group_by("agent").agg(num_cut=pl.col("cut").sum(), num_turns=pl.len()).collect()
    many = counted.filter(pl.col("num_cut") > MANY * pl.col("num_turns"))
    share = pl.col("num_cut") / pl.col("num_turns")
    ordered = many.sort(share, "agent", descending=[True, False])
    limits = max_tokens(spec)
    return [
        CutOff(agent, num_cut, num_turns, limits.get(agent))
        for agent, num_cut, num_turns in ordered.select("agent", "num_cut", "num_turns").iter_rows()
    ]


def max_tokens(spec: Mapping[str, Any]) -> dict[str, int]:
    """Each agent's token limit, by a run's configuration; empty where that cannot be read."""
    try:
        run = RunSpec.model_validate(dict(spec))
    except ValidationError:
        return {}
    return {seat.id: seat.sampling.max_tokens for seat in seats(run)}


def cut_sentence(cut: list[CutOff]) -> str | None:
    """What to say of replies that were cut; None where there are few.

    >>> print(cut_sentence([CutOff("adder", 30, 60, 2)]))
    Replies were cut off at their token limit before their answer was closed, and are no answers: \
adder 30 of 60 (50.0 %; raise its sampling.max_tokens, now 2).
    """
    if not cut:
        return None
    told = ", ".join(map(_told, cut))
    return (
        "Replies were cut off at their token limit before their answer was closed, and are no "
        f"answers: {told}."
    )


def _told(cut: CutOff) -> str:
    share = 100 * cut.num_cut / cut.num_turns
    now = "" if cut.max_tokens is None else f", now {cut.max_tokens}"
    return (
        f"{cut.agent} {cut.num_cut:,} of {cut.num_turns:,} "
        f"({share:.1f} %; raise its sampling.max_tokens{now})"
    )
