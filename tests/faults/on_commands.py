"""`debate run` as users call it: stopped by signals, budgets, and models that fail."""

from __future__ import annotations

import json
import math
import random
import signal
from collections.abc import Callable
from pathlib import Path

from debate.log.codec import decode_line
from debate.log.spend import read_spend
from debate.types import Turn
from tests.faults.debates import Config, Disturb
from tests.faults.endpoint import MISDEEDS, Endpoint
from tests.faults.on_files import list_turns, measure_run
from tests.faults.processes import Attempt, Command
from tests.faults.records import lines, turn_key

WAY_ON = "the same command goes on from here: debate run "
STOPPED_S = 0.6
TIMEOUT_S = 0.3


def by_signal(number: signal.Signals) -> Disturb:
    """Ask the run to end, up to three times: it closes, and says how to go on."""

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        running, is_early = Command(config, directory), rng.random() < 0.25
        if is_early:
            running.wait(rng.uniform(0.0, 0.5))
        else:
            running.await_bytes(rng.randrange(measure_run(config)))
        was_alive = all(running.signal(number) for _ in range(rng.randint(1, 3)))
        code, said = running.outcome()
        assert "Traceback" not in said, said
        # Before `debate` listens, Python ends by itself: of a SIGINT, with 1.
        is_deaf = is_early and not said and code in (-number, 1)
        if not was_alive or code == 0 or is_deaf:
            return 0  # it was over, or was not listening yet
        assert (code, WAY_ON in said) == (128 + number, True), (number, code, said)
        return 1

    return disturb


def stopped_a_while(config: Config, directory: Path, rng: random.Random) -> int:
    """SIGSTOP, and SIGCONT after every time-out: what was under way is made again if it failed."""
    running = Attempt(config, directory)
    if not running.await_bytes(rng.randrange(measure_run(config))):
        return 0
    if not running.signal(signal.SIGSTOP):
        return 0
    running.wait(STOPPED_S)
    running.signal(signal.SIGCONT)
    told = running.outcome()
    assert told.how == "done", told
    turns = [json.loads(line) for line in lines(directory, "turns")]
    return 1 + sum(turn["failure"] is not None for turn in turns)


def stopped_by_budgets(config: Config, directory: Path, rng: random.Random) -> int:
    """Budgets drawn at random, each larger than the last: the run stops there, and goes on."""
    num_struck, most = 0, len(list_turns(config))
    for cap in sorted(rng.randint(1, most) for _ in range(rng.randint(1, 3))):
        code, said = Command(with_budget(config, cap), directory).outcome()
        assert code in (0, 3), (code, said)
        assert (code == 3) == ("stopped at the budget (calls)" in said), said
        require_kept(directory, cap)
        num_struck += code == 3
    return num_struck


def killed_with_budget(config: Config, directory: Path, rng: random.Random) -> int:
    """SIGKILL under a budget, several times over: what was under way counts as spent."""
    whole = list_turns(config)
    num_struck, cap = 0, rng.randint(1, 2 * len(whole))
    for _ in range(rng.randint(1, 3)):
        size = rng.randrange(sum(map(len, whole)))
        num_struck += Attempt(with_budget(config, cap), directory).kill_at(size)
        require_kept(directory, cap)
    return num_struck


def with_budget(config: Config, cap: int) -> Config:
    """The same run, of so many calls at most."""
    return {**config, "budget": {"calls": cap}}


def require_kept(directory: Path, cap: int) -> None:
    """No more calls were made than that, as the journal and the log tell."""
    # The turns first: the orchestrators of a killed driver may go on for a moment.
    # One that is being merged from an orchestrator's file stands in two.
    turns = [decode_line(line, Turn) for line in lines(directory, "turns")]
    num_made = len({turn_key(turn) for turn in turns if turn.shared_with is None})
    totals = read_spend(directory)
    sizes = totals.models.values() if totals else ()
    num_spent = sum(size.calls for size in sizes)
    assert num_made <= num_spent <= cap, (num_made, num_spent, cap)


Against = Callable[[Endpoint], Disturb]


def breaking(endpoint: Endpoint) -> Disturb:
    """From some call on all fail: the run is ended in order, and says so."""

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        code, said = _run_against(endpoint, config, directory, rng, most=math.inf)
        assert code in (0, 1), (code, said)
        return endpoint.num_struck if "goes on from there" in said else 0

    return disturb


def pausing(endpoint: Endpoint) -> Disturb:
    """Enough calls fail that a model is paused; it comes back soon, or never."""

    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        limit = config["agents"][0]["model"]["max_failures"]
        most = rng.choice([limit, limit + 2, 3 * limit, math.inf])
        code, said = _run_against(endpoint, config, directory, rng, "--keep-going", most=most)
        assert code in (0, 1), (code, said)
        return endpoint.num_struck if endpoint.num_struck >= limit else 0

    return disturb


def _run_against(
    endpoint: Endpoint,
    config: Config,
    directory: Path,
    rng: random.Random,
    *words: str,
    most: float,
) -> tuple[int, str]:
    """The command, with an endpoint that fails from some call on, so often."""
    endpoint.strike(1.0, (MISDEEDS["500"],), str(rng.random()))
    endpoint.num_sound, endpoint.most = endpoint.num_asked + rng.randrange(4, 30), most
    try:
        return Command(config, directory, *words).outcome()
    finally:
        endpoint.chance = 0.0


SIGNAL_FAULTS: dict[str, Disturb] = {
    number.name: by_signal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
}
BUDGET_FAULTS: dict[str, Disturb] = {
    "stopped at budgets": stopped_by_budgets,
    "driver killed, with a budget": killed_with_budget,
}
FAILING_MODEL_FAULTS: dict[str, Against] = {
    "a model fails in a row": breaking,
    "a model fails in a row, --keep-going": pausing,
}
