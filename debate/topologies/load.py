"""Topologies by name or file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from debate.config.document import Document, Place
from debate.config.problems import validate
from debate.config.resolve import resolve
from debate.config.shipped import shipped
from debate.config.topology import TopologySpec
from debate.errors import ConfigError


def shipped_topologies() -> dict[str, Path]:
    """The topologies that come with the package, by name."""
    return shipped("topologies")


def load_topology(reference: str | Path | Mapping[str, Any]) -> TopologySpec:
    """A shipped name, a YAML file, or a mapping of the same shape as a spec.

    Raises ConfigError that names every problem with its file and line.

    >>> load_topology("ring").generator
    'cycle_graph'
    """
    written: Any = reference
    if not isinstance(reference, Mapping):
        path = Path(reference)
        written = str(path.resolve()) if path.is_file() else str(reference)
    value = {"topology": written}
    document, unresolved = resolve(Document(value, {(): Place("the topology")}, Path.cwd()))
    if unresolved:
        raise ConfigError("\n".join(message for _, message in unresolved))
    return validate(TopologySpec, document.at(("topology",)))
