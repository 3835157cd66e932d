"""What tells one resolved spec from another, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

_ABSENT = object()
_SHOWN = 12
_LONGEST = 60

Path = tuple[str, ...]


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], *, ignoring: Iterable[str | Path] = ()
) -> list[str]:
    """One clause per differing field, as in `rounds: 3 → 4`.

    `ignoring` names fields that do not make another run, with dots for nested ones (or as a tuple
    of names) and `*` for any one name.

    >>> differences({"rounds": 3, "models": {"a": {"cpus": 1}}},
    ...             {"rounds": 4, "models": {"a": {"cpus": 2}}}, ignoring=["models.*.cpus"])
    ['rounds: 3 → 4']
    """
    ignored = [tuple(name.split(".")) if isinstance(name, str) else name for name in ignoring]
    return [
        f"{_name(path)}: {_shown(before)} → {_shown(after)}"
        for path, before, after in _differing((), old, new)
        if not any(_covers(pattern, path) for pattern in ignored)
    ]


def additions(
    old: Mapping[str, Any], new: Mapping[str, Any], *, among: Iterable[str]
) -> tuple[Path, ...]:
    """What only `new` has in the mappings `among`.

    >>> additions({"cells": {"a": 1}}, {"cells": {"a": 2, "b": 3}}, among=["cells"])
    (('cells', 'b'),)
    """
    return tuple(
        (name, str(key))
        for name in among
        for key in new.get(name, {})
        if key not in old.get(name, {})
    )


def listed(clauses: Sequence[str]) -> str:
    """Clauses as indented lines, the first dozen of them."""
    rest = len(clauses) - _SHOWN
    more = [f"… and {rest} more"] if rest > 0 else []
    return "\n".join(f"  {clause}" for clause in [*clauses[:_SHOWN], *more])


def _differing(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            child = (*path, str(name))
            yield from _differing(child, old.get(name, _ABSENT), new.get(name, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for number, (before, after) in enumerate(zip_longest(old, new, fillvalue=_ABSENT)):
            yield from _differing((*path, str(number)), before, after)
    elif old != new:
        yield path, old, new


def _covers(pattern: Path, path: Path) -> bool:
    pairs = zip(pattern, path, strict=False)
    return len(pattern) <= len(path) and all(wanted in ("*", name) for wanted, name in pairs)


def _name(path: Path) -> str:
    return ".".join(path)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
