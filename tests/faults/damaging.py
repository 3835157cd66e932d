"""What can be done to the files of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Damage(NamedTuple):
    """What is done to a directory, and words of the problem that names it."""

    do: Callable[[Path], object]
    named: str


def rows(directory: Path, folder: str = "turns") -> list[Row]:
    """The lines of the first shard, as they stand but for their checksums."""
    found = [json.loads(line) for line in (directory / folder / "0.jsonl").open()]
    return [{name: row[name] for name in row if name != "crc32"} for row in found]


def write(directory: Path, changed: list[Row], folder: str = "turns") -> None:
    """Put lines in place of those that are there."""
    text = "".join(json.dumps(row) + "\n" for row in changed)
    (directory / folder / "0.jsonl").write_text(text)


def change(where: Callable[[Row], bool], folder: str = "turns", **fields: Any) -> Damage:
    """Other values in the first line that fits; the words come by `naming`."""

    def do(directory: Path) -> None:
        found = rows(directory, folder)
        next(row for row in found if where(row)).update(fields)
        write(directory, found, folder)

    return Damage(do, "")


def drop(where: Callable[[Row], bool], folder: str = "turns") -> Damage:
    """The first line that fits is gone."""

    def do(directory: Path) -> None:
        found = rows(directory, folder)
        found.remove(next(row for row in found if where(row)))
        write(directory, found, folder)

    return Damage(do, "")


def again(where: Callable[[Row], bool], **fields: Any) -> Damage:
    """A copy of the first line that fits, with other values, at the end."""

    def do(directory: Path) -> None:
        found = rows(directory)
        write(directory, [*found, {**next(row for row in found if where(row)), **fields}])

    return Damage(do, "")


def lose_debate(directory: Path) -> None:
    """Nothing is left of the first debate's question."""
    lost = rows(directory)[0]["question"]
    for folder in ("verdicts", "turns"):
        kept = [row for row in rows(directory, folder) if row["question"] != lost]
        write(directory, kept, folder)


def manifest(**fields: Any) -> Damage:
    """Other values in the manifest."""

    def do(directory: Path) -> None:
        path = directory / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return Damage(do, "")


def spoil(name: str, number: int) -> Damage:
    """Bytes that are no text in the middle of a line."""

    def do(directory: Path) -> None:
        found = (directory / name).read_bytes().splitlines(keepends=True)
        found[number] = found[number][:30] + b"\xff\x00\xff" + found[number][33:]
        (directory / name).write_bytes(b"".join(found))

    return Damage(do, "")


def swap(name: str, old: bytes, new: bytes) -> Damage:
    """Bytes where the same bytes stood first, which only a checksum can tell."""

    def do(directory: Path) -> None:
        content = (directory / name).read_bytes()
        assert old in content
        (directory / name).write_bytes(content.replace(old, new, 1))

    return Damage(do, "")


def other_checksum(path: Path) -> None:
    """The last digit of the first line's checksum becomes another."""
    first, rest = path.read_bytes().split(b"\n", 1)
    digit = b"0" if first[-3:-2] != b"0" else b"1"
    path.write_bytes(first[:-3] + digit + first[-2:] + b"\n" + rest)


def is_turn(kind: str, round: int, *, cell: str = "talk", agent: str = "a") -> Callable[..., bool]:
    """Which turn to damage."""
    place = {"kind": kind, "round": round, "cell": cell, "agent": agent}
    return lambda row: place.items() <= row.items()


def is_verdict(round: int) -> Callable[[Row], bool]:
    """Which verdict to damage."""
    return lambda row: row["round"] == round and row["cell"] == "talk"
