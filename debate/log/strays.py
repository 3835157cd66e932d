"""Lines of a debate that led elsewhere: recorded, whole, and no part of what the debate became.

A call that failed can send its debate down another path: its critics stay silent, it goes on where
it would have ended. Made again, it leads back, and what lay on that path must not count. The keys
of such lines are noted in a file before the lines are moved, so that a crash in between only leaves
the moving to whoever opens the run next.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from debate.log.codec import CorruptLine, decode
from debate.log.disk import append_durably, on_disk, sync_folder
from debate.log.index import K, Key, TurnKey, VerdictKey
from debate.log.layout import STRAYS, TURNS, VERDICTS
from debate.log.lines import read_lines
from debate.log.records import Records
from debate.types import DebateKey, turn_ref


class Strays:
    """What one process has found astray. A run that began empty has none."""

    def __init__(self, directory: Path, shard: str, turns: Records, verdicts: Records) -> None:
        self._directory = directory
        self._shard = shard
        self._turns, self._verdicts = turns, verdicts
        self._may_exist = len(turns) > 0 or len(verdicts) > 0
        self._found: dict[str, list[Key]] = {TURNS: [], VERDICTS: []}

    def note(self, debate: DebateKey, *, turns: Collection[str], rounds: Collection[int]) -> None:
        """Find the debate's recorded turns not in `turns`, and its verdicts not on `rounds`."""
        if not self._may_exist:
            return
        made, decided = (
            self._turns.keys_of(debate, TurnKey),
            self._verdicts.keys_of(debate, VerdictKey),
        )
        self._found[TURNS] += [key for key in made if _ref(key) not in turns]
        self._found[VERDICTS] += [key for key in decided if key.round not in rounds]

    def write(self) -> None:
        """Note what was found on disk."""
        for folder, keys in self._found.items():
            if keys:
                path = self._directory / STRAYS / f"{folder}-{self._shard}.jsonl"
                append_durably(path, b"".join(map(_encode, keys)))
                keys.clear()


def has_strays(directory: Path, folder: str) -> bool:
    """Whether lines of a folder are noted as astray and not yet moved."""
    return any(True for _ in _files(directory, folder))


def stray_lines(
    directory: Path, folder: str, files: Iterable[Path], kind: type[K]
) -> dict[Path, set[int]]:
    """The offsets of the lines that are noted as astray, by file."""
    astray = {tuple(_plain(key).items()) for key in _noted(directory, folder, kind)}
    found: dict[Path, set[int]] = {}
    for path in files if astray else ():
        for line in read_lines(path):
            key = decode(line.raw, kind)
            if tuple(_plain(key).items()) in astray:
                found.setdefault(path, set()).add(line.offset)
    return found


def forget_strays(directory: Path, folder: str) -> None:
    """The noted lines are moved."""
    for path in list(_files(directory, folder)):
        with on_disk(path, "remove"):
            path.unlink()
            sync_folder(path.parent)


def _files(directory: Path, folder: str) -> Iterator[Path]:
    return (directory / STRAYS).glob(f"{folder}-*.jsonl")


def _noted(directory: Path, folder: str, kind: type[K]) -> Iterator[K]:
    """The keys in the notes; a torn note is none, and its line will be found astray again."""
    for path in _files(directory, folder):
        for line in read_lines(path):
            try:
                yield decode(line.raw, kind)
            except CorruptLine:
                continue


def _ref(key: TurnKey) -> str:
    return turn_ref(round=key.round, kind=key.kind, agent=key.agent, about=key.about)


def _plain(key: Key) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.structs.asdict(key)
    return plain


def _encode(key: Key) -> bytes:
    return json.dumps(_plain(key)).encode() + b"\n"
