"""Part b: the time of debates at an endpoint of known latency, by the least time possible.

No debate can be faster than its critical path, the longest chain of calls that wait for one
another. A bare loop that sends as many calls without debating shows what the client costs.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from debate.bench.endpoint import parse_delay_s, run_endpoint
from debate.bench.workloads import (
    Measurement,
    Results,
    TimedRun,
    compute_makespan_s,
    make_seats,
    time_run,
    write_questions,
)
from debate.config.references import list_shipped
from debate.topologies import load_topology, make_default_seats
from debate.types import DebateKey, Turn

NUM_SEATS = 4
FIXED_MS = 500
UNEQUAL_MS = (200, 500, 2000)
OWN_KINDS = ("opening", "revision", "judgment")
"""Kinds of turn that stand in their own agent's later prompts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BareLoopTiming:
    """The time of a bare loop, and its CPU time per call, in seconds."""

    wall_s: float
    cpu_s_per_call: float


def measure_latency(folder: Path, *, quick: bool) -> Results:
    """Measure every shipped topology, many questions at once, long debates, unequal latencies."""
    with run_endpoint() as url:
        for topology in list_shipped("topologies"):
            yield _measure_topology(folder, url, topology, num=5 if quick else 25)
        yield from _measure_wide(folder, url, num=20 if quick else 200)
        yield from _measure_long(folder, url, num=50 if quick else 1000)
        yield from _measure_unequal(folder, url, num=10 if quick else 100)


def make_endpoint_model(url: str, model: str) -> dict[str, Any]:
    """Return a model at the endpoint that all its requests may reach at once."""
    return {
        "engine": "openai",
        "url": url,
        "model": model,
        "max_in_flight": 4096,
        "logprobs": False,
        "retries": 0,
    }


def _measure_topology(folder: Path, url: str, topology: str, *, num: int) -> Measurement:
    model = make_endpoint_model(url, f"fixed-{FIXED_MS}")
    config = {
        "agents": [
            {"id": seat.id, "role": seat.role, "model": model, "sampling": {"temperature": 1.0}}
            for seat in make_default_seats(NUM_SEATS, load_topology(topology))
        ],
        "topology": topology,
        "task": write_questions(folder, num),
        "rounds": 2,
        "max_debates": num,
    }
    return _compare_with_bound(time_run(config, folder / topology), f"{topology}, {num} questions")


def _measure_wide(folder: Path, url: str, *, num: int) -> Results:
    """Many questions at once over two passes, beside a bare loop that sends as many calls."""
    model = f"fixed-{FIXED_MS}"
    config = _make_ring_config(folder, [make_endpoint_model(url, model)] * 3, num=num, rounds=1)
    run = time_run(config, folder / "wide")
    what = f"{num} questions × 3 agents × 2 passes"
    yield _compare_with_bound(run, what)
    bare = run_bare_loop(url, model, calls_per_wave=3 * num, waves=2)
    yield Measurement(
        part="b",
        what=f"{what}: CPU of the client",
        value=1000 * run.cpu_s / run.num_turns,
        unit="ms/call",
        against=1000 * bare.cpu_s_per_call,
        against_what="bare aiohttp loop",
        note="prompts, parsing, decisions and the log included",
    )
    yield Measurement(
        part="b",
        what=f"{what}: bare aiohttp loop",
        value=bare.wall_s,
        unit="s",
        against=2 * FIXED_MS / 1000,
        against_what="critical path",
    )


def _measure_long(folder: Path, url: str, *, num: int) -> Results:
    """Many questions over three rounds: over HTTP, and with the latency in this process."""
    what = f"{num:,} questions × 3 agents × 3 rounds"
    over_http = [make_endpoint_model(url, f"fixed-{FIXED_MS}")] * 3
    config = _make_ring_config(folder, over_http, num=num, rounds=3)
    yield _compare_with_bound(time_run(config, folder / "long-http"), f"{what}, HTTP")
    delay_s = FIXED_MS / 1000
    reply = f"Answer: 7\nHeld back: {delay_s:.6f} s"
    inside = {"engine": "scripted", "replies": reply, "latency_s": delay_s, "max_in_flight": 4096}
    config = _make_ring_config(folder, [inside] * 3, num=num, rounds=3)
    yield _compare_with_bound(time_run(config, folder / "long-inside"), f"{what}, no HTTP")


