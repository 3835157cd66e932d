"""What one interval says about a hypothesis, and how many questions that takes.

The regions of an interval's two ends partition the plane: one interval, one conclusion. Nested
intervals sharpen a conclusion and never turn it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.special import ndtri

from debate.analysis.intervals import Interval
from debate.analysis.paired import mcnemar_exact, paired_difference, tango

Direction = Literal["above", "below", "equal"]
Conclusion = Literal[
    "supported",
    "supported in sign",
    "there, smaller than what matters",
    "equivalent to nothing",
    "in the other direction, smaller than what matters",
    "contradicted",
    "differs in sign",
    "undecided",
]
ERROR = 0.05
MOST_QUESTIONS = 10**9


def level_of(num_hypotheses: int) -> float:
    """Level of each of k simultaneous intervals (Bonferroni): 1 - .05/k.

    >>> level_of(1)
    0.95
    """
    if num_hypotheses < 1:
        raise ValueError(f"{num_hypotheses} hypotheses: there must be at least one")
    return 1 - ERROR / num_hypotheses


def conclude(
    low: float, high: float, *, direction: Direction, smallest: float, reference: float = 0.0
) -> Conclusion:
    """The conclusion from an interval of an effect, `reference` taken off both ends.

    smallest: the smallest effect that matters, as a size. "below" mirrors "above".
    """
    if not low <= high:
        raise ValueError(f"the interval [{low}, {high}] is none: its low must not exceed its high")
    if smallest < 0:
        raise ValueError(f"smallest is {smallest}; it is a size, 0 or above")
    low, high = low - reference, high - reference
    if direction == "equal":
        return _conclude_equal(low, high, smallest)
    if direction == "below":
        low, high = -high, -low
    return _conclude_above(low, high, smallest)


def _conclude_above(low: float, high: float, smallest: float) -> Conclusion:
    if low > 0:
        if low >= smallest:
            return "supported"
        return "supported in sign" if high > smallest else "there, smaller than what matters"
    if high < 0:
        if low >= -smallest:
            return "in the other direction, smaller than what matters"
        return "contradicted"
    return "equivalent to nothing" if -smallest <= low and high <= smallest else "undecided"


def _conclude_equal(low: float, high: float, smallest: float) -> Conclusion:
    if -smallest <= low and high <= smallest:
        return "supported"
    if low > smallest or high < -smallest:
        return "contradicted"
    return "differs in sign" if low > 0 or high < 0 else "undecided"


def least_questions(
    smallest: float, *, direction: Direction, num_hypotheses: int = 1, several_pairs: bool = False
) -> int:
    """The least number of questions with which a claim could be supported at all.

    "equal": without one change, the interval lies inside ± smallest. "above" and "below": every
    pair moves the claimed way, the interval lies beyond `smallest`, and the exact test rejects 0.
    The interval is Tango's where a question holds one pair (without a change ± z^2/(n + z^2)), and
    clustered t with its floor where it holds several_pairs: of agents or seeds. ValueError unless
    0 < smallest < 1.

    >>> [least_questions(0.05, direction="equal", num_hypotheses=k) for k in (1, 6)]
    [73, 133]
    """
    if not 0 < smallest < 1:
        raise ValueError(f"smallest is {smallest}; for paired differences it lies between 0 and 1")
    level = level_of(num_hypotheses)
    moved = 0.0 if direction == "equal" else 1.0
    if several_pairs:
        least = _least(lambda n: _all_alike(n, moved, smallest, level), start=2)
    elif moved:
        least = _least(lambda n: _all_moved(n, smallest, level))
    else:
        square = float(ndtri(0.5 + level / 2)) ** 2
        return math.ceil(square * (1 - smallest) / smallest - 1e-9)
    assert least is not None
    return least


def _all_moved(n: int, smallest: float, level: float) -> bool:
    return mcnemar_exact(n, 0) <= 1 - level and tango(n, 0, n, level=level).low >= smallest


def _all_alike(n: int, moved: float, smallest: float, level: float) -> bool:
    """Whether n questions of two pairs each, all moved by as much, support the claim."""
    pairs = np.full(n, 2.0)
    low, high = paired_difference(moved * pairs, pairs, level=level)[1:3]
    direction: Direction = "above" if moved else "equal"
    assert low is not None
    assert high is not None
    return conclude(low, high, direction=direction, smallest=smallest) == "supported"


def questions_to_decide(
    interval: Interval,
    *,
    direction: Direction,
    smallest: float,
    reference: float = 0.0,
    nothing_differs: bool = False,
) -> int | None:
    """About how many questions would decide, the value and the variance per question unchanged.

    Both ends come closer to the value with the square root of the number of questions; where
    `nothing_differs` (Tango's interval without one change) as 1/(n + z^2). The number there is
    where the interval already decides; None where no number does (a value exactly at an edge of
    the regions) or nothing is known of the ends.
    """
    value, low, high, _, num = interval[:5]
    if value is None or low is None or high is None or num < 1:
        return None
    below, above = value - low, high - value

    def decides(n: int) -> bool:
        down, up = (_shrunk(width, num, n, faster=nothing_differs) for width in (below, above))
        found = conclude(
            value - down, value + up, direction=direction, smallest=smallest, reference=reference
        )
        return found != "undecided"

    return _least(decides, start=num)


def _shrunk(width: float, num: int, n: int, *, faster: bool) -> float:
    """The distance of an end from its value at `n` questions, `width` at `num`."""
    if not faster:
        return width * math.sqrt(num / n)
    return width * num / (width * num + n * (1 - width)) if width < 1 else 1.0


def _least(holds: Callable[[int], bool], start: int = 1) -> int | None:
    """The least number from `start` on for which a monotone condition holds, if any does."""
    below, above = start - 1, start
    while not holds(above):
        if above >= MOST_QUESTIONS:
            return None
        below, above = above, min(2 * above, MOST_QUESTIONS)
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if holds(middle) else (middle, above)
    return above
