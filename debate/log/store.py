"""The log of a run in progress: appending turns and verdicts, and looking up recorded ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from debate.errors import RunConflict
from debate.log.codec import encode_line
from debate.log.committer import Committer
from debate.log.disk import make_folder, resolve_alias, wrap_disk_errors
from debate.log.files import (
    FIRST_SHARD,
    LOCK,
    TURNS,
    VERDICTS,
    LogProblem,
    list_shards,
    make_shard_path,
)
from debate.log.identity import Canonicalize, make_manifest, record_start, start_run
from debate.log.index import DebateRecords, LineLocation, TurnKey, VerdictKey, build_index
from debate.log.manifest import (
    Manifest,
    RunStatus,
    TrialCall,
    add_to_last_start,
    compute_totals,
    read_manifest,
    write_manifest,
)
from debate.log.ownership import FileLock, refuse_links, require_free, require_own_folder
from debate.log.repair import OrphanNotes, has_orphans, repair_folder
from debate.types import DebateKey, Question, Turn, Verdict

_TURN_FILE, _VERDICT_FILE = 0, 1


class RunLog:
    """One process's hold on a run directory.

    `problems` lists the damage found when the run was opened and since. One thread at a time may
    use it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        shard: str,
        lock: FileLock,
        manifest: Manifest,
        turns: DebateRecords,
        verdicts: DebateRecords,
    ) -> None:
        """For internal use: call `RunLog.open`, `reopen` or `join`."""
        self.directory = directory
        self._shard = shard
        self._lock = lock
        self._manifest = manifest
        self._turns, self._verdicts = turns, verdicts
        self._orphans = OrphanNotes(directory, shard, turns, verdicts)
        self._files = [make_shard_path(directory, folder, shard) for folder in (TURNS, VERDICTS)]
        self._file_numbers = [
            records.register_file(path)
            for records, path in zip((turns, verdicts), self._files, strict=True)
        ]
        self._committer = Committer(self._files)
        turns.flush = self._committer.flush
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
        canonical: Canonicalize | None = None,
        code: Mapping[str, str] | None = None,
    ) -> RunLog:
        """Create the run, or resume it: repaired, compacted, and held against other processes.

        `spec` is the resolved configuration as JSON types. Raises RunConflict where the directory
        holds another run or other files, or is in use, LogError where the disk refuses.
        """
        directory = resolve_alias(Path(directory))
        require_own_folder(directory, questions)
        with wrap_disk_errors(directory, "create"):
            make_folder(directory)
        with _lock_run(directory) as lock:
            wanted = make_manifest(spec, seeds=seeds, agents=agents, extra=extra)
            manifest = start_run(
                directory,
                wanted,
                questions,
                ignoring=identity_ignores,
                canonical=canonical,
                code=code,
            )
            return cls._open_repaired(directory, lock, manifest)

    @classmethod
    def reopen(cls, directory: Path | str) -> RunLog:
        """Open a run to add to it whatever its configuration, such as further probes.

        It is repaired and held as by `open`; the caller closes it with the status that it had.
        Raises InputError where there is no run, RunConflict where it is in use, LogError where the
        disk refuses.
        """
        directory = resolve_alias(Path(directory))
        read_manifest(directory)
        refuse_links(directory)
        with _lock_run(directory) as lock:
            return cls._open_repaired(directory, lock, record_start(directory))

    @classmethod
    def join(cls, directory: Path | str, *, shard: str) -> RunLog:
        """Write to a run that another process opened, to a file of this process's own.

        `shard` is a number as text, from "1" on, that no other process uses. Nothing is repaired
        here: the process that opened the run did that, and joins the shards when it closes.
        """
        directory = resolve_alias(Path(directory))
        if not shard.isdecimal() or int(shard) < 1:
            raise RunConflict(f'shard "{shard}" is not a number from 1 on')
        manifest = read_manifest(directory)
        refuse_links(directory)
        with _release_if_failed(FileLock(directory / f"{LOCK}.{shard}")) as lock:
            lock.sign()
            turns = DebateRecords(build_index(list_shards(directory, TURNS), TurnKey))
            verdicts = DebateRecords(build_index(list_shards(directory, VERDICTS), VerdictKey))
            return cls(
                directory,
                shard=shard,
                lock=lock,
                manifest=manifest,
                turns=turns,
                verdicts=verdicts,
            )

    @classmethod
    def _open_repaired(cls, directory: Path, lock: FileLock, manifest: Manifest) -> RunLog:
        turns, turn_problems = repair_folder(directory, TURNS, TurnKey)
        verdicts, verdict_problems = repair_folder(directory, VERDICTS, VerdictKey)
        records = DebateRecords(turns)
        records.problems += [*turn_problems, *verdict_problems]
        return cls(
            directory,
            shard=FIRST_SHARD,
            lock=lock,
            manifest=manifest,
            turns=records,
            verdicts=DebateRecords(verdicts),
        )

    @property
    def problems(self) -> tuple[LogProblem, ...]:
        """The damage found so far; damaged turns count as not made."""
        return (*self._turns.problems, *self._verdicts.problems)

    @property
    def num_turns(self) -> int:
        """The number of lines of turns in the log, failed ones included."""
        return len(self._turns)

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        """Return the debate's completed turns by ref; a failed turn is not complete."""
        turns = {turn.ref: turn for turn in self._turns.read_debate(debate, Turn)}
        return {ref: turn for ref, turn in turns.items() if turn.failure is None}

    def verdicts(self, debate: DebateKey) -> tuple[Verdict, ...]:
        """Return the debate's verdicts, one per round and method, by round."""
        verdicts = {(v.round, v.method): v for v in self._verdicts.read_debate(debate, Verdict)}
        return tuple(verdicts[key] for key in sorted(verdicts))

    def queue(self, turn: Turn) -> None:
        """Record a turn, which reaches the disk before whatever is recorded after it.

        A recorded turn of the same key gives way. Raises LogError where the disk has refused an
        earlier line; from then on every call does.
        """
        line = encode_line(turn)
        offset = self._committer.append(_TURN_FILE, line)
        key = TurnKey(
            turn.cell, turn.question, turn.seed, turn.round, turn.kind, turn.agent, turn.about
        )
        self._turns.add(key, LineLocation(self._file_numbers[_TURN_FILE], offset, len(line)))

    async def append_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Record one debate's verdicts; return when they and all queued turns are on disk.

        A verdict equal to a recorded one is not written again. Raises LogError as `queue` does.
        """
        recorded = self.verdicts(verdicts[0].debate) if verdicts else ()
        fresh = [verdict for verdict in verdicts if verdict not in recorded]
        lines = [encode_line(verdict) for verdict in fresh]
        offset = self._committer.append(_VERDICT_FILE, b"".join(lines)) if lines else 0
        await self._committer.wait_until_written()
        for verdict, line in zip(fresh, lines, strict=True):
            key = VerdictKey(
                verdict.cell, verdict.question, verdict.seed, verdict.round, verdict.method
            )
            self._verdicts.add(
                key, LineLocation(self._file_numbers[_VERDICT_FILE], offset, len(line))
            )
            offset += len(line)

    def prune(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Keep of a debate that is over only these turns (refs) and the verdicts on these rounds.

        Other lines of it, which an earlier failure led to, are moved away when the run is closed.
        Lines recorded since the run was opened stay on disk, but can no longer be looked up here.
        """
        self._orphans.collect(debate, turns=turns, rounds=rounds)
        self._turns.forget(debate)
        self._verdicts.forget(debate)

    def record_models(
        self, *, preflight: Iterable[TrialCall] = (), engines: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Add to the manifest what the endpoints were tried with and the engines say of themselves.

        Raises LogError where the disk refuses.
        """
        changed = add_to_last_start(self._manifest, preflight=preflight, engines=engines)
        if changed != self._manifest:
            self._manifest = changed
            write_manifest(self.directory, changed)

    def close(
        self, status: RunStatus = "interrupted", *, spent: Mapping[str, float] | None = None
    ) -> None:
        """Write what is queued, compact the files, record the status in the manifest, and unlock.

        `spent` is recorded with it. A second call does nothing. After a write error the directory
        is left as it is: the next `open` repairs it. Raises LogError where the disk refuses.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._committer.close()
            if self._committer.error is None:
                self._orphans.write()
            if self._shard == FIRST_SHARD and self._committer.error is None:
                self._compact(status, spent)
        finally:
            self._turns.close()
            self._verdicts.close()
            self._lock.release()

    def _compact(self, status: RunStatus, spent: Mapping[str, float] | None) -> None:
        for folder, records, kind in (
            (TURNS, self._turns, TurnKey),
            (VERDICTS, self._verdicts, VerdictKey),
        ):
            shards = list_shards(self.directory, folder)
            if records.has_repeats or len(shards) > 1 or has_orphans(self.directory, folder):
                repair_folder(self.directory, folder, kind)
        sums = compute_totals(self.directory) if status == "complete" else None
        manifest = replace(self._manifest, status=status, totals=sums)
        kept = manifest.spent if spent is None else dict(spent)
        write_manifest(self.directory, replace(manifest, spent=kept))

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


@contextmanager
def _lock_run(directory: Path) -> Iterator[FileLock]:
    """Lock a run whose shards nobody writes; the lock outlives the block unless that raises."""
    with _release_if_failed(FileLock(directory / LOCK, folder=True)) as lock:
        require_free(directory)
        lock.sign()
        yield lock


@contextmanager
def _release_if_failed(lock: FileLock) -> Iterator[FileLock]:
    """Release a lock where the block raises."""
    try:
        yield lock
    except BaseException:
        lock.release()
        raise
