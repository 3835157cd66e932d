"""Values as lines of JSON and back, without loss.

The fast path is msgspec's. Two things that models and engines produce have no place in its JSON:
numbers that are not finite (a candidate of probability zero has log p = -inf) and lone surrogates
in text. Lines with those are written by the standard library, such numbers as the strings "-inf",
"inf" and "nan", and read back patiently; each is still valid JSON. Two halves of a pair side by
side come back as the character that they are halves of. Turns and verdicts end in a checksum.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from debate.log.checksum import is_sound, with_checksum
from debate.types import Question, Turn, Verdict

T = TypeVar("T")
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


class CorruptLine(ValueError):
    """A line that is not one whole value of the kind expected."""


def encode(value: Turn | Verdict | Question) -> bytes:
    r"""One line, its newline included.

    >>> encode(Question(id="q", text="1+1?"))[:32]
    b'{"id":"q","text":"1+1?","kind":"'
    """
    plain = _json(value)
    return plain + b"\n" if isinstance(value, Question) else with_checksum(plain)


def _json(value: Turn | Verdict | Question) -> bytes:
    try:
        if math.isfinite(_float_sum(value)):
            return msgspec.json.encode(value)
    except UnicodeEncodeError:
        pass  # a lone surrogate, which only escapes can hold
    plain = _with_finite_numbers(msgspec.to_builtins(value))
    return json.dumps(plain, separators=(",", ":")).encode()


def decode(line: bytes, kind: type[T]) -> T:
    """The value of type `kind` (a dataclass or a msgspec Struct) that a line holds.

    Fields unknown to `kind` are ignored, absent ones take their default. Raises CorruptLine; also
    for a line that differs from its checksum and, where it has none, for bytes that no line is
    written with, wherever they stand: a name that they spoil would else pass for an unknown field.
    """
    sound = is_sound(line)
    if not sound:
        if b"\0" in line or not _is_utf8(line):
            raise CorruptLine("bytes that are no text")
        if sound is False:
            raise CorruptLine("it differs from its checksum")
    try:
        return _decoder(kind).decode(line)
    except (ValueError, RecursionError) as refusal:
        return _decode_patiently(line, kind, refusal)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind)
    return cast(msgspec.json.Decoder[T], _DECODERS[kind])


def _decode_patiently(line: bytes, kind: type[T], refusal: Exception) -> T:
    try:
        return msgspec.convert(json.loads(line), kind, strict=False)
    except (ValueError, RecursionError) as cause:
        raise CorruptLine(str(refusal) or type(refusal).__name__) from cause


def _float_sum(value: Any) -> float:
    """A sum that is finite only if every number in a value, however deep, is."""
    if isinstance(value, float):
        return value
    if isinstance(value, tuple):
        return sum(map(_float_sum, value))
    if isinstance(value, Mapping):
        return sum(value.values())
    numbers, parts = _places_of_floats(type(value))
    total = 0.0
    for name in numbers:
        total += getattr(value, name) or 0.0
    for name in parts:
        if part := getattr(value, name):
            total += _float_sum(part)
    return total


class _Places(NamedTuple):
    """The fields of a dataclass that are numbers, and those that hold some."""

    numbers: tuple[str, ...]
    parts: tuple[str, ...]


_PLACES: dict[Any, _Places] = {}


def _places_of_floats(kind: type[Any]) -> _Places:
    if kind not in _PLACES:
        hints = get_type_hints(kind)
        held = {each.name: _floats_in(hints[each.name]) for each in fields(kind)}
        _PLACES[kind] = _Places(
            tuple(name for name, how in held.items() if how == "number"),
            tuple(name for name, how in held.items() if how == "part"),
        )
    return _PLACES[kind]


def _floats_in(hint: Any) -> Literal["number", "part"] | None:
    """How a field of this type holds floats, if it may."""
    if hint is float:
        return "number"
    if is_dataclass(hint):
        places = _places_of_floats(cast(type, hint))
        return "part" if any(places) else None
    inside = set(filter(None, map(_floats_in, get_args(hint))))
    if "number" in inside and get_origin(hint) is UnionType:
        return "number"
    return "part" if inside else None


def _with_finite_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _with_finite_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_finite_numbers(each) for each in value]
    return value
