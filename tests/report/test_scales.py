"""Scales of pictures: shares stay within [0, 1], and durations have a unit that fits."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from debate.report.figure import make_share_axis

shares = st.floats(0, 1)


@given(st.lists(st.tuples(shares, shares, shares), min_size=1, max_size=9))
def test_an_axis_of_shares_holds_all_values_and_ends_within_its_bounds(
    rows: list[tuple[float, float, float]],
) -> None:
    frame = pl.DataFrame(rows, schema=["value", "low", "high"], orient="row")
    low, high = make_share_axis(frame, "accuracy")["scale"].to_dict()["domain"]
    assert 0 <= low < high <= 1
    values = [value for row in rows for value in row]
    assert low <= min(values)
    assert max(values) <= high
