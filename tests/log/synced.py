"""A process that writes a run on a disk that keeps only what was synced, and says what is left.

    python -m tests.log.synced DIRECTORY

It keeps an account of what would survive a power failure: bytes whose file was synced after they
were written, and names whose folder was synced after they were made. It prints, as JSON, complaints
by step of a run's life; none where each step ends with all that it wrote on disk, no verdict was
written before its turns were on disk, and no line was dropped that did not stand elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

Image = dict[str, bytes]
"""What a folder holds: the content of every file, by its path below the folder."""


class ForgetfulDisk:
    """A folder as it would be found after a power failure. Watches what this process syncs."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.complaints: list[str] = []
        self._content: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        for name in ("fsync", "fdatasync"):
            setattr(os, name, partial(self._sync, getattr(os, name)))
        for name in ("write", "unlink", "replace"):
            setattr(os, name, partial(self._check, name, getattr(os, name)))

    def settle(self) -> None:
        """Take everything for synced, as it is long after it was written."""
        for path in (self.root, *self.root.rglob("*")):
            self._keep(path)

    def read(self) -> Image:
        """What the folder would hold after a power failure now."""
        return dict(self._walk(self.root.stat().st_ino, ""))

    def find_unsynced(self) -> list[str]:
        """The files that a power failure would take back or change. Locks need not survive."""
        kept, there = self.read(), read_files(self.root)
        names = sorted(kept.keys() | there.keys())
        return [n for n in names if kept.get(n) != there.get(n) and Path(n).stem != "lock"]

    def _walk(self, folder: int, above: str) -> Iterator[tuple[str, bytes]]:
        for name, number in self._names.get(folder, {}).items():
            if number in self._names:
                yield from self._walk(number, f"{above}{name}/")
            else:
                yield f"{above}{name}", self._content.get(number, b"")

    def _sync(self, sync: Callable[[int], None], descriptor: int) -> None:
        sync(descriptor)
        self._keep(Path(f"/proc/self/fd/{descriptor}"))

    def _keep(self, path: Path) -> None:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            names = {each.name: each.stat().st_ino for each in path.iterdir()}
            self._names[found.st_ino] = names
            for each in path.iterdir():
                if each.is_dir():
                    self._names.setdefault(each.stat().st_ino, {})
        else:
            self._content[found.st_ino] = path.read_bytes()

    def _check(self, name: str, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Before a call, see that what it builds upon, or puts in another's place, is on disk."""
        if name == "write":
            self._check_verdicts(os.readlink(f"/proc/self/fd/{args[0]}"))
        elif (path := locate(args[-1], named)).is_relative_to(self.root):
            draft = locate(args[0], named).stat().st_ino if name == "replace" else 0
            self._check_lines(path, self._content.get(draft, b""))
        return call(*args, **named)

    def _check_verdicts(self, path: str) -> None:
        """A verdict follows from turns, so all of them are on disk before it is written."""
        late = [name for name in self.find_unsynced() if "turns/" in name]
        if "/verdicts/" in path and late:
            self.complaints.append(f"a verdict is written before {late} is on disk")

    def _check_lines(self, path: Path, instead: bytes) -> None:
        """Each line of a file that goes is on disk in another one, or in what takes its place."""
        place = path.relative_to(self.root).as_posix()
        kept = [instead, *(content for name, content in self.read().items() if name != place)]
        lost = read_lines(path) - {line for each in kept for line in each.split(b"\n")}
        if path.parent.name in ("turns", "verdicts") and lost:
            self.complaints.append(f"{len(lost)} lines of {place} are dropped")


def locate(name: Any, named: dict[str, Any]) -> Path:
    """The path that a call names, which may be below the folder that a descriptor stands for."""
    folder = named.get("dir_fd", named.get("dst_dir_fd"))
    return Path(name) if folder is None else Path(os.readlink(f"/proc/self/fd/{folder}")) / name


def read_files(root: Path) -> Image:
    """What the folder holds now."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def read_lines(path: Path) -> set[bytes]:
    """The sound lines of a file."""
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {line for line in lines if b"\0" not in line}


class Steps:
    """The steps of a run's life, and the complaints about each."""

    def __init__(self, disk: ForgetfulDisk) -> None:
        self.disk = disk
        self.complaints: dict[str, list[str]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A step; at its end all that it wrote must be on disk."""
        self.disk.complaints.clear()
        yield
        unsynced = [f"{name} is not synced" for name in self.disk.find_unsynced()]
        self.complaints[name] = [*self.disk.complaints, *unsynced]

    def mend(self, name: str, directory: Path, path: Path, content: bytes) -> None:
        """Repair the turns of a run of which a file has this content, and had it long before."""
        from debate.log.index import TurnKey
        from debate.log.repair import repair_folder

        path.write_bytes(content)
        self.disk.settle()
        with self.step(name):
            repair_folder(directory, "turns", TurnKey)


def live(directory: Path, steps: Steps) -> None:
    """Write a run, damage it in every way that is mended, and go on each time."""
    from debate.log.committer import Committer
    from tests.log.builders import DEBATE, append_turn, open_log, turn, verdict, without_checksums

    turns, first = directory / "turns", directory / "turns" / "0.jsonl"
    with steps.step("a run begins"):
        log = open_log(directory)
    for number in range(2):
        with steps.step(f"a debate ends: {number}"):
            log.queue(turn("a", number))
            log.queue(turn("b", number))
            asyncio.run(log.append_verdicts([verdict(number)]))
    with steps.step("a run ends"):
        log.close("complete")
    whole = first.read_bytes()
    lines = whole.splitlines(keepends=True)
    another = lines[0].replace(b'"agent":"a"', b'"agent":"e"')
    steps.mend("a torn line", directory, first, whole + b'{"cell":"r')
    steps.mend("no last newline", directory, first, whole[:-1])
    steps.mend("a spoilt line", directory, first, lines[0][:9] + b"\0" + b"".join(lines[1:]))
    steps.mend("a line twice", directory, first, whole + lines[0])
    steps.mend("another shard", directory, turns / "1.jsonl", without_checksums(another))
    with steps.step("lines are waited for"):
        committer = Committer([directory / "beside" / "0.jsonl"])
        committer.append(0, b"line\n")
        committer.flush()
    committer.close()
    with steps.step("turns that are no part of their debate"):
        log = open_log(directory)
        asyncio.run(append_turn(log, turn("d")))
        log.prune(DEBATE, turns=[turn("a").ref], rounds=[0])
        log.close()


if __name__ == "__main__":
    root = Path(sys.argv[1])
    disk = ForgetfulDisk(root)
    disk.settle()
    steps = Steps(disk)
    live(root / "run", steps)
    print(json.dumps(steps.complaints))
