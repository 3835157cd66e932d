"""Part c: tokens a second in a debate by tokens a second of the same requests sent all at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from debate.agents.agent import Agent, sampling
from debate.bench.debates import makespan_s, timed
from debate.bench.measure import Measure, Results
from debate.bench.prefixes import BLOCK, measure_prefixes
from debate.cluster.models import running_models
from debate.cluster.resources import num_local_gpus
from debate.config.resolve import load_run
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient
from debate.errors import EngineError
from debate.types import Turn
from debate.wiring.plan import Plan, make_plan

SEATS = ("adder", "multiplier", "modder")
SMALL = {"max_model_len": 256, "block_size": 32, "kv_cache_memory_bytes": 64 * 2**20}
"""Room for the organisms, so that three of them share a GPU, or a CPU."""


def organisms(*, quick: bool) -> dict[str, Any]:
    """The shipped organisms in a ring: through vLLM where it is installed, else transformers."""
    model: dict[str, Any] = {"max_in_flight": 1024}
    if find_spec("vllm") is not None:
        gpus = 0.3 if num_local_gpus() else 0
        kwargs = SMALL if gpus else {**SMALL, "enforce_eager": True}
        model |= {"engine": "vllm", "gpus": gpus, "engine_kwargs": kwargs}
    return {
        "agents": [{"id": name, "card": name, "model": model} for name in SEATS],
        "topology": "ring",
        "rounds": 3,
        "task": {"generator": "arithmetic", "n": 40 if quick else 400},
    }


def measure(folder: Path, *, quick: bool, config: str | None = None) -> Results:
    """A debate, then all of its requests at once, at engines started anew.

    `config` is a run of the user's own; by default the organisms debate.
    """
    wanted = config or organisms(quick=quick)
    plan = make_plan(load_run(wanted, ["log.prompts=true"]))
    done = timed(wanted, folder / "debated", overrides=["log.prompts=true"])
    made = [turn for turn in done.turns() if turn.shared_with is None and turn.kind != "probe"]
    turns = [turn for turn in made if turn.failure is None]
    if not turns:
        raise EngineError("no call of the debate succeeded", boundary="benchmark")
    names = ", ".join(sorted({plan.spec.models[name].engine for name in plan.models}))
    yield Measure(
        part="c",
        what=f"{names}: tokens a second in a debate",
        value=sum(map(num_tokens, turns)) / makespan_s(turns),
        unit="tokens/s",
        against=asyncio.run(_at_once(plan, turns)),
        against_what="the same requests at once",
        note=f"{len(turns):,} calls; prompt and generated tokens; {done.wall_s:.0f} s in all",
    )
    yield measure_prefixes(turns, names, block=_block(plan))


def num_tokens(turn: Turn) -> int:
    """Tokens that the turn's call has read and written."""
    return (turn.usage.prompt_tokens or 0) + (turn.usage.generated_tokens or 0)


def requests(plan: Plan, turns: Sequence[Turn]) -> dict[str, list[Request]]:
    """The requests that the turns replied to, by model. The turns must have kept their prompts."""
    agents: dict[str, Agent] = {a.id: a for cell in plan.cells for a in cell.agents.values()}
    found: dict[str, list[Request]] = {}
    for turn in turns:
        request = Request(
            id=f"{turn.cell}/{turn.question}/{turn.seed}/{turn.ref}",
            messages=turn.prompt or (),
            sampling=sampling(agents[turn.agent], turn.sampling_seed),
            affinity=f"{turn.question}/{turn.seed}",
        )
        found.setdefault(turn.model, []).append(request)
    return found


async def _at_once(plan: Plan, turns: Sequence[Turn]) -> float:
    """Tokens a second of all requests of the turns, sent at the same moment."""
    by_model = requests(plan, turns)
    specs = {name: plan.spec.models[name] for name in by_model}
    async with running_models(specs, plan.spec.cluster, run="bench") as clients:
        started = time.perf_counter()
        replies = await asyncio.gather(
            *(_complete(clients[name], request) for name in specs for request in by_model[name])
        )
        seconds = time.perf_counter() - started
    usages = [reply.usage for reply in replies]
    return sum((u.prompt_tokens or 0) + (u.generated_tokens or 0) for u in usages) / seconds


async def _complete(client: ModelClient, request: Request) -> Completion:
    reply = await client.complete(request)
    if reply.failure is not None:
        raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return reply


def _block(plan: Plan) -> int:
    """The size of a block of the prefix cache, in tokens."""
    kwargs: list[Mapping[str, Any]] = [
        getattr(plan.spec.models[name], "engine_kwargs", {}) for name in plan.models
    ]
    return max((int(each.get("block_size", BLOCK)) for each in kwargs), default=BLOCK)
