"""Part b: how much longer than they must debates over an endpoint of known latency take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from debate.bench.bare import bare_loop
from debate.bench.critical_path import by_debate, critical_path_s, quantile, spans_s
from debate.bench.debates import Timed, makespan_s, seats, timed, write_questions
from debate.bench.endpoint import endpoint, held_back_s
from debate.bench.measure import Measure, Results
from debate.config.shipped import shipped
from debate.topologies import default_seats, load_topology
from debate.types import Turn

SEATS = 4
FIXED_MS = 500
UNEQUAL_MS = (200, 500, 2000)


def measure(folder: Path, *, quick: bool) -> Results:
    """Every shipped topology, the wide case, the long case in process, unequal latencies."""
    with endpoint() as url:
        for topology in shipped("topologies"):
            yield _topology(folder, url, topology, num=5 if quick else 25)
        yield from _wide(folder, url, num=20 if quick else 200)
        yield from _long(folder, url, num=50 if quick else 1000)
        yield from _unequal(folder, url, num=10 if quick else 100)


def served(url: str, model: str) -> dict[str, Any]:
    """A model at the endpoint that all its requests may reach at once."""
    return {
        "engine": "openai",
        "url": url,
        "model": model,
        "max_in_flight": 4096,
        "logprobs": False,
        "retries": 0,
    }


def _topology(folder: Path, url: str, topology: str, *, num: int) -> Measure:
    model = served(url, f"fixed-{FIXED_MS}")
    wanted = default_seats(SEATS, load_topology(topology))
    config = {
        "agents": [
            {"id": seat.id, "role": seat.role, "model": model, "sampling": {"temperature": 1.0}}
            for seat in wanted
        ],
        "topology": topology,
        "task": write_questions(folder, num),
        "rounds": 2,
        "max_debates": num,
    }
    return _against_bound(timed(config, folder / topology), f"{topology}, {num} questions")


def _against_bound(done: Timed, what: str) -> Measure:
    """The makespan against the longest critical path of any debate."""
    turns = done.turns()
    return Measure(
        part="b",
        what=what,
        value=makespan_s(turns),
        unit="s",
        against=max(critical_path_s(own, _held) for own in by_debate(turns).values()),
        against_what="critical path",
        note=f"{len(turns):,} calls",
    )


def _held(turn: Turn) -> float:
    return held_back_s(turn.text)


def _wide(folder: Path, url: str, *, num: int) -> Results:
    """Many questions at once over two passes, beside a bare loop that sends as many calls."""
    model = f"fixed-{FIXED_MS}"
    config = _ring(folder, [served(url, model)] * 3, num=num, rounds=1)
    done = timed(config, folder / "wide")
    what = f"{num} questions × 3 agents × 2 passes"
    yield _against_bound(done, what)
    bare = bare_loop(url, model, calls_per_wave=3 * num, waves=2)
    yield Measure(
        part="b",
        what=f"{what}: CPU of the client",
        value=1000 * done.cpu_s / done.num_turns,
        unit="ms/call",
        against=1000 * bare.cpu_s_per_call,
        against_what="bare aiohttp loop",
        note="prompts, parsing, decisions and the log included",
    )
    yield Measure(
        part="b",
        what=f"{what}: bare aiohttp loop",
        value=bare.wall_s,
        unit="s",
        against=2 * FIXED_MS / 1000,
        against_what="critical path",
    )


def _long(folder: Path, url: str, *, num: int) -> Results:
    """Many questions over three rounds: over HTTP, and with the latency in this process."""
    what = f"{num:,} questions × 3 agents × 3 rounds"
    over_http = [served(url, f"fixed-{FIXED_MS}")] * 3
    yield _against_bound(
        timed(_ring(folder, over_http, num=num, rounds=3), folder / "long-http"),
        f"{what}, HTTP",
    )
    held = FIXED_MS / 1000
    reply = f"Answer: 7\nHeld back: {held:.6f} s"
    inside = {"engine": "scripted", "replies": reply, "latency_s": held, "max_in_flight": 4096}
    yield _against_bound(
        timed(_ring(folder, [inside] * 3, num=num, rounds=3), folder / "long-inside"),
        f"{what}, no HTTP",
    )


def _unequal(folder: Path, url: str, *, num: int) -> Results:
    """A ring of models of unequal speed with heavy tails: each debate by its own critical path."""
    models = [served(url, f"tail-{ms}") for ms in UNEQUAL_MS]
    done = timed(_ring(folder, models, num=num, rounds=3), folder / "unequal")
    turns = done.turns()
    spans = spans_s(turns)
    ratios = [
        spans[debate] / critical_path_s(own, _held) for debate, own in by_debate(turns).items()
    ]
    what = f"ring of {', '.join(f'{ms / 1000:g}' for ms in UNEQUAL_MS)} s, heavy tails"
    for name, share in (("median", 0.5), ("95th percentile", 0.95), ("worst", 1.0)):
        yield Measure(
            part="b",
            what=f"{what}: {name}",
            value=quantile(ratios, share),
            unit="× critical path",
            note=f"{len(ratios)} debates, each by its own",
        )


def _ring(
    folder: Path, models: Sequence[Mapping[str, Any]], *, num: int, rounds: int
) -> dict[str, Any]:
    return {
        "agents": seats(models, sampling={"temperature": 1.0}),
        "topology": "ring",
        "task": write_questions(folder, num),
        "rounds": rounds,
        "max_debates": num,
    }
