"""Part a: turns a second where the models cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from debate.bench.debates import seats, timed, write_questions
from debate.bench.measure import Measure, Results

SEATS, ROUNDS = 3, 3


def instant(host: str) -> list[Mapping[str, Any]]:
    """Three models that answer at once, each with an answer of its own."""
    return [
        {"engine": "scripted", "replies": f"Answer: {n}", "host": host, "max_in_flight": 1024}
        for n in range(SEATS)
    ]


def config(folder: Path, models: list[Mapping[str, Any]], num_questions: int) -> dict[str, Any]:
    """A ring of three over three rounds."""
    return {
        "agents": seats(models),
        "topology": "ring",
        "rounds": ROUNDS,
        "task": write_questions(folder, num_questions),
    }


def measure(folder: Path, *, quick: bool) -> Results:
    """In this process, simulated in this process, and through one Ray actor per model.

    The small run before each is not counted: it loads what is loaded once.
    """
    num = 200 if quick else 2000
    simulated = [{"engine": "simulated", "world": n} for n in range(SEATS)]
    kinds: dict[str, list[Mapping[str, Any]]] = {
        "one process, scripted agents": instant("driver"),
        "one process, simulated agents": list(simulated),
        "through Ray, scripted agents": instant("actor"),
    }
    for number, (what, models) in enumerate(kinds.items()):
        timed(config(folder, models, 10), folder / f"warm-{number}")
        yield from _measure(what, config(folder, models, num), folder / f"instant-{number}")


def _measure(what: str, wanted: dict[str, Any], directory: Path) -> Results:
    done = timed(wanted, directory)
    turns = done.turns()
    span = max(t.finished_at for t in turns) - min(t.started_at for t in turns)
    note = f"{len(turns):,} turns, each on disk; {done.wall_s:.1f} s with opening and closing"
    yield Measure(part="a", what=what, value=len(turns) / span, unit="turns/s", note=note)
    cpu = 1e6 * done.cpu_s / len(turns)
    yield Measure(part="a", what=f"{what}: CPU", value=cpu, unit="µs/turn")
