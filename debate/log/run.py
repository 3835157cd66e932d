"""A run directory to read, finished or in progress: values and tidy frames."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from polars.io.plugins import register_io_source

from debate.config.task import ScoringSpec
from debate.errors import InputError
from debate.hashes import find_repeated
from debate.log.codec import ConfidenceStruct, TurnStruct
from debate.log.files import TURNS, VERDICTS, list_shards, read_values
from debate.log.frames import (
    TURN_KEY,
    VERDICT_KEY,
    VERDICT_SCHEMA,
    build_turn_frame,
    build_verdict_frame,
    find_sources,
    make_turn_schema,
    select_turn_columns,
)
from debate.log.identity import read_questions
from debate.log.index import DebateRecords, FolderSnapshot, TurnKey, build_index, take_snapshot
from debate.log.manifest import Manifest, read_manifest
from debate.log.trajectories import build_belief_frame, build_trajectory_frame
from debate.tasks.scoring import EXACT, score_answer
from debate.types import DebateKey, Question, Transcript, Turn, Verdict

T = TypeVar("T")
BATCH_SIZE = 20_000

_KIND_ORDER = ("opening", "critique", "revision", "judgment", "probe")
_get_turn_key, _get_verdict_key = attrgetter(*TURN_KEY), attrgetter(*VERDICT_KEY)
_QUESTION_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "text": pl.String,
    "kind": pl.String,
    "options": pl.List(pl.String),
    "category": pl.String,
    "cluster": pl.String,
    "target": pl.String,
}


class Run:
    """A run directory, finished or in progress; frames show what is on disk at the call.

    Where a key is on more than one line the last one counts. A torn last line is skipped; so is a
    corrupted one, with a warning that names its place.
    """

    def __init__(self, directory: Path | str) -> None:
        """Raise InputError where the directory holds no run that can be read."""
        self.directory = Path(directory)
        self._indexed: tuple[tuple[tuple[Path, int], ...], DebateRecords] | None = None
        read_manifest(self.directory)

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    @property
    def manifest(self) -> Manifest:
        """The manifest as it stands on disk: configuration, environments, status, totals."""
        return read_manifest(self.directory)

    @cached_property
    def questions_by_id(self) -> dict[str, Question]:
        """The run's own copy of its questions."""
        return {question.id: question for question in read_questions(self.directory)}

    def questions(self) -> pl.DataFrame:
        """Return one row per question."""
        rows = [
            {name: getattr(question, name) for name in _QUESTION_SCHEMA}
            for question in self.questions_by_id.values()
        ]
        return pl.DataFrame(rows, schema=_QUESTION_SCHEMA)

    def turns(self) -> pl.DataFrame:
        """Return one row per turn, with the columns of `make_turn_schema`."""
        return self._read_turns(columns=None)

    def scan_turns(self) -> pl.LazyFrame:
        """Return the frame of turns lazily: a batch in memory, with the columns of the query."""
        return scan_turns(self.directory, self.questions_by_id)

    def narrow_turns(self) -> pl.DataFrame:
        """Return the frame of turns without texts and failures: enough for trajectories."""
        needless = {"text", "failure", "late", "dropped", "reasoning", "notes", "served_by"}
        return self._read_turns(columns=[n for n in make_turn_schema(()) if n not in needless])

    def trajectories(self, turns: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return one row per agent and round in which it answered; see `build_trajectory_frame`.

        turns: those of `narrow_turns`, where they have been read already.
        """
        rows = self.narrow_turns() if turns is None else turns
        return build_trajectory_frame(rows.lazy()).collect()

    def beliefs(self, turns: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return one row per answer and candidate scored there; see `build_belief_frame`."""
        rows = self.narrow_turns() if turns is None else turns
        order = ("cell", "question", "seed", "agent", "round", "candidate")
        return build_belief_frame(rows.lazy()).collect().sort(order)

    def verdicts(self) -> pl.DataFrame:
        """Return one row per verdict."""
        files = list_shards(self.directory, VERDICTS)
        values = chain.from_iterable(read_values(path, Verdict) for path in files)
        keys, frames = array("q"), []
        for batch in split_into_batches(values):
            keys.extend(hash(_get_verdict_key(verdict)) for verdict in batch)
            frames.append(build_verdict_frame(batch, self.questions_by_id, self._is_right))
        whole = pl.concat([pl.DataFrame(schema=VERDICT_SCHEMA), *frames])
        return _keep_last_of_each(VERDICT_KEY, whole, keys)

    def debates(self) -> pl.DataFrame:
        """Return the debates that have turns: cell, question and seed, in order."""
        key = ["cell", "question", "seed"]
        return self._read_turns(columns=[*key, *TURN_KEY]).select(key).unique().sort(key)

    def debate(self, key: DebateKey) -> Transcript:
        """Return the turns of one debate, by round, then kind and agent.

        Raises InputError where the run has no turn of it.
        """
        turns = {turn.ref: turn for turn in self.recorded(key)}
        if not turns:
            raise InputError(f"{self.directory} has no turn of {key}")
        ordered = sorted(turns.values(), key=_get_sort_key)
        return Transcript(debate=key, round=ordered[-1].round, turns=tuple(ordered))

    def _is_right(self, answer: str | None, question: str) -> bool | None:
        """Whether an answer is right by the run's own scoring; None where that cannot be told."""
        asked = self.questions_by_id.get(question)
        if asked is None or asked.kind == "code":  # no program is run in order to read a log
            return None
        return score_answer(answer, asked, self._scoring)

    @cached_property
    def _scoring(self) -> ScoringSpec:
        """The run's rule of scoring; exact comparison where its configuration names none."""
        task = self.manifest.spec.get("task")
        said = task.get("scoring") if isinstance(task, Mapping) else None
        return ScoringSpec.model_validate(said) if isinstance(said, Mapping) else EXACT

    def _read_turns(self, columns: list[str] | None) -> pl.DataFrame:
        """Return the frame of turns: all of it, or `columns` and the confidences."""
        files = list_shards(self.directory, TURNS)
        rows = chain.from_iterable(read_values(path, TurnStruct) for path in files)
        sources: dict[str, None] = {}
        keys, frames = array("q"), []
        for batch in split_into_batches(rows):
            keys.extend(hash(_get_turn_key(turn)) for turn in batch)
            sources |= find_sources(batch)
            wanted = select_turn_columns(columns, sources)
            frames.append(build_turn_frame(batch, self.questions_by_id, sources, columns=wanted))
        schema = make_turn_schema(sources)
        empty = pl.DataFrame(
            schema={name: schema[name] for name in select_turn_columns(columns, sources)}
        )
        whole = pl.concat([empty, *frames], how="diagonal")
        return _keep_last_of_each(TURN_KEY, whole, keys)

    def recorded(self, debate: DebateKey) -> Iterator[Turn]:
        """Yield the turns of one debate as they were written, repeats included."""
        files = list_shards(self.directory, TURNS)
        sizes = tuple((path, path.stat().st_size) for path in files)
        if self._indexed is None or self._indexed[0] != sizes:
            self._indexed = sizes, DebateRecords(build_index(files, TurnKey))
        records = self._indexed[1]
        yield from records.read_debate(debate, Turn)
        records.close()


def _keep_last_of_each(key: Sequence[str], rows: pl.DataFrame, hashes: array[int]) -> pl.DataFrame:
    """Keep the last row of each key. Where the hashes tell that no key repeats, copy nothing."""
    return (
        rows.unique(key, keep="last", maintain_order=True) if len(find_repeated(hashes)) else rows
    )


def _get_sort_key(turn: Turn) -> tuple[int, int, str, str]:
    return turn.round, _KIND_ORDER.index(turn.kind), turn.agent, turn.about or ""


def split_into_batches(rows: Iterable[T], size: int = BATCH_SIZE) -> Iterator[list[T]]:
    """Yield the rows in lists of `size`, the last one shorter.

    >>> list(split_into_batches("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch


class _TurnSources(TurnKey, gc=False, frozen=True):
    """The key of a turn, and its confidences: their sources become columns."""

    confidences: tuple[ConfidenceStruct, ...] = ()


def scan_turns(directory: Path, questions: Mapping[str, Question]) -> pl.LazyFrame:
    """Return the turns that are on disk now as a lazy frame, which reads them for each query.

    One quick pass over the files is made at once, to find which lines count and which confidence
    columns there are.
    """
    sources: dict[str, None] = {}

    def collect_sources(turn: _TurnSources) -> None:
        sources.update((confidence.source, None) for confidence in turn.confidences)

    snapshot = take_snapshot(directory, TURNS, _TurnSources, on_key=collect_sources)

    def read_batches(
        columns: list[str] | None, where: pl.Expr | None, limit: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        frames = _iter_frames(snapshot, questions, sources, columns=columns, where=where)
        return frames if limit is None else _take_rows(frames, limit)

    return register_io_source(read_batches, schema=make_turn_schema(sources))


def _iter_frames(
    snapshot: FolderSnapshot,
    questions: Mapping[str, Question],
    sources: Mapping[str, None],
    *,
    columns: list[str] | None,
    where: pl.Expr | None,
) -> Iterator[pl.DataFrame]:
    names = list(make_turn_schema(sources)) if columns is None else columns
    tested = where.meta.root_names() if where is not None else []
    needed = list(dict.fromkeys([*names, *tested]))
    for batch in split_into_batches(snapshot.read_values(TurnStruct)):
        frame = build_turn_frame(batch, questions, sources, columns=needed)
        yield (frame if where is None else frame.filter(where)).select(names)


def _take_rows(frames: Iterator[pl.DataFrame], limit: int) -> Iterator[pl.DataFrame]:
    for frame in frames:
        yield frame.head(limit)
        limit -= min(limit, frame.height)
        if not limit:
            return
