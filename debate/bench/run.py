"""All parts, one after the other, in a folder of their own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from debate.bench import latency, memory, orchestration, rereading, tokens
from debate.bench.measure import TITLES, Measure, Part, Result, Results, Skipped
from debate.errors import BoundaryError, InputError, suggestion
from debate.log.environment import environment

FORMAT_VERSION = 1


def parts_of(listed: str) -> tuple[Part, ...]:
    """The parts in a list such as "a,c", each once, in their order. Raises InputError.

    >>> parts_of("c, a")
    ('a', 'c')
    """
    wanted = [name.strip() for name in listed.split(",")]
    for name in wanted:
        if name not in TITLES:
            raise InputError(f'--part: "{name}" is no part; {suggestion(name, TITLES)}')
    return tuple(part for part in get_args(Part) if part in wanted)


def measured(
    parts: Sequence[Part], *, quick: bool, folder: Path | None = None, config: str | None = None
) -> Iterator[Result]:
    """The results of the parts, each as soon as it is there.

    Run directories are written below `folder` (by default where temporary files are) and removed:
    its disk is part of what is measured. A part that cannot be measured here says why.
    """
    with tempfile.TemporaryDirectory(prefix="debate-bench-", dir=folder) as name:
        for part in parts:
            place = Path(name) / part
            place.mkdir()
            try:
                yield from _measure(part, place, quick=quick, config=config)
            except BoundaryError as error:
                reason = f"{error.failure.boundary}: {error.failure.message}"
                yield Skipped(part=part, what=TITLES[part], reason=reason)


def _measure(part: Part, folder: Path, *, quick: bool, config: str | None) -> Results:
    measures: dict[Part, Callable[[], Results]] = {
        "a": lambda: orchestration.measure(folder, quick=quick),
        "b": lambda: latency.measure(folder, quick=quick),
        "c": lambda: tokens.measure(folder, quick=quick, config=config),
        "d": lambda: rereading.measure(folder, quick=quick, config=config),
        "e": lambda: memory.measure(folder, quick=quick),
    }
    return measures[part]()


def as_json(results: Sequence[Result], *, quick: bool, load: float | None) -> bytes:
    """The results with what they were measured on. `load` is the machine's load beforehand."""
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "load_before": load,
        "environment": msgspec.to_builtins(environment()),
        "measures": [
            {**msgspec.to_builtins(each), "ratio": each.ratio}
            for each in results
            if isinstance(each, Measure)
        ],
        "skipped": [msgspec.to_builtins(each) for each in results if isinstance(each, Skipped)],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def load_now() -> float | None:
    """How many processes want to run, averaged over a minute; None where the system won't say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
