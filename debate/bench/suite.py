"""Run the parts of `debate bench` one after another; show the results as a table or JSON."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

import msgspec
from rich.table import Table
from rich.text import Text

from debate.bench import TITLES, Part
from debate.bench.latency import measure_latency
from debate.bench.memory import measure_memory
from debate.bench.orchestration import measure_orchestration
from debate.bench.prefix_cache import measure_prefix_cache
from debate.bench.sandboxes import measure_sandboxes
from debate.bench.throughput import measure_throughput
from debate.bench.workloads import Measurement, Result, Results, SkippedMeasurement
from debate.errors import BoundaryError, InputError, suggest
from debate.log.manifest import detect_environment

FORMAT_VERSION = 1


def parse_parts(text: str) -> tuple[Part, ...]:
    """Return the parts in a list such as "a,c", each once, in their order. Raises InputError.

    >>> parse_parts("c, a")
    ('a', 'c')
    """
    wanted = [name.strip() for name in text.split(",")]
    for name in wanted:
        if name not in TITLES:
            raise InputError(f'--part: "{name}" is no part; {suggest(name, TITLES)}')
    return tuple(part for part in get_args(Part) if part in wanted)


def run_parts(
    parts: Sequence[Part], *, quick: bool, folder: Path | None = None, config: str | None = None
) -> Iterator[Result]:
    """Yield the results of the parts, each as soon as it is there.

    Run directories are written below `folder` (by default where temporary files are) and removed:
    its disk is part of what is measured. A part that fails gives a result with the reason.
    """
    with tempfile.TemporaryDirectory(prefix="debate-bench-", dir=folder) as name:
        for part in parts:
            own = Path(name) / part
            own.mkdir()
            try:
                yield from _run_part(part, own, quick=quick, config=config)
            except BoundaryError as error:
                reason = f"{error.failure.boundary}: {error.failure.message}"
                yield SkippedMeasurement(part=part, what=TITLES[part], reason=reason)


def _run_part(part: Part, folder: Path, *, quick: bool, config: str | None) -> Results:
    runs: dict[Part, Callable[[], Results]] = {
        "a": lambda: measure_orchestration(folder, quick=quick),
        "b": lambda: measure_latency(folder, quick=quick),
        "c": lambda: measure_throughput(folder, quick=quick, config=config),
        "d": lambda: measure_prefix_cache(folder, quick=quick, config=config),
        "e": lambda: measure_memory(folder, quick=quick),
        "f": lambda: measure_sandboxes(quick=quick),
    }
    return runs[part]()


def read_load() -> float | None:
    """Return the mean number of processes that want to run over the last minute.

    None where the system does not tell.
    """
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def encode_results(results: Sequence[Result], *, quick: bool, load: float | None) -> bytes:
    """Return the results and the machine as JSON. `load` is `read_load()` from before the run."""
    made = [each for each in results if isinstance(each, Measurement)]
    skipped = [each for each in results if isinstance(each, SkippedMeasurement)]
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "load_before": load,
        "environment": msgspec.to_builtins(detect_environment()),
        "measures": [{**msgspec.to_builtins(each), "ratio": each.ratio} for each in made],
        "skipped": [msgspec.to_builtins(each) for each in skipped],
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def make_table(results: Sequence[Result], *, load: float | None = None, cpus: int = 1) -> Table:
    """Return a table with a row for each result, by part, and a warning for a busy machine."""
    table = Table(title="debate bench", title_justify="left", caption=_make_caption(load, cpus))
    table.add_column("measured")
    table.add_column("value", justify="right")
    table.add_column("compared with", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("note")
    for part, own in groupby(results, key=lambda each: each.part):
        table.add_row(Text(f"({part}) {TITLES[part]}", style="bold"), "", "", "", "")
        for each in own:
            table.add_row(*_format_row(each))
        table.add_section()
    return table


def _make_caption(load: float | None, cpus: int) -> str | None:
    """Return a warning if other processes were running, since they stretch all but CPU times."""
    if load is None or load < cpus / 2:
        return None
    return (
        f"{load:.1f} processes wanted to run on {cpus} CPUs before this began: "
        "seconds and rates are worse than they need be, CPU time is less so"
    )


def _format_row(result: Result) -> tuple[str, ...]:
    if isinstance(result, SkippedMeasurement):
        return (result.what, "not made", "", "", result.reason)
    return (result.what, *_format_values(result), result.note)


def _format_values(measurement: Measurement) -> tuple[str, str, str]:
    value = f"{format_number(measurement.value)} {measurement.unit}"
    if measurement.against is None or measurement.ratio is None:
        return value, "", ""
    against = f"{measurement.against_what} {format_number(measurement.against)}"
    return value, against, f"{measurement.ratio:.2f}"


def format_number(value: float) -> str:
    """Return a number with three digits, or with all digits before the point.

    >>> format_number(12345.6), format_number(1.2345), format_number(0.00123)
    ('12,346', '1.23', '0.00123')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
