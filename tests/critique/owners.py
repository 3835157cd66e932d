"""Critics whose d′, leaning towards what is said to be theirs, and love of the familiar are set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.special import expit

from tests.critique.populations import NEARER, Floats, Rng, frame

ARMS = {"nobody": 0.0, "own": 0.5, "others": -0.5}
"""Arms, and the share of the ownership shift that is added in each."""
SPREAD_OF_LIKELIHOOD = 0.7


@dataclass(frozen=True, kw_only=True)
class OwnerCritics:
    """logit P(True) = leniency ± discernment + ownership·told + writing·own + familiarity·log p
    + errors, all in logits (familiarity in logits per nat).

    ownership: between being told that an answer is one's own and that it is another's. difficulty,
    of_answer, noise: standard deviations of the errors that all judgements of a question, those of
    one answer by one critic in all arms, and those of one arm have.
    """

    discernment: float = 0.6
    leniency: float = 0.2
    ownership: float = 0.0
    writing: float = 0.0
    familiarity: float = 0.0
    difficulty: float = 0.4
    of_answer: float = 0.6
    noise: float = 0.7

    def judged(self, rng: Rng, *, questions: int = 120, agents: int = 3) -> pl.DataFrame:
        """Everybody's judgement of everybody's answer in all arms."""
        size = (questions, agents, agents)
        right = np.broadcast_to(rng.random((questions, 1, agents)) < 0.5, size)
        own = np.broadcast_to(np.eye(agents), size)
        likely = -2 + NEARER * own + rng.normal(0, SPREAD_OF_LIKELIHOOD, size)
        shared = rng.normal(0, self.difficulty, (questions, 1, 1))
        shared = shared + rng.normal(0, self.of_answer, size)
        logit = self.leniency + self.discernment * np.where(right, 1, -1) + self.writing * own
        logit = logit + self.familiarity * likely + shared
        return pl.concat(
            self._judge_arm(rng, arm, logit + self.ownership * told, right, likely)
            for arm, told in ARMS.items()
        )

    def _judge_arm(
        self, rng: Rng, arm: str, logit: Floats, right: np.ndarray, likely: Floats
    ) -> pl.DataFrame:
        p_true = expit(logit + rng.normal(0, self.noise, logit.shape))
        told = {"own": True, "others": False}.get(arm)
        return frame(p_true, right, likely, cell=arm).with_columns(
            told_own=pl.lit(told, dtype=pl.Boolean),
            anonymous=pl.lit(told is None),
            labels=pl.lit("honest" if told is None else arm),
        )

    @property
    def spread(self) -> float:
        """Standard deviation of the logit among the right, or the wrong, answers of an author."""
        parts = (self.difficulty, self.of_answer, self.noise)
        squares = sum(part**2 for part in parts)
        return float(np.sqrt(squares + (self.familiarity * SPREAD_OF_LIKELIHOOD) ** 2))

    @property
    def d_prime(self) -> float:
        """d′, and d_a."""
        return 2 * self.discernment / self.spread

    def criterion(self, *, own: bool, arm: str) -> float:
        """c, and the midpoint, of answers that critics wrote themselves or others wrote."""
        liked = self.familiarity * (-2 + NEARER * own)
        shift = self.leniency + self.writing * own + self.ownership * ARMS[arm] + liked
        return -shift / self.spread

    @property
    def said_to_be(self) -> float:
        """The change of c by being told that an answer is one's own instead of another's."""
        return -self.ownership / self.spread

    @property
    def written_by(self) -> float:
        """The change of c where one wrote an answer oneself."""
        return -(self.writing + self.familiarity * NEARER) / self.spread

    def harder(self, **fields: float) -> OwnerCritics:
        """The same critics with other figures."""
        return replace(self, **fields)
