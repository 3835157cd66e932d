"""Turns and verdicts as frames need them: decoded quickly, read in batches of bounded size."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, reduce
from itertools import islice
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from debate.types import Confidence, Failure, Turn, Usage

__all__ = ["ConfidenceRow", "FailureRow", "TurnRow", "UsageRow", "in_batches"]

T = TypeVar("T")
BATCH_SIZE = 20_000
NOT_SHOWN = frozenset({"prompt", "prompt_hash", "sampling_seed"})
"""Fields of a turn that no frame shows."""


@cache
def _row_type(kind: type[Any], *, without: frozenset[str] = frozenset()) -> Any:
    """A struct with the fields of a dataclass, which decodes faster and weighs less.

    Its parts are structs too. What a dataclass derives by properties, its struct derives so.
    """
    hints = get_type_hints(kind)
    columns = [
        (each.name, _row_hint(hints[each.name]), _default(each))
        for each in fields(kind)
        if each.name not in without
    ]
    derived = {name: each for name, each in vars(kind).items() if isinstance(each, property)}
    return msgspec.defstruct(
        f"{kind.__name__}Row",
        [column if column[2] is not MISSING else column[:2] for column in columns],
        namespace=derived,
        kw_only=True,
        gc=False,
    )


def _row_hint(hint: Any) -> Any:
    if is_dataclass(hint):
        return _row_type(cast(type, hint))
    parts = tuple(map(_row_hint, get_args(hint)))
    origin = get_origin(hint)
    if origin is UnionType:
        return reduce(operator.or_, parts)
    return origin[parts] if origin in (tuple, Mapping) else hint


def _default(each: Field[Any]) -> Any:
    """The default of a field as a struct states it; that of a part is the part's own."""
    if each.default_factory is MISSING:
        return each.default
    return msgspec.field(default_factory=_row_hint(each.default_factory))


if TYPE_CHECKING:
    from debate.types import Confidence as ConfidenceRow
    from debate.types import Failure as FailureRow
    from debate.types import Turn as TurnRow
    from debate.types import Usage as UsageRow
else:
    ConfidenceRow, FailureRow, UsageRow = map(_row_type, (Confidence, Failure, Usage))
    TurnRow = _row_type(Turn, without=NOT_SHOWN)


def in_batches(rows: Iterable[T], size: int = BATCH_SIZE) -> Iterator[list[T]]:
    """The rows in lists of `size`, the last one shorter.

    >>> list(in_batches("abc", 2))
    [['a', 'b'], ['c']]
    """
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch
