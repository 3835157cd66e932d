"""Options, their letters, and what an answer picks."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from debate.tasks.wording import fold, tidy

LETTERS = string.ascii_uppercase
"""The options' letters in order; a question has at most as many options."""

_BARE = re.compile(r"(?:option |choice )?[(\[]?([A-Za-z])[)\].:]?", re.IGNORECASE)
_LABELLED = re.compile(r"(?:option |choice )?[(\[]?([A-Za-z])[)\].:]{1,2} ?(\S.*)", re.IGNORECASE)

_FURTHER = re.compile(
    r"[(\[]([A-Z])[)\]]|(?:[,;/&+]|\b(?:and|or))\s*([A-Z])[).:\]]|^(?:[,;/&+]|and|or)\s*([A-Z])\b"
)
"""A further letter after the first: in brackets, or joined on and marked, or joined on at once."""


def parse_choice(text: str, options: Sequence[str]) -> str | None:
    """The letter of the option that the text picks; None where it picks none, or more than one.

    A letter alone is that letter, also where some option's text is a letter. Then comes an
    option's whole text, then a letter with a text, unless that text is another option's.

    >>> [parse_choice(text, ["Rome", "Paris"]) for text in ("(b)", "Paris", "B) Paris", "A) Paris")]
    ['B', 'B', 'B', None]
    """
    plain = tidy(text)
    if bare := _BARE.fullmatch(plain):
        return _letter(bare[1], options)
    texts = [fold(option) for option in options]
    same = [LETTERS[i] for i, option in enumerate(texts) if option == fold(plain)]
    if same:
        return same[0] if len(same) == 1 else None
    labelled = _LABELLED.fullmatch(plain)
    if not labelled:
        return None
    letter = _letter(labelled[1], options)
    others = [option for i, option in enumerate(texts) if LETTERS[i] != letter]
    return None if fold(labelled[2]) in others else letter


def _letter(letter: str, options: Sequence[str]) -> str | None:
    return letter.upper() if letter.upper() in LETTERS[: len(options)] else None


def parse_letter(text: str) -> str | None:
    """The letter that the text picks where the options are not known; None for none or several.

    >>> [parse_letter(text) for text in ("(b)", "B.", "B) Paris", "A. and C.", "(A)(B)", "Paris")]
    ['B', 'B', 'B', None, None, None]
    """
    plain = tidy(text)
    if bare := _BARE.fullmatch(plain):
        return bare[1].upper()
    labelled = _LABELLED.fullmatch(plain)
    if not labelled:
        return None
    letter = labelled[1].upper()
    further = {found for match in _FURTHER.finditer(labelled[2]) for found in match.groups()}
    return letter if further <= {letter, None} else None


def target_letter(target: object, options: Sequence[str], *, written_as: str = "auto") -> str:
    """The letter of a reference answer written as a letter, an index, a number or a text.

    `index` counts from 0, `number` from 1. With `auto`, all readings but `number` are tried.
    Raises ValueError where none fits, or where readings disagree.
    """
    readings = ("letter", "index", "text") if written_as == "auto" else (written_as,)
    found = {how: letter for how in readings if (letter := _as(target, options, how))}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    offered = f"options A to {LETTERS[len(options) - 1]}: {', '.join(map(repr, options))}"
    if not found:
        raise ValueError(f"target {target!r} is none of the {offered} (`target_as: {written_as}`)")
    said = " or ".join(f"{letter} as {how}" for how, letter in found.items())
    raise ValueError(
        f"target {target!r} may mean {said}; set `target_as` to letter, index, number or text"
    )


def _as(target: object, options: Sequence[str], how: str) -> str | None:
    """The letter under one reading; None where it does not fit."""
    text = str(target).strip()
    if how in ("index", "number"):
        place = int(text) - (how == "number") if re.fullmatch(r"[0-9]{1,2}", text) else -1
        return LETTERS[place] if 0 <= place < len(options) else None
    if how == "letter":
        bare = _BARE.fullmatch(text)
        return _letter(bare[1], options) if bare else None
    same = [LETTERS[i] for i, option in enumerate(options) if fold(option) == fold(text)]
    return same[0] if len(same) == 1 else None
