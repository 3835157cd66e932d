"""Where a report's numbers come from: the source, what made it, and when."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from debate.analysis.text import count
from debate.log import package_versions
from debate.log.disk import on_disk
from debate.log.manifest import Manifest, Start
from debate.report.material import Material


class Fact(NamedTuple):
    """One line of the provenance."""

    name: str
    value: str


def provenance(material: Material) -> tuple[Fact, ...]:
    """The facts at the foot of the page; the same source gives the same facts."""
    writer = Fact("page written by", f"debate-lab {package_versions().get('debate-lab', '?')}")
    if material.manifest is None:
        return (Fact("table", material.source.name), *_file_facts(material), writer)
    return (Fact("run directory", material.source.resolve().name),
            *_run_facts(material.manifest), writer)  # fmt: skip


def resolved_spec(material: Material) -> str:
    """The run's resolved configuration, as the manifest holds it; empty for a table."""
    if material.manifest is None:
        return ""
    return json.dumps(material.manifest.spec, indent=2, ensure_ascii=False)


def _file_facts(material: Material) -> tuple[Fact, ...]:
    with on_disk(material.source, "read"):
        content = material.source.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Fact("size", f"{count(len(content))} bytes"), Fact("SHA-256", digest)


def _run_facts(manifest: Manifest) -> list[Fact]:
    facts = [
        Fact("begun", manifest.created_at),
        Fact("status", manifest.status),
        Fact("format version", str(manifest.format_version)),
        Fact("seeds", ", ".join(map(str, manifest.seeds)) or "not told"),
        Fact("starts", count(len(manifest.starts))),
    ]
    if manifest.totals:
        told = f"{count(manifest.totals.turns)}, {count(manifest.totals.failed)} of them failed"
        facts.append(Fact("turns", told))
    return facts + (_start_facts(manifest.starts[-1]) if manifest.starts else [])


def _start_facts(start: Start) -> list[Fact]:
    made = start.environment
    commit = "no checkout"
    if made.git:
        commit = made.git.commit + (", with uncommitted changes" if made.git.dirty else "")
    hardware = f"{made.hardware.cpus} CPUs; {', '.join(made.hardware.gpus) or 'no GPU'}"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(made.packages.items()))
    return [
        Fact("last started", start.at),
        Fact("commit", commit),
        Fact("Python", f"{made.python} on {made.platform}"),
        Fact("hardware", hardware),
        Fact("packages", packages),
    ]
