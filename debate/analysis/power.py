"""Conclusions from an interval, and the number of questions that a conclusion takes.

The regions of an interval's two ends partition the plane: one interval, one conclusion. Nested
intervals sharpen a conclusion and never turn it.

How often a hypothesis would come out as claimed with n questions is simulated from a pilot.
Questions of the pilot are drawn with replacement and judged as the analysis would judge them, so
clusters, ties, missing confidences and odd distributions are the pilot's own. What is taken for
true is what the pilot found, which is itself uncertain: the same draws, moved to the two ends of
the pilot's 95 % interval, say what n that uncertainty leaves open.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from debate.analysis.intervals import Array, Codes, Interval, sum_by_code
from debate.analysis.paired import (
    compute_mcnemar_p,
    compute_paired_difference,
    compute_tango_interval,
    count_least_clusters,
)
from debate.analysis.quantity import Quantity
from debate.config.run import HypothesisSpec

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


def compute_level(num_hypotheses: int) -> float:
    """Level of each of k simultaneous intervals (Bonferroni): 1 - .05/k.

    >>> compute_level(1)
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


def count_least_questions(
    smallest: float, *, direction: Direction, num_hypotheses: int = 1, several_pairs: bool = False
) -> int:
    """The least number of questions with which a claim could be supported at all.

    "equal": without one change, the interval lies inside ± smallest. "above" and "below": every
    pair moves the claimed way, the interval lies beyond `smallest`, and the exact test rejects 0.
    The interval is Tango's where a question holds one pair (without a change ± z^2/(n + z^2)), and
    clustered t with its floor where it holds several_pairs: of agents or seeds. ValueError unless
    0 < smallest < 1.

    >>> [count_least_questions(0.05, direction="equal", num_hypotheses=k) for k in (1, 6)]
    [73, 133]
    """
    if not 0 < smallest < 1:
        raise ValueError(f"smallest is {smallest}; for paired differences it lies between 0 and 1")
    level = compute_level(num_hypotheses)
    moved = 0.0 if direction == "equal" else 1.0
    if several_pairs:
        least = _find_least_number(
            lambda n: _supports_when_alike(n, moved, smallest, level), start=2
        )
    elif moved:
        least = _find_least_number(lambda n: _supports_when_moved(n, smallest, level))
    else:
        square = float(ndtri(0.5 + level / 2)) ** 2
        return math.ceil(square * (1 - smallest) / smallest - 1e-9)
    assert least is not None
    return least


def _supports_when_moved(n: int, smallest: float, level: float) -> bool:
    return (
        compute_mcnemar_p(n, 0) <= 1 - level
        and compute_tango_interval(n, 0, n, level=level).low >= smallest
    )


def _supports_when_alike(n: int, moved: float, smallest: float, level: float) -> bool:
    """Whether n questions of two pairs each, all moved by as much, support the claim."""
    pairs = np.full(n, 2.0)
    low, high = compute_paired_difference(moved * pairs, pairs, level=level)[1:3]
    direction: Direction = "above" if moved else "equal"
    assert low is not None
    assert high is not None
    return conclude(low, high, direction=direction, smallest=smallest) == "supported"


def find_detectable_change(
    num: int, *, discordance: float, power: float = 0.8, level: float = 0.95
) -> float | None:
    """The least change of accuracy that McNemar's test finds in a share `power` of runs.

    num: questions, each with one outcome before and one after. discordance: the share of them whose
    outcome changes either way, which the change cannot exceed; None where even that is not enough.
    By the normal approximation, n = (z_(1 - a/2) sqrt(d) + z_power sqrt(d - c^2))^2 / c^2.

    >>> [find_detectable_change(n, discordance=0.2) for n in (20, 200)]
    [None, 0.089]
    """
    outer, inner = float(ndtri(0.5 + level / 2)), float(ndtri(power))
    for step in range(1, int(discordance * 1000) + 1):
        change = step / 1000
        spread = inner * math.sqrt(max(0.0, discordance - change**2))
        if num >= ((outer * math.sqrt(discordance) + spread) / change) ** 2:
            return change
    return None


