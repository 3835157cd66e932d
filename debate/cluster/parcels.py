"""Completions on their way between processes: packed, because pickling each token of each reply
costs ten times as much, and on both sides."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

ENCODER = msgspec.msgpack.Encoder()

Parcel = bytes | list[Any]
"""What travels: packed, or as it is where something in it cannot be packed."""


def packed(items: list[Any]) -> Parcel:
    """The items as bytes; as they are where msgpack cannot hold them (half a surrogate pair)."""
    try:
        return ENCODER.encode(items)
    except (TypeError, ValueError):
        return items


class Unpacker(Generic[T]):
    """Makes items of one type of parcels."""

    def __init__(self, item: type[T]) -> None:
        self._decoder = msgspec.msgpack.Decoder(list[item])  # type: ignore[valid-type]

    def __call__(self, parcel: Parcel) -> list[T]:
        """The items. Raises msgspec.ValidationError for bytes that hold others."""
        if isinstance(parcel, bytes):
            return self._decoder.decode(parcel)
        return parcel
