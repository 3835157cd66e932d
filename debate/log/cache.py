"""Calls shared across runs: the turn that a call gave, by the digest of all that decides it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from debate.errors import LogError, boundary
from debate.log.codec import CorruptLine, decode_line, encode_line
from debate.log.disk import refuse_link
from debate.log.false_numbers import drop_false_numbers
from debate.types import Turn

PUTS_PER_COMMIT = 256


class CallCache:
    """One SQLite file in a folder; several processes may use it at once.

    Puts that are lost uncommitted cost only that their calls are made again, never a turn.
    """

    def __init__(self, folder: Path) -> None:
        """Raises LogError where the folder cannot be written, RunConflict for a linked file."""
        with boundary(LogError, f"{folder}: call cache"):
            folder.mkdir(parents=True, exist_ok=True)
            refuse_link(folder / "calls.sqlite")
            self._db = sqlite3.connect(folder / "calls.sqlite", timeout=30)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS calls (digest TEXT PRIMARY KEY, turn BLOB)"
            )
        self._uncommitted = 0

    def get(self, digest: str) -> Turn | None:
        """Return the turn that the call gave; None where there is none that can be read."""
        with boundary(LogError, "call cache: read"):
            row = self._db.execute("SELECT turn FROM calls WHERE digest = ?", (digest,)).fetchone()
        try:
            return None if row is None else drop_false_numbers(decode_line(row[0], Turn)).value
        except CorruptLine:  # the call is made again, and kept in its place
            return None

    def put(self, digest: str, turn: Turn) -> None:
        """Store the turn that the call gave."""
        with boundary(LogError, "call cache: write"):
            self._db.execute(
                "INSERT OR REPLACE INTO calls VALUES (?, ?)", (digest, encode_line(turn))
            )
            self._uncommitted += 1
            if self._uncommitted >= PUTS_PER_COMMIT:
                self._commit()

    def close(self) -> None:
        """Commit and close the file."""
        with boundary(LogError, "call cache: write"):
            self._commit()
            self._db.close()

    def _commit(self) -> None:
        self._db.commit()
        self._uncommitted = 0
