"""Part a: turns per second of models that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from debate.bench.workloads import (
    Measurement,
    Results,
    compute_makespan_s,
    make_seats,
    time_run,
    write_questions,
)

NUM_SEATS, ROUNDS = 3, 3


def measure_orchestration(folder: Path, *, quick: bool) -> Results:
    """Measure scripted and simulated agents in this process, and scripted ones in Ray actors.

    A small run comes before each and is not counted: it does what is done only once.
    """
    num = 200 if quick else 2000
    simulated = [{"engine": "simulated", "world": n} for n in range(NUM_SEATS)]
    kinds: dict[str, list[Mapping[str, Any]]] = {
        "one process, scripted agents": make_instant_models("driver"),
        "one process, simulated agents": list(simulated),
        "through Ray, scripted agents": make_instant_models("actor"),
    }
    for number, (what, models) in enumerate(kinds.items()):
        time_run(make_ring_config(folder, models, 10), folder / f"warm-{number}")
        config = make_ring_config(folder, models, num)
        yield from _measure_run(what, config, folder / f"instant-{number}")


def make_instant_models(host: str) -> list[Mapping[str, Any]]:
    """Return three models that answer at once, each with an answer of its own."""
    return [
        {"engine": "scripted", "replies": f"Answer: {n}", "host": host, "max_in_flight": 1024}
        for n in range(NUM_SEATS)
    ]


def make_ring_config(
    folder: Path, models: list[Mapping[str, Any]], num_questions: int
) -> dict[str, Any]:
    """Return a run of a ring of three over three rounds."""
    return {
        "agents": make_seats(models),
        "topology": "ring",
        "rounds": ROUNDS,
        "task": write_questions(folder, num_questions),
    }


def _measure_run(what: str, config: dict[str, Any], directory: Path) -> Results:
    run = time_run(config, directory)
    turns = run.read_turns()
    rate = len(turns) / compute_makespan_s(turns)
    note = f"{len(turns):,} turns, each on disk; {run.wall_s:.1f} s with opening and closing"
    yield Measurement(part="a", what=what, value=rate, unit="turns/s", note=note)
    cpu = 1e6 * run.cpu_s / len(turns)
    yield Measurement(part="a", what=f"{what}: CPU", value=cpu, unit="µs/turn")
