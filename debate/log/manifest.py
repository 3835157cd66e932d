"""The manifest of a run: its configuration, the environments it ran in, its status and totals."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import msgspec

from debate.config.secrets import redact
from debate.errors import InputError, suggest
from debate.log.codec import FailureStruct, UsageStruct
from debate.log.disk import replace_file, wrap_disk_errors
from debate.log.files import FORMAT_VERSION, MANIFEST, TURNS, VERDICTS
from debate.log.index import TurnKey, VerdictKey, take_snapshot

RunStatus = Literal["running", "complete", "interrupted", "failed", "budget"]

_DISTRIBUTIONS = (
    "aiohttp",
    "altair",
    "debate-lab",
    "jinja2",
    "msgspec",
    "networkx",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "ray",
    "safetensors",
    "scipy",
    "tokenizers",
    "torch",
    "transformers",
    "vllm",
)
_COMMAND_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialCall:
    """The call that tried a model before anything else; its cost is in no total."""

    model: str
    prompt_tokens: int | None = None
    generated_tokens: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStart:
    """One time that the run was begun or resumed. `at` is ISO 8601 in UTC.

    `added` names the parts that the run has had only since then, as in `cells.star`. `code` has the
    digest of the file of each custom object that the run names, as in `decisions my_rules.trimmed`.
    `engines` says of each model what its replies may depend on besides its weights and settings:
    versions, kernels, types of numbers.
    """

    at: str
    environment: Environment
    added: tuple[str, ...] = ()
    code: dict[str, str] = field(default_factory=dict)
    preflight: tuple[TrialCall, ...] = ()
    engines: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedHypotheses:
    """Hypotheses as they stood from `at` on, and how many turns had been recorded by then."""

    at: str
    num_turns: int
    hypotheses: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunTotals:
    """Sums over the turns of a finished run. Calls shared with another turn cost nothing.

    `served` counts, for each model, the calls that were answered by what an endpoint said it was.
    """

    turns: int = 0
    failed: int = 0
    verdicts: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    served: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The content of `manifest.json`.

    `spec` is the resolved configuration as plain data, without secrets. `agents` and `seeds` are
    all that may occur in turns; empty where they are not known. `stated` has every wording of the
    hypotheses, the first one first. `spent` has what counts towards a budget, at the last end.
    """

    format_version: int = FORMAT_VERSION
    status: RunStatus = "running"
    created_at: str
    spec: dict[str, Any]
    seeds: tuple[int, ...] = ()
    agents: tuple[str, ...] = ()
    starts: tuple[RunStart, ...] = ()
    stated: tuple[StatedHypotheses, ...] = ()
    totals: RunTotals | None = None
    spent: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


class _Version(msgspec.Struct):
    format_version: int


def format_now() -> str:
    """Return the present time as the manifest writes it: ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def to_plain_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec as the manifest gives it back when read: JSON types only, secrets hidden."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(redact(spec)))
    return decoded


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest atomically. Raises LogError where the disk refuses."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    replace_file(directory / MANIFEST, text + b"\n")


def read_manifest(directory: Path) -> Manifest:
    """Read the manifest of a run directory of this or any older format version.

    Raises InputError where there is none, it cannot be read, or it is of a newer version.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{directory} holds no run: {MANIFEST} is missing{_suggest_run(directory)}"
        )
    with wrap_disk_errors(path, "read"):
        content = path.read_bytes()
    try:
        version = msgspec.json.decode(content, type=_Version).format_version
        _require_known_version(path, version)
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as cause:
        raise InputError(f"{path} cannot be read as a manifest: {cause}") from cause


def _suggest_run(directory: Path) -> str:
    """Say which directories beside it hold runs, and where those of a configuration are."""
    if directory.is_file():
        return "; a run is written to runs/NAME, unless `--out` says otherwise: name that directory"
    beside = {path.parent.name for path in directory.parent.glob(f"*/{MANIFEST}")}
    if not beside:
        return ""
    return f"; beside it are runs: {suggest(directory.name, beside)}"


def add_to_last_start(
    manifest: Manifest,
    *,
    preflight: Iterable[TrialCall] = (),
    engines: Mapping[str, Mapping[str, str]] | None = None,
) -> Manifest:
    """Return the manifest with what is known of its last start only once models have started."""
    *before, last = manifest.starts
    known = {name: dict(facts) for name, facts in (engines or {}).items() if facts}
    changed = replace(last, preflight=tuple(preflight), engines={**last.engines, **known})
    return replace(manifest, starts=(*before, changed))


