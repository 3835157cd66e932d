"""The manifest: what a run is, what it was made with, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from debate.errors import InputError
from debate.log.disk import on_disk, replace_file
from debate.log.environment import Environment
from debate.log.layout import FORMAT_VERSION, MANIFEST
from debate.log.redaction import redacted

Status = Literal["running", "complete", "interrupted", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """One time that the run was begun or resumed. `at` is ISO 8601 in UTC.

    `added` names what the run has had only since then, as in `cells.star`.
    """

    at: str
    environment: Environment
    added: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """Hypotheses as they stood from `at` on, and how many turns had been recorded by then."""

    at: str
    num_turns: int
    hypotheses: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Sums over the turns of a finished run. Calls shared with another turn cost nothing."""

    turns: int = 0
    failed: int = 0
    verdicts: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The content of `manifest.json`.

    `spec` is the resolved configuration as plain data, without secrets. `agents` and `seeds` are
    all that may occur in turns; empty where they were not told. `stated` has every wording of the
    hypotheses, the first one first.
    """

    format_version: int = FORMAT_VERSION
    status: Status = "running"
    created_at: str
    spec: dict[str, Any]
    seeds: tuple[int, ...] = ()
    agents: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()
    stated: tuple[Stated, ...] = ()
    totals: Totals | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class _Version(msgspec.Struct):
    format_version: int


def now() -> str:
    """The time as the manifest tells it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec exactly as the manifest gives it back: JSON types only, secrets hidden."""
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(redacted(spec)))
    return decoded


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest at once. Raises LogError where the disk refuses."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    replace_file(directory / MANIFEST, text + b"\n")


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a run directory of this or any older format version.

    Raises InputError where there is none, it cannot be read, or it is of a newer version.
    """
    path = directory / MANIFEST
    if not path.is_file():
        raise InputError(f"{directory} holds no run: {MANIFEST} is missing")
    with on_disk(path, "read"):
        content = path.read_bytes()
    try:
        version = msgspec.json.decode(content, type=_Version).format_version
        _require_known(path, version)
        return msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as cause:
        raise InputError(f"{path} cannot be read as a manifest: {cause}") from cause


def _require_known(path: Path, version: int) -> None:
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: format version {version} is newer than this installation knows "
            f"({FORMAT_VERSION}); install the version of debate-lab that wrote it, or a later one"
        )
    if version < 1:
        raise InputError(f"{path}: format version {version} is unknown; versions begin with 1")
