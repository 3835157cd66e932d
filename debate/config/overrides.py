"""Overrides from the command line: `a.b.0.c=value`, the value read as YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from debate.config.document import Document, KeyPath, Place
from debate.config.parse import parse_document
from debate.config.secrets import redacted
from debate.errors import ConfigError, suggestion


def override(document: Document, assignments: Iterable[str]) -> Document:
    """The document with each `path=value` applied in turn. Raises ConfigError."""
    for assignment in assignments:
        document = _assign(document, assignment)
    return document


def _assign(document: Document, assignment: str) -> Document:
    dotted, equals, text = assignment.partition("=")
    place = Place(f"override {_shown(dotted, equals, text)!r}")
    if not equals or not dotted.strip():
        raise ConfigError(f"{place}: write it as path=value, as in rounds=4")
    path: KeyPath = ()
    for word in dotted.strip().split("."):
        document, path = _step(document, path, word, place)
    branch = parse_document(text, source=str(place), folder=document.folder)
    places = dict.fromkeys(branch.places, place)
    return document.graft(path, Document(branch.value, places, document.folder))


def _shown(dotted: str, equals: str, text: str) -> str:
    """The assignment as errors quote it: a key's value is not."""
    return f"{dotted}{equals}{redacted(text, dotted.strip().rpartition('.')[2])}"


def _step(document: Document, path: KeyPath, word: str, place: Place) -> tuple[Document, KeyPath]:
    """One word further down; a list's members go by number or by the name they carry."""
    here = document.at(path).value if path in document.places or not path else None
    if isinstance(here, list):
        names = [_name(item) for item in here]
        index = int(word) if word.isdecimal() else names.index(word) if word in names else None
        if index is None or index >= len(here):
            known = [name for name in names if name] + [str(i) for i in range(len(here))]
            raise ConfigError(f'{place}: "{word}" is not in that list; {suggestion(word, known)}')
        path = (*path, index)
        if isinstance(here[index], str):
            card = document.at(path).instead({"card": here[index]})
            document = document.graft(path, card)
        return document, path
    return document, (*path, word)


def _name(item: Any) -> str:
    if isinstance(item, dict):
        return str(item.get("id", item.get("card", "")))
    return str(item)