def _require_known_version(path: Path, version: int) -> None:
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {version} is newer than this installation knows "
            f"({FORMAT_VERSION}); install the version of debate-lab that wrote it, or a later one"
        )
    if version < 1:
        raise InputError(f"{path}: format version {version} is unknown; versions begin with 1")


class TurnCost(msgspec.Struct, gc=False):
    """The fields of a turn that tell what it cost."""

    usage: UsageStruct = msgspec.field(default_factory=UsageStruct)
    failure: FailureStruct | None = None
    shared_with: str | None = None
    model: str = ""
    served_by: str | None = None


def sum_costs(costs: Iterable[TurnCost], *, num_verdicts: int) -> RunTotals:
    """Add up turns of distinct keys. A call shared with another turn costs nothing."""
    turns = failed = prompt = cached = generated = 0
    served: dict[str, Counter[str]] = {}
    for cost in costs:
        turns += 1
        failed += cost.failure is not None
        if cost.shared_with is None:
            prompt += cost.usage.prompt_tokens or 0
            cached += cost.usage.cached_tokens or 0
            generated += cost.usage.generated_tokens or 0
            if cost.served_by is not None:
                served.setdefault(cost.model, Counter())[cost.served_by] += 1
    return RunTotals(
        turns=turns,
        failed=failed,
        verdicts=num_verdicts,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=generated,
        served={model: dict(sorted(served[model].items())) for model in sorted(served)},
    )


def compute_totals(directory: Path) -> RunTotals:
    """Compute the totals of a run directory; of each key the last line counts."""
    costs = take_snapshot(directory, TURNS, TurnKey).read_values(TurnCost)
    verdicts = take_snapshot(directory, VERDICTS, VerdictKey)
    with warnings.catch_warnings():
        # Readers of the turns themselves tell of these.
        warnings.filterwarnings("ignore", message=".*taken for absent")
        return sum_costs(costs, num_verdicts=len(verdicts))


@dataclass(frozen=True, kw_only=True, slots=True)
class GitState:
    """The commit of a checkout, and whether its files differ from that commit."""

    commit: str
    dirty: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Hardware:
    """The processors, memory (bytes) and GPUs of a machine."""

    cpus: int
    memory: int | None = None
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """The software and hardware of one start of a run."""

    python: str
    platform: str
    packages: dict[str, str]
    hardware: Hardware
    git: GitState | None = None


def detect_environment(directory: Path | None = None) -> Environment:
    """Return this process's environment, with the commit of `directory` (by default the cwd)."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        packages=get_package_versions(),
        hardware=detect_hardware(),
        git=read_git_state(directory or Path.cwd()),
    )


def diff_versions(old: Environment, new: Environment) -> list[str]:
    """Return one clause for each package, and Python, of another version: `numpy 1.0 → 2.0`."""
    before, now = ({"python": each.python, **each.packages} for each in (old, new))
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    pairs = [[each.get(name, "(absent)") for each in (before, now)] for name in names]
    return [f"{name} {' → '.join(pair)}" for name, pair in zip(names, pairs, strict=True)]


def get_package_versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a result."""
    found = {name: _find_version(name) for name in _DISTRIBUTIONS}
    return {name: version for name, version in found.items() if version is not None}


@cache
def _find_version(name: str) -> str | None:
    """The version that was installed when this process first asked: that which it imports."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def read_git_state(directory: Path) -> GitState | None:
    """Return the state of the checkout around `directory`; None without a checkout or git."""
    commit = _run_command("git", "-C", str(directory), "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _run_command("git", "-C", str(directory), "status", "--porcelain")
    return GitState(commit=commit, dirty=changes != "")


def detect_hardware() -> Hardware:
    """Return this machine's processors, memory and GPUs. Imports nothing; takes under a second."""
    return Hardware(cpus=_count_cpus(), memory=_get_memory(), gpus=_list_gpus())


def _count_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _get_memory() -> int | None:
    names = os.sysconf_names
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _list_gpus() -> tuple[str, ...]:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    listed = _run_command("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    return tuple(line.strip() for line in (listed or "").splitlines() if line.strip())


def _run_command(*command: str) -> str | None:
    """Return what a program prints; None where it is not installed, fails or hangs."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip()
