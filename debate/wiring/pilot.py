"""A few questions debated beforehand, to say what the whole run will take."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rich.console import Console

from debate.wiring.describe import print_forecast
from debate.wiring.execute import execute, require_a_reply, run_directory
from debate.wiring.plan import Plan


def run_pilot(plan: Plan, num: int, out: Path | None, console: Console) -> None:
    """Debate `num` of the questions in all cells, in the run's own directory, and estimate.

    What the pilot makes is a part of the run. Raises as `execute` does, and EngineError
    where every call failed.
    """
    from debate.wiring.forecast import forecast

    directory = run_directory(plan.spec, out)
    outcome = asyncio.run(execute(plan.pilot(num), directory, console=Console(stderr=True)))
    require_a_reply(outcome)
    found = forecast(plan, directory)
    if found is not None:
        print_forecast(found, console)
    console.print(f"the pilot is part of {directory}: `debate run` goes on from it", soft_wrap=True)
