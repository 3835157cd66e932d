"""Where the numbers of a page come from: the source, what made it, and when."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from debate.log.disk import wrap_disk_errors
from debate.log.manifest import Manifest, RunStart, get_package_versions
from debate.report.data import ReportData
from debate.text import format_count


class Fact(NamedTuple):
    """One line of the provenance at the foot of the page."""

    name: str
    value: str


def list_facts(report: ReportData) -> tuple[Fact, ...]:
    """The source, what made it, and when; the same source gives the same facts."""
    writer = Fact("page written by", f"debate-lab {get_package_versions().get('debate-lab', '?')}")
    if report.manifest is None:
        return (Fact("table", report.source.name), *_list_file_facts(report.source), writer)
    directory = Fact("run directory", report.source.resolve().name)
    return (directory, *_list_run_facts(report.manifest), writer)


def _list_file_facts(path: Path) -> tuple[Fact, ...]:
    with wrap_disk_errors(path, "read"):
        content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Fact("size", f"{format_count(len(content))} bytes"), Fact("SHA-256", digest)


def _list_run_facts(manifest: Manifest) -> list[Fact]:
    facts = [
        Fact("begun", manifest.created_at),
        Fact("status", manifest.status),
        Fact("format version", str(manifest.format_version)),
        Fact("seeds", ", ".join(map(str, manifest.seeds)) or "not told"),
        Fact("starts", format_count(len(manifest.starts))),
    ]
    if manifest.totals:
        turns, failed = (format_count(n) for n in (manifest.totals.turns, manifest.totals.failed))
        facts.append(Fact("turns", f"{turns}, {failed} of them failed"))
    return facts + (_list_start_facts(manifest.starts[-1]) if manifest.starts else [])


def _list_start_facts(start: RunStart) -> list[Fact]:
    environment = start.environment
    commit = "no checkout"
    if git := environment.git:
        commit = git.commit + (", with uncommitted changes" if git.dirty else "")
    gpus = ", ".join(environment.hardware.gpus) or "no GPU"
    packages = ", ".join(
        f"{name} {version}" for name, version in sorted(environment.packages.items())
    )
    return [
        Fact("last started", start.at),
        Fact("commit", commit),
        Fact("Python", f"{environment.python} on {environment.platform}"),
        Fact("hardware", f"{environment.hardware.cpus} CPUs; {gpus}"),
        Fact("packages", packages),
    ]


def dump_spec(report: ReportData) -> str:
    """The run's resolved configuration, as the manifest holds it; empty for a table."""
    if report.manifest is None:
        return ""
    return json.dumps(report.manifest.spec, indent=2, ensure_ascii=False)
