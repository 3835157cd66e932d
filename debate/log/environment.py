"""What a run was made with: packages, commit, hardware."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_DISTRIBUTIONS = (
    "aiohttp", "altair", "debate-lab", "jinja2", "msgspec", "networkx", "numpy", "polars",
    "pyarrow", "pydantic", "pyyaml", "ray", "safetensors", "scipy", "tokenizers", "torch",
    "transformers", "vllm",
)  # fmt: skip
_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GitState:
    """The commit of a checkout, and whether files differ from it."""

    commit: str
    dirty: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """What a machine has; memory in bytes."""

    cpus: int
    memory: int | None = None
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """What one start of a run was made with."""

    python: str
    platform: str
    packages: dict[str, str]
    hardware: Hardware
    git: GitState | None = None


def environment(directory: Path | None = None) -> Environment:
    """This process's environment; `directory` (by default the current one) may be a checkout."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        packages=package_versions(),
        hardware=hardware(),
        git=git_state(directory or Path.cwd()),
    )


def package_versions() -> dict[str, str]:
    """Versions of the installed packages that can change a result."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(directory: Path) -> GitState | None:
    """The checkout that holds `directory`; None where there is none, or no git."""
    commit = _output("git", "-C", str(directory), "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _output("git", "-C", str(directory), "status", "--porcelain")
    return GitState(commit=commit, dirty=changes != "")


def hardware() -> Hardware:
    """This machine's processors, memory and GPUs. Imports nothing; takes well under a second."""
    return Hardware(cpus=_num_cpus(), memory=_memory(), gpus=_gpus())


def _num_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    names = os.sysconf_names
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gpus() -> tuple[str, ...]:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    listed = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return tuple(line.strip() for line in (listed or "").splitlines() if line.strip())


def _output(*command: str) -> str | None:
    """What a program prints; None where it is not installed, fails or hangs."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip()
