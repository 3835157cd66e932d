"""Small tables of trajectories with chosen rights, wrongs and confidences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from debate.analysis import Analysis, analyze
from debate.config.run import HypothesisSpec

Row = dict[str, Any]


def turn(
    cell: str,
    question: int,
    agent: str,
    round: int,
    *,
    right: bool,
    confidence: float = 0.5,
    model: str | None = None,
    heard: str = "",
    tokens: int = 4,
    wrong: str = "7",
    seed: int = 0,
) -> Row:
    """One state; the target of every question is 4."""
    return {
        "cell": cell,
        "question": f"q{question:04}",
        "agent": agent,
        "round": round,
        "seed": seed,
        "answer": "4" if right else wrong,
        "target": "4",
        "confidence": confidence,
        "model": model or agent,
        "heard": heard,
        "generated_tokens": tokens,
    }


def arm(
    cell: str, num: int, right: Callable[[int, int], bool], *, rounds: int = 1, agent: str = "a"
) -> Iterator[Row]:
    """One agent alone, right where `right(question, round)` says so."""
    for question in range(num):
        for round in range(rounds + 1):
            yield turn(cell, question, agent, round, right=right(question, round))


def analysis_of(rows: list[Row], **hypotheses: HypothesisSpec) -> Analysis:
    """The analysis of these rows with these hypotheses."""
    return analyze(pl.DataFrame(rows), hypotheses=hypotheses, resamples=50)


def claim(estimate: str, **fields: Any) -> HypothesisSpec:
    """A hypothesis about an estimate; by default that it lies above zero by a twentieth."""
    told = {"statement": "Something is so.", "direction": "above", "smallest": 0.05}
    return HypothesisSpec(estimate=estimate, **{**told, **fields})
