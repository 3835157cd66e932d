"""The table of faults: schedules tried, what was lost, duplicated and different in the end.

python -m tests.faults.table --schedules 20 [--first 0] [FAULT ...]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.faults.schedules import FAULTS, Result, run_schedule

HEADINGS = ("fault", "schedules", "struck", "lost", "extra", "duplicated", "differing", "s")


def row(fault: str, results: Sequence[Result], seconds: float) -> tuple[str, ...]:
    """One line of the table."""
    counts = (
        len(results),
        sum(result.num_struck for result in results),
        *(
            sum(getattr(result.found, name) for result in results)
            for name in ("lost", "extra", "duplicated", "differing")
        ),
        round(seconds),
    )
    return (fault, *map(str, counts))


def shown(cells: Sequence[str]) -> str:
    """A line of Markdown."""
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", default=FAULTS)
    parser.add_argument("--schedules", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    print(shown(HEADINGS), shown(["---"] * len(HEADINGS)), sep="\n", flush=True)
    bad = 0
    for fault in arguments.faults:
        started, results = time.monotonic(), []
        for number in range(arguments.first, arguments.first + arguments.schedules):
            result = run_schedule(fault, number)
            results.append(result)
            if not result.found.is_clean or result.problems:
                bad += 1
                print(
                    f"{fault}/{number}:",
                    *result.found.examples,
                    *result.problems[:3],
                    sep="\n  ",
                    file=sys.stderr,
                )
        print(shown(row(fault, results, time.monotonic() - started)), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
