"""Utilisation as Ray metrics, for Ray's dashboard and Prometheus."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ray.util.metrics import Counter, Gauge, Histogram

from debate.cluster.connection import get_session
from debate.engines.metrics import BOUNDS_S
from debate.log.utilisation import UtilisationSample

TAGS: Final = ("run", "model", "replica", "host", "gpus")

GAUGES: Final = {
    "queued": "Requests that wait for the replica.",
    "in_flight": "Requests that the replica is working on.",
    "busy": "Share of the last interval with a request in flight.",
    "idle": "Share of the last interval in which the replica was ready and had no request.",
    "asleep": "Share of the last interval without its device, which another model had.",
    "swapping": "Share of the last interval on the way to or from its device.",
}

COUNTERS: Final = {
    "done": "Requests that ended without a failure.",
    "failed": "Requests that ended with a failure.",
    "restarts": "How often the replica was started again.",
    "swaps": "How often the replica was woken to take a device from another model.",
    "prompt_tokens": "Prompt tokens.",
    "cached_tokens": "Prompt tokens that came from the prefix cache.",
    "generated_tokens": "Generated tokens.",
    "queued_s": "Seconds that requests waited, summed over requests.",
    "running_s": "Seconds that requests ran, summed over requests.",
}

HISTOGRAMS: Final = {
    "queue_wait_s": ("waits", "Seconds that a request waited until a replica took it."),
    "generation_s": ("runs", "Seconds from then on until its reply."),
}

MIDPOINTS_S: Final = tuple((low + high) / 2 for low, high in pairwise((0.0, *BOUNDS_S, 1000.0)))
"""A time inside each bucket: samples hold counts by bucket, and Ray takes single observations.
The exact sums are the counters `queued_s` and `running_s`."""


class RayMetrics:
    """Exports samples under `debate_NAME`, tagged by run, model, replica, host and GPUs.

    Ray must be connected.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._session = get_session()
        self._gauges = {name: Gauge(f"debate_{name}", what, TAGS) for name, what in GAUGES.items()}
        self._counters = {
            name: Counter(f"debate_{name}_total", what, TAGS) for name, what in COUNTERS.items()
        }
        self._histograms = {
            counted: Histogram(f"debate_{name}", what, list(BOUNDS_S), TAGS)
            for name, (counted, what) in HISTOGRAMS.items()
        }

    def see(self, samples: Sequence[UtilisationSample]) -> None:
        """Export the last interval, unless the connection is gone."""
        if get_session() != self._session:
            return
        for sample in samples:
            tags = {
                "run": self._run,
                "model": sample.model,
                "replica": str(sample.replica),
                "host": sample.host or "",
                "gpus": ",".join(sample.gpus),
            }
            for name, gauge in self._gauges.items():
                gauge.set(getattr(sample, name), tags)
            for name, counter in self._counters.items():
                if amount := getattr(sample, name):
                    counter.inc(amount, tags)
            for name, histogram in self._histograms.items():
                for midpoint_s, count in zip(MIDPOINTS_S, getattr(sample, name), strict=False):
                    for _ in range(count):
                        histogram.observe(midpoint_s, tags)
