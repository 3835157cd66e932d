"""Values as lines of JSON and back, without loss.

The fast path is msgspec's. Its JSON cannot hold two things that models and engines produce:
numbers that are not finite (a candidate of probability zero has log p = -inf) and lone surrogates
in text. Lines with those are written and read by the standard library, such numbers as the strings
"-inf", "inf" and "nan"; each line is still valid JSON. The two halves of a surrogate pair side by
side come back as the one character that they encode.

The last field of a turn's or verdict's line is its checksum: the CRC-32 of the line without that
field and without its newline, in eight hexadecimal digits, as in
`{"cell":"ring",...,"finished_at":0.0,"crc32":"9af03b21"}`. A line that is edited on purpose may
leave the field out.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, reduce
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NamedTuple,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)
from zlib import crc32

import msgspec

from debate.log.false_numbers import find_false_place
from debate.types import Confidence, Failure, Question, Turn, Usage, Verdict

T = TypeVar("T")
NOT_SHOWN = frozenset({"heard_as", "prompt", "prompt_hash", "sampling_seed"})
"""Fields of a turn that no frame shows, and that `TurnStruct` lacks."""

OMITTED_WHERE_ABSENT = {
    "heard_as": b',"heard_as":[]',
    "reasoning": b',"reasoning":null',
    "notes": b',"notes":[]',
    "final_line": b',"final_line":null',
    "served_by": b',"served_by":null',
    "tool_steps": b',"tool_steps":[]',
    "tests": b',"tests":null',
}
"""Fields that are only written where they hold something, and how they look otherwise."""

_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_CHECKSUM_NAME = b',"crc32":"'
_CHECKSUM_LENGTH = len(_CHECKSUM_NAME + b'01234567"}\n')
_SPOILT_CHECKSUM = re.compile(
    rb',"(?:.rc32|c.c32|cr.32|crc.2|crc3.)":"[0-9a-f]{8}"}\s*\Z', re.DOTALL
)


class CorruptLine(ValueError):
    """A line that does not hold exactly one value of the kind expected."""


def encode_line(value: Turn | Verdict | Question) -> bytes:
    r"""Return the value as one line, newline included.

    >>> encode_line(Question(id="q", text="1+1?"))[:32]
    b'{"id":"q","text":"1+1?","kind":"'
    """
    plain = _to_json(value)
    return plain + b"\n" if isinstance(value, Question) else add_checksum(plain)


def _to_json(value: Turn | Verdict | Question) -> bytes:
    return _drop_absent(_encode(value))


def _encode(value: Turn | Verdict | Question) -> bytes:
    try:
        if math.isfinite(_sum_floats(value)):
            return msgspec.json.encode(value)
    except UnicodeEncodeError:
        pass  # a lone surrogate, which only escapes can hold
    plain = _replace_infinities(msgspec.to_builtins(value))
    return json.dumps(plain, separators=(",", ":")).encode()


def _drop_absent(plain: bytes) -> bytes:
    """Leave out the fields that are only written where they hold something.

    Inside a text their quotation marks would be escaped, so nothing else can look like them.
    """
    for absent in OMITTED_WHERE_ABSENT.values():
        plain = plain.replace(absent, b"", 1)
    return plain


def decode_line(line: bytes, kind: type[T]) -> T:
    """Return the value of type `kind` (a dataclass or a msgspec Struct) that a line holds.

    Fields unknown to `kind` are ignored, absent ones take their default. Raises CorruptLine where
    the line is no such value, differs from its checksum, or has a seed or a round that is none. A
    line without checksum is also refused if it holds NUL or is not UTF-8: a field name spoilt so
    would pass for an unknown field.
    """
    sound = has_valid_checksum(line)
    if not sound:
        if b"\0" in line or not _is_utf8(line):
            raise CorruptLine("bytes that are no text")
        if sound is False:
            raise CorruptLine("it differs from its checksum")
    try:
        value = _get_decoder(kind).decode(line)
    except (ValueError, RecursionError) as refusal:
        value = _decode_leniently(line, kind, refusal)
    if wrong := find_false_place(value):
        raise CorruptLine(wrong)
    return value


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _get_decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind)
    return cast(msgspec.json.Decoder[T], _DECODERS[kind])


def _decode_leniently(line: bytes, kind: type[T], refusal: Exception) -> T:
    try:
        return msgspec.convert(json.loads(line), kind, strict=False)
    except (ValueError, OverflowError, RecursionError) as cause:
        raise CorruptLine(str(refusal) or type(refusal).__name__) from cause


def _sum_floats(value: Any) -> float:
    """Add the floats in a value, however deep: the sum is finite only if every one of them is."""
    if isinstance(value, float):
        return value
    if isinstance(value, tuple):
        return sum(map(_sum_floats, value))
    if isinstance(value, Mapping):
        return sum(value.values())
    numbers, parts = _find_float_fields(type(value))
    total = 0.0
    for name in numbers:
        total += getattr(value, name) or 0.0
    for name in parts:
        if part := getattr(value, name):
            total += _sum_floats(part)
    return total


class _FloatFields(NamedTuple):
    """The fields of a dataclass that are numbers, and those that hold some."""

    numbers: tuple[str, ...]
    parts: tuple[str, ...]


_FLOAT_FIELDS: dict[Any, _FloatFields] = {}


def _find_float_fields(kind: type[Any]) -> _FloatFields:
    if kind not in _FLOAT_FIELDS:
        hints = get_type_hints(kind)
        held = {each.name: _classify_hint(hints[each.name]) for each in fields(kind)}
        _FLOAT_FIELDS[kind] = _FloatFields(
            tuple(name for name, how in held.items() if how == "number"),
            tuple(name for name, how in held.items() if how == "part"),
        )
    return _FLOAT_FIELDS[kind]


def _classify_hint(hint: Any) -> Literal["number", "part"] | None:
    """Say whether a field of this type is a float, holds some further down, or holds none."""
    if hint is float:
        return "number"
    if is_dataclass(hint):
        return "part" if any(_find_float_fields(cast(type, hint))) else None
    inside = set(filter(None, map(_classify_hint, get_args(hint))))
    if "number" in inside and get_origin(hint) is UnionType:
        return "number"
    return "part" if inside else None


def _replace_infinities(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _replace_infinities(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_infinities(each) for each in value]
    return value


def add_checksum(plain: bytes) -> bytes:
    r"""Return a JSON object of at least one field as a line, with checksum and newline.

    >>> add_checksum(b'{"cell":"ring"}')
    b'{"cell":"ring","crc32":"9c2becae"}\n'
    """
    return plain[:-1] + b',"crc32":"%08x"}\n' % crc32(plain)


def has_valid_checksum(line: bytes) -> bool | None:
    r"""Whether the line is as it was written; None where it has no checksum to tell by.

    A line that lacks nothing but its newline is valid. A checksum whose field name has one changed
    byte makes the line invalid.

    >>> line = b'{"cell":"ring","crc32":"9c2becae"}\n'
    >>> has_valid_checksum(line), has_valid_checksum(line.replace(b"ring", b"sing"))
    (True, False)
    >>> has_valid_checksum(b'{"cell":"ring"}\n') is None
    True
    """
    whole = line if line.endswith(b"\n") else line + b"\n"
    if whole.startswith(_CHECKSUM_NAME, -_CHECKSUM_LENGTH) and whole.endswith(b'"}\n'):
        return whole.endswith(b'%08x"}\n' % crc32(b"}", crc32(whole[:-_CHECKSUM_LENGTH])))
    return False if _SPOILT_CHECKSUM.search(whole[-2 * _CHECKSUM_LENGTH :]) else None


@cache
def _make_struct(kind: type[Any], *, without: frozenset[str] = frozenset()) -> Any:
    """Make a msgspec struct with the fields and properties of a dataclass, and so for its parts.

    It is decoded from a line faster than the dataclass and takes less memory.
    """
    hints = get_type_hints(kind)
    columns = [
        (each.name, _convert_hint(hints[each.name]), _convert_default(each))
        for each in fields(kind)
        if each.name not in without
    ]
    derived = {name: each for name, each in vars(kind).items() if isinstance(each, property)}
    return msgspec.defstruct(
        f"{kind.__name__}Struct",
        [column if column[2] is not MISSING else column[:2] for column in columns],
        namespace=derived,
        kw_only=True,
        gc=False,
    )


def _convert_hint(hint: Any) -> Any:
    if is_dataclass(hint):
        return _make_struct(cast(type, hint))
    parts = tuple(map(_convert_hint, get_args(hint)))
    origin = get_origin(hint)
    if origin is UnionType:
        return reduce(operator.or_, parts)
    return origin[parts] if origin in (tuple, Mapping) else hint


def _convert_default(each: Field[Any]) -> Any:
    """Return a field's default as `msgspec.defstruct` takes it; a part's default is a struct."""
    if each.default_factory is MISSING:
        return each.default
    return msgspec.field(default_factory=_convert_hint(each.default_factory))


if TYPE_CHECKING:
    ConfidenceStruct = Confidence
    FailureStruct = Failure
    TurnStruct = Turn
    UsageStruct = Usage
else:
    ConfidenceStruct, FailureStruct, UsageStruct = map(_make_struct, (Confidence, Failure, Usage))
    TurnStruct = _make_struct(Turn, without=NOT_SHOWN)