def count_questions_to_decide(
    interval: Interval,
    *,
    direction: Direction,
    smallest: float,
    reference: float = 0.0,
    nothing_differs: bool = False,
    exact_level: float | None = None,
) -> int | None:
    """About how many questions would decide, the value and the variance per question unchanged.

    They are questions such as the interval's `num_questions`, which bear on the value.
    exact_level: of an interval that excludes 0 only where the sign-flip test does, its level.
    Both ends come closer to the value with the square root of the number of questions; where
    `nothing_differs` (Tango's interval without one change) as 1/(n + z^2). The number there is
    where the interval already decides; None where no number does (a value exactly at an edge of
    the regions) or nothing is known of the ends.
    """
    value, low, high, _, num = interval[:5]
    if value is None or low is None or high is None or num < 1:
        return None
    below, above = value - low, high - value
    least = 0 if exact_level is None else count_least_clusters(exact_level)

    def decides(n: int) -> bool:
        down, up = (
            _shrink_width(width, num, n, faster=nothing_differs) for width in (below, above)
        )
        if n < least and not value - down <= 0 <= value + up:
            return False
        found = conclude(
            value - down, value + up, direction=direction, smallest=smallest, reference=reference
        )
        return found != "undecided"

    return _find_least_number(decides, start=num)


def _shrink_width(width: float, num: int, n: int, *, faster: bool) -> float:
    """The distance of an end from its value at `n` questions, `width` at `num`."""
    if not faster:
        return width * math.sqrt(num / n)
    return width * num / (width * num + n * (1 - width)) if width < 1 else 1.0


def _find_least_number(holds: Callable[[int], bool], start: int = 1) -> int | None:
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


GRID = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0)
"""Numbers of questions simulated, in shares of the pilot's."""
DRAWS = 400
TARGET = 0.8
MOST_DRAWN = 4_000
"""Larger numbers of questions are simulated by so many: the draw's ends then lie nearer to the
pilot's value by the square root of the ratio, as in samples of thousands they do."""
FEWEST_QUESTIONS = 5
"""With fewer questions in the pilot nothing is simulated: draws of them would repeat a few."""
SUPPORTED = ("supported",)
IN_SIGN = ("supported", "supported in sign")
SEEDS = (1, 2, 3, 5, 10)
SETTLED = 0.995
"""Once this share is reached at two numbers running, whatever the truth, no more are simulated."""


class SimulatedPower(NamedTuple):
    """Power with `num_questions`: the share of draws that end "supported", its Monte-Carlo
    standard error, and the share that end so or "supported in sign".
    """

    num_questions: int
    power: float
    error: float
    in_sign: float


class NeededQuestions(NamedTuple):
    """The least number of questions for the target, None beyond the largest simulated.

    in_sign: for "supported" or "supported in sign". at_best, at_worst: for "supported", if the
    truth is what in the pilot's 95 % interval is most, and least, in favour of the claim: its
    ends, but for "equal" what is nearest to the reference, and the end that is farther.
    """

    supported: int | None
    in_sign: int | None
    at_best: int | None
    at_worst: int | None


@dataclass(frozen=True, kw_only=True)
class Power:
    """Shares by number of questions, in order, and what they say of the number needed."""

    points: tuple[SimulatedPower, ...]
    needed: NeededQuestions
    pilot: Interval


def simulate_power(
    quantity: Quantity,
    hypothesis: HypothesisSpec,
    *,
    level: float,
    at: Collection[int] = (),
    target: float = TARGET,
    draws: int = DRAWS,
    seed: int = 0,
) -> Power:
    """The power of one hypothesis from the pilot's quantity, its verdict read at `level`.

    at: numbers of questions to simulate beside the grid, as far as it reaches.
    """
    size = len(quantity.sums)
    grid = {max(2, round(size * share)) for share in GRID}
    wanted = sorted(grid | {num for num in at if 2 <= num <= max(grid)})
    rng, pilot = np.random.default_rng(seed), quantity.bounded()
    series = _list_series(_find_moves(quantity, pilot, hypothesis))
    nums: list[int] = []
    found: list[list[float | None]] = []
    for num in wanted:
        if num not in at and _is_settled(found):
            continue
        ends = _draw_intervals(quantity, num, level, rng, draws)
        nums.append(num)
        found.append(
            [
                None if m is None else _compute_share(ends + m, hypothesis, told)
                for told, m in series
            ]
        )
    points = [
        SimulatedPower(num, p, math.sqrt(p * (1 - p) / draws), s)
        for num, (p, s, *_) in zip(nums, found, strict=True)
        if p is not None and s is not None
    ]
    least = (find_least(nums, shares, target) for shares in zip(*found, strict=True))
    return Power(points=tuple(points), needed=NeededQuestions(*least), pilot=pilot)


def _list_series(
    moves: tuple[float | None, float | None],
) -> list[tuple[Sequence[str], float | None]]:
    """The verdicts counted and the shift of the draws, in the order of `NeededQuestions`."""
    return [(SUPPORTED, 0.0), (IN_SIGN, 0.0), *((SUPPORTED, move) for move in moves)]


