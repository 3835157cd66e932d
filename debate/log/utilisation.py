"""Utilisation of each replica over the time of a run: `utilisation.jsonl` of its directory."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from debate.log.disk import open_file, wrap_disk_errors, write_all
from debate.log.false_numbers import find_false_sample
from debate.log.files import has_final_newline, read_values

UTILISATION = "utilisation.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class UtilisationSample:
    """One replica in the `interval_s` seconds before `at` (seconds since the epoch).

    `busy`, `idle`, `asleep` and `swapping` are shares of the interval and sum to 1: with a request
    in flight, ready without one, without its device, and on the way there or back. `queued` and
    `in_flight` are requests at the end of the interval, all other counts those of the interval;
    `queued_s` and `running_s` are summed over the requests that ended in it, and `waits` and `runs`
    count those by the same times: in the classes up to 0.005, 0.01, 0.025, … 250 s, and above.
    """

    at: float
    interval_s: float
    model: str
    replica: int
    host: str | None = None
    gpus: tuple[str, ...] = ()
    state: str
    busy: float
    idle: float
    asleep: float
    swapping: float
    queued: int
    in_flight: int
    done: int
    failed: int
    restarts: int
    swaps: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    queued_s: float
    running_s: float
    waits: tuple[int, ...] = ()
    runs: tuple[int, ...] = ()


UTILISATION_SCHEMA: dict[str, Any] = {
    "at": pl.Float64,
    "interval_s": pl.Float64,
    "model": pl.String,
    "replica": pl.Int64,
    "host": pl.String,
    "gpus": pl.List(pl.String),
    "state": pl.String,
    **dict.fromkeys(("busy", "idle", "asleep", "swapping"), pl.Float64),
    **dict.fromkeys(("queued", "in_flight", "done", "failed", "restarts", "swaps"), pl.Int64),
    **dict.fromkeys(("prompt_tokens", "cached_tokens", "generated_tokens"), pl.Int64),
    **dict.fromkeys(("queued_s", "running_s"), pl.Float64),
    **dict.fromkeys(("waits", "runs"), pl.List(pl.Int64)),
}


class UtilisationLog:
    """Appends samples to the file; a crash can tear only the last of them."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / UTILISATION
        self._descriptor: int | None = None

    def append(self, samples: Sequence[UtilisationSample]) -> None:
        """Write samples; the first one makes the file. Raises LogError where the disk refuses."""
        if not samples:
            return
        with wrap_disk_errors(self._path, "append"):
            if self._descriptor is None:
                self._descriptor = self._open_file()
            lines = b"".join(msgspec.json.encode(sample) + b"\n" for sample in samples)
            write_all(self._descriptor, lines)

    def _open_file(self) -> int:
        is_torn = self._path.exists() and not has_final_newline(self._path)
        descriptor = open_file(self._path, os.O_WRONLY | os.O_APPEND)
        write_all(descriptor, b"\n" if is_torn else b"")
        return descriptor

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_utilisation(directory: Path | str) -> pl.DataFrame:
    """Return one row per sample with the fields of `UtilisationSample`, in order of time.

    There are none where the file is missing. A line that a crash has torn is skipped, and so is
    one with a number that is none, with a warning.
    """
    path = Path(directory) / UTILISATION
    rows = []
    for sample in read_values(path, UtilisationSample) if path.exists() else ():
        if wrong := find_false_sample(sample):
            told = f"{UTILISATION}: a sample is left out, for {wrong}"
            warnings.warn(told, stacklevel=2)
            continue
        rows.append(msgspec.to_builtins(sample))
    return pl.DataFrame(rows, schema=UTILISATION_SCHEMA).sort("at", maintain_order=True)
