"""The picture of what replicas did, from the samples of a run."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from debate.log.utilisation import UTILISATION_SCHEMA
from debate.report.pictures.utilisation import MAX_SLICES, SHARES, slice_samples, stack_shares


def samples(num: int, **fields: Any) -> pl.DataFrame:
    whole = {
        "interval_s": 1.0,
        "model": "m",
        "replica": 0,
        "host": None,
        "gpus": [],
        "state": "ready",
        "busy": 0.25,
        "idle": 0.25,
        "asleep": 0.5,
        "swapping": 0.0,
        "queued_s": 0.0,
        "running_s": 0.0,
        "queued": 4,
        "in_flight": 0,
        "done": 0,
        "failed": 0,
        "restarts": 0,
        "swaps": 0,
        "prompt_tokens": 0,
        "cached_tokens": 0,
        "generated_tokens": 0,
        **fields,
    }
    return pl.DataFrame([{"at": float(n), **whole} for n in range(num)], schema=UTILISATION_SCHEMA)


def test_a_long_run_is_drawn_in_a_bounded_number_of_slices() -> None:
    data = slice_samples(samples(10_000))
    assert data.height == MAX_SLICES
    assert data["minute_end"].max() == pytest.approx(10_000 / 60)


def test_slices_follow_one_another_without_a_gap() -> None:
    data = slice_samples(samples(7))
    assert data["minute"].to_list()[1:] == pytest.approx(data["minute_end"].to_list()[:-1])


def test_a_pause_before_a_resumption_takes_no_room() -> None:
    paused = samples(4).with_columns(at=pl.Series([0.0, 1.0, 9000.0, 9001.0]))
    assert slice_samples(paused)["minute_end"].max() == pytest.approx(4 / 60)


def test_shares_lie_on_one_another_and_fill_the_strip() -> None:
    parts = stack_shares(slice_samples(samples(1)))
    assert parts["what"].to_list() == list(SHARES)
    assert parts["low"].to_list()[1:] == parts["high"].to_list()[:-1]
    assert parts["high"].max() == pytest.approx(1.0)
