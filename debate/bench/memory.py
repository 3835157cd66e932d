"""Part e: the driver's peak memory against the number of questions, each in its own process.

    python -m debate.bench.memory NUM_QUESTIONS FOLDER

debates simulated questions and prints its figures as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from debate.bench.workloads import Measurement, Results, make_seats, time_run, write_questions
from debate.errors import ClusterError

FEW, MANY = 1_000, 100_000
MIB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPeak:
    """The time and the peak memory of one process."""

    num_questions: int
    num_turns: int
    wall_s: float
    peak_bytes: int


def measure_memory(folder: Path, *, quick: bool) -> Results:
    """Measure few questions, then many."""
    few, many = (run_in_process(num // 50 if quick else num, folder) for num in (FEW, MANY))
    yield _compare(few)
    yield _compare(many, against=few)


def _compare(found: MemoryPeak, against: MemoryPeak | None = None) -> Measurement:
    rate = found.num_turns / found.wall_s
    return Measurement(
        part="e",
        what=f"peak memory, {found.num_questions:,} simulated questions",
        value=found.peak_bytes / MIB,
        unit="MiB",
        against=against.peak_bytes / MIB if against else None,
        against_what=f"{against.num_questions:,} questions" if against else "",
        note=f"{found.num_turns:,} turns in {found.wall_s:,.1f} s, {rate:,.0f} turns/s",
    )


def run_in_process(num_questions: int, folder: Path) -> MemoryPeak:
    """Debate that many questions in a process of its own. Raises ClusterError where it fails."""
    command = [sys.executable, "-m", "debate.bench.memory", str(num_questions), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ClusterError(f"the process ended with {done.returncode}: {last}", boundary="memory")
    return MemoryPeak(**json.loads(done.stdout))


def debate_simulated(num_questions: int, folder: Path) -> MemoryPeak:
    """Debate with a ring of three simulated agents over one round, in this process."""
    started = time.perf_counter()
    config: dict[str, Any] = {
        "agents": make_seats([{"engine": "simulated", "world": n} for n in range(3)]),
        "topology": "ring",
        "rounds": 1,
        "task": write_questions(folder, num_questions),
    }
    run = time_run(config, folder / f"simulated-{num_questions}")
    return MemoryPeak(
        num_questions=num_questions,
        num_turns=run.num_turns,
        wall_s=time.perf_counter() - started,
        peak_bytes=read_peak_bytes(),
    )


def read_peak_bytes() -> int:
    """Return the most memory that this process has held at once.

    Linux counts VmHWM from the start of the program. `getrusage` would count the parent's memory
    too, which a process shares until it starts a program of its own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if "VmHWM" in lines:
            return 1024 * int(lines["VmHWM"].split()[0])
    scale = 1 if sys.platform == "darwin" else 1024
    return scale * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    print(json.dumps(asdict(debate_simulated(int(sys.argv[1]), Path(sys.argv[2])))))
