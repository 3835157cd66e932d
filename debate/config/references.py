"""What YAML files name each other by: shipped names, and paths relative to the file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from debate.config.document import Document, KeyPath, Place
from debate.config.shipped import shipped
from debate.errors import ConfigError, suggestion


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


def anchor(document: Document, at: KeyPath) -> Document:
    """The document with the path written at `at`, if any, made absolute."""
    if not document.has(at):
        return document
    written = document.at(at)
    path = written.value
    if not isinstance(path, str) or (at[-1] == "prompts" and not looks_like_path(path)):
        return document
    absolute = anchored(path, document.folder, written.place(()))
    return document.graft(at, written.instead(str(absolute)))


def anchor_model(document: Document, at: KeyPath) -> Document:
    """The document with the paths of the model at `at`, if any, made absolute."""
    return anchor(anchor(document, (*at, "path")), (*at, "adapter"))