def _is_settled(found: Sequence[Sequence[float | None]]) -> bool:
    return len(found) > 1 and all(
        share is None or share >= SETTLED for shares in found[-2:] for share in shares
    )


def _draw_intervals(
    quantity: Quantity, num: int, level: float, rng: np.random.Generator, draws: int
) -> Array:
    """Both ends of the interval of each draw, nan where it has none; (draws, 2)."""
    found, drawn = np.full((draws, 2), np.nan), min(num, MOST_DRAWN)
    for draw in range(draws):
        rows = rng.integers(0, len(quantity.sums), size=drawn)
        interval = quantity.resample(rows).bounded(level)
        if interval.low is not None and interval.high is not None:
            found[draw] = interval.low, interval.high
    if drawn == num:
        return found
    middle = np.array([side.value for side in quantity.bounds or (quantity, quantity)])
    return np.asarray(middle + (found - middle) * math.sqrt(drawn / num))


def _find_moves(
    quantity: Quantity, pilot: Interval, hypothesis: HypothesisSpec
) -> tuple[float | None, float | None]:
    """The distances of the best and the worst truth from the pilot's value, or its bounds."""
    lower, upper = quantity.bounds or (quantity, quantity)
    if pilot.low is None or pilot.high is None:
        return None, None
    down, up = pilot.low - lower.value, pilot.high - upper.value
    if hypothesis.direction == "above":
        return up, down
    if hypothesis.direction == "below":
        return down, up
    middle = (lower.value + upper.value) / 2 - hypothesis.reference
    return min(max(-middle, down), up), max(down, up, key=lambda move: abs(middle + move))


def _compute_share(ends: Array, hypothesis: HypothesisSpec, verdicts: Sequence[str]) -> float:
    """The share of draws that end in one of these verdicts; without an interval none does."""
    about = {"direction": hypothesis.direction, "smallest": hypothesis.smallest}
    found = [
        conclude(low, high, reference=hypothesis.reference, **about) in verdicts  # type: ignore[arg-type]
        for low, high in ends[np.isfinite(ends).all(axis=1)]
    ]
    return sum(found) / len(ends)


def find_least(nums: Sequence[int], shares: Sequence[float | None], target: float) -> int | None:
    """The least number at which the share reaches the target, None where none does.

    Between two numbers the share is taken for linear in the logarithm of the number; rounded up.
    The first number stands for itself and all below it.

    >>> find_least([100, 200, 400], [0.2, 0.6, 1.0], 0.8), find_least([10], [0.5], 0.8)
    (283, None)
    """
    for position, (num, share) in enumerate(zip(nums, shares, strict=True)):
        if share is None or share < target:
            continue
        before, below = nums[max(0, position - 1)], shares[max(0, position - 1)]
        if not position or below is None:
            return num
        part = (target - below) / (share - below)
        return math.ceil(before * math.exp(part * math.log(num / before)) - 1e-9)
    return None


def measure_seed_share(influence: Array, questions: Codes) -> float | None:
    """The share of one debate's variance that lies between seeds of the same question.

    influence: of each question and seed; questions: which question each is of. By one-way analysis
    of variance, the part between questions at least 0; None without a question with two seeds, or
    where nothing varies.
    """
    counts = sum_by_code(questions, np.ones(len(influence)))
    present = counts > 0
    counts, means = counts[present], sum_by_code(questions, influence)[present] / counts[present]
    rows = np.searchsorted(np.flatnonzero(present), questions)
    spare = float((counts - 1).sum())
    if spare < 1 or len(counts) < 2:
        return None
    within = float(((influence - means[rows]) ** 2).sum()) / spare
    between = max(0.0, float(means.var(ddof=1)) - within * float((1 / counts).mean()))
    return within / (within + between) if within + between > 0 else None


def scale_by_seeds(needed: int, share: float, *, num_seeds: int) -> dict[int, int]:
    """Questions needed with other numbers of seeds each, where `num_seeds` need `needed`.

    share: of one debate's variance between seeds. The variance of a question's mean over S seeds
    is 1 - share + share/S; the questions needed go with it.

    >>> scale_by_seeds(100, 0.5, num_seeds=1)[2]
    75
    """

    def variance(seeds: int) -> float:
        return 1 - share + share / seeds

    scaled = {s: needed * variance(s) / variance(num_seeds) for s in (*SEEDS, num_seeds)}
    return {s: math.ceil(n - 1e-9) for s, n in sorted(scaled.items())}
