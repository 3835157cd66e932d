"""Processes killed or refused, files cut, changed and moved, disks full or read-only."""

from __future__ import annotations

import json
import random
import re
import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from debate.log import check_log
from tests.faults.debates import Config, Disturb, hurry
from tests.faults.driver import undisturbed
from tests.faults.processes import Attempt
from tests.faults.records import lines

PAGE = 4096


def killed(config: Config, directory: Path, rng: random.Random) -> int:
    """SIGKILL the driver at random points, several times over."""
    whole = measure_run(config)
    return sum(
        Attempt(config, directory).kill_at(rng.randrange(whole)) for _ in range(rng.randint(1, 3))
    )


def measure_run(config: Config) -> int:
    """The bytes of turns of an undisturbed run, wherever its models are."""
    return sum(map(len, list_turns(config)))


def list_turns(config: Config) -> list[bytes]:
    """The lines of turns of an undisturbed run, made without a cluster and without waiting."""
    home: dict[str, Any] = json.loads(json.dumps({**config, "cluster": {}}))
    for model in home.get("models", {}).values():
        model["host"] = "driver"
    if "url" not in config["agents"][0]["model"]:
        hurry(home, latency_s=0.0)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed(home, Path(folder) / "run")
        return lines(Path(folder) / "run", "turns")


def torn(config: Config, directory: Path, rng: random.Random) -> int:
    """Cut the last line of each file somewhere inside, as a crash of the machine does."""
    undisturbed(config, directory)
    for folder in ("turns", "verdicts"):
        path = directory / folder / "0.jsonl"
        last = lines(directory, folder)[-1]
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - rng.randrange(1, len(last)))
    return 2


def corrupted(config: Config, directory: Path, rng: random.Random) -> int:
    """Overwrite parts of lines in the middle; a checker must name each of them."""
    undisturbed(config, directory)
    spoilt = [_spoil_line(directory / folder / "0.jsonl", rng) for folder in ("turns", "verdicts")]
    return _require_named(directory, spoilt)


def changed(config: Config, directory: Path, rng: random.Random) -> int:
    """Make one byte of a line another, most often one that leaves sound JSON of sound values."""
    undisturbed(config, directory)
    spoilt = [_change_byte(directory / folder / "0.jsonl", rng) for folder in ("turns", "verdicts")]
    return _require_named(directory, spoilt)


def _require_named(directory: Path, spoilt: list[set[str]]) -> int:
    named = {problem.place for problem in check_log(directory) if " line (" in problem.what}
    assert all(places & named for places in spoilt), (spoilt, named)
    return len(spoilt)


