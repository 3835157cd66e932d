"""Every fault as a schedule: disturb a run by seed, resume it, compare it with an undisturbed one.

A disturber leaves a directory in which the run was begun and went wrong, and says how often it
struck; a schedule that never struck proves nothing and is drawn again.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debate.engines.base import Engine
from debate.engines.openai import OpenaiEngine
from debate.engines.rate_limit import Backoff
from debate.runner.verify_run import verify_run
from tests.faults.debates import Config, Disturb, draw_debates, hurry
from tests.faults.driver import disturbed, undisturbed
from tests.faults.endpoint import MISDEEDS, Endpoint, Misdeed, serving
from tests.faults.engines import EMPTY, MALFORMED, NOT_A_NUMBER, Faults, FaultyEngine
from tests.faults.on_commands import (
    BUDGET_FAULTS,
    FAILING_MODEL_FAULTS,
    SIGNAL_FAULTS,
    TIMEOUT_S,
    stopped_a_while,
)
from tests.faults.on_files import FILE_AND_PROCESS_FAULTS
from tests.faults.on_ray import RAY_FAULTS, by_orchestrators, one_model
from tests.faults.records import Comparison, compare, read

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
                problems=tuple(str(problem) for problem in verify_run(other).problems),
                num_turns=len(sound.turns),
            )
    raise AssertionError(f"{fault}: {MOST_DRAWS} schedules, and none of them struck")


@contextmanager
def _world(fault: str, rng: random.Random) -> Iterator[tuple[Config, Disturb]]:
    """A drawn configuration and what disturbs it."""
    config = draw_debates(rng, num_questions=rng.randint(2, 4))
    if fault in SHARDED_FAULTS:
        with _world(fault.removesuffix(IN_SHARDS), rng) as (config, disturb):
            yield _many(config, rng), by_orchestrators(disturb)
    elif fault in ENGINE_FAULTS:
        if ENGINE_FAULTS[fault].hanging:
            hurry(config, timeout_s=0.3)
        yield config, _by_engine(ENGINE_FAULTS[fault], f"{fault}/{rng.random()}")
    elif fault in RAY_FAULTS:
        yield one_model(draw_debates(rng, num_questions=12)), RAY_FAULTS[fault]
    elif fault in FAILING_MODEL_FAULTS:
        with serving() as endpoint:
            config = _at(endpoint, config, rng)
            hurry(config, max_failures=rng.randint(2, 4), pause_s=0.005, retries=0)
            yield config, FAILING_MODEL_FAULTS[fault](endpoint)
    elif fault in ENDPOINT_FAULTS:
        with serving() as endpoint:
            yield _at(endpoint, config, rng), _by_endpoint(endpoint, ENDPOINT_FAULTS[fault])
    elif fault == STOPPED:
        hurry(config, timeout_s=TIMEOUT_S, latency_s=0.9 * TIMEOUT_S)
        yield config | {"rounds": 1, "seeds": [0], "max_debates": 16}, stopped_a_while
    else:
        hurry(config, latency_s=LATENCY_S.get(fault, 0.0))
        yield config, {**FILE_AND_PROCESS_FAULTS, **SIGNAL_FAULTS, **BUDGET_FAULTS}[fault]


def _many(config: Config, rng: random.Random) -> Config:
    """The run with more questions, of simulated models sometimes as one in actors."""
    many = {**config, "task": {**config["task"], "n": 12}}
    is_simulated = config["agents"][0]["model"]["engine"] == "simulated"
    return one_model(many) if is_simulated and rng.random() < 0.5 else many


def patient(config: Config) -> Config:
    """The same run with all the time in the world; how long it waits is no part of what it is."""
    calm: dict[str, Any] = json.loads(json.dumps(config))
    hurry(calm, timeout_s=600)
    return calm


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
        raising=0.03,
        raising_midway=0.03,
        losing=0.05,
        forgetting=0.02,
        repeating=0.05,
        spoiling=0.03,
        spoils=(*MALFORMED.values(), *EMPTY.values(), *NOT_A_NUMBER.values()),
    ),
}


def _by_engine(faults: Faults, seed: str) -> Disturb:
    def disturb(config: Config, directory: Path, rng: random.Random) -> int:
        struck: list[FaultyEngine] = []

        def wrap(name: str, engine: Engine) -> Engine:
            struck.append(FaultyEngine(engine, faults, f"{seed}/{name}"))
            return struck[-1]

        disturbed(config, directory, wrap)
        return sum(engine.num_struck for engine in struck)

    return disturb


ENDPOINT_FAULTS: dict[str, tuple[Misdeed, ...]] = {
    **{f"endpoint: {name}": (misdeed,) for name, misdeed in MISDEEDS.items()},
    "endpoint: everything at once": tuple(MISDEEDS.values()),
}


def _at(endpoint: Endpoint, config: dict[str, Any], rng: random.Random) -> Config:
    """The debate with its seats at the endpoint, where no belief can be asked."""
    for agent in config["agents"]:
        agent["model"] = {
            "engine": "openai",
            "model": agent["id"],
            "url": endpoint.url,
            "timeout_s": 0.5,
            "retries": rng.choice([0, 1]),
            "max_in_flight": 16,
        }
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


LATENCY_S = dict.fromkeys((*SIGNAL_FAULTS, "folder renamed away and back"), 0.01)
"""For faults that must meet a run under way."""
STOPPED = "driver stopped a while"
COMMAND_FAULTS = (*SIGNAL_FAULTS, STOPPED, *BUDGET_FAULTS, *FAILING_MODEL_FAULTS)
IN_SHARDS = ", 2 orchestrators"
SHARDED_FAULTS = tuple(
    f"{fault}{IN_SHARDS}"
    for fault in (
        *SIGNAL_FAULTS,
        *BUDGET_FAULTS,
        *FAILING_MODEL_FAULTS,
        "driver killed",
        "folder renamed away and back",
        "lock deleted, and a second process",
    )
)
FAULTS = (*ENGINE_FAULTS, *ENDPOINT_FAULTS, *FILE_AND_PROCESS_FAULTS, *COMMAND_FAULTS)
"""All that need no cluster; those of `RAY_FAULTS` start one for each schedule, and those of
`SHARDED_FAULTS` one in all."""
