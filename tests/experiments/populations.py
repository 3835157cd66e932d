"""What simulated teams must show, computed apart from the engine, and populations for coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debate.analysis.diversity import compute_error_correlation
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.sums import ClusterSums
from debate.analysis.teams import Line, fit_dose_response

Array = NDArray[np.float64]
NUM_WRONG = 3


def opinions(rng: np.random.Generator, num: int, *, competence: float, weight: float) -> Array:
    """Opening beliefs of one agent, the truth first; (questions, answers)."""
    wrong = (1 - competence) / NUM_WRONG
    return rng.dirichlet(weight * np.array([competence, *[wrong] * NUM_WRONG]), size=num)


def drawn(rng: np.random.Generator, beliefs: Array) -> NDArray[np.int64]:
    """An answer from each belief; 0 is the truth."""
    cumulated = beliefs.cumsum(axis=-1)
    return (rng.random(beliefs.shape[:-1])[..., None] > cumulated).sum(axis=-1)


def team_of(
    rng: np.random.Generator,
    num: int,
    *,
    shared: float,
    weight: float,
    competence: float,
    members: int = 3,
) -> Array:
    """Beliefs of a team, one for all on a share of the questions; (questions, members, answers)."""
    own = np.stack(
        [opinions(rng, num, competence=competence, weight=weight) for _ in range(members)], axis=1
    )
    common = opinions(rng, num, competence=competence, weight=weight)
    together = rng.random(num) < shared
    return np.where(together[:, None, None], common[:, None, :], own)


def after_hearing(
    beliefs: Array, answers: NDArray[np.int64], *, weight: float, conformity: float, drift: float
) -> Array:
    """Beliefs after everyone has heard all others' answers once."""
    heard = np.eye(beliefs.shape[-1])[answers]
    others = heard.sum(axis=1, keepdims=True) - heard
    moved = weight * beliefs + conformity * others
    moved[..., 0] += max(drift, 0.0)
    moved[..., 1:] += max(-drift, 0.0) / NUM_WRONG
    return moved / moved.sum(axis=-1, keepdims=True)


def plurality(answers: NDArray[np.int64]) -> Array:
    """1 where the truth is the most frequent answer, 1/k where it is one of k that tie, else 0."""
    votes = np.eye(NUM_WRONG + 1)[answers].sum(axis=1)
    leads = votes == votes.max(axis=1, keepdims=True)
    return leads[:, 0] / leads.sum(axis=1)


def kept_error_change(num: int, *, competence: float, weight: float, self_trust: float) -> float:
    """Mean change of logit belief in a wrong opening answer that is given again after rereading."""
    rng = np.random.default_rng(0)
    beliefs = opinions(rng, num, competence=competence, weight=weight)
    answers = drawn(rng, beliefs)
    wrong = answers > 0
    before = beliefs[np.arange(num), answers][wrong]
    after = (weight * before + self_trust) / (weight + self_trust)
    kept = rng.random(len(after)) < after
    return float((_logit(after[kept]) - _logit(before[kept])).mean())


def _logit(p: Array) -> Array:
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return np.log(p / (1 - p))


def members_right(
    rng: np.random.Generator, num: int, *, correlation: float, accuracy: float = 0.6
) -> Quantity:
    """The error correlation of three members who are right together on a share of the questions."""
    together = rng.random(num) < correlation
    common, own = rng.random(num) < accuracy, rng.random((num, 3)) < accuracy
    right = np.where(together[:, None], common[:, None], own).astype(float)
    sums = np.concatenate([np.ones((num, 1)), right.sum(axis=1)[:, None] ** 2, right], axis=1)
    return Quantity(sums=sums, of=compute_error_correlation, n=num, kind="smooth")


def gains(
    rng: np.random.Generator, num: int, *, mean: float, common: Array, active: float = 0.4
) -> Quantity:
    """Gains of -1, 0 or 1 by question; half of the questions move all teams alike."""
    level = np.where(rng.random(num) < 0.5, common, rng.random(num))
    up, down = (active + mean) / 2, (active - mean) / 2
    gain = (level < up).astype(float) - ((level >= up) & (level < up + down))
    return ClusterSums(gain, np.ones(num)).quantity("difference", limits=(-1.0, 1.0))


def fitted(
    rng: np.random.Generator,
    num: int,
    correlations: tuple[float, ...],
    *,
    height: float,
    slope: float,
) -> Line | Unavailable:
    """Teams of these error correlations whose gain lies exactly on a line, sampled and fitted."""
    common = rng.random(num)
    doses = [members_right(rng, num, correlation=each) for each in correlations]
    responses = [
        gains(rng, num, mean=height + slope * each, common=common) for each in correlations
    ]
    return fit_dose_response(doses, responses)
