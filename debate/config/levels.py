"""Names for the levels of a sweep, given while the file still knows how they were written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from debate.config.document import Document, KeyPath
from debate.config.sweep import FACTORS, Factor
from debate.errors import ConfigError

_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_TRUTH = {
    "anonymous": {True: "anonymous", False: "named"},
    "show_confidence": {True: "confidence", False: "noconfidence"},
}
"""What the two levels of a switch are called."""


def name_levels(document: Document, at: KeyPath) -> Document:
    """The document with every level of the sweep at `at` under a name.

    Lists become mappings, and `exclude` and `include` speak of levels by name. What is not shaped
    like levels stays for validation to tell. Raises ConfigError for a level without a name.
    """
    for factor in FACTORS:
        document = _named_factor(document, (*at, factor), factor)
    levels = document.at(at).value
    for index, added in enumerate(_entries(levels, "include")):
        for factor in _factors(added):
            place = (*at, "include", index, factor)
            document = _included(document, place, factor, levels.get(factor))
    for index, excluded in enumerate(_entries(levels, "exclude")):
        for factor in _factors(excluded):
            place = (*at, "exclude", index, factor)
            document = _excluded(document, place, factor)
    return document


def level_name(factor: str, value: Any) -> str | None:
    """What a level is called that names itself; None for one that must be given a name.

    >>> level_name("rounds", 3), level_name("anonymous", False), level_name("topology", "my/a.yaml")
    ('r3', 'named', 'a')
    """
    if isinstance(value, bool):
        return _TRUTH.get(factor, {}).get(value, str(value).lower())
    if isinstance(value, int | float):
        return f"r{value}" if factor == "rounds" else str(value)
    if isinstance(value, list) and factor == "team":
        value = "_".join(map(str, value))
    if not isinstance(value, str):
        return None
    if value.endswith((".yaml", ".yml")):
        value = Path(value).stem
    elif factor == "protocol":
        value = value.rpartition(".")[2]
    return value if _NAME.match(value) else None


def _named_factor(document: Document, at: KeyPath, factor: Factor) -> Document:
    levels = document.at(at[:-1]).value
    if not isinstance(levels, dict) or factor not in levels:
        return document
    branch = document.at(at)
    if isinstance(branch.value, dict):
        return document
    listed = branch.value if isinstance(branch.value, list) else [branch.value]
    named = branch.instead({})
    for index in range(len(listed)):
        level = branch.at((index,)) if isinstance(branch.value, list) else branch
        name = _name_of(level, factor)
        if name in named.value:
            raise ConfigError(f'{level.place(())}: the {factor} "{name}" is written twice')
        named = named.graft((name,), level)
    return document.graft(at, named)


def _name_of(level: Document, factor: str) -> str:
    name = level_name(factor, level.value)
    if name is None:
        raise ConfigError(
            f"{level.place(())}: this {factor} needs a name for its cells; "
            f"write `{factor}: {{NAME: …}}`"
        )
    return name


def _included(document: Document, at: KeyPath, factor: Factor, known: Any) -> Document:
    """One level of a combination to include: by the name of a known one, or written out."""
    branch = document.at(at)
    said = level_name(factor, branch.value)
    one = branch.instead({})
    if isinstance(known, dict) and said is not None and said in known:
        return document.graft(at, one.graft((said,), document.at((at[0], factor, said))))
    if isinstance(branch.value, list) and factor == "team":
        return document.graft(at, one.graft((_name_of(branch, factor),), branch))
    return _named_factor(document, at, factor)


def _excluded(document: Document, at: KeyPath, factor: Factor) -> Document:
    """The levels of a combination to exclude, as a list of names."""
    branch = document.at(at)
    listed = branch.value if isinstance(branch.value, list) else [branch.value]
    names = [level_name(factor, value) or str(value) for value in listed]
    return document.graft(at, branch.instead(names))


def _entries(levels: Any, field: str) -> list[Any]:
    found = levels.get(field) if isinstance(levels, dict) else None
    return found if isinstance(found, list) else []


def _factors(entry: Any) -> list[Factor]:
    return [factor for factor in FACTORS if isinstance(entry, dict) and factor in entry]
