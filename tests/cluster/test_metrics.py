"""What a run did, as Prometheus reads it from Ray's own endpoint."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

pytest.importorskip("ray", reason="Ray is not installed")
pytest.importorskip(
    "opentelemetry.exporter.prometheus", reason="this Ray exports no metrics: it lacks ray[default]"
)
pytestmark = pytest.mark.ray

PATIENCE_S = 120.0


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """Where a Ray that has held a debate exports its metrics."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.cluster.metered", str(port), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(line == b"debated\n" for line in process.stdout)
        yield f"http://127.0.0.1:{port}/metrics"
        process.communicate(timeout=PATIENCE_S)


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


def test_prometheus_sees_the_times_of_requests_by_model_and_replica(endpoint: str) -> None:
    said = scraped(endpoint, until='model="b"')
    counted = {model: {"run": "run", "model": model, "replica": "0"} for model in "ab"}
    for model, tags in counted.items():
        assert value(said, "ray_debate_done_total", **tags) == 6, model
        for name in ("queue_wait_s", "generation_s"):
            assert value(said, f"ray_debate_{name}_count", **tags) == 6
    slow = "ray_debate_generation_s_bucket"
    assert value(said, slow, le="0.25", **counted["b"]) == 0
    assert value(said, "ray_debate_busy", **counted["a"]) <= 1
