"""The frame of turns read lazily: one batch in memory, and only what a query asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from debate.log.index import TurnKey
from debate.log.layout import TURNS
from debate.log.rows import ConfidenceRow, TurnRow, in_batches
from debate.log.snapshot import Snapshot, snapshot
from debate.log.turn_frame import turn_frame, turn_schema
from debate.types import Question


class _SurveyedTurn(TurnKey, gc=False, frozen=True):
    """A turn's key and its confidences, whose sources become columns."""

    confidences: tuple[ConfidenceRow, ...] = ()


def scan_turns(directory: Path, questions: Mapping[str, Question]) -> pl.LazyFrame:
    """The turns that are on disk now, as a lazy frame that reads them anew for each query.

    One quick pass over the files comes first: it tells which lines count and which confidence
    columns there are.
    """
    sources: dict[str, None] = {}

    def survey(turn: _SurveyedTurn) -> None:
        sources.update((confidence.source, None) for confidence in turn.confidences)

    taken = snapshot(directory, TURNS, _SurveyedTurn, see=survey)

    def batches(
        columns: list[str] | None, where: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        frames = _frames(taken, questions, sources, columns=columns, where=where)
        return frames if limit is None else _first(frames, limit)

    return register_io_source(batches, schema=turn_schema(sources))


def _frames(
    taken: Snapshot,
    questions: Mapping[str, Question],
    sources: Mapping[str, None],
    *,
    columns: list[str] | None,
    where: pl.Expr | None,
) -> Iterator[pl.DataFrame]:
    names = list(turn_schema(sources)) if columns is None else columns
    tested = where.meta.root_names() if where is not None else []
    needed = list(dict.fromkeys([*names, *tested]))
    for batch in in_batches(taken.rows(TurnRow)):
        frame = turn_frame(batch, questions, sources, columns=needed)
        yield (frame if where is None else frame.filter(where)).select(names)


def _first(frames: Iterator[pl.DataFrame], limit: int) -> Iterator[pl.DataFrame]:
    for frame in frames:
        yield frame.head(limit)
        limit -= min(limit, frame.height)
        if not limit:
            return
