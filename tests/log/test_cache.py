"""Calls shared across runs come back as they were, or are made again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from debate.log import CallCache
from debate.log.cache import PUTS_PER_COMMIT

from .builders import turn


def test_a_call_is_found_again_and_another_is_not(tmp_path: Path) -> None:
    cache = CallCache(tmp_path)
    cache.put("x", turn("a"))
    cache.close()
    again = CallCache(tmp_path)
    assert (again.get("x"), again.get("y")) == (turn("a"), None)
    again.close()


def test_calls_are_there_for_others_as_soon_as_so_many_are_kept(tmp_path: Path) -> None:
    cache, other = CallCache(tmp_path), CallCache(tmp_path)
    for number in range(PUTS_PER_COMMIT):
        assert other.get("0") is None
        cache.put(str(number), turn("a"))
    assert other.get("0") == turn("a")
    cache.close()
    other.close()


def test_a_call_of_which_a_letter_was_changed_is_made_again(tmp_path: Path) -> None:
    cache = CallCache(tmp_path)
    cache.put("x", turn("a"))
    cache.close()
    with sqlite3.connect(tmp_path / "calls.sqlite") as database:
        line = database.execute("SELECT turn FROM calls").fetchone()[0]
        database.execute("UPDATE calls SET turn = ?", (line.replace(b"I say 4", b"I say 5"),))
    database.close()
    cache = CallCache(tmp_path)
    assert cache.get("x") is None
    cache.put("x", turn("a"))
    assert cache.get("x") == turn("a")
    cache.close()
