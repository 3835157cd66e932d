"""References replaced by what they name: agent cards, topologies, models and paths.

A name stands for a declaration that comes with the package, a path for a file; relative paths are
relative to the file that names them, and stay below its folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from debate.config.agents import AgentCard
from debate.config.document import ConfigDocument, KeyPath, Problem, SourceLocation, read_document
from debate.config.fetchable import FETCHABLE, find_fetched
from debate.config.hints import explain_model, write_endpoint
from debate.config.models import ENGINES, LocalWeights
from debate.config.secrets import redact, redact_text
from debate.config.sweep import name_levels
from debate.config.synonyms import EXAMPLES, translate_value
from debate.config.validation import validate_document
from debate.errors import ConfigError, suggest

ShippedKind = Literal["agents", "topologies", "configs"]

MAX_AGENTS = 1000

GALLERY = "gallery/"
"""What the names of the cards in the gallery begin with: the folder that they lie in."""

WEIGHT_ENGINES = frozenset(name for name, spec in ENGINES.items() if issubclass(spec, LocalWeights))
"""The engines that load weights, and so know fetched models by name."""


class ResolvedDocument(NamedTuple):
    """A run with its references replaced, and a problem for each that could not be."""

    document: ConfigDocument
    unresolved: Sequence[Problem]


def resolve_references(document: ConfigDocument) -> ResolvedDocument:
    """Put cards, models, topologies and paths in place of the run's references to them.

    What cannot be resolved stays as it is. Raises ConfigError for more than MAX_AGENTS agents.
    """
    unresolved: list[Problem] = []
    if not isinstance(document.value, dict):
        return ResolvedDocument(document, unresolved)
    listed = document.value.get("agents")
    if isinstance(listed, list) and len(listed) > MAX_AGENTS:
        location = document.locate(("agents",))
        raise ConfigError(
            f"{location}: {len(listed)} seats; at most {MAX_AGENTS} can sit at one table"
        )
    models = document.value.get("models")
    if models is not None and not isinstance(models, dict):
        told = (
            f"models is {redact(models)!r:.60}; models stand by name, as in `{EXAMPLES['models']}`"
        )
        unresolved.append(Problem(("models",), f"{document.locate(('models',))}: {told}"))
    if isinstance(document.value.get("sweep"), dict):
        try:
            document = _name_sweep_levels(document)
        except ConfigError as error:
            unresolved.append(Problem(("sweep",), str(error)))
    for path, resolve in _list_references(document):
        try:
            document = resolve(document)
        except ConfigError as error:
            unresolved.append(Problem(path, str(error)))
    unresolved.extend(_find_unknown_models(document))
    return ResolvedDocument(document, unresolved)


def _find_unknown_models(document: ConfigDocument) -> Iterator[Problem]:
    """Yield the names of models that agents have and `models` has not."""
    agents, models = document.value.get("agents"), document.value.get("models") or {}
    if not isinstance(models, dict) or not isinstance(agents, list):
        return
    for index, agent in enumerate(agents):
        name = agent.get("model") if isinstance(agent, dict) else None
        if isinstance(name, str) and name not in models:
            path: KeyPath = ("agents", index, "model")
            hint = explain_model(name, list(map(str, models)), list_shipped("agents"))
            told = f'model "{redact_text(name)}" is not in models; {hint}'
            yield Problem(path, f"{document.locate(path)}: {told}")


def _list_references(
    document: ConfigDocument,
) -> Iterator[tuple[KeyPath, Callable[[ConfigDocument], ConfigDocument]]]:
    """List the paths at which a run may hold references, each with what resolves it."""
    agents, cells = document.value.get("agents"), document.value.get("cells")
    models = document.value.get("models")
    indices = range(len(agents)) if isinstance(agents, list) else range(0)
    for path in (("task", "path"), ("log", "cache"), *(("agents", i, "prompts") for i in indices)):
        yield path, partial(make_absolute, at=path)
    inline = [("models", name) for name in (models if isinstance(models, dict) else ())]
    for model in (*inline, *(("agents", i, "model") for i in indices)):
        yield model, partial(make_model_absolute, at=model)
    for index in indices:
        yield ("agents", index), partial(inline_agent, index=index)
    for at in (
        ("topology",),
        *(("cells", cell, "topology") for cell in (cells if isinstance(cells, dict) else ())),
        *_find_swept_topologies(document.value.get("sweep")),
    ):
        yield at, partial(inline_topology, at=at)


def _name_sweep_levels(document: ConfigDocument) -> ConfigDocument:
    """Name the sweep's levels; its first topology is the run's where the run names none."""
    document = name_levels(document, ("sweep",))
    swept = document.value["sweep"].get("topology")
    if "topology" not in document.value and isinstance(swept, dict) and swept:
        first = document.at(("sweep", "topology", next(iter(swept))))
        document = document.replace_at(("topology",), first)
    return document


def _find_swept_topologies(sweep: Any) -> Iterator[KeyPath]:
    """Find the topologies of a sweep: among its levels, and in combinations to include."""
    branches: list[tuple[KeyPath, Any]] = [(("sweep",), sweep)]
    included = sweep.get("include") if isinstance(sweep, dict) else None
    for index, entry in enumerate(included if isinstance(included, list) else ()):
        branches.append((("sweep", "include", index), entry))
    for at, branch in branches:
        levels = branch.get("topology") if isinstance(branch, dict) else None
        yield from ((*at, "topology", name) for name in levels or () if isinstance(levels, dict))


def inline_agent(document: ConfigDocument, index: int) -> ConfigDocument:
    """Write agent `index` out in full, and move its model to `models`."""
    at: KeyPath = ("agents", index)
    agent = document.at(at)
    if isinstance(agent.value, str):
        agent = agent.with_value({"card": agent.value})
    if not isinstance(agent.value, dict):
        return document
    card = agent.value.get("card")
    shares_card = isinstance(card, str) and "model" not in agent.value
    if isinstance(card, str):
        agent = _read_card(agent, card)
    if isinstance(agent.value.get("model"), dict):
        own = str(agent.value.get("id", f"agent-{index}"))
        name = _name_card(card) if shares_card and isinstance(card, str) else own
        model = agent.at(("model",))
        document = document.replace_at(("models", name), _merge_model(document, name, model))
        agent = agent.replace_at(("model",), model.with_value(name))
    return document.replace_at(at, agent)


def _name_card(reference: str) -> str:
    """Name a card's model: by the last part of its reference, without a file's ending.

    >>> _name_card("gallery/qwen2.5-7b"), _name_card("mine/author.yaml")
    ('qwen2.5-7b', 'author')
    """
    return re.sub(r"\.ya?ml$", "", reference.rpartition("/")[2])


def _merge_model(document: ConfigDocument, name: str, model: ConfigDocument) -> ConfigDocument:
    """Merge what the run says about this model over what the agent or its card says."""
    models = document.value.get("models")
    if isinstance(models, dict) and name in models:
        return model.merge(document.at(("models", name)))
    return model


def _read_card(agent: ConfigDocument, reference: str) -> ConfigDocument:
    """Read the card that an agent names, with what the agent itself says on top."""
    path = find_file("agents", reference, agent.folder, agent.locate(("card",)))
    card = make_model_absolute(make_absolute(read_document(path), ("prompts",)), ("model",))
    validate_document(AgentCard, card)
    own = replace(agent, value={k: v for k, v in agent.value.items() if k != "card"})
    card = _drop_foreign_fields(card, own.value.get("model"))
    named = agent.at(("card",)).with_value({"id": path.stem})
    return named.merge(card).merge(own)


def _drop_foreign_fields(card: ConfigDocument, model: Any) -> ConfigDocument:
    """Drop what a card says of its model that the engine which the agent itself names lacks."""
    spec = ENGINES.get(str(model.get("engine"))) if isinstance(model, dict) else None
    if spec is None:
        return card
    written = card.at(("model",))
    kept = {k: v for k, v in written.value.items() if k in spec.model_fields}
    return card.replace_at(("model",), written.with_value(kept))


def inline_topology(document: ConfigDocument, at: KeyPath) -> ConfigDocument:
    """Write out the topology at `at`: a name, a file, a list by round, or as it stands."""
    if not document.has(at):
        return document
    return document.replace_at(at, _expand_topology(document.at(at)))


def _expand_topology(branch: ConfigDocument) -> ConfigDocument:
    if isinstance(branch.value, str):
        path = find_file("topologies", branch.value, branch.folder, branch.locate(()))
        found = _expand_topology(read_document(path))
        return replace(found, locations={**found.locations, (): branch.locate(())})
    if isinstance(branch.value, list):
        locations = {
            (): branch.locate(()),
            **{("rounds", *p): where for p, where in branch.locations.items()},
        }
        branch = ConfigDocument({"rounds": branch.value}, locations, branch.folder)
    if isinstance(branch.value, dict) and isinstance(branch.value.get("rounds"), list):
        for index in range(len(branch.value["rounds"])):
            step = branch.at(("rounds", index))
            branch = branch.replace_at(("rounds", index), _expand_topology(step))
    return branch


def find_file(
    kind: Literal["agents", "topologies"], reference: str, folder: Path, location: SourceLocation
) -> Path:
    """Find the file that a reference names. Raises ConfigError with the names that exist."""
    if looks_like_path(reference):
        path = resolve_path(reference, folder, location)
        if path.exists() or path.is_symlink() or _has_yaml_ending(reference):
            return path
    known = list_shipped(kind)
    if reference not in known:
        word = {"agents": "agent", "topologies": "topology"}[kind]
        meant = translate_value(word, reference)
        hint = f"here that is `{meant}`" if meant in known else suggest(reference, known)
        if kind == "agents" and (endpoint := write_endpoint(reference)) is not None:
            hint = endpoint
        what = "unknown" if not looks_like_path(reference) else "neither a file nor a name"
        raise ConfigError(f'{location}: {word} "{reference}" is {what}; {hint}')
    return known[reference]


def _has_yaml_ending(reference: str) -> bool:
    return reference.endswith((".yaml", ".yml"))


def looks_like_path(reference: str) -> bool:
    """Whether a reference is a path rather than a name, such as that of a card of the gallery.

    >>> looks_like_path("mine/ring"), looks_like_path("gallery/qwen3-8b")
    (True, False)
    """
    return _has_yaml_ending(reference) or "/" in reference.removeprefix(GALLERY)


def resolve_path(reference: str, folder: Path, location: SourceLocation) -> Path:
    """Make a path written in a file of `folder` absolute. Relative ones must stay below it."""
    path = Path(reference)
    if path.is_absolute():
        return path
    below = (folder / path).resolve()
    if not below.is_relative_to(folder.resolve()):
        raise ConfigError(
            f'{location}: "{reference}" leaves the folder of the file that names it; '
            "write the absolute path if that is meant"
        )
    return below


def make_absolute(document: ConfigDocument, at: KeyPath) -> ConfigDocument:
    """Make the path written at `at`, if any, absolute."""
    if not document.has(at):
        return document
    written = document.at(at)
    path = written.value
    if not isinstance(path, str) or (at[-1] == "prompts" and not looks_like_path(path)):
        return document
    absolute = resolve_path(path, document.folder, written.locate(()))
    return document.replace_at(at, written.with_value(str(absolute)))


def make_model_absolute(document: ConfigDocument, at: KeyPath) -> ConfigDocument:
    """Make the paths of the model at `at`, if any, absolute; a fetched one is named by its folder.

    Raises ConfigError for a model that can be fetched and is not there.
    """
    for name in ("path", "adapter", "ca_file", "chat_template"):
        document = make_absolute(document, (*at, name))
    model = document.at(at).value if document.has(at) else None
    if not isinstance(model, dict) or str(model.get("engine")) not in WEIGHT_ENGINES:
        return document
    named = model.get("model")
    if not isinstance(named, str) or named not in FETCHABLE:
        return document
    written = document.at((*at, "model"))
    try:
        folder = find_fetched(named)
    except ConfigError as error:
        raise ConfigError(f"{written.locate(())}: {error}") from error
    return document.replace_at((*at, "model"), written.with_value(str(folder)))


def list_shipped(kind: ShippedKind) -> dict[str, Path]:
    """List the shipped declarations of one kind by name, sorted; a name is a file's stem.

    Those of the gallery, which agents alone have, come last.

    >>> list_shipped("topologies")["ring"].name
    'ring.yaml'
    """
    folder = get_shipped_folder(kind)
    named = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    cards = sorted((folder / GALLERY).glob("*.yaml"))
    return named | {f"{GALLERY}{path.stem}": path for path in cards}


def get_shipped_folder(kind: ShippedKind) -> Path:
    """Return the folder of one kind: in an installed package, else at the root of the checkout.

    Beside an installed package may lie folders of the same names that belong to others, so they
    are looked at only where the package carries no declarations of its own.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "shipped"
    return (installed if installed.is_dir() else package.parent) / kind
