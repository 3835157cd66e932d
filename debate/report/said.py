"""One turn as a transcript shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from debate.analysis.registry import words
from debate.analysis.tables.where import heard_text
from debate.analysis.text import clean, number, short
from debate.report.material import Material
from debate.types import Confidence, Turn, speaks

MOST_CHARACTERS = 6_000
MARKS = {"correct": "✓", "wrong": "✗", "abstained": "∅", "cut": "✂", "failed": "!", "open": "·"}
Row = dict[str, Any]


class Sure(NamedTuple):
    """One confidence: its value, its estimator, and how strongly it is coloured, in percent."""

    value: str
    source: str
    tint: int


@dataclass(frozen=True, kw_only=True)
class Said:
    """One turn as it is shown. `state` is an outcome, or open where nothing was judged.

    confidences: what the turn carries itself, then what probes found of it.
    """

    agent: str
    what: str
    model: str
    text: str
    answer: str
    state: str
    mark: str
    confidences: tuple[Sure, ...]
    heard: str
    is_spot: bool
    was_heard: bool
    anchor: str = ""


def transcript(
    material: Material, turns: Sequence[Turn], row: Row, most: int, anchor: str
) -> tuple[Said, ...]:
    """The turns of a debate around a hot spot, each with what probes found of it.

    row: the hot spot. most: characters of each turn. anchor: the identifier of the hot spot's turn.
    """
    found: dict[tuple[str, int], list[Confidence]] = {}
    for turn in turns:
        if turn.kind == "probe":
            found.setdefault((turn.agent, turn.round), []).extend(turn.confidences)
    return tuple(
        _said(material, turn, found.get((turn.agent, turn.round), []), row, most, anchor)
        for turn in turns
        if turn.kind != "probe"
    )


def _said(
    material: Material, turn: Turn, probed: list[Confidence], row: Row, most: int, anchor: str
) -> Said:
    state = turn.outcome or "open"
    about = f" of {short(turn.about, 40)}" if turn.about else ""
    is_spot = speaks(turn) and (turn.agent, turn.round) == (row["agent"], row["round"])
    return Said(
        agent=material.agent(turn.cell, turn.agent),
        what=f"round {turn.round}, {turn.kind}{about}",
        model=short(turn.model),
        text=readable(turn.failure.message if turn.failure else turn.text, most=most),
        answer="–" if turn.answer is None else short(turn.value or "no answer", 40),
        state=state,
        mark=MARKS[state],
        confidences=_sure([*turn.confidences, *(probed if speaks(turn) else ())]),
        heard=heard_text(list(turn.heard)) if turn.heard else "",
        is_spot=is_spot,
        was_heard=turn.ref in (row["heard"] or ()),
        anchor=anchor if is_spot else "",
    )


def _sure(confidences: list[Confidence]) -> tuple[Sure, ...]:
    """The confidences, the first of each estimator."""
    by_source = {c.source: c for c in reversed(confidences)}
    ordered = [c for c in confidences if by_source[c.source] is c]
    return tuple(
        Sure(number(c.value, 2), short(words(c.source)), round(10 + 45 * c.value)) for c in ordered
    )


def readable(text: str, *, most: int = MOST_CHARACTERS) -> str:
    r"""What was said, with line ends, without other control characters, cut where very long.

    >>> readable("a\r\nb\x00")
    'a\nb�'
    """
    whole = text.replace("\r\n", "\n").strip()
    shown = clean(whole[:most], keep="\n\t")
    rest = len(whole) - most
    return f"{shown}\n[… {rest} more characters]" if rest > 0 else shown
