"""Debates that are stopped by a rule, for the caveat about oracle stopping.

`python -m tests.analysis.stopped [REPEATS]` prints how often each rule is taken for one that knew
the truth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from debate.analysis.stopping import describe_oracle_stopping

from . import simulate

Rng = np.random.Generator
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A round of all debates; (questions, agents). before: the answers of the round before."""

    round: int
    answers: NDArray[np.int64]
    before: NDArray[np.int64]
    confidence: NDArray[np.float64]
    noise: NDArray[np.float64]

    @property
    def right(self) -> Flags:
        """Whose answer is right: what no rule of our own looks at."""
        return self.answers == 0

    def agree(self) -> Flags:
        """Debates in which all answers are equal."""
        return (self.answers == self.answers[:, :1]).all(axis=1)

    def largest(self) -> NDArray[np.float64]:
        """The share of the most frequent answer."""
        same = self.answers[:, :, None] == self.answers[:, None, :]
        return same.sum(axis=2).max(axis=1) / self.answers.shape[1]

    def kept(self) -> Flags:
        """Debates in which this round changed no answer."""
        return (self.answers == self.before).all(axis=1) & (self.round > 0)

    def sure(self, limit: float) -> Flags:
        """Debates whose mean confidence is not below the limit."""
        return self.confidence.mean(axis=1) >= limit


Rule = Callable[[Seen], Flags]
HONEST: Mapping[str, Rule] = {
    "consensus": lambda s: s.agree(),
    "no change": lambda s: s.kept(),
    "debate if disagreement": lambda s: s.agree() & (s.round == 0),
    "debate if confidence < .6": lambda s: s.sure(0.6) & (s.round == 0),
    "debate if disagreement or confidence < .6": (
        lambda s: s.agree() & s.sure(0.6) & (s.round == 0)
    ),
    "debate if confidence < .6, then consensus": (
        lambda s: (s.sure(0.6) & (s.round == 0)) | s.agree()
    ),
    "mean confidence": lambda s: s.sure(0.6),
    "least confidence": lambda s: s.confidence.min(axis=1) >= 0.4,
    "plurality of two thirds": lambda s: s.largest() >= 0.66,
    "plurality and confidence": lambda s: (s.largest() >= 0.66) & s.sure(0.5),
    "mean or least confidence": lambda s: s.sure(0.65) | (s.confidence.min(axis=1) >= 0.45),
    "consensus or no change": lambda s: s.agree() | s.kept(),
    "at random": lambda s: s.noise[:, 0] < 0.3,
    "more likely when sure": lambda s: s.noise[:, 0] < s.confidence.mean(axis=1) ** 2,
}
"""Rules that read what the agents said, or nothing."""
ORACLES: Mapping[str, Rule] = {
    "majority right": lambda s: s.right.mean(axis=1) > 0.5,
    "all right": lambda s: s.right.all(axis=1),
    "any right": lambda s: s.right.any(axis=1),
    "majority right, once in three overlooked": (
        lambda s: (s.right.mean(axis=1) > 0.5) & (s.noise[:, 0] < 0.67)
    ),
    "agreement on the truth": lambda s: s.agree() & s.right[:, 0],
}


def stopped(
    rng: Rng,
    rule: Rule,
    *,
    questions: int,
    agents: int = 3,
    stated: bool = False,
    cell: str = "debate",
) -> pl.DataFrame:
    """The states of debates over three rounds that end after a round where the rule holds.

    stated: confidences rounded to tenths, as models state them.
    """
    table = simulate.opinions(rng, questions=questions, agents=agents, pull=0.1)
    shape = (4, questions, agents)
    answers = table["answer"].cast(pl.Int64).to_numpy().reshape(shape)
    confidence = table["confidence"].to_numpy().reshape(shape)
    confidence = np.round(confidence, 1) if stated else confidence
    spoken = np.zeros(shape, dtype=bool)
    going = np.ones(questions, dtype=bool)
    for t in range(4):
        spoken[t] = going[:, None]
        seen = Seen(
            round=t,
            answers=answers[t],
            before=answers[max(t - 1, 0)],
            confidence=confidence[t],
            noise=rng.random((questions, agents)),
        )
        going = going & ~rule(seen)
    return _states(answers, confidence, spoken, cell)


def falling_silent(rng: Rng, *, questions: int, agents: int = 3, knows: bool) -> pl.DataFrame:
    """Debates over three rounds; agents who are right, or random ones, are not asked again."""
    table = simulate.opinions(rng, questions=questions, agents=agents, pull=0.1)
    shape = (4, questions, agents)
    answers = table["answer"].cast(pl.Int64).to_numpy().reshape(shape)
    spoken = np.ones(shape, dtype=bool)
    for t in range(3):
        done = answers[t] == 0 if knows else rng.random(shape[1:]) < 0.4
        spoken[t + 1] = spoken[t] & ~done
    return _states(answers, table["confidence"].to_numpy().reshape(shape), spoken, "debate")


def _states(
    answers: NDArray[np.int64], confidence: NDArray[np.float64], spoken: Flags, cell: str
) -> pl.DataFrame:
    t, q, a = (x.ravel() for x in np.indices(answers.shape))
    return pl.DataFrame(
        {
            "debate": q,
            "cell": np.repeat(cell, answers.size),
            "round": t,
            "agent": np.array(simulate.AGENTS)[a],
            "answer": answers.ravel().astype(str),
            "correct": answers.ravel() == 0,
            "confidence": confidence.ravel(),
            "carried": np.zeros(answers.size, dtype=bool),
        }
    ).filter(spoken.ravel())


def suspected(rule: Rule, *, repeats: int, seed: int = 0) -> float:
    """Share of runs of 60 to 400 debates, of one to five agents, of which the caveat is said."""
    found = 0
    for k in range(repeats):
        rng = np.random.default_rng([seed, k])
        questions, agents = int(rng.integers(60, 401)), int(rng.integers(1, 6))
        states = stopped(rng, rule, questions=questions, agents=agents, stated=bool(k % 2))
        found += describe_oracle_stopping(states) is not None
    return found / repeats


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for name, rule in (HONEST | ORACLES).items():
        print(f"{name:45s} {suspected(rule, repeats=repeats):.4f}", flush=True)


if __name__ == "__main__":
    main()
