"""The views of an edge: what of a turn is left where the edge carries less than the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debate.agents.views import get_heard_text
from debate.config.protocol import ViewSpec
from debate.engines.sync_engine import ANSWER_MARK, format_verdict
from debate.tasks.answer_format import AnswerFormat
from debate.tasks.masking import mask_answer, mask_confidence, mask_statements, mask_verdict
from debate.types import Kind, Question, Turn

WITHHELD = "(nothing but a confidence)"
"""The text that is shown where an edge carries a confidence alone."""

_VIEWS = frozenset({"rationale", "masked_reasoning", "shuffled_confidence"})
_STANDS_IN = {
    "answer": ("answer", "critique"),
    "rationale": ("reasoning", "critique"),
    "masked_reasoning": ("reasoning", "critique"),
    "shuffled_confidence": ("confidence",),
}
"""The parts of a narrowed turn in which what is carried stands, where it is not its own name."""


def widen_parts(carries: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a narrowed turn in which something may stand, sorted.

    >>> widen_parts(("rationale", "shuffled_confidence"))
    ('confidence', 'critique', 'reasoning')
    """
    parts = {part for each in carries for part in _STANDS_IN.get(each, (each,))}
    return tuple(sorted(parts if parts - {"confidence"} else parts | {"reasoning", "critique"}))


def hides_answer(carries: Sequence[str], kind: Kind) -> bool:
    """Return whether an edge keeps the answer back of a turn of this kind.

    >>> [hides_answer([each], "revision") for each in ("answer", "reasoning", "rationale")]
    [False, False, True]
    """
    telling = {"answer", "critique" if kind == "critique" else "reasoning"}
    return not telling & {*carries}


def is_narrowed(carries: Sequence[str], kind: Kind) -> bool:
    """Return whether a turn of this kind must be changed to show what the edge carries."""
    if _VIEWS & {*carries} or {*carries} == {"confidence"}:
        return True
    return kind == "critique" and "answer" in carries and "critique" not in carries


def narrow_turn(
    turn: Turn,
    carries: Sequence[str],
    *,
    question: Question,
    format: AnswerFormat,
    view: ViewSpec,
    donor: Turn | None,
    answers: Sequence[str],
) -> Turn:
    """Return the turn as if it had said no more than the edge carries.

    format: the speaker's, in which the reply was read. donor: the turn whose confidence it states
    where confidences are shuffled; without one, it states none then. answers: those that the text
    may hold and that are masked: its own, and of a critique what its critic answers itself.
    """
    text = get_heard_text(turn, view)
    if "shuffled_confidence" in carries:
        confidences = donor.confidences[:1] if donor is not None else ()
        turn, text = replace(turn, confidences=confidences), mask_confidence(text, format)
    if {"rationale", "masked_reasoning"} & {*carries}:
        text = mask_confidence(text, format)
        text = mask_verdict(text, format) if turn.kind == "critique" else text
        mask = mask_answer if "masked_reasoning" in carries else mask_statements
        for answer in answers or (None,):
            text = mask(text, question, format, answer=answer)
    elif not {"answer", "reasoning", "critique"} & {*carries}:
        text = WITHHELD if turn.confidence() is not None else ""
    elif turn.kind == "critique" and "critique" not in carries:
        text = _write_statements(turn)
    turn = replace(turn, text=text, reasoning=None, final_line=None, tool_steps=())
    return replace(turn, answer=None, accepts=None) if hides_answer(carries, turn.kind) else turn


def _write_statements(turn: Turn) -> str:
    """Write what a critique states, without its reasons: an answer, a verdict, or both."""
    said = [] if turn.value is None else [f"{ANSWER_MARK}{turn.value}"]
    if turn.accepts is not None:
        said.append(f"Verdict: {format_verdict(turn.accepts)}")
    return "\n".join(said)
