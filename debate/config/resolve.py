"""References in a run's YAML, by shipped name or by path, replaced by what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from debate.config.agents import AgentFile
from debate.config.custom_code import custom_code as named_code
from debate.config.document import Document, KeyPath, Place, read_document, refuse_odd_texts
from debate.config.expand import expand
from debate.config.levels import name_levels
from debate.config.overrides import override
from debate.config.problems import validate
from debate.config.run import RunSpec
from debate.config.shipped import shipped
from debate.errors import ConfigError, suggestion

MOST_SEATS = 1000


@dataclass(frozen=True, slots=True)
class Loaded:
    """A run's configuration, and where each part of it was written."""

    spec: RunSpec
    document: Document
    origins: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def error(self, problems: Iterable[tuple[KeyPath, str]]) -> ConfigError:
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


def resolve(document: Document) -> tuple[Document, list[tuple[KeyPath, str]]]:
    """The run with cards, models, topologies and paths in place of their references.

    What cannot be resolved stays as it is, and is told with its place and the reason.
    """
    unresolved: list[tuple[KeyPath, str]] = []
    if not isinstance(document.value, dict):
        return document, unresolved
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
            unresolved.append((("sweep",), str(error)))
    for path, step in _steps(document):
        try:
            document = step(document)
        except ConfigError as error:
            unresolved.append((path, str(error)))
    return document, unresolved


def _steps(document: Document) -> Iterator[tuple[KeyPath, Callable[[Document], Document]]]:
    """Each reference that the run's own file may hold, and what puts its meaning in its place."""
    agents, cells = document.value.get("agents"), document.value.get("cells")
    models = document.value.get("models")
    seats = range(len(agents)) if isinstance(agents, list) else range(0)
    for path in (("task", "path"), ("log", "cache"), *(("agents", i, "prompts") for i in seats)):
        yield path, partial(_anchor, at=path)
    inline = [("models", name) for name in (models if isinstance(models, dict) else ())]
    for model in (*inline, *(("agents", i, "model") for i in seats)):
        yield model, partial(_anchor_model, at=model)
    for index in seats:
        yield ("agents", index), partial(_seat, index=index)
    for at in (
        ("topology",),
        *(("cells", cell, "topology") for cell in (cells if isinstance(cells, dict) else ())),
        *_swept_topologies(document.value.get("sweep")),
    ):
        yield at, partial(_topology, at=at)


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


def _seat(document: Document, index: int) -> Document:
    """Seat `index` written out, its model moved to `models`."""
    at: KeyPath = ("agents", index)
    seat = document.at(at)
    if isinstance(seat.value, str):
        seat = Document({"card": seat.value}, {(): seat.place(())}, document.folder)
    if not isinstance(seat.value, dict):
        return document
    card = seat.value.get("card")
    shares_card = isinstance(card, str) and "model" not in seat.value
    if isinstance(card, str):
        seat = _from_card(seat, card)
    if isinstance(seat.value.get("model"), dict):
        own = str(seat.value.get("id", f"agent-{index}"))
        name = Path(card).stem if shares_card and isinstance(card, str) else own
        model = _merged_model(document, name, seat.at(("model",)))
        reference = Document(name, {(): seat.place(("model",))}, document.folder)
        document = document.graft(("models", name), model)
        seat = seat.graft(("model",), reference)
    return document.graft(at, seat)


def _merged_model(document: Document, name: str, model: Document) -> Document:
    """What the run says about this model over what the seat or card says."""
    models = document.value.get("models")
    if isinstance(models, dict) and name in models:
        return merge(model, document.at(("models", name)))
    return model


def _from_card(seat: Document, reference: str) -> Document:
    """The card that a seat names, with what the seat itself says on top."""
    path = find("agents", reference, seat.folder, seat.place(("card",)))
    card = _anchor_model(_anchor(read_document(path), ("prompts",)), ("model",))
    validate(AgentFile, card)
    own = Document({k: v for k, v in seat.value.items() if k != "card"}, seat.places, seat.folder)
    named = Document({"id": path.stem}, {(): seat.place(("card",))}, seat.folder)
    return merge(merge(named, card), own)


def merge(base: Document, over: Document) -> Document:
    """Two mappings merged, deeply; `over` wins."""
    for key, value in over.value.items():
        below = base.value.get(key)
        branch = over.at((key,))
        if isinstance(value, dict) and isinstance(below, dict):
            branch = merge(base.at((key,)), branch)
        base = base.graft((key,), branch)
    return base


def _topology(document: Document, at: KeyPath) -> Document:
    """The topology at `at` written out: a name, a file, a list by round, or as it stands."""
    if not _has(document.value, at):
        return document
    return document.graft(at, _topology_branch(document.at(at), document.folder))


def _has(value: Any, at: KeyPath) -> bool:
    """Whether there is anything at this path."""
    for key in at:
        listed = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if not (listed or (isinstance(value, dict) and key in value)):
            return False
        value = value[key]
    return True


def _topology_branch(branch: Document, folder: Path) -> Document:
    if isinstance(branch.value, str):
        path = find("topologies", branch.value, folder, branch.place(()))
        found = _topology_branch(read_document(path), path.parent)
        return replace(found, places={**found.places, (): branch.place(())})
    if isinstance(branch.value, list):
        places = {(): branch.place(()), **{("rounds", *p): at for p, at in branch.places.items()}}
        branch = Document({"rounds": branch.value}, places, folder)
    if isinstance(branch.value, dict) and isinstance(branch.value.get("rounds"), list):
        for index in range(len(branch.value["rounds"])):
            step = branch.at(("rounds", index))
            branch = branch.graft(("rounds", index), _topology_branch(step, folder))
    return branch


def find(kind: Literal["agents", "topologies"], reference: str, folder: Path, place: Place) -> Path:
    """The file that a reference names. Raises ConfigError with the names that exist."""
    if looks_like_path(reference):
        return anchored(reference, folder, place)
    known = shipped(kind)
    if reference not in known:
        word = {"agents": "agent", "topologies": "topology"}[kind]
        hint = suggestion(reference, known)
        raise ConfigError(f'{place}: {word} "{reference}" is unknown; {hint}')
    return known[reference]


def looks_like_path(reference: str) -> bool:
    """Whether a reference is a path rather than a name."""
    return "/" in reference or reference.endswith((".yaml", ".yml"))


def anchored(reference: str, folder: Path, place: Place) -> Path:
    """A path as written in a file of `folder`. Relative ones must stay below it."""
    path = Path(reference)
    if path.is_absolute():
        return path
    below = (folder / path).resolve()
    if not below.is_relative_to(folder.resolve()):
        raise ConfigError(
            f'{place}: "{reference}" leaves the folder of the file that names it; '
            "write the absolute path if that is meant"
        )
    return below


def _anchor(document: Document, at: KeyPath) -> Document:
    """The document with the path written at `at`, if any, made absolute."""
    if not _has(document.value, at):
        return document
    value = document.at(at).value
    if not isinstance(value, str) or (at[-1] == "prompts" and not looks_like_path(value)):
        return document
    place = document.place(at)
    branch = Document(str(anchored(value, document.folder, place)), {(): place}, document.folder)
    return document.graft(at, branch)


def _anchor_model(document: Document, at: KeyPath) -> Document:
    return _anchor(_anchor(document, (*at, "path")), (*at, "adapter"))
