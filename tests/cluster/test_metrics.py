"""What a run did, as Prometheus reads it from Ray's own endpoint."""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from tests.support import run, scripted

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.ray

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Where a local Ray exports its metrics."""
    import ray

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        logging_level="ERROR",
        _metrics_export_port=port,
        _system_config={"metrics_report_interval_ms": 500},
    )
    yield f"http://127.0.0.1:{port}/metrics"
    ray.shutdown()


def scraped(endpoint: str, *, until: str) -> str:
    """What the endpoint says as soon as `until` is in it."""
    deadline, pause = time.monotonic() + PATIENCE_S, Event()
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(endpoint, timeout=PATIENCE_S) as reply:
            said: str = reply.read().decode()
            if until in said:
                return said
        pause.wait(0.2)
    raise TimeoutError(f"no {until} at {endpoint} in {PATIENCE_S:g} s")


def value(said: str, name: str, **tags: str) -> float:
    """The number of the one line of that name and those tags."""
    lines = [line for line in said.splitlines() if line.startswith(f"{name}{{")]
    found = [
        float(line.rpartition(" ")[2])
        for line in lines
        if all(re.search(rf'[{{,]{tag}="{re.escape(text)}"', line) for tag, text in tags.items())
    ]
    assert len(found) == 1, (name, tags, found)
    return found[0]


def test_prometheus_sees_the_times_of_requests_by_model_and_replica(
    endpoint: str, tmp_path: Path
) -> None:
    seats = [scripted("a", "Answer: 4"), scripted("b", "Answer: 5", latency_s=0.3)]
    for seat in seats:
        seat["model"]["host"] = "actor"
    run(tmp_path, seats, num_questions=3, rounds=1)
    said = scraped(endpoint, until='model="b"')
    counted = {model: {"run": "run", "model": model, "replica": "0"} for model in "ab"}
    for model, tags in counted.items():
        assert value(said, "ray_debate_done_total", **tags) == 6, model
        for name in ("queue_wait_s", "generation_s"):
            assert value(said, f"ray_debate_{name}_count", **tags) == 6
    slow = "ray_debate_generation_s_bucket"
    assert value(said, slow, le="0.25", **counted["b"]) == 0
    assert value(said, "ray_debate_busy", **counted["a"]) <= 1
