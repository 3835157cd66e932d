"""A run's YAML loaded: overridden, its references replaced by what they name, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from debate.config.custom_code import custom_code as named_code
from debate.config.document import Document, KeyPath, Place, Problem
from debate.config.expand import expand
from debate.config.inline import with_seat, with_topology
from debate.config.levels import name_levels
from debate.config.overrides import override
from debate.config.parse import read_document, refuse_odd_texts
from debate.config.problems import validate
from debate.config.references import anchor, anchor_model
from debate.config.run import RunSpec
from debate.config.shipped import shipped
from debate.errors import ConfigError

MOST_SEATS = 1000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run's configuration, and where each part of it was written."""

    spec: RunSpec
    document: Document
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def error(self, problems: Iterable[Problem]) -> ConfigError:
        """One error for problems that only the whole shows, each with its place."""
        lines = [f"{self.place(path)}: {message}" for path, message in problems]
        return ConfigError("\n".join(dict.fromkeys(lines)))

    def place(self, path: KeyPath) -> Place:
        """Where a part of the spec was written; a cell's parts may stand in sweep or run."""
        for length in (3, 2):
            if path[:length] in self.origins:
                return self.document.place(self.origins[path[:length]] + path[length:])
        return self.document.place(path)


def load_run(
    source: Path | str | Mapping[str, Any],
    overrides: Iterable[str] = (),
    *,
    custom_code: bool = True,
) -> Loaded:
    """Read, override, resolve and check a run's configuration, all offline.

    `source` is a YAML file, the name of a shipped configuration, or a mapping of the same shape.
    Without `custom_code`, one that would run code of the user's own is refused. Raises ConfigError
    that names every problem with its file and line.
    """
    document, unresolved = resolve(override(_source(source), overrides))
    try:
        spec = validate(RunSpec, document, known=[path for path, _ in unresolved])
    except ConfigError as error:
        found = [message for _, message in unresolved] + str(error).splitlines()
        raise ConfigError("\n".join(filter(None, dict.fromkeys(found)))) from None
    if unresolved:
        raise ConfigError("\n".join(dict.fromkeys(message for _, message in unresolved)))
    expanded = expand(spec)
    loaded = Loaded(expanded.spec, document, expanded.origins)
    if expanded.problems:
        raise loaded.error(expanded.problems)
    if not custom_code and (named := list(named_code(loaded.spec))):
        raise loaded.error(named)
    return loaded


def _source(source: Path | str | Mapping[str, Any]) -> Document:
    if isinstance(source, Mapping):
        place = Place("the configuration")
        refuse_odd_texts(source, place)
        return Document(dict(source), {(): place}, Path.cwd())
    path = Path(source)
    if not path.exists() and str(source) in shipped("configs"):
        path = shipped("configs")[str(source)]
    return read_document(path)


class Resolved(NamedTuple):
    """A run with its references replaced, and those that could not be: where, and in words."""

    document: Document
    unresolved: Sequence[Problem]


def resolve(document: Document) -> Resolved:
    """The run with cards, models, topologies and paths in place of their references.

    What cannot be resolved stays as it is.
    """
    unresolved: list[Problem] = []
    if not isinstance(document.value, dict):
        return Resolved(document, unresolved)
    listed = document.value.get("agents")
    if isinstance(listed, list) and len(listed) > MOST_SEATS:
        place = document.place(("agents",))
        raise ConfigError(
            f"{place}: {len(listed)} seats; at most {MOST_SEATS} can sit at one table"
        )
    if isinstance(document.value.get("sweep"), dict):
        try:
            document = _with_levels(document)
        except ConfigError as error:
            unresolved.append(Problem(("sweep",), str(error)))
    for path, step in _steps(document):
        try:
            document = step(document)
        except ConfigError as error:
            unresolved.append(Problem(path, str(error)))
    return Resolved(document, unresolved)


def _steps(document: Document) -> Iterator[tuple[KeyPath, Callable[[Document], Document]]]:
    """Each reference that the run's own file may hold, and what puts its meaning in its place."""
    agents, cells = document.value.get("agents"), document.value.get("cells")
    models = document.value.get("models")
    seats = range(len(agents)) if isinstance(agents, list) else range(0)
    for path in (("task", "path"), ("log", "cache"), *(("agents", i, "prompts") for i in seats)):
        yield path, partial(anchor, at=path)
    inline = [("models", name) for name in (models if isinstance(models, dict) else ())]
    for model in (*inline, *(("agents", i, "model") for i in seats)):
        yield model, partial(anchor_model, at=model)
    for index in seats:
        yield ("agents", index), partial(with_seat, index=index)
    for at in (
        ("topology",),
        *(("cells", cell, "topology") for cell in (cells if isinstance(cells, dict) else ())),
        *_swept_topologies(document.value.get("sweep")),
    ):
        yield at, partial(with_topology, at=at)


def _with_levels(document: Document) -> Document:
    """The sweep's levels named; its first topology is the run's where the run names none."""
    document = name_levels(document, ("sweep",))
    swept = document.value["sweep"].get("topology")
    if "topology" not in document.value and isinstance(swept, dict) and swept:
        document = document.graft(
            ("topology",), document.at(("sweep", "topology", next(iter(swept))))
        )
    return document


def _swept_topologies(sweep: Any) -> Iterator[KeyPath]:
    """Where a sweep holds topologies: among its levels, and in combinations to include."""
    branches: list[tuple[KeyPath, Any]] = [(("sweep",), sweep)]
    included = sweep.get("include") if isinstance(sweep, dict) else None
    for index, entry in enumerate(included if isinstance(included, list) else ()):
        branches.append((("sweep", "include", index), entry))
    for at, branch in branches:
        levels = branch.get("topology") if isinstance(branch, dict) else None
        yield from ((*at, "topology", name) for name in levels or () if isinstance(levels, dict))
