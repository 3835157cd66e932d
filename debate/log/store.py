"""The log of a run in progress: what is recorded, and appending to it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from debate.errors import RunConflict
from debate.log.codec import encode
from debate.log.commit import Committer
from debate.log.disk import on_disk
from debate.log.identity import Canonical, new_manifest, note_start, settle_identity
from debate.log.index import Location, TurnKey, VerdictKey, build_index
from debate.log.layout import (
    FIRST_SHARD,
    LOCK,
    TURNS,
    VERDICTS,
    Problem,
    shard_file,
    shard_files,
)
from debate.log.lock import Lock, require_free
from debate.log.manifest import Status, read_manifest, write_manifest
from debate.log.records import Records
from debate.log.repair import mend
from debate.log.strays import Strays, has_strays
from debate.log.totals import run_totals
from debate.types import DebateKey, Question, Turn, Verdict

_TURN_FILE, _VERDICT_FILE = 0, 1


class RunLog:
    """One process's hold on a run directory.

    `problems` says what was found damaged when the run was opened and since. Every method but
    those that append is for one thread.
    """

    def __init__(
        self, directory: Path, *, shard: str, lock: Lock, turns: Records, verdicts: Records
    ) -> None:
        """Not for callers: `RunLog.open` and `RunLog.join` make one."""
        self.directory = directory
        self._shard = shard
        self._lock = lock
        self._turns, self._verdicts = turns, verdicts
        self._strays = Strays(directory, shard, turns, verdicts)
        self._files = [shard_file(directory, folder, shard) for folder in (TURNS, VERDICTS)]
        self._positions = [
            records.position(path)
            for records, path in zip((turns, verdicts), self._files, strict=True)
        ]
        self._committer = Committer(self._files)
        turns.catch_up = self._committer.flush
        self._is_closed = False

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        spec: Mapping[str, Any],
        questions: Sequence[Question],
        seeds: Iterable[int] = (),
        agents: Iterable[str] = (),
        extra: Mapping[str, Any] | None = None,
        identity_ignores: Iterable[str] = ("output", "cluster"),
        canonical: Canonical | None = None,
    ) -> RunLog:
        """Create the run, or resume it: repaired, compacted, and held against other processes.

        `spec` is the resolved configuration as JSON types. Raises RunConflict where the directory
        holds another run or is in use, LogError where the disk refuses.
        """
        directory = Path(directory)
        with on_disk(directory, "create"):
            directory.mkdir(parents=True, exist_ok=True)
        lock = Lock(directory / LOCK)
        try:
            for path in directory.glob(f"{LOCK}.*"):
                require_free(path)
            wanted = new_manifest(spec, seeds=seeds, agents=agents, extra=extra)
            settle_identity(
                directory, wanted, questions, ignoring=identity_ignores, canonical=canonical
            )
            return cls._mended(directory, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def reopen(cls, directory: Path | str) -> RunLog:
        """Add to a run whatever its configuration, such as further probes; held and repaired.

        Whoever closes it says the status that it had. Raises InputError where there is no run,
        RunConflict where it is in use, LogError where the disk refuses.
        """
        directory = Path(directory)
        read_manifest(directory)
        lock = Lock(directory / LOCK)
        try:
            for path in directory.glob(f"{LOCK}.*"):
                require_free(path)
            note_start(directory)
            return cls._mended(directory, lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def join(cls, directory: Path | str, *, shard: str) -> RunLog:
        """Write to a run that another process opened, in a file of this process's own.

        `shard` is a number as text, "1" or higher, and no other process's. Nothing is repaired
        here: the process that opened the run did that, and gathers the shards when it closes.
        """
        directory = Path(directory)
        if not shard.isdecimal() or int(shard) < 1:
            raise RunConflict(f'shard "{shard}" is not a number from 1 on')
        read_manifest(directory)
        lock = Lock(directory / f"{LOCK}.{shard}")
        try:
            turns = Records(build_index(shard_files(directory, TURNS), TurnKey))
            verdicts = Records(build_index(shard_files(directory, VERDICTS), VerdictKey))
            return cls(directory, shard=shard, lock=lock, turns=turns, verdicts=verdicts)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _mended(cls, directory: Path, lock: Lock) -> RunLog:
        turns, turn_problems = mend(directory, TURNS, TurnKey)
        verdicts, verdict_problems = mend(directory, VERDICTS, VerdictKey)
        records = Records(turns)
        records.problems += [*turn_problems, *verdict_problems]
        return cls(
            directory, shard=FIRST_SHARD, lock=lock, turns=records, verdicts=Records(verdicts)
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The damage found so far; the turns that it hit count as not made."""
        return (*self._turns.problems, *self._verdicts.problems)

    @property
    def num_turns(self) -> int:
        """Lines of turns in the log, failed ones included."""
        return len(self._turns)

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """The debate's completed turns by ref. A failed turn is not done, so it is not here."""
        turns = {turn.ref: turn for turn in self._turns.of(debate, Turn)}
        return {ref: turn for ref, turn in turns.items() if turn.failure is None}

    def verdicts(self, debate: DebateKey) -> tuple[Verdict, ...]:
        """The debate's verdicts, one per round and method, by round."""
        verdicts = {(v.round, v.method): v for v in self._verdicts.of(debate, Verdict)}
        return tuple(verdicts[key] for key in sorted(verdicts))

    def queue(self, turn: Turn) -> None:
        """Record a turn, which reaches the disk before whatever is recorded after it.

        A recorded turn of the same key gives way. Raises LogError where the disk has refused an
        earlier line; from then on every call does.
        """
        line = encode(turn)
        offset = self._committer.append(_TURN_FILE, line)
        key = TurnKey(turn.cell, turn.question, turn.seed, turn.round, turn.kind, turn.agent,
                      turn.about)  # fmt: skip
        self._turns.add(key, Location(self._positions[_TURN_FILE], offset, len(line)))

    async def append(self, turn: Turn) -> None:
        """Record a turn as `queue` does; return when it is on disk, or raise LogError."""
        self.queue(turn)
        await self._committer.written()

    async def append_verdict(self, verdict: Verdict) -> None:
        """Record a verdict, which reaches the disk after all turns appended before it.

        One equal to what is recorded costs nothing. Raises LogError as `append` does.
        """
        await self.append_verdicts([verdict])

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Record one debate's verdicts; return when they, and all turns queued, are on disk."""
        recorded = self.verdicts(verdicts[0].debate) if verdicts else ()
        fresh = [verdict for verdict in verdicts if verdict not in recorded]
        lines = [encode(verdict) for verdict in fresh]
        offset = self._committer.append(_VERDICT_FILE, b"".join(lines)) if lines else 0
        await self._committer.written()
        for verdict, line in zip(fresh, lines, strict=True):
            key = VerdictKey(verdict.cell, verdict.question, verdict.seed, verdict.round,
                             verdict.method)  # fmt: skip
            self._verdicts.add(key, Location(self._positions[_VERDICT_FILE], offset, len(line)))
            offset += len(line)

    def settle(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Say which turns (by ref) and rounds of verdicts a debate that is over has.

        Others that were recorded before (a failure had led the debate elsewhere) are set aside
        when the run is closed. What was recorded of the debate since the run was opened is on
        disk, and this log no longer says where.
        """
        self._strays.note(debate, turns=turns, rounds=rounds)
        self._turns.forget(debate)
        self._verdicts.forget(debate)

    def close(self, status: Status = "interrupted") -> None:
        """Write what is queued, compact, note in the manifest how the run ended, let others in.

        A second call does nothing. After a write error the directory is left as it is: the next
        `open` repairs it. Raises LogError where the disk refuses.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._committer.close()
            if self._committer.error is None:
                self._strays.write()
            if self._shard == FIRST_SHARD and self._committer.error is None:
                self._finish(status)
        finally:
            self._turns.close()
            self._verdicts.close()
            self._lock.release()

    def _finish(self, status: Status) -> None:
        for folder, records, kind in (
            (TURNS, self._turns, TurnKey),
            (VERDICTS, self._verdicts, VerdictKey),
        ):
            shards = shard_files(self.directory, folder)
            if records.has_repeats or len(shards) > 1 or has_strays(self.directory, folder):
                mend(self.directory, folder, kind)
        sums = run_totals(self.directory) if status == "complete" else None
        write_manifest(
            self.directory, replace(read_manifest(self.directory), status=status, totals=sums)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close as complete, or as interrupted where an error passes through."""
        self.close("complete" if error is None else "interrupted")
