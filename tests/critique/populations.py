"""Critics whose discernment, self-trust and love of the familiar are set: judgements as a frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

Floats = NDArray[np.float64]
Rng = np.random.Generator
NEARER = 0.8
"""How much more likely (nats per character) an answer is to whoever gave it."""


@dataclass(frozen=True, kw_only=True)
class Critics:
    """logit P(True) = leniency ± discernment + self_trust·own + familiarity·log-likelihood + noise.

    difficulty: standard deviation of what all judgements of a question have in common; noise: of
    each judgement. All in logits, familiarity in logits per nat.
    """

    discernment: float = 1.0
    leniency: float = 0.2
    self_trust: float = 0.0
    familiarity: float = 0.0
    difficulty: float = 0.0
    noise: float = 1.0

    def judged(self, rng: Rng, *, questions: int = 150, agents: int = 3) -> pl.DataFrame:
        """Everybody's judgement of everybody's answer: half are right, no two alike are wrong."""
        size = (questions, agents, agents)
        right = rng.random((questions, agents)) < 0.5
        own = np.broadcast_to(np.eye(agents, dtype=bool), size)
        likely = -2 + NEARER * own + rng.normal(0, 0.7, size)
        common = rng.normal(0, self.difficulty, (questions, 1, 1))
        sign = np.where(right, 1.0, -1.0)[:, None, :]
        logit = self.leniency + self.discernment * sign + self.self_trust * own
        logit = logit + self.familiarity * likely + common + rng.normal(0, self.noise, size)
        return frame(expit(logit), np.broadcast_to(right[:, None, :], size), likely)

    @property
    def auroc(self) -> float:
        """AUROC of P(True) over all judgements, without self-trust, familiarity and difficulty."""
        assert self.self_trust == self.familiarity == self.difficulty == 0
        return float(norm.cdf(2 * self.discernment / (np.sqrt(2) * self.noise)))

    def accept(self, *, right: bool, own: bool) -> float:
        """How often P(True) is above ½, without familiarity."""
        assert not self.familiarity
        return float(norm.cdf(self._mean(right=right, own=own) / self._spread))

    @property
    def gap(self) -> float:
        """Mean P(True) of own minus others' wrong answers, without familiarity."""
        return self._p_true(right=False, own=True) - self._p_true(right=False, own=False)

    def _p_true(self, *, right: bool, own: bool) -> float:
        points, weights = hermegauss(80)
        values = expit(self._mean(right=right, own=own) + self._spread * points)
        return float(values @ weights / weights.sum())

    def _mean(self, *, right: bool, own: bool) -> float:
        return self.leniency + self.discernment * (1 if right else -1) + self.self_trust * own

    @property
    def _spread(self) -> float:
        return float(np.hypot(self.noise, self.difficulty))


def frame(
    p_true: Floats,
    right: NDArray[np.bool_],
    likely: Floats,
    *,
    cell: str = "alone",
    alternatives: str = "alone",
    k: int = 0,
) -> pl.DataFrame:
    """Judgements from arrays (questions, critics, authors), with the columns of `judgements`."""
    questions, critics, authors = (axis.ravel() for axis in np.indices(p_true.shape))
    names = np.array(list("abcdef"))
    author, truth = names[authors], right.ravel()
    claim = np.where(truth, "right", np.char.add("wrong of ", author))
    own_truth = right[questions, critics, critics]
    own_answer = np.where(own_truth, "right", np.char.add("wrong of ", names[critics]))
    p = p_true.ravel()
    made = pl.DataFrame(
        {
            "cell": cell,
            "question": questions,
            "seed": 0,
            "critic": names[critics],
            "author": author,
            "own": critics == authors,
            "claim": claim,
            "own_answer": own_answer,
            "right": truth,
            "accepts": p > 0.5,
            "accepted": (p > 0.5).astype(float),
            "rejected": (p <= 0.5).astype(float),
            "failed": False,
            "p_true": p,
            "log_likelihood": likely.ravel(),
            "tokens": 40.0,
            "shared": False,
            "told_own": None,
            "anonymous": True,
            "labels": "honest",
            "setting": "",
            "alternatives": alternatives,
            "k": k,
            "question_code": questions,
        }
    )
    return made.with_columns(
        pl.col("question").cast(pl.String), pl.col("told_own").cast(pl.Boolean)
    )
