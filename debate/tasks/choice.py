"""Read which one option of a question a text picks: by letter, by text, or by both."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import NamedTuple

from debate.tasks.number import normalise_number
from debate.tasks.units import split_words
from debate.tasks.values import fold_case, strip_formatting

LETTERS = string.ascii_uppercase
"""The options' letters in order; a question has at most as many options."""

_LABEL = re.compile(r"(?:option |choice )?[(\[]?([A-Za-z])([)\].:]{0,2})", re.IGNORECASE)
_TEXT_AND_LABEL = re.compile(r"(\S.*?) ?[(\[]([A-Za-z])[)\]]")
_JOINED = re.compile(
    r"[(\[]([A-Z])[)\]]|(?:[,;/&+]|\b(?:and|or))\s*([A-Z])[).:\]]"
    r"|^(?:[,;/&+]|and|or)\s*([A-Z])\b|^([A-Za-z])$"
)
"""A further letter after the first: in brackets, joined on and marked, joined at once, or alone."""

_MENTIONED = re.compile(
    r"\b([B-HJ-Z])\b|(?:[,;/&+]|\b(?:and|or|not|than|option|choice))\s*([AI])\b(?! [a-z])"
    r"|\b([AI])(?:[).:](?!\w)|\W*$)"
)
"""A further letter in a comment: alone; A and I, which are words, joined on, marked or last."""

_AFFIRMED = re.compile(
    r"is (?:the )?(?:correct|right|best|answer|correct answer|right answer|best answer)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]+")
_JOINS = frozenset(("or", "and", "nor", "but"))
_VERBS = frozenset(("is", "isn", "was", "wasn", "can", "cannot", "could", "must", "seems", "looks"))
_REJECTIONS = split_words(
    """
    not isn wasn aren doesn cannot wrong incorrect false neither nor never except unlikely
    rejected eliminated excluded ruled instead rather maybe perhaps
    """
)


class _Label(NamedTuple):
    """A letter at the beginning of a text, whether a sign marks it, and what follows."""

    letter: str
    is_marked: bool
    rest: str


def parse_choice(text: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that the text picks; None where it picks none or several.

    A letter alone is that letter, also where some option's text is a letter. Then comes an
    option's whole text, then a letter with its option's text, or its beginning, or a comment that
    names no other option and rejects nothing.

    >>> [parse_choice(text, ["Rome", "Paris"]) for text in ("(b)", "Paris", "B) Paris", "A) Paris")]
    ['B', 'B', 'B', None]
    """
    plain = strip_formatting(text)
    label = _read_label(plain)
    if label and not label.rest:
        return _to_letter(label.letter, options)
    if same := _list_same(plain, options):
        return same[0] if len(same) == 1 else None
    if label:
        letter = _to_letter(label.letter, options)
        return letter if letter and _fits(label, LETTERS.index(letter), options) else None
    both = _TEXT_AND_LABEL.fullmatch(plain)
    return both[2].upper() if both and [both[2].upper()] == _list_same(both[1], options) else None


def parse_letter(text: str) -> str | None:
    """Return the letter that the text picks where options are unknown; None for none or several.

    >>> [parse_letter(text) for text in ("(b)", "B.", "B) Paris", "A. and C.", "(A)(B)", "Paris")]
    ['B', 'B', 'B', None, None, None]
    """
    label = _read_label(strip_formatting(text))
    if label is None or (label.rest and not label.is_marked):
        return None
    words = _list_words(label.rest)
    is_rejected = bool(words) and words[0] in _VERBS and not _REJECTIONS.isdisjoint(words)
    return None if is_rejected or _joins_another(label.letter, label.rest) else label.letter


def _read_label(plain: str) -> _Label | None:
    """Return the letter with which the text begins; None for a word, or an abbreviation."""
    plain = plain.replace("**", "")
    match = _LABEL.match(plain)
    if match is None:
        return None
    rest, closing = plain[match.end() :], match[2]
    is_marked = closing and not (closing == "." and (match[1].islower() or rest[:1].isdigit()))
    is_word = rest.startswith("..") or (rest[:1].isalnum() and not is_marked)
    return None if is_word else _Label(match[1].upper(), bool(closing), rest.strip())


def _list_same(text: str, options: Sequence[str]) -> list[str]:
    """Return the letters of the options with this text; failing that, of those with this number."""
    folded = fold_case(text)
    same = [LETTERS[i] for i, option in enumerate(options) if fold_case(option) == folded]
    if same or (number := normalise_number(text)) is None:
        return same
    return [LETTERS[i] for i, option in enumerate(options) if normalise_number(option) == number]


def _fits(label: _Label, own: int, options: Sequence[str]) -> bool:
    """Return whether what follows the letter agrees that its option is picked."""
    said = label.rest.lstrip("-–—,: ")
    if said[:1] + said[-1:] in ("()", "[]"):
        said = said[1:-1]
    if same := _list_same(said, options):
        return LETTERS[own] in same
    if not label.is_marked:
        return bool(_AFFIRMED.fullmatch(said))
    folded, text = fold_case(said), fold_case(options[own])
    beginning = folded.rstrip(" .…")
    if beginning and said.endswith(("…", "...")) and text.startswith(beginning):
        return True
    if text and folded.startswith(text) and not folded[len(text)].isalnum():
        said = said[-(len(folded) - len(text)) :]
    others = {LETTERS[i] for i in range(len(options)) if i != own}
    return not (
        "?" in said
        or _joins_another(label.letter, said)
        or not _list_letters(_MENTIONED, said).isdisjoint(others)
        or not _REJECTIONS.isdisjoint(_list_words(said))
        or any(_mentions(said, other) for i, other in enumerate(options) if i != own)
    )


def _joins_another(letter: str, rest: str) -> bool:
    """Return whether a second letter follows, or a word that adds one."""
    joined = _list_letters(_JOINED, rest)
    return not joined <= {letter} or not _JOINS.isdisjoint(_list_words(rest)[:1])


def _list_letters(pattern: re.Pattern[str], text: str) -> set[str]:
    return {one.upper() for found in pattern.finditer(text) for one in found.groups() if one}


def _list_words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _mentions(said: str, option: str) -> bool:
    """Return whether an option's text stands in what was said, as words of its own."""
    text = fold_case(option)
    return bool(text) and f" {' '.join(_split(text))} " in f" {' '.join(_split(said))} "


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", fold_case(text))


def _to_letter(letter: str, options: Sequence[str]) -> str | None:
    return letter.upper() if letter.upper() in LETTERS[: len(options)] else None
