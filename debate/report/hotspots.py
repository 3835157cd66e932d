"""Where confidence in errors rose most, with the debate behind each such turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from debate.report.material import Material
from debate.report.text import clean, number, short
from debate.types import DebateKey, Question, Turn

MOST_SPOTS, MOST_IN_ARM = 40, 10
MOST_TURNS = 60
MOST_CHARACTERS = 6_000
MARKS = {"correct": "✓", "wrong": "✗", "abstained": "∅", "failed": "!", "open": "·"}
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Said:
    """One turn as it is shown. `state` is an outcome, or open where nothing was judged.

    `tint` says how strongly the confidence is coloured, in percent; None without confidence.
    """

    agent: str
    what: str
    model: str
    text: str
    answer: str
    state: str
    mark: str
    confidence: str
    source: str
    tint: int | None
    heard: str
    is_spot: bool
    was_heard: bool


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A turn at which confidence in an error rose, and the debate around it."""

    arm: str
    question: str
    seed: int
    agent: str
    round: int
    answer: str
    confidence: str
    rise: str
    heard: str
    text: str
    target: str
    turns: tuple[Said, ...]
    note: str


def spots(material: Material) -> tuple[Spot, ...]:
    """The ten steepest rises of each arm, at most forty in all, steepest first."""
    table = material.analysis.tables["hotspots"]
    each = table.group_by("cell", maintain_order=True).head(MOST_IN_ARM)
    ordered = each.sort("rise", descending=True, maintain_order=True).head(MOST_SPOTS)
    return tuple(_spot(material, row) for row in ordered.iter_rows(named=True))


def _spot(material: Material, row: Row) -> Spot:
    key = DebateKey(cell=row["cell"], question=row["question"], seed=row["seed"])
    turns = material.turns(key)
    chosen = turns if len(turns) <= MOST_TURNS else _nearest(turns, row)
    left_out = len(turns) - len(chosen)
    heard = ", ".join(short(ref, 40) for ref in row["heard"] or ())
    return Spot(
        arm=material.arm(key.cell),
        question=short(key.question, 40),
        seed=key.seed,
        agent=material.agent(key.cell, row["agent"]),
        round=row["round"],
        answer=f"{short(row['previous_answer'], 24)} → {short(row['answer'], 24)}",
        confidence=f"{number(row['previous_confidence'], 2)} → {number(row['confidence'], 2)}",
        rise=number(row["rise"], 2, signed=True),
        heard=heard or "nothing that is recorded",
        text=_question_text(material.question(key.question)),
        target=short(row["target"]),
        turns=tuple(_said(material, turn, row) for turn in chosen),
        note=f"{left_out} turns that this one neither heard nor followed are left out."
        if left_out
        else "",
    )


def _nearest(turns: tuple[Turn, ...], row: Row) -> tuple[Turn, ...]:
    """The agent's own turns and what was heard, where a debate is very long."""
    heard = set(row["heard"] or ())
    own = [turn for turn in turns if turn.agent == row["agent"] or turn.ref in heard]
    return tuple(own[:MOST_TURNS])


def _question_text(question: Question | None) -> str:
    if question is None:
        return ""
    options = "".join(f"\n{option}" for option in question.options)
    return readable(question.text + options)


def _said(material: Material, turn: Turn, row: Row) -> Said:
    state = _state(turn)
    confidence = turn.confidences[0] if turn.confidences else None
    about = f" of {short(turn.about, 40)}" if turn.about else ""
    steered = (turn.agent, turn.round) == (row["agent"], row["round"])
    return Said(
        agent=material.agent(turn.cell, turn.agent),
        what=f"round {turn.round}, {turn.kind}{about}",
        model=short(turn.model),
        text=readable(turn.failure.message if turn.failure else turn.text),
        answer="–" if turn.answer is None else short(turn.value or "no answer", 40),
        state=state,
        mark=MARKS[state],
        confidence=number(confidence.value, 2) if confidence else "",
        source=short(confidence.source) if confidence else "",
        tint=round(10 + 45 * confidence.value) if confidence else None,
        heard=", ".join(short(ref, 40) for ref in turn.heard),
        is_spot=steered and turn.kind in ("opening", "revision", "judgment"),
        was_heard=turn.ref in (row["heard"] or ()),
    )


def _state(turn: Turn) -> str:
    if turn.failure is not None:
        return "failed"
    if turn.is_abstention:
        return "abstained"
    if turn.correct is None:
        return "open"
    return "correct" if turn.correct else "wrong"


def readable(text: str) -> str:
    r"""What was said, with line ends, without other control characters, cut where very long.

    >>> readable("a\r\nb\x00")
    'a\nb�'
    """
    whole = text.replace("\r\n", "\n").strip()
    shown = clean(whole[:MOST_CHARACTERS], keep="\n\t")
    rest = len(whole) - MOST_CHARACTERS
    return f"{shown}\n[… {rest} more characters]" if rest > 0 else shown
