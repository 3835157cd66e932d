"""Columns of a frame from Python values, nested ones by way of Arrow, which is quick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import accumulate, chain
from typing import Any

import polars as pl
import pyarrow as pa

CANDIDATES = pl.List(pl.Struct({"candidate": pl.String, "log_p": pl.Float64}))


def series(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    """A flat column."""
    try:
        return pl.Series(name, values, dtype=dtype)
    except UnicodeEncodeError:
        return pl.Series(name, _clean(values), dtype=dtype)


def text_lists(name: str, values: Sequence[Sequence[str]]) -> pl.Series:
    """A column of lists of text."""
    flat = series("text", list(chain.from_iterable(values)), pl.String)
    return _lists(name, values, flat)


def belief_series(name: str, values: Sequence[Mapping[str, float] | None]) -> pl.Series:
    """A column of lists of candidates with their log-probabilities; null for no belief."""
    lists = weight_lists(name, [belief or {} for belief in values], fields=("candidate", "log_p"))
    absent = pl.Series("absent", [belief is None for belief in values])
    return lists.to_frame().select(pl.when(~absent).then(pl.col(name)).alias(name)).to_series()


def weight_lists(
    name: str, values: Sequence[Mapping[str, float]], *, fields: tuple[str, str]
) -> pl.Series:
    """A column of lists of what a mapping holds; `fields` name its keys and its numbers."""
    keys = series(fields[0], list(chain.from_iterable(values)), pl.String)
    numbers = chain.from_iterable(value.values() for value in values)
    weights = series(fields[1], list(numbers), pl.Float64)
    return _lists(name, values, pl.DataFrame([keys, weights]).to_struct())


def _lists(name: str, values: Iterable[Sized], flat: pl.Series) -> pl.Series:
    """The flat values again in lists, each as long as the value that it came from."""
    ends = pl.Series(list(accumulate(map(len, values), initial=0)), dtype=pl.Int64)
    lists = pa.LargeListArray.from_arrays(ends.to_arrow(), flat.to_arrow())
    return pl.Series(name, lists)


def _clean(values: Iterable[str | None]) -> list[str | None]:
    """Lone surrogates, which a frame cannot hold, become question marks."""
    return [value and value.encode(errors="replace").decode() for value in values]
