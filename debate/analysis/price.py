"""What a debate takes beside its openings alone, and what as many tokens buy without one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import polars as pl

from debate.analysis.effects import (
    MOST_ARMS,
    ArmEffect,
    MainAnswer,
    describe_effects,
    find_claim,
    lack_answer,
    list_debating_arms,
)
from debate.analysis.intervals import Interval
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.text import format_count, format_dollars, format_percent, join_names

UNEQUAL = 0.1
"""Samples whose tokens differ by more than this share from the debate's are not as many."""


def answer_price(analysis: Analysis) -> MainAnswer:
    """What a debate takes beside its openings alone, and what as many tokens buy without one."""
    question = "At what price?"
    prices = [price for cell in list_debating_arms(analysis) for price in _price(analysis, cell)]
    if not prices:
        return lack_answer(question, "No arm debates beyond its openings.", "tokens")
    told = [_describe_price(price) for price in prices[:MOST_ARMS]]
    if len(prices) > MOST_ARMS:
        told = [_describe_price_range(prices)]
    num_answers, num_turns = _select_answers(analysis).height, analysis.tables["ledger"].height
    probes = "" if num_answers == num_turns else "Probes are not counted."
    parts = filter(None, (f"{'; '.join(told)}.", probes, _describe_equal_tokens(analysis)))
    return MainAnswer(question=question, sentence=" ".join(parts), section="tokens")


class ArmPrice(NamedTuple):
    """What one question takes in an arm, and its openings alone; None where not told.

    Calls are those of models, probes left out on both sides; tokens are prompt and generated.
    """

    arm: str
    calls: float
    opening_calls: float
    tokens: float | None
    opening_tokens: float | None
    dollars: float | None


def _price(analysis: Analysis, cell: str) -> Iterator[ArmPrice]:
    """The price of an arm, if it goes on after its openings."""
    ledger = _select_answers(analysis).filter(pl.col("cell") == cell)
    debates = analysis.tables["costs"].filter(pl.col("cell") == cell)["debates"].to_numpy().sum()
    is_opening = (pl.col("kind") == "opening").fill_null(pl.col("round") == 0)
    openings = ledger.filter(is_opening)
    calls, first = (float(part["calls"].sum()) / debates for part in (ledger, openings))
    if calls > first:
        yield ArmPrice(
            arm=analysis.labels.arm(cell),
            calls=calls,
            opening_calls=first,
            tokens=_sum_tokens(ledger, debates),
            opening_tokens=_sum_tokens(openings, debates),
            dollars=_sum_dollars(ledger, debates),
        )


def _select_answers(analysis: Analysis) -> pl.DataFrame:
    """The ledger without probes, which measure a debate and are no part of it."""
    return analysis.tables["ledger"].filter(pl.col("kind").ne_missing("probe"))


def _sum_tokens(ledger: pl.DataFrame, debates: int) -> float | None:
    both = ledger.select("prompt_tokens", "generated_tokens")
    if any(both[name].null_count() for name in both.columns):
        return None
    return float(both.to_numpy().sum()) / debates


def _sum_dollars(ledger: pl.DataFrame, debates: int) -> float | None:
    if "dollars" not in ledger.columns or ledger["dollars"].null_count():
        return None
    return float(ledger["dollars"].sum()) / debates


def _describe_price(price: ArmPrice) -> str:
    told, beside = f"{price.arm} takes {_round_count(price.calls)} calls", ""
    if price.tokens is not None and price.opening_tokens:
        told += f" and {format_count(price.tokens)} tokens (prompt and generated)"
        beside = f" and {format_count(price.opening_tokens)}"
        beside += f" ({price.tokens / price.opening_tokens:.1f} times the tokens)"
    cost = "" if price.dollars is None else f", {format_dollars(price.dollars)}"
    return f"{told} a debate{cost}, its openings alone {_round_count(price.opening_calls)}{beside}"


def _round_count(value: float) -> str:
    """A mean count: whole where it is.

    >>> _round_count(12.0), _round_count(3.25)
    ('12', '3.2')
    """
    return format_count(value) if value == int(value) else f"{value:.1f}"


def _describe_price_range(prices: Sequence[ArmPrice]) -> str:
    calls = [price.calls / price.opening_calls for price in prices if price.opening_calls]
    told = f"A debate takes {join_extremes(calls)} times the calls of its openings"
    ratios = [p.tokens / p.opening_tokens for p in prices if p.tokens and p.opening_tokens]
    if len(ratios) == len(prices):
        told += f" and {join_extremes(ratios)} times the tokens (prompt and generated)"
    costs = [price.dollars for price in prices if price.dollars is not None]
    if len(costs) == len(prices):
        told += f", {format_dollars(min(costs))} to {format_dollars(max(costs))}"
    return f"{told}, over {len(prices)} arms"


def join_extremes(values: Sequence[float], digits: int = 1) -> str:
    """The least and the largest value, once where they read the same.

    >>> join_extremes([3.01, 3.0]), join_extremes([2, 6])
    ('3.0', '2.0 to 6.0')
    """
    return " to ".join(dict.fromkeys(f"{end:.{digits}f}" for end in (min(values), max(values))))


def _describe_equal_tokens(analysis: Analysis) -> str:
    """The vote at the end against a vote over as many tokens of independent samples."""
    gains = analysis.tables["teams"].filter(pl.col("measure") == "gain_over_pool")
    known = gains.filter(pl.col("low").is_not_null())
    if known.is_empty():
        missing = next(iter(gains["missing"].drop_nulls()), "an arm of independent samples")
        return f"What as many generated tokens buy without exchange would need {missing}."
    effects = [
        ArmEffect(
            analysis.labels.arm(row["cell"]),
            Interval(row["value"], row["low"], row["high"], None, row["num_questions"]),
            find_claim(
                analysis, Estimate(name="gain_over_pool", cell=row["cell"], value=row["value"])
            ),
        )
        for row in known.iter_rows(named=True)
    ]
    words = ("better", "worse", "not distinguishable")
    told = describe_effects(effects, words)
    what = f"Against a vote over as many generated tokens of independent samples: {told}"
    return f"{what} {describe_small_pools(analysis)}".strip()


def describe_small_pools(analysis: Analysis, measure: str = "self_consistency") -> str:
    """A sentence on the teams whose samples have clearly fewer or more tokens than the debate."""
    rows = analysis.tables["teams"].filter(
        (pl.col("measure") == measure) & ((pl.col("matched_tokens") - 1).abs() > UNEQUAL)
    )
    told = [
        f"in {analysis.labels.arm(cell)} {format_percent(share)}"
        for cell, share in rows.select("cell", "matched_tokens").iter_rows()
    ]
    return f"Not as many were to be had: {join_names(told)} of the debate's." if told else ""
