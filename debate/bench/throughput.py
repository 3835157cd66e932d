"""Part c: tokens per second of a debate, by those of the same requests sent all at once."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from debate.agents.agent import Agent, make_sampling
from debate.bench.workloads import Measurement, Results, make_long_prompt_config, read_turns
from debate.cluster.launch import launch_models
from debate.cluster.resources import count_local_gpus
from debate.config.loader import load_run
from debate.engines.base import Completion, Request
from debate.engines.client import ModelClient, compute_affinity_weight
from debate.engines.replica import LocalReplica
from debate.engines.replica_queue import ReplicaQueue
from debate.errors import EngineError
from debate.runner.concurrency import reduce_gc, run_debates
from debate.runner.execute import compute_num_workers, has_sleeping_replicas
from debate.runner.monitoring import RunProgress
from debate.runner.plan import Plan, make_plan, open_log
from debate.types import Turn, Usage

CARDS = ("adder", "multiplier", "modder")
ORGANISM_KWARGS = {
    "max_model_len": 256,
    "block_size": 32,
    "kv_cache_memory_bytes": 64 * 2**20,
}
"""vLLM arguments for the organisms, small enough that three of them share a GPU, or a CPU."""

ORGANISM_CPU_KWARGS = {"enforce_eager": True, "max_num_seqs": 64}
"""vLLM arguments on CPUs: batches small enough that the debates keep them full. Larger ones gain
little there."""

COMPARABLE = ["probes=[]", "cluster.orchestrators=1"]
"""Overrides that leave the debate only calls that can also be sent at once, from one process."""

Clients = Mapping[str, ModelClient]
Requests = Mapping[str, Sequence[Request]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """The prompt and generated tokens of all calls, and the seconds for them.

    The seconds run from the first request to the last reply; in a debate, until the last turn is
    on disk.
    """

    num_calls: int
    num_tokens: int
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second."""
        return self.num_tokens / self.seconds


class ThroughputPair(NamedTuple):
    """A debate, and its requests sent at once right after it."""

    debate: Throughput
    at_once: Throughput

    @property
    def ratio(self) -> float:
        """Tokens per second of the debate by those at once."""
        return self.debate.tokens_per_s / self.at_once.tokens_per_s


class PairTimings(NamedTuple):
    """The pairs, and whether every engine had a prefix cache to empty."""

    pairs: list[ThroughputPair]
    has_prefix_caches: bool


def measure_throughput(folder: Path, *, quick: bool, config: str | None = None) -> Results:
    """Measure a debate and its requests at once, in turn, at the same engines.

    `config` is a run of the user's own. By default the organisms debate, with a few tokens per
    call, and then, with vLLM, a random model with as many tokens as real ones.
    """
    yield compare_legs(config or make_organism_config(quick=quick), folder, quick=quick)
    if config is None and not quick and find_spec("vllm") is not None:
        own = folder / "long"
        own.mkdir()
        long_prompts = make_long_prompt_config(own, quick=quick)
        yield compare_legs(long_prompts, own, quick=quick, what="long prompts")


def make_organism_config(*, quick: bool) -> dict[str, Any]:
    """Return a ring of the shipped organisms: through vLLM if installed, else transformers."""
    model: dict[str, Any] = {"max_in_flight": 1024}
    if find_spec("vllm") is not None:
        gpus = 0.3 if count_local_gpus() else 0
        kwargs = ORGANISM_KWARGS if gpus else ORGANISM_KWARGS | ORGANISM_CPU_KWARGS
        model |= {"engine": "vllm", "gpus": gpus, "engine_kwargs": kwargs}
    return {
        "agents": [{"id": name, "card": name, "model": model} for name in CARDS],
        "topology": "ring",
        "rounds": 3,
        "task": {"generator": "arithmetic", "n": 200 if quick else 400},
    }


def compare_legs(
    config: Mapping[str, Any] | str, folder: Path, *, quick: bool, what: str = ""
) -> Measurement:
    """Time a run's debate and its requests at once, several times each."""
    plan = make_plan(load_run(config, COMPARABLE))
    first = make_plan(load_run(config, [*COMPARABLE, "log.prompts=true"]))
    timings = asyncio.run(time_pairs(plan, first, folder, num=3 if quick else 5))
    engines = ", ".join(sorted({spec.engine for spec in plan.models.values()}))
    return summarize_pairs(timings, f"{engines}, {what}" if what else engines)


async def time_pairs(plan: Plan, first: Plan, folder: Path, *, num: int) -> PairTimings:
    """Time `num` pairs at engines that have done both legs once already.

    `first` is the same run with its prompts kept. Prefix caches are emptied before every leg.
    """
    async with launch_models(plan.models, plan.spec.cluster, run="bench") as clients:
        await time_debate(first, clients, folder / "first")
        requests = rebuild_requests(plan, select_calls(read_turns(folder / "first")))
        await time_at_once(requests, clients)
        has_prefix_caches, pairs = True, []
        for n in range(num):
            has_prefix_caches &= await reset_prefix_caches(clients.values())
            debate = await time_debate(plan, clients, folder / f"pair-{n}")
            has_prefix_caches &= await reset_prefix_caches(clients.values())
            pairs.append(ThroughputPair(debate, await time_at_once(requests, clients)))
    return PairTimings(pairs, has_prefix_caches)


