"""Simulated debates under faults of every kind, for as long as one likes; memory beside.

    python -m tests.faults.soak --minutes 60 [--seed 0] [--no-ray]

One process debates, disturbs, resumes and compares without end, so that whatever it does not let go
of shows in its resident memory. Exits with 1 as soon as one turn is lost, duplicated or different.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults.schedules import FAULTS, SHARDED_FAULTS, Result, run_schedule

LINE_EVERY_S = 60.0


def resident_mb() -> float:
    """Resident memory of this process, in MiB. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS in /proc/self/status")


class Totals:
    """What has been done so far."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.memory: list[float] = []

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started

    def add(self, result: Result) -> None:
        """Count one schedule."""
        self.by_fault[result.fault] += 1
        self.counts["schedules"] += 1
        self.counts["struck"] += result.num_struck
        self.counts["turns"] += result.num_turns
        for name in ("lost", "extra", "duplicated", "differing"):
            self.counts[name] += getattr(result.found, name)
        self.counts["problems"] += len(result.problems)

    def line(self) -> str:
        """One line of the series."""
        self.memory.append(resident_mb())
        counted = " ".join(f"{name}={count}" for name, count in self.counts.items())
        return f"{self.elapsed_s / 60:6.1f} min  rss={self.memory[-1]:.0f} MiB  {counted}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-ray", action="store_true", help="no orchestrators")
    arguments = parser.parse_args()
    faults = FAULTS if arguments.no_ray else (*FAULTS, *SHARDED_FAULTS)
    rng, totals, next_line = random.Random(arguments.seed), Totals(), LINE_EVERY_S
    while totals.elapsed_s < 60 * arguments.minutes:
        result = run_schedule(rng.choice(faults), rng.randrange(10**9))
        totals.add(result)
        if not result.found.is_clean or result.problems:
            print(result.fault, result.found, *result.problems, sep="\n", flush=True)
            return 1
        if totals.elapsed_s >= next_line:
            print(totals.line(), flush=True)
            next_line = totals.elapsed_s + LINE_EVERY_S
    print(totals.line(), *sorted(totals.by_fault.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
