"""Regular expressions from data files, matched in time linear in the text."""

from __future__ import annotations

import polars

MAX_PATTERN = 1000
"""A longer pattern is refused."""


def check_pattern(pattern: str) -> None:
    """Raise ValueError where the pattern cannot be used.

    The engine is Rust's `regex`, which has no look-around and no back-references, and therefore
    no pattern that takes exponential time.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(
            f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} can be used"
        )
    try:
        _match(pattern, "")
    except polars.exceptions.ComputeError as cause:
        raise ValueError(f"the pattern {pattern!r} cannot be used: {cause}") from None


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern matches the whole text, ignoring case.

    >>> matches(r"(a+)+", "a" * 500 + "!"), matches("colou?r", "Color")
    (False, True)
    """
    return _match(rf"(?i)\A(?:{pattern})\z", text)


def _match(pattern: str, text: str) -> bool:
    return bool(polars.Series([text]).str.contains(pattern, literal=False, strict=True).item())
