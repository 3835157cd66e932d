"""Part c: tokens a second in a debate by tokens a second of the same requests sent all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from debate.agents.agent import Agent, sampling
from debate.bench.debates import recorded
from debate.bench.legs import Leg, calls, debated, forget_prefixes, given_at_once
from debate.bench.measure import Measure, Results
from debate.bench.throwaway import long_prompts
from debate.cluster.models import running_models
from debate.cluster.resources import num_local_gpus
from debate.config.resolve import load_run
from debate.engines.base import Request
from debate.types import Turn
from debate.wiring.plan import Plan, make_plan

SEATS = ("adder", "multiplier", "modder")
SMALL = {"max_model_len": 256, "block_size": 32, "kv_cache_memory_bytes": 64 * 2**20}
"""Room for the organisms, so that three of them share a GPU, or a CPU."""

ON_CPU = {"enforce_eager": True, "max_num_seqs": 64}
"""Batches that the debates under way can keep full: on a CPU larger ones gain little."""

PLAIN = ["probes=[]", "cluster.orchestrators=1"]
"""What both legs can do alike: ask what a debate asks, from one process."""


class Pair(NamedTuple):
    """A debate, and its requests at once right after it."""

    debate: Leg
    at_once: Leg

    @property
    def ratio(self) -> float:
        """Tokens a second in the debate by those at once."""
        return self.debate.rate / self.at_once.rate


class Timings(NamedTuple):
    """The pairs, and whether every engine had a prefix cache to empty."""

    pairs: list[Pair]
    forgot: bool


def organisms(*, quick: bool) -> dict[str, Any]:
    """The shipped organisms in a ring: through vLLM where it is installed, else transformers."""
    model: dict[str, Any] = {"max_in_flight": 1024}
    if find_spec("vllm") is not None:
        gpus = 0.3 if num_local_gpus() else 0
        kwargs = SMALL if gpus else {**SMALL, **ON_CPU}
        model |= {"engine": "vllm", "gpus": gpus, "engine_kwargs": kwargs}
    return {
        "agents": [{"id": name, "card": name, "model": model} for name in SEATS],
        "topology": "ring",
        "rounds": 3,
        "task": {"generator": "arithmetic", "n": 200 if quick else 400},
    }


def measure(folder: Path, *, quick: bool, config: str | None = None) -> Results:
    """A debate and all of its requests at once, by turns, at the same engines.

    `config` is a run of the user's own; by default the organisms debate, with a few tokens a call,
    and then, with vLLM, a throwaway model with as many as real ones.
    """
    yield compared(config or organisms(quick=quick), folder, quick=quick)
    if config is None and not quick and find_spec("vllm") is not None:
        long = folder / "long"
        long.mkdir()
        yield compared(long_prompts(long, quick=quick), long, quick=quick, what="long prompts")


def compared(
    wanted: Mapping[str, Any] | str, folder: Path, *, quick: bool, what: str = ""
) -> Measure:
    """The two legs of one run."""
    plan = make_plan(load_run(wanted, PLAIN))
    first = make_plan(load_run(wanted, [*PLAIN, "log.prompts=true"]))
    timings = asyncio.run(timed_pairs(plan, first, folder, num=3 if quick else 5))
    engines = ", ".join(sorted({spec.engine for spec in plan.models.values()}))
    return measure_pairs(timings, f"{engines}, {what}" if what else engines)


async def timed_pairs(plan: Plan, first: Plan, folder: Path, *, num: int) -> Timings:
    """`num` pairs at engines that have done both legs once already.

    `first` is the same run with its prompts kept. Prefix caches are emptied before every leg.
    """
    async with running_models(plan.models, plan.spec.cluster, run="bench") as clients:
        await debated(first, clients, folder / "first")
        asked = requests(plan, calls(recorded(folder / "first")))
        await given_at_once(asked, clients)
        forgot, pairs = True, []
        for n in range(num):
            forgot &= await forget_prefixes(clients.values())
            debate = await debated(plan, clients, folder / f"pair-{n}")
            forgot &= await forget_prefixes(clients.values())
            pairs.append(Pair(debate, await given_at_once(asked, clients)))
    return Timings(pairs, forgot)


def measure_pairs(timings: Timings, engines: str) -> Measure:
    """The pair of the median ratio, with the range of all."""
    ordered = sorted(timings.pairs, key=lambda pair: pair.ratio)
    median = ordered[len(ordered) // 2]
    caches = "prefix caches emptied before each" if timings.forgot else "no prefix caches"
    return Measure(
        part="c",
        what=f"{engines}: tokens a second in a debate",
        value=median.debate.rate,
        unit="tokens/s",
        against=median.at_once.rate,
        against_what="the same requests at once",
        note=f"median of {len(ordered)} pairs by turns at warm engines, "
        f"{ordered[0].ratio:.2f} to {ordered[-1].ratio:.2f}; {caches}; "
        f"{median.debate.num_calls:,} calls and {median.debate.num_tokens:,} prompt and "
        f"generated tokens in {median.debate.seconds:.1f} s",
    )


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