def _measure_unequal(folder: Path, url: str, *, num: int) -> Results:
    """A ring of models of unequal speed with heavy tails: each debate by its own critical path."""
    models = [make_endpoint_model(url, f"tail-{ms}") for ms in UNEQUAL_MS]
    config = _make_ring_config(folder, models, num=num, rounds=3)
    turns = time_run(config, folder / "unequal").read_turns()
    spans = compute_spans_s(turns)
    ratios = [
        spans[debate] / compute_critical_path_s(own, _get_delay_s)
        for debate, own in group_by_debate(turns).items()
    ]
    what = f"ring of {', '.join(f'{ms / 1000:g}' for ms in UNEQUAL_MS)} s, heavy tails"
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("worst", 1.0)):
        yield Measurement(
            part="b",
            what=f"{what}: {name}",
            value=compute_quantile(ratios, share),
            unit="× critical path",
            note=f"{len(ratios)} debates, each by its own",
        )


def _make_ring_config(
    folder: Path, models: Sequence[Mapping[str, Any]], *, num: int, rounds: int
) -> dict[str, Any]:
    return {
        "agents": make_seats(models, sampling={"temperature": 1.0}),
        "topology": "ring",
        "task": write_questions(folder, num),
        "rounds": rounds,
        "max_debates": num,
    }


def _compare_with_bound(run: TimedRun, what: str) -> Measurement:
    """Compare the makespan with the longest critical path of any debate."""
    turns = run.read_turns()
    paths = [compute_critical_path_s(own, _get_delay_s) for own in group_by_debate(turns).values()]
    return Measurement(
        part="b",
        what=what,
        value=compute_makespan_s(turns),
        unit="s",
        against=max(paths),
        against_what="critical path",
        note=f"{len(turns):,} calls",
    )


def _get_delay_s(turn: Turn) -> float:
    return parse_delay_s(turn.text)


def group_by_debate(turns: Sequence[Turn]) -> dict[DebateKey, list[Turn]]:
    """Return the turns of each debate."""
    found: dict[DebateKey, list[Turn]] = {}
    for turn in turns:
        found.setdefault(turn.debate, []).append(turn)
    return found


def compute_critical_path_s(turns: Sequence[Turn], latency_s: Callable[[Turn], float]) -> float:
    """Return the seconds that one debate takes if each of its calls starts as soon as it can.

    A turn waits for the turns that it heard and for its agent's own turns of earlier rounds, since
    all of these stand in its prompt. `latency_s` returns the seconds of a turn's call.

    >>> def turn(agent, round, *heard):
    ...     kind = "revision" if round else "opening"
    ...     return Turn(cell="m", question="q", seed=0, round=round, kind=kind, agent=agent,
    ...                 model=agent, heard=heard)
    >>> slow = {"a": 1.0, "b": 0.25}
    >>> turns = [turn("a", 0), turn("b", 0), turn("b", 1, "0:opening:a")]
    >>> compute_critical_path_s(turns, lambda turn: slow[turn.agent])
    1.25
    """
    by_ref = {turn.ref: turn for turn in turns}
    finished: dict[str, float] = {}

    def finish(ref: str) -> float:
        if ref not in finished:
            before = find_dependencies(by_ref[ref], by_ref)
            finished[ref] = max(map(finish, before), default=0.0) + latency_s(by_ref[ref])
        return finished[ref]

    return max(map(finish, by_ref), default=0.0)


def find_dependencies(turn: Turn, known: Container[str]) -> list[str]:
    """Return the refs among `known` of the turns that must end before this one can be asked for."""
    own = [f"{round}:{kind}:{turn.agent}" for round in range(turn.round) for kind in OWN_KINDS]
    return [ref for ref in (*turn.heard, *own) if ref in known]


def compute_spans_s(turns: Sequence[Turn]) -> dict[DebateKey, float]:
    """Return the seconds of each debate, from its first call to its last turn's end."""
    return {debate: compute_makespan_s(own) for debate, own in group_by_debate(turns).items()}


def compute_quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all values does not exceed.

    >>> compute_quantile([3, 1, 2, 4], 0.5), compute_quantile([3, 1, 2, 4], 0.95)
    (2, 4)
    """
    ordered = sorted(values)
    rank = max(1, -(-round(share * 1e9) * len(ordered) // 10**9))
    return ordered[rank - 1]


def run_bare_loop(url: str, model: str, *, calls_per_wave: int, waves: int) -> BareLoopTiming:
    """Send waves of calls to the endpoint; a wave begins when the one before it is answered."""
    return asyncio.run(_run_bare_loop(url, model, calls_per_wave, waves))


async def _run_bare_loop(url: str, model: str, num: int, waves: int) -> BareLoopTiming:
    message = {"role": "user", "content": "What is 1 + 2? End with one line: Answer: <number>."}
    body = json.dumps({"model": model, "messages": [message], "max_tokens": 512}).encode()
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def call() -> None:
            async with session.post(f"{url}/chat/completions", data=body) as response:
                json.loads(await response.read())

        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(waves):
            await asyncio.gather(*(call() for _ in range(num)))
        return BareLoopTiming(
            wall_s=time.perf_counter() - wall,
            cpu_s_per_call=(time.process_time() - cpu) / (num * waves),
        )
