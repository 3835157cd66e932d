"""What a run says before it starts: its size, what it has gained, and what is left to do."""

from __future__ import annotations

from rich.console import Console

from debate.log import RunLog
from debate.log.manifest import read_manifest
from debate.wiring.describe import print_forecast, print_outline
from debate.wiring.plan import Plan

MOST_READ = 200_000
"""Turns up to which a log is read for a forecast; more would keep the run waiting."""


def announce(plan: Plan, log: RunLog, console: Console) -> None:
    """Say what the run will do in this directory; a run that is begun says what the rest takes."""
    print_outline(plan, console)
    added = read_manifest(log.directory).starts[-1].added
    if added:
        console.print(f"added to the run: {', '.join(added)}", markup=False, highlight=False)
    if not plan.is_pilot and 0 < log.num_turns <= MOST_READ:
        from debate.wiring.forecast import forecast

        found = forecast(plan, log.directory)
        if found is not None and found.num_items < found.num_all:
            print_forecast(found, console)
