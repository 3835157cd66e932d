"""Replies and probes by agent: how many were read, why the others were not, and samples of them.

An answer that could not be read and a call that failed are data, and whoever waits for the result
has to see them, with their own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl

from debate.analysis.design import find_knowing_seats
from debate.log import Run
from debate.text import format_percent, quote, shorten

SAMPLES = 3
READ_SHARE_EXPECTED = 0.9
"""The share of an agent's replies, or of a probe's, below which a warning is due."""
_SAMPLE_LENGTH = 2_000
_STATES = ("read", "abstained", "cut", "failed")
_OF_REPLIES = "replies"
_REASON_LENGTH = 200
_UNREAD = {"abstained": "abstained", "cut": "cut off"}


@dataclass(frozen=True, kw_only=True)
class ReplyCounts:
    """What became of one agent's replies, critiques, or answers to one probe.

    what: "replies", "critiques", or the probe's name. num: all, calls that another condition shares
    counted once. reasons: of failures, the most frequent first, with their numbers. samples: by
    "abstained" or "cut", the first texts, different ones, as the model wrote them.
    """

    agent: str
    what: str
    num: int
    read: int = 0
    abstained: int = 0
    cut: int = 0
    failed: int = 0
    reasons: tuple[tuple[str, int], ...] = ()
    samples: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_probe(self) -> bool:
        """Whether these are answers to a probe."""
        return self.what not in (_OF_REPLIES, "critiques")

    @property
    def share_read(self) -> float:
        """The share that could be read."""
        return self.read / self.num if self.num else 1.0

    @property
    def is_low(self) -> bool:
        """Whether fewer were read than nine in ten."""
        return self.share_read < READ_SHARE_EXPECTED


def count_replies(run: Run, turns: pl.DataFrame | None = None) -> tuple[ReplyCounts, ...]:
    """Count what became of a run's replies, by agent, then of its probes, by probe and agent.

    turns: those of `run.narrow_turns()`, where they have been read already. Texts are read only
    where some reply was not.
    """
    told = _label_turns((run.narrow_turns() if turns is None else turns).lazy())
    # A checker or an oracle that does not know says so by design; nothing of it went unread.
    by_design = pl.col("agent").is_in(list(find_knowing_seats(run))) & (
        pl.col("state") == "abstained"
    )
    rows = told.filter(~by_design)
    key = ["is_probe", "what", "agent"]
    counted = rows.group_by(key).agg(
        pl.len().alias("num"), *((pl.col("state") == state).sum().alias(state) for state in _STATES)
    )
    table = counted.sort(*key).collect()
    if (table["num"] == table["read"]).all():
        found: dict[tuple[str, str], tuple[_Reasons, _Samples]] = {}
    else:
        found = _read_unread(_label_turns(run.scan_turns()))
    nothing: tuple[_Reasons, _Samples] = ((), {})
    return tuple(
        ReplyCounts(
            **{name: row[name] for name in ("agent", "what", "num", *_STATES)},
            reasons=found.get((row["what"], row["agent"]), nothing)[0],
            samples=found.get((row["what"], row["agent"]), nothing)[1],
        )
        for row in table.iter_rows(named=True)
    )


_Reasons = tuple[tuple[str, int], ...]
_Samples = dict[str, tuple[str, ...]]


def _label_turns(turns: pl.LazyFrame) -> pl.LazyFrame:
    """The turns that made calls of their own, with what they are and what became of them."""
    is_probe, is_critique = pl.col("kind") == "probe", pl.col("kind") == "critique"
    what = (
        pl.when(is_probe)
        # What `debate probe` adds afterwards, about `belief/1` and so on, is the same probe.
        .then(pl.col("about").str.split("/").list.first())
        .when(is_critique)
        .then(pl.lit("critiques"))
        .otherwise(pl.lit(_OF_REPLIES))
    )
    is_read = (
        pl.when(is_probe)
        .then(
            pl.col("confidence").is_not_null()
            | (pl.col("belief").list.len() > 0)
            | pl.col("answer").is_not_null()  # a spare answer is a probe, too
        )
        .when(is_critique)
        .then(pl.col("accepts").is_not_null())
        .otherwise(pl.col("answer").is_not_null())
    ).fill_null(False)
    state = (
        pl.when("failed")
        .then(pl.lit("failed"))
        .when("cut")
        .then(pl.lit("cut"))
        .when(is_read)
        .then(pl.lit("read"))
        .otherwise(pl.lit("abstained"))
    )
    own = turns.filter(pl.col("shared_with").is_null())
    return own.with_columns(what=what, is_probe=is_probe, state=state)


def _read_unread(rows: pl.LazyFrame) -> dict[tuple[str, str], tuple[_Reasons, _Samples]]:
    """Of each (what, agent), the reasons of failures and the first texts that were not read."""
    unread = rows.filter(pl.col("state") != "read")
    # A text that fills its limit tells most by its end.
    short = unread.select(
        "what", "agent", "state", "failure", text=pl.col("text").str.slice(-_SAMPLE_LENGTH)
    )
    place = ["what", "agent"]
    failures = short.filter(pl.col("state") == "failed")
    reasons = (
        failures.group_by(*place, "failure").len().sort("len", "failure", descending=[True, False])
    )
    texts = short.filter(pl.col("state") != "failed").group_by(*place, "state", maintain_order=True)
    samples = texts.agg(pl.col("text").unique(maintain_order=True).head(SAMPLES))
    found: dict[tuple[str, str], tuple[_Reasons, _Samples]] = {}
    for what, agent, reason, num in reasons.collect().iter_rows():
        told, kept = found.get((what, agent), ((), {}))
        found[what, agent] = ((*told, (reason or "no reason", num)), kept)
    for what, agent, state, each in samples.collect().iter_rows():
        told, kept = found.get((what, agent), ((), {}))
        found[what, agent] = (told, {**kept, state: tuple(text or "" for text in each)})
    return found


def warn_replies(counts: Iterable[ReplyCounts]) -> Iterator[str]:
    """Say which calls failed and why, and of whom too little was read; one sentence each."""
    listed = list(counts)
    for each in listed:
        if each.failed:
            calls = f"{each.failed:,} of {each.num:,} {_name_calls(each)} of {each.agent}"
            yield f"{calls} failed: {'; '.join(list_reasons(each))}."
    for each in listed:
        if each.is_low and each.read + each.failed < each.num:
            yield f"Of {each.agent}'s {_name_calls(each)} {_count_read(each)}."


def list_reasons(each: ReplyCounts) -> list[str]:
    """The most frequent reasons of failures with their numbers, and how many others there are."""
    shown = each.reasons[:SAMPLES]
    told = [f"{num:,} × {shorten(reason, _REASON_LENGTH)}" for reason, num in shown]
    more = len(each.reasons) - SAMPLES
    return [*told, f"{more} further reasons"] if more > 0 else told


def describe_replies(counts: Iterable[ReplyCounts]) -> list[str]:
    """What became of all replies and probes, as lines: one where everything was read."""
    listed = list(counts)
    fine = [each for each in listed if each.read == each.num]
    if len(fine) == len(listed):
        return [f"read: {_sum_up(fine)}"] if fine else []
    lines = [line for each in listed if each.read < each.num for line in _describe_unread(each)]
    return [*lines, f"all read: {_sum_up(fine)}"] if fine else lines


def _sum_up(fine: Iterable[ReplyCounts]) -> str:
    return ", ".join(f"{each.agent} {each.num:,} {_name_calls(each)}" for each in fine)


def _describe_unread(each: ReplyCounts) -> Iterator[str]:
    states = (("abstained", each.abstained), ("cut off", each.cut), ("failed", each.failed))
    if each.is_probe:
        states = (("not read", each.abstained), *states[1:])
    told = ", ".join(f"{num:,} {state}" for state, num in states if num)
    yield (
        f"{each.agent}: {each.read:,} of {each.num:,} {_name_calls(each)} read "
        f"({format_percent(each.share_read)}); {told}"
    )
    for state, words in _UNREAD.items():
        yield from (
            f"  {'not read' if each.is_probe else words}: {quote(text)}"
            for text in each.samples.get(state, ())
        )
    yield from (f"  failed: {reason}" for reason in list_reasons(each) if each.failed)


def _name_calls(each: ReplyCounts) -> str:
    return f"answers to the probe {each.what}" if each.is_probe else each.what


def _count_read(each: ReplyCounts) -> str:
    if not each.read:
        nothing = "; it tells no confidence" if each.is_probe else ""
        return f"not one of {each.num:,} could be read{nothing}"
    return f"only {each.read:,} of {each.num:,} could be read ({format_percent(each.share_read)})"
