"""A run directory to read, finished or in progress: values and tidy frames."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from debate.config.task import ScoringSpec
from debate.errors import InputError
from debate.hashes import repeated
from debate.log.identity import read_questions
from debate.log.index import TurnKey, build_index
from debate.log.layout import TURNS, VERDICTS, shard_files
from debate.log.lines import read_values
from debate.log.manifest import Manifest, read_manifest
from debate.log.records import Records
from debate.log.rows import TurnRow, in_batches
from debate.log.scan import scan_turns
from debate.log.trajectories import belief_frame, trajectory_frame
from debate.log.turn_frame import TURN_KEY, sources_of, turn_columns, turn_frame, turn_schema
from debate.log.verdict_frame import VERDICT_KEY, VERDICT_SCHEMA, verdict_frame
from debate.tasks.scoring import EXACT, correct
from debate.types import DebateKey, Question, Transcript, Turn, Verdict

_KIND_ORDER = ("opening", "critique", "revision", "judgment", "probe")
_TURN_KEY_OF, _VERDICT_KEY_OF = attrgetter(*TURN_KEY), attrgetter(*VERDICT_KEY)
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

    Where a key stands on more than one line the last one counts. A torn last line is passed over;
    a corrupted one is too, with a warning that names its place.
    """

    def __init__(self, directory: Path | str) -> None:
        """Raises InputError where the directory holds no run that can be read."""
        self.directory = Path(directory)
        self._indexed: tuple[tuple[tuple[Path, int], ...], Records] | None = None
        read_manifest(self.directory)

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    @property
    def manifest(self) -> Manifest:
        """What the run is, what it was made with, and how far it came."""
        return read_manifest(self.directory)

    @cached_property
    def questions_by_id(self) -> dict[str, Question]:
        """The run's own copy of its questions."""
        return {question.id: question for question in read_questions(self.directory)}

    def questions(self) -> pl.DataFrame:
        """One row a question."""
        rows = [
            {name: getattr(question, name) for name in _QUESTION_SCHEMA}
            for question in self.questions_by_id.values()
        ]
        return pl.DataFrame(rows, schema=_QUESTION_SCHEMA)

    def turns(self) -> pl.DataFrame:
        """One row a turn, as `turn_schema` lists the columns."""
        return self._turns(columns=None)

    def scan_turns(self) -> pl.LazyFrame:
        """The frame of turns, lazily: memory holds a batch, and the columns that a query needs."""
        return scan_turns(self.directory, self.questions_by_id)

    def narrow_turns(self) -> pl.DataFrame:
        """The frame of turns without what was said: what trajectories and a ledger need."""
        needless = {"text", "failure", "late", "dropped"}
        return self._turns(columns=[n for n in turn_schema(()) if n not in needless])

    def trajectories(self, turns: pl.DataFrame | None = None) -> pl.DataFrame:
        """One row per agent and round in which it answered; see `trajectory_frame`.

        turns: those of `narrow_turns`, where they have been read already.
        """
        rows = self.narrow_turns() if turns is None else turns
        return trajectory_frame(rows.lazy()).collect()

    def beliefs(self, turns: pl.DataFrame | None = None) -> pl.DataFrame:
        """One row per answer and candidate that was scored there; see `belief_frame`."""
        rows = self.narrow_turns() if turns is None else turns
        order = ("cell", "question", "seed", "agent", "round", "candidate")
        return belief_frame(rows.lazy()).collect().sort(order)

    def scan_trajectories(self) -> pl.LazyFrame:
        """The same, lazily, over `scan_turns`."""
        return trajectory_frame(self.scan_turns())

    def verdicts(self) -> pl.DataFrame:
        """One row a verdict."""
        files = shard_files(self.directory, VERDICTS)
        values = chain.from_iterable(read_values(path, Verdict) for path in files)
        keys, frames = array("q"), []
        for batch in in_batches(values):
            keys.extend(hash(_VERDICT_KEY_OF(verdict)) for verdict in batch)
            frames.append(verdict_frame(batch, self.questions_by_id, self._is_right))
        whole = pl.concat([pl.DataFrame(schema=VERDICT_SCHEMA), *frames])
        return _last_of_each(VERDICT_KEY, whole, keys)

    def debates(self) -> pl.DataFrame:
        """The debates that have turns: cell, question and seed, in order."""
        key = ["cell", "question", "seed"]
        return self._turns(columns=[*key, *TURN_KEY]).select(key).unique().sort(key)

    def debate(self, key: DebateKey) -> Transcript:
        """Everything said in one debate, by round, then kind and agent.

        Raises InputError where the run has no turn of it.
        """
        turns = {turn.ref: turn for turn in self.recorded(key)}
        if not turns:
            raise InputError(f"{self.directory} has no turn of {key}")
        ordered = sorted(turns.values(), key=_order)
        return Transcript(debate=key, round=ordered[-1].round, turns=tuple(ordered))

    def _is_right(self, answer: str | None, question: str) -> bool | None:
        """Whether an answer is right, by the run's own scoring; None where nothing tells."""
        asked = self.questions_by_id.get(question)
        return None if asked is None else correct(answer, asked, self._scoring)

    @cached_property
    def _scoring(self) -> ScoringSpec:
        """How the run's answers are scored: exactly, where its configuration is not told."""
        task = self.manifest.spec.get("task")
        said = task.get("scoring") if isinstance(task, Mapping) else None
        return ScoringSpec.model_validate(said) if isinstance(said, Mapping) else EXACT

    def _turns(self, columns: list[str] | None) -> pl.DataFrame:
        """The frame of turns: all of it, or `columns` and the confidences."""
        files = shard_files(self.directory, TURNS)
        rows = chain.from_iterable(read_values(path, TurnRow) for path in files)
        sources: dict[str, None] = {}
        keys, frames = array("q"), []
        for batch in in_batches(rows):
            keys.extend(hash(_TURN_KEY_OF(turn)) for turn in batch)
            sources |= sources_of(batch)
            wanted = turn_columns(columns, sources)
            frames.append(turn_frame(batch, self.questions_by_id, sources, columns=wanted))
        schema = turn_schema(sources)
        empty = pl.DataFrame(schema={name: schema[name] for name in turn_columns(columns, sources)})
        whole = pl.concat([empty, *frames], how="diagonal")
        return _last_of_each(TURN_KEY, whole, keys)

    def recorded(self, debate: DebateKey) -> Iterator[Turn]:
        """The turns of one debate as they were written, repeats included."""
        files = shard_files(self.directory, TURNS)
        sizes = tuple((path, path.stat().st_size) for path in files)
        if self._indexed is None or self._indexed[0] != sizes:
            self._indexed = sizes, Records(build_index(files, TurnKey))
        records = self._indexed[1]
        yield from records.of(debate, Turn)
        records.close()


def _last_of_each(key: Sequence[str], rows: pl.DataFrame, hashes: array[int]) -> pl.DataFrame:
    """The last row of each key. Where no key comes twice, which hashes tell, nothing is copied."""
    return rows.unique(key, keep="last", maintain_order=True) if len(repeated(hashes)) else rows


def _order(turn: Turn) -> tuple[int, int, str, str]:
    return turn.round, _KIND_ORDER.index(turn.kind), turn.agent, turn.about or ""