def summarize_pairs(timings: PairTimings, engines: str) -> Measurement:
    """Return the pair of the median ratio, with the range of all."""
    ordered = sorted(timings.pairs, key=lambda pair: pair.ratio)
    median = ordered[len(ordered) // 2]
    emptied = timings.has_prefix_caches
    caches = "prefix caches emptied before each" if emptied else "no prefix caches"
    return Measurement(
        part="c",
        what=f"{engines}: tokens a second in a debate",
        value=median.debate.tokens_per_s,
        unit="tokens/s",
        against=median.at_once.tokens_per_s,
        against_what="the same requests at once",
        note=f"median of {len(ordered)} pairs by turns at warm engines, "
        f"{ordered[0].ratio:.2f} to {ordered[-1].ratio:.2f}; {caches}; "
        f"{median.debate.num_calls:,} calls and {median.debate.num_tokens:,} prompt and "
        f"generated tokens in {median.debate.seconds:.1f} s",
    )


async def time_debate(plan: Plan, clients: Clients, directory: Path) -> Throughput:
    """Debate the plan's questions in a directory of their own."""
    metrics = [client.metrics() for client in clients.values()]
    num_workers = compute_num_workers(plan, time_sharing=has_sleeping_replicas(metrics))
    tally = RunProgress(models=plan.models, num_debates=plan.num_debates)
    with open_log(plan, directory) as log:
        started = time.perf_counter()
        await run_debates(
            plan.work,
            plan.cells,
            num_workers=num_workers,
            clients=clients,
            log=log,
            watcher=tally,
            cache=None,
            stale=[],
        )
        seconds = time.perf_counter() - started
    return make_throughput([turn.usage for turn in select_calls(read_turns(directory))], seconds)


async def time_at_once(requests: Requests, clients: Clients) -> Throughput:
    """Send the requests in one call to each replica, past the client's queue.

    Each goes to its home replica, as in a debate. Raises EngineError where one fails.
    """
    with reduce_gc():
        started = time.perf_counter()
        legs = (complete_all(own, clients[model]) for model, own in requests.items())
        parts = await asyncio.gather(*legs)
        seconds = time.perf_counter() - started
    return make_throughput([reply.usage for part in parts for reply in part], seconds)


async def complete_all(requests: Sequence[Request], client: ModelClient) -> list[Completion]:
    """Return one model's replies.

    An endpoint with limits, and a model that takes turns on a device, are called through the
    client, since both must be asked at their own pace.
    """
    if any(is_gated(replica_queue) for replica_queue in client.replica_queues):
        replies = await asyncio.gather(*(client.complete(request) for request in requests))
        return require_success(replies)
    by_lane: dict[int, list[Request]] = defaultdict(list)
    for request in requests:
        home = max(
            range(len(client.replica_queues)),
            key=lambda n: compute_affinity_weight(request.affinity, n),
        )
        by_lane[home].append(request)
    parts = (collect_replies(client.replica_queues[n], own) for n, own in by_lane.items())
    return [reply for part in await asyncio.gather(*parts) for reply in part]


async def collect_replies(
    replica_queue: ReplicaQueue, requests: Sequence[Request]
) -> list[Completion]:
    """Return all of a replica's replies to one call."""
    lists = replica_queue.replica.complete(requests)
    return require_success([reply async for completions in lists for reply in completions])


def is_gated(replica_queue: ReplicaQueue) -> bool:
    """Whether a replica must not be asked past its queue."""
    return replica_queue.on_change is not None or isinstance(replica_queue.replica, LocalReplica)


def require_success(replies: Sequence[Completion]) -> list[Completion]:
    """Return the replies. Raises EngineError for a failure among them."""
    for reply in replies:
        if reply.failure is not None:
            raise EngineError(reply.failure.message, boundary=reply.failure.boundary)
    return list(replies)


def make_throughput(usages: Sequence[Usage], seconds: float) -> Throughput:
    """Sum over calls. Raises EngineError for an engine that counts no tokens."""
    num_tokens = sum((usage.prompt_tokens or 0) + (usage.generated_tokens or 0) for usage in usages)
    if not num_tokens:
        raise EngineError("the engine counts no tokens", boundary="benchmark")
    return Throughput(num_calls=len(usages), num_tokens=num_tokens, seconds=seconds)


async def reset_prefix_caches(clients: Iterable[ModelClient]) -> bool:
    """Empty every prefix cache; whether every engine has one."""
    had = [
        await replica_queue.replica.reset_prefix_cache()
        for each in clients
        for replica_queue in each.replica_queues
    ]
    return all(had)


def select_calls(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns that took a call to a model and got a reply.

    Raises EngineError where there are none.
    """
    asked = [turn for turn in turns if turn.shared_with is None]
    made = [turn for turn in asked if turn.failure is None]
    if not made:
        first = asked[0].failure if asked else None
        why = f": {first.boundary}: {first.message}" if first else ""
        raise EngineError(f"no call of the debate succeeded{why}", boundary="benchmark")
    return made


def rebuild_requests(plan: Plan, turns: Sequence[Turn]) -> dict[str, list[Request]]:
    """Return the requests that the turns answered, by model. The turns must have their prompts."""
    agents: dict[str, Agent] = {a.id: a for cell in plan.cells for a in cell.agents.values()}
    found: dict[str, list[Request]] = {}
    for turn in turns:
        request = Request(
            id=f"{turn.cell}/{turn.question}/{turn.seed}/{turn.ref}",
            messages=turn.prompt or (),
            sampling=make_sampling(agents[turn.agent], turn.sampling_seed),
            affinity=f"{turn.question}/{turn.seed}",
        )
        found.setdefault(turn.model, []).append(request)
    return found
