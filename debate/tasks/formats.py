"""How a prompt set asks for answers, confidences and verdicts to be marked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from debate.config.base import Spec


class AnswerFormat(Spec):
    """Marks are literal words at the beginning of a line, so that no text can make reading slow.

    Markdown emphasis and heading signs before and around a mark are ignored; a quoted line
    (`> Answer: 7`) or a mention inside a sentence is no mark.
    """

    answer: tuple[str, ...] = ("answer", "final answer")
    """Words before an answer."""
    confidence: tuple[str, ...] = ("confidence",)
    """Words before a stated confidence."""
    verdict: tuple[str, ...] = ("verdict",)
    """Words before a verdict on somebody's answer."""
    ranking: tuple[str, ...] = ("ranking",)
    """Words before a ranking, best first, joined by `>` or commas."""
    separator: str = ":"
    """What stands between such a word and its value."""
    accepts: tuple[str, ...] = ("correct", "right", "yes")
    """Values of a verdict that accept."""
    rejects: tuple[str, ...] = ("incorrect", "wrong", "no")
    """Values of a verdict that reject."""
    ignore_case: bool = True
    """Whether marks and verdicts may be written in any case."""
    first_line: bool = False
    """Whether the text's first line is the answer, unless it is a verdict."""
    hashes: bool = True
    """Whether `#### X` marks a number or a choice; with anything else it is a heading."""
    boxed: bool = True
    r"""Whether `\boxed{X}` marks an answer, anywhere."""
    reasoning_ends: tuple[str, ...] = ("</think>",)
    """What ends a reasoning model's private thoughts; only what follows the last one is read."""


CHAT = AnswerFormat()
"""For chat models: `Answer: 18`, `Confidence: 85%`, `Verdict: correct`."""

COMPACT = AnswerFormat(
    answer=(),
    confidence=(),
    verdict=("V",),
    ranking=(),
    separator="",
    accepts=("y",),
    rejects=("n",),
    ignore_case=False,
    first_line=True,
    hashes=False,
    boxed=False,
    reasoning_ends=(),
)
"""For the model organisms: the answer is the first line, `Vy` and `Vn` are verdicts."""

FORMATS: Mapping[str, AnswerFormat] = MappingProxyType({"chat": CHAT, "compact": COMPACT})
"""The formats that a prompt set can name."""
