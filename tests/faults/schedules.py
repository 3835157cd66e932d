"""Every fault as a schedule: disturb a run by seed, resume it, compare it with an undisturbed one.

A disturber leaves a directory in which the run was begun and went wrong, and says how often it
struck; a schedule that never struck proves nothing and is drawn again.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debate.engines.base import Engine
from debate.engines.openai import OpenaiEngine
from debate.engines.pacing import Backoff
from debate.log import verify
from debate.wiring.audit import audit
from tests.faults.debates import draw_debates
from tests.faults.driver import disturbed, undisturbed
from tests.faults.endpoint import MISDEEDS, Endpoint, Misdeed, serving
from tests.faults.engines import EMPTY, MALFORMED, NOT_A_NUMBER, Faults, FaultyEngine
from tests.faults.on_ray import STRIKES, by_ray, one_model
from tests.faults.processes import Attempt
from tests.faults.records import Comparison, compare, lines, read

Config = Mapping[str, Any]
Disturb = Callable[[Config, Path, random.Random], int]
MOST_DRAWS = 20


@dataclass(frozen=True, kw_only=True)
class Result:
    """One schedule: how often the fault struck, what a checker says, and how it ended."""

    fault: str
    num_struck: int
    found: Comparison
    problems: tuple[str, ...]
    num_turns: int


def run_schedule(fault: str, number: int) -> Result:
    """Disturb, resume, compare. The whole schedule follows from the fault's name and the number."""
    for draw in range(MOST_DRAWS):
        rng = random.Random(f"{fault}/{number}/{draw}")
        with tempfile.TemporaryDirectory() as folder, _world(fault, rng) as (config, disturb):
            whole, other = Path(folder) / "whole", Path(folder) / "other"
            undisturbed(patient(config), whole)
            num_struck = disturb(config, other, rng)
            if not num_struck:
                continue
            undisturbed(patient(config), other)
            sound = read(whole)
            return Result(
                fault=fault,
                num_struck=num_struck,
                found=compare(sound, read(other)),
                problems=tuple(str(problem) for problem in audit(other).problems),
                num_turns=len(sound.turns),
            )
    raise AssertionError(f"{fault}: {MOST_DRAWS} schedules, and none of them struck")


@contextmanager
def _world(fault: str, rng: random.Random) -> Iterator[tuple[Config, Disturb]]:
    """A drawn configuration and what disturbs it."""
    config = draw_debates(rng, num_questions=rng.randint(2, 4))
    if fault in ENGINE_FAULTS:
        if ENGINE_FAULTS[fault].hanging:
            _hurry(config, timeout_s=0.3)
        yield config, _by_engine(ENGINE_FAULTS[fault], f"{fault}/{rng.random()}")
    elif fault in STRIKES:
        yield one_model(draw_debates(rng, num_questions=12)), by_ray(fault)
    elif fault in ENDPOINT_FAULTS:
        with serving() as endpoint:
            yield _at(endpoint, config, rng), _by_endpoint(endpoint, ENDPOINT_FAULTS[fault])
    else:
        yield config, FILE_AND_PROCESS_FAULTS[fault]


def patient(config: Config) -> Config:
    """The same run with all the time in the world; how long it waits is no part of what it is."""
    calm: dict[str, Any] = json.loads(json.dumps(config))
    _hurry(calm, timeout_s=600)
    return calm


def _hurry(config: dict[str, Any], **fields: Any) -> None:
    inline = [seat["model"] for seat in config["agents"] if isinstance(seat["model"], dict)]
    for model in (*inline, *config.get("models", {}).values()):
        model |= fields


# Engines.

ENGINE_FAULTS: dict[str, Faults] = {
    "engine raises": Faults(raising=0.1),
    "engine breaks off": Faults(raising_midway=0.15),
    "replica lost again and again": Faults(losing=0.3),
    "engine hangs": Faults(hanging=0.05),
    "completions missing": Faults(forgetting=0.05),
    "completions twice": Faults(repeating=0.2),
    "malformed completions": Faults(spoiling=0.05, spoils=tuple(MALFORMED.values())),
    "empty completions": Faults(spoiling=0.05, spoils=tuple(EMPTY.values())),
    "nan log-probabilities": Faults(spoiling=0.05, spoils=tuple(NOT_A_NUMBER.values())),
    "engine, everything at once": Faults(
        raising=0.03, raising_midway=0.03, losing=0.05, forgetting=0.02, repeating=0.05,
        spoiling=0.03, spoils=(*MALFORMED.values(), *EMPTY.values(), *NOT_A_NUMBER.values()),
    ),
}  # fmt: skip