def _change_byte(path: Path, rng: random.Random) -> set[str]:
    """A letter or digit for another, or any byte for any other; the ways to name its line."""
    content = bytearray(path.read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.8:
        plain = [at for at, byte in enumerate(content) if chr(byte).isalnum()]
        place = rng.choice(plain)
    number = content.count(b"\n", 0, place)
    start = content.rfind(b"\n", 0, place) + 1
    right = chr(content[place])
    others = string.digits if right.isdigit() else string.ascii_letters
    wrong = rng.choice(others if right.isalnum() else [chr(byte) for byte in range(256)])
    content[place] = ord(wrong) if wrong != right else content[place] ^ 1
    path.write_bytes(content)
    return _names(path, number, start)


def _spoil_line(path: Path, rng: random.Random) -> set[str]:
    """Zeros or noise in one line; the ways to name its place."""
    found = path.read_bytes().splitlines(keepends=True)
    number = rng.randrange(len(found) - 1)
    line = bytearray(found[number][:-1])
    start, length = rng.randrange(len(line)), rng.randint(4, 60)
    end = min(len(line), start + length)
    line[start:end] = rng.choice((b"\0", b"\xff")) * (end - start)
    found[number] = bytes(line) + b"\n"
    path.write_bytes(b"".join(found))
    return _names(path, number, sum(map(len, found[:number])))


def _names(path: Path, number: int, offset: int) -> set[str]:
    """What a checker may call the place of a line."""
    name = f"{path.parent.name}/{path.name}"
    return {f"{name}:{number + 1}", f"{name} at byte {offset}"}


def disk_full(config: Config, directory: Path, rng: random.Random) -> int:
    """A disk that is full after some kilobytes: the run stops in words, with what fitted."""
    kilobytes = rng.randrange(24, 32 + measure_run(config) // 1024)
    return bool(_run_on_small_disk(config, directory, 1024 * kilobytes))


def disk_full_at_manifest(config: Config, directory: Path, rng: random.Random) -> int:
    """A disk that is full when the manifest is written: at the start, or with the last turn."""
    if rng.random() < 0.3:
        num_pages = rng.randint(2, 5)
    else:
        with tempfile.TemporaryDirectory() as folder:
            undisturbed(config, Path(folder) / "run")
            sizes = [path.stat().st_size for path in _contents(Path(folder) / "run")]
        num_pages = sum(-(-size // PAGE) for size in sizes) + rng.randint(0, 3)
    told = _run_on_small_disk(config, directory, PAGE * num_pages)
    return "manifest.json: cannot replace" in told


def _run_on_small_disk(config: Config, directory: Path, size: int) -> str:
    """What a run said of a disk of so many bytes; nothing where it sufficed."""
    told = Attempt(config, directory, disk=size).outcome()
    if told.how == "done":
        return ""
    assert told.how == "LogError", told
    assert "No space left on device; free some space and run again to resume" in told.message, told
    directory.rmdir()
    directory.with_name("saved").rename(directory)
    return told.message


def read_only(config: Config, directory: Path, rng: random.Random) -> int:
    """A killed run on a disk that has become read-only: refused in words, nothing touched."""
    if not Attempt(config, directory).kill_at(rng.randrange(measure_run(config))):
        return 0
    before = _contents(directory)
    told = Attempt(config, directory, disk="read-only").outcome()
    assert told.how == "LogError", told
    assert "Read-only file system; make the file system writable" in told.message, told
    assert before == _contents(directory)
    return 1


def _contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def intruding(
    *, spoil: Callable[[Path], None] | None = None, hosts: tuple[str, str] | None = None
) -> Disturb:
    """Somebody else's run on the same directory: refused while the first one works.

    spoil: what is done to the lock before. hosts: the names of the machines of the two.
    """
    here, there = hosts or (None, None)

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        slow: dict[str, Any] = json.loads(json.dumps(config))
        hurry(slow, latency_s=1.0)
        first = Attempt(slow, directory, host=here)
        first.await_bytes()
        if spoil:
            spoil(directory / "lock")
        told = Attempt(slow, directory, host=there).outcome()
        holder = r"another process" if spoil else rf"process \d+ on {here or ''}"
        refused = told.how == "RunConflict" and bool(re.search(f"in use by {holder}", told.message))
        was_alive = first.kill_at(rng.randrange(first.num_bytes() + 2_000))
        assert refused or not was_alive, told
        _forget_latency(directory)
        return int(refused)

    return disturb


def _recreate(lock: Path) -> None:
    lock.unlink()
    lock.touch()


def renamed(config: Config, directory: Path, rng: random.Random) -> int:
    """Move the run's folder away under the run; back at once, or when the run has noticed."""
    elsewhere = directory.with_name("elsewhere")
    running = Attempt(config, directory)
    if not running.await_bytes(rng.randrange(measure_run(config))):
        return 0
    directory.rename(elsewhere)
    if rng.random() < 0.3:
        elsewhere.rename(directory)
    told = running.outcome()
    if elsewhere.exists():
        assert not directory.exists(), "something was written where the folder had been"
        elsewhere.rename(directory)
    is_over = json.loads((directory / "manifest.json").read_text())["status"] == "complete"
    moved = told.how == "LogError" and "was moved to" in told.message
    assert moved or (told.how == "done" and is_over), told
    return int(moved)


def _forget_latency(directory: Path) -> None:
    """The manifest as if the models had answered at once, which changes no reply."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    for model in manifest["spec"]["models"].values():
        model["latency_s"] = 0.0
    path.write_text(json.dumps(manifest))


FILE_AND_PROCESS_FAULTS: dict[str, Disturb] = {
    "driver killed": killed,
    "torn last lines": torn,
    "corrupted lines in the middle": corrupted,
    "single bytes changed": changed,
    "disk full": disk_full,
    "disk full at the manifest": disk_full_at_manifest,
    "read-only directory": read_only,
    "folder renamed away and back": renamed,
    "a second process": intruding(),
    "a second process on another machine": intruding(hosts=("first", "second")),
    "lock deleted, and a second process": intruding(spoil=Path.unlink),
    "lock replaced, and a second process": intruding(spoil=_recreate),
}
