"""Populations of per-cluster sums for the coverage table: few questions, ends, ties, clusters.

Each is (name, set values, one draw of the estimates); a draw gives value, low and high by name.
A test is written as an interval too: it holds 0 unless the test rejects at 5 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from debate.analysis.intervals import Interval, compute_rate, compute_ratio, join_bounds
from debate.analysis.paired import (
    compute_over_confidence,
    compute_paired_difference,
    compute_paired_p,
    compute_phi_interval,
    compute_yules_q,
)

Rng = np.random.Generator
Floats = NDArray[np.float64]
Ends = tuple[float | None, float | None, float | None]
Draw = Callable[[Rng], dict[str, Ends]]
Population = tuple[str, dict[str, float], Draw]


def populations() -> Iterator[Population]:
    """Every population of small samples and of what lies near an end."""
    yield from _rates()
    yield from _ties()
    yield from _changes()
    yield from _over_confidences()
    yield from _pairs()
    yield from _masses()


def _ends(interval: Interval) -> Ends:
    return interval.value, interval.low, interval.high


def _right(rng: Rng, n: int, rows: int, hopeless: float, slip: float) -> Floats:
    """Right answers of `rows` per question: a hopeless question has none, others slip now and then.

    (questions, rows) of 0 and 1.
    """
    lost = rng.random((n, 1)) < hopeless
    return np.where(lost | (rng.random((n, rows)) < slip), 0.0, 1.0)


def _rates() -> Iterator[Population]:
    for accuracy in (0.97, 0.99, 1.0, 0.7):
        for n in (15, 30):
            for rows in (1, 6):
                wrong = 1 - accuracy
                hopeless = wrong if rows == 1 else wrong / 2
                slip = 1 - accuracy / (1 - hopeless)

                def accuracies(
                    rng: Rng, n: int = n, rows: int = rows, h: float = hopeless, s: float = slip
                ) -> dict[str, Ends]:
                    right = _right(rng, n, rows, h, s)
                    return {
                        "accuracy": _ends(compute_rate(right.sum(axis=1), np.full(n, float(rows))))
                    }

                yield (
                    f"{n} questions of {rows}, accuracy {accuracy}",
                    {"accuracy": accuracy},
                    accuracies,
                )
    for accuracy, n in ((0.97, 30), (0.7, 15), (0.7, 30)):

        def nested(rng: Rng, accuracy: float = accuracy, n: int = n) -> dict[str, Ends]:
            counts = rng.integers(1, 6, n) * 3
            chance = rng.beta(4 * accuracy, 4 * (1 - accuracy), n)
            return {
                "accuracy": _ends(compute_rate(rng.binomial(counts, chance) * 1.0, counts * 1.0))
            }

        yield f"{n} passages, accuracy {accuracy}", {"accuracy": accuracy}, nested


def _ties() -> Iterator[Population]:
    """80 % of opening votes tie between two or three answers; the final vote decides."""
    for n in (15, 30):

        def tied(rng: Rng, n: int = n) -> dict[str, Ends]:
            among = rng.random(n) < 0.75
            share = among / rng.choice([2, 3], size=n)
            opening = np.where(rng.random(n) < 0.8, share, rng.random(n) < 0.6)
            final = np.where(rng.random(n) < 0.4, opening > 0, rng.random(n) < 0.45) * 1.0
            change = compute_paired_difference(final - opening, np.ones(n))
            return {
                "opening vote": _ends(compute_rate(opening, np.ones(n))),
                "gain": _ends(change),
            }

        any_right = 0.8 * 0.75 + 0.2 * 0.6
        opening = 0.8 * 0.75 * (1 / 2 + 1 / 3) / 2 + 0.2 * 0.6
        final = 0.4 * any_right + 0.6 * 0.45
        yield f"{n} questions, 80 % tied", {"opening vote": opening, "gain": final - opening}, tied


def _changes() -> Iterator[Population]:
    for n in (10, 15, 30, 100):
        for gain, loss in ((0.05, 0.05), (0.2, 0.2), (0.1, 0.0), (0.3, 0.1)):

            def single(
                rng: Rng, n: int = n, gain: float = gain, loss: float = loss
            ) -> dict[str, Ends]:
                u = rng.random(n)
                return _change((u < gain) * 1.0 - (u > 1 - loss), np.ones(n))

            yield f"{n} pairs, +{gain} -{loss}", _change_truth(gain - loss), single
        for gain, loss in ((0.15, 0.15), (0.25, 0.05)):

            def seeds(
                rng: Rng, n: int = n, gain: float = gain, loss: float = loss
            ) -> dict[str, Ends]:
                """Five seeds of a question share how it moves."""
                chances = rng.dirichlet(np.array([gain, loss, 1 - gain - loss]) * 2, size=n)
                moved = np.array([rng.multinomial(5, p) for p in chances])
                return _change((moved[:, 0] - moved[:, 1]) * 1.0, np.full(n, 5.0))

            yield f"{n} questions of 5 pairs, +{gain} -{loss}", _change_truth(gain - loss), seeds


def _change_truth(effect: float) -> dict[str, float]:
    return {"change": effect} | ({"sign-flip test": 0.0} if effect == 0 else {})


def _change(differences: Floats, counts: Floats) -> dict[str, Ends]:
    found, p_value = (
        compute_paired_difference(differences, counts),
        compute_paired_p(differences, counts),
    )
    p = 1.0 if p_value is None else p_value
    return {
        "change": _ends(found),
        "sign-flip test": (p, 0.0 if p > 0.05 else 0.05, 1.0),
    }


def _over_confidences() -> Iterator[Population]:
    for n in (15, 30, 100):

        def constant(rng: Rng, n: int = n) -> dict[str, Ends]:
            right, ones = (rng.random(n) < 0.97) * 1.0, np.ones(n)
            return {"over_confidence": _ends(compute_over_confidence(0.9 * ones, right, ones))}

        yield f"{n} questions, confidence .9, accuracy .97", {"over_confidence": -0.07}, constant

        def nested(rng: Rng, n: int = n) -> dict[str, Ends]:
            right = _right(rng, n, 6, 0.03, 0.01)
            counts = np.full(n, 6.0)
            found = compute_over_confidence(0.9 * counts, right.sum(axis=1), counts)
            return {"over_confidence": _ends(found)}

        truth = {"over_confidence": 0.9 - 0.97 * 0.99}
        yield f"{n} questions of 6, confidence .9, accuracy .96", truth, nested

        def varying(rng: Rng, n: int = n) -> dict[str, Ends]:
            counts = np.full(n, 3.0)
            chance = rng.beta(4, 2, n)
            stated = chance[:, None] + 0.1 + rng.normal(0, 0.05, (n, 3))
            right = rng.binomial(3, chance) * 1.0
            return {
                "over_confidence": _ends(compute_over_confidence(stated.sum(axis=1), right, counts))
            }

        yield f"{n} questions of 3, confidence follows", {"over_confidence": 0.1}, varying


def _pairs() -> Iterator[Population]:
    """Two agents whose correctness has latent normal correlation, with and without clusters."""
    for n, seeds in ((30, 1), (100, 1), (300, 1), (30, 5), (100, 5)):
        for accuracies, latent in (((0.7, 0.6), 0.6), ((0.85, 0.75), 0.0), ((0.8, 0.8), 0.9)):
            thresholds = ndtri(np.array(accuracies))
            both = float(multivariate_normal.cdf(thresholds, cov=[[1, latent], [latent, 1]]))

            def drawn(
                rng: Rng,
                n: int = n,
                seeds: int = seeds,
                c: float = latent,
                thresholds: Floats = thresholds,
            ) -> dict[str, Ends]:
                right = _right_together(rng, n, seeds, c, thresholds)
                return _pair_estimates(right[..., 0], right[..., 1])

            name = f"{n} questions of {seeds}, accuracies {accuracies}, latent r {latent}"
            yield name, _pair_truths(both, *accuracies), drawn


def _right_together(rng: Rng, n: int, seeds: int, latent: float, thresholds: Floats) -> Floats:
    """(questions, seeds, 2); half of the variance belongs to the question where it has seeds."""
    root = np.linalg.cholesky(np.array([[1, latent], [latent, 1]]) + 1e-12 * np.eye(2))
    own = rng.normal(size=(n, seeds, 2)) @ root.T
    shared = rng.normal(size=(n, 1, 2)) @ root.T
    mixed = own if seeds == 1 else (own + shared) / np.sqrt(2)
    return (mixed < thresholds) * 1.0


def _pair_estimates(x: Floats, y: Floats) -> dict[str, Ends]:
    cells = np.stack([x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)], axis=-1).sum(axis=1)
    counts = cells.sum(axis=1)
    return {
        "q_statistic": _ends(compute_yules_q(cells)),
        "phi": _ends(compute_phi_interval(cells)),
        "disagreement": _ends(compute_rate(cells[:, 1] + cells[:, 2], counts)),
        "double_fault": _ends(compute_rate(cells[:, 3], counts)),
    }


def _pair_truths(both: float, first: float, second: float) -> dict[str, float]:
    a, b, c = both, first - both, second - both
    d = 1 - a - b - c
    return {
        "q_statistic": (a * d - b * c) / (a * d + b * c),
        "phi": (a * d - b * c) / np.sqrt(first * (1 - first) * second * (1 - second)),
        "disagreement": b + c,
        "double_fault": d,
    }


def _masses() -> Iterator[Population]:
    """Confident-error mass at the end minus at the start, a fifth of the confidences missing.

    The bounds take a missing confidence of an error for the least and the most that it can add.
    The interval around them holds the true mass more often than 95 %, and both bounds at once
    (written as 0 inside) in about 95 %.
    """
    for n in (15, 30, 100):
        for flips in (0.0, 0.2):

            def drawn(rng: Rng, n: int = n, flips: float = flips) -> dict[str, Ends]:
                return _mass_estimates(rng, n, flips)

            wrong = 0.4 * (1 - flips) + 0.6 * flips
            true = wrong * 0.68 - 0.4 * 0.6
            truth = {"error mass": true, "mass by bounds": true, "both bounds": 0.0}
            yield f"{n} questions of 3, {flips:.0%} flip", truth, drawn


def _mass_estimates(rng: Rng, n: int, flips: float) -> dict[str, Ends]:
    """Mean confidence is .6 before and .68 after, whatever the outcome; a question's is shared."""
    wrong = rng.random((n, 1)) < rng.beta(2, 3, (n, 3))
    then = np.where(rng.random((n, 3)) < flips, ~wrong, wrong)
    before = rng.beta(6, 4, (n, 3))
    after = 1 - (1 - before) * rng.uniform(0.6, 1.0, (n, 1))
    told = rng.random((n, 3)) < 0.8
    change = then * after - wrong * before
    counts = np.full(n, 3.0)
    least = np.where(told, change, -1.0 * wrong).sum(axis=1)
    most = np.where(told, change, 1.0 * then).sum(axis=1)
    held = join_bounds(compute_ratio(least, counts), compute_ratio(most, counts))
    end = 0.4 * (1 - flips) + 0.6 * flips
    true = 0.8 * (end * 0.68 - 0.4 * 0.6)
    lowest, highest = true - 0.2 * 0.4, true + 0.2 * end
    misses = 1.0 if held.low is None else max(held.low - lowest, highest - (held.high or 0.0))
    return {
        "error mass": _ends(compute_ratio((change * told).sum(axis=1), told.sum(axis=1) * 1.0)),
        "mass by bounds": _ends(held),
        "both bounds": (None, misses, 1.0),
    }
