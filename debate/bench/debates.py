"""Debates to time: built from a mapping, run to the end in a folder, read back from the log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from debate.config.resolve import load_run
from debate.log.layout import TURNS, shard_files
from debate.log.lines import read_values
from debate.types import Turn
from debate.wiring.execute import execute
from debate.wiring.plan import make_plan

NAMES = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A run that was made. `wall_s` and `cpu_s` (of this process) are of the whole run: opening
    the directory, starting models, debating, closing."""

    directory: Path
    num_turns: int
    wall_s: float
    cpu_s: float

    def turns(self) -> list[Turn]:
        """Every turn, as logged."""
        return recorded(self.directory)


def recorded(directory: Path) -> list[Turn]:
    """Every turn of a run directory."""
    files = shard_files(directory, TURNS)
    return [turn for path in files for turn in read_values(path, Turn)]


def seats(models: Sequence[Mapping[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    """One seat per model: a, b, c, …"""
    return [
        {"id": name, "model": dict(model), **fields}
        for name, model in zip(NAMES, models, strict=False)
    ]


def write_questions(folder: Path, num: int) -> dict[str, Any]:
    """A task of `num` number questions in a file of the folder."""
    path = folder / f"questions-{num}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(num):
            row = {"id": f"q{n}", "question": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)}
            file.write(json.dumps(row) + "\n")
    return {"path": str(path), "kind": "number"}


def timed(
    config: Mapping[str, Any] | str, directory: Path, *, overrides: Sequence[str] = ()
) -> Timed:
    """Make the run. Raises InputError and BoundaryError as a run does."""
    plan = make_plan(load_run(config, overrides))
    wall, cpu = time.perf_counter(), time.process_time()
    console = Console(stderr=True)
    outcome = asyncio.run(execute(plan, directory, console=console, quiet=True))
    return Timed(
        directory=directory,
        num_turns=outcome.tally.turns,
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )


def makespan_s(turns: Sequence[Turn]) -> float:
    """Seconds from the first call to the last turn's end."""
    return max(turn.finished_at for turn in turns) - min(turn.started_at for turn in turns)
