"""How engines without a language model put an opinion into words."""

from __future__ import annotations

from debate.engines.base import Scene

ANSWER_MARK = "Answer: "


def utterance(value: str, *, verdict: bool | None = None, confidence: float | None = None) -> str:
    """A reply with one marked line for each thing that is said.

    >>> print(utterance("611", verdict=False, confidence=0.826))
    Answer: 611
    Verdict: incorrect
    Confidence: 83%
    """
    lines = [ANSWER_MARK + value]
    if verdict is not None:
        lines.append(f"Verdict: {verdict_word(verdict)}")
    if confidence is not None:
        lines.append(f"Confidence: {round(100 * confidence)}%")
    return "\n".join(lines)


def verdict_word(accepts: bool) -> str:
    """The word of a verdict."""
    return "correct" if accepts else "incorrect"


def verdict_on_subject(scene: Scene, value: str) -> bool | None:
    """Whether `value` agrees with the turn under critique; None where there is none."""
    return None if scene.subject is None else scene.subject.value == value