def _by_engine(faults: Faults, seed: str) -> Disturb:
    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        struck: list[FaultyEngine] = []

        def wrap(name: str, engine: Engine) -> Engine:
            struck.append(FaultyEngine(engine, faults, f"{seed}/{name}"))
            return struck[-1]

        disturbed(config, directory, wrap)
        return sum(engine.num_struck for engine in struck)

    return disturb


# Endpoints.

ENDPOINT_FAULTS: dict[str, tuple[Misdeed, ...]] = {
    **{f"endpoint: {name}": (misdeed,) for name, misdeed in MISDEEDS.items()},
    "endpoint: everything at once": tuple(MISDEEDS.values()),
}


def _at(endpoint: Endpoint, config: dict[str, Any], rng: random.Random) -> Config:
    """The debate with its seats at the endpoint, where no belief can be asked."""
    for agent in config["agents"]:
        agent["model"] = {
            "engine": "openai", "model": agent["id"], "url": endpoint.url, "timeout_s": 0.5,
            "retries": rng.choice([0, 1]), "max_in_flight": 16,
        }  # fmt: skip
    return config | {"probes": rng.choice([[], ["consistency"]]), "decision": "majority"}


def _by_endpoint(endpoint: Endpoint, misdeeds: tuple[Misdeed, ...]) -> Disturb:
    def brisk(name: str, engine: Engine) -> Engine:
        assert isinstance(engine, OpenaiEngine)
        return OpenaiEngine(engine.spec, backoff=Backoff(base_s=0.002))

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        slow = MISDEEDS["time-out"] in misdeeds
        endpoint.strike(0.03 if slow else 0.2, misdeeds, str(rng.random()))
        try:
            disturbed(config, directory, brisk)
        finally:
            endpoint.chance = 0.0
        return endpoint.num_struck

    return disturb


# Files and processes.


def killed(config: Config, directory: Path, rng: random.Random) -> int:
    """SIGKILL the driver at random points, several times over."""
    whole = _size_of_a_run(config)
    return sum(
        Attempt(config, directory).kill_at(rng.randrange(whole)) for _ in range(rng.randint(1, 3))
    )


def _size_of_a_run(config: Config) -> int:
    """The bytes of turns of an undisturbed run."""
    with tempfile.TemporaryDirectory() as folder:
        undisturbed(config, Path(folder) / "run")
        return sum(map(len, lines(Path(folder) / "run", "turns")))


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
    named = {problem.place for problem in verify(directory) if "corrupted line" in problem.what}
    assert all(places & named for places in spoilt), (spoilt, named)
    return len(spoilt)


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
    name, offset = f"{path.parent.name}/{path.name}", sum(map(len, found[:number]))
    return {f"{name}:{number + 1}", f"{name} at byte {offset}"}


def disk_full(config: Config, directory: Path, rng: random.Random) -> int:
    """A disk that is full after some kilobytes: the run stops in words, with what fitted."""
    kilobytes = rng.randrange(24, 32 + _size_of_a_run(config) // 1024)
    told = Attempt(config, directory, disk=1024 * kilobytes).outcome()
    if told.how == "done":
        return 0
    assert told.how == "LogError", told
    assert "No space left on device; free some space and run again to resume" in told.message
    directory.rmdir()
    directory.with_name("saved").rename(directory)
    return 1


def read_only(config: Config, directory: Path, rng: random.Random) -> int:
    """A killed run on a disk that has become read-only: refused in words, nothing touched."""
    if not Attempt(config, directory).kill_at(rng.randrange(_size_of_a_run(config))):
        return 0
    before = _contents(directory)
    told = Attempt(config, directory, disk="read-only").outcome()
    assert told.how == "LogError", told
    assert "Read-only file system; make the file system writable" in told.message, told
    assert before == _contents(directory)
    return 1


def _contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def second_process(config: Config, directory: Path, rng: random.Random) -> int:
    """Somebody else's run on the same directory: refused while the first one works."""
    slow: dict[str, Any] = json.loads(json.dumps(config))
    _hurry(slow, latency_s=1.0)
    first = Attempt(slow, directory)
    first.await_file()
    told = Attempt(slow, directory).outcome()
    refused = told.how == "RunConflict" and "is in use by process" in told.message
    was_alive = first.kill_at(rng.randrange(first.num_bytes() + 2_000))
    assert refused or not was_alive, told
    _forget_latency(directory)
    return int(refused)


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
    "disk full": disk_full,
    "read-only directory": read_only,
    "a second process": second_process,
}

FAULTS = (*ENGINE_FAULTS, *ENDPOINT_FAULTS, *FILE_AND_PROCESS_FAULTS)
"""All that need no cluster; those of `STRIKES` start one for each schedule."""
