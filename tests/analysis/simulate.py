"""Agents whose truth is set: small populations as trajectories frames, fast enough for coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

Floats = NDArray[np.float64]
Rng = np.random.Generator
AGENTS = tuple("abcdefghij")


def frame(answers: NDArray[np.int64], *, cell: str, **columns: Any) -> pl.DataFrame:
    """answers and columns: (rounds, questions, agents); answer 0 is every question's target."""
    _, questions, agents = answers.shape
    t, q, a = np.meshgrid(*(np.arange(n) for n in answers.shape), indexing="ij")
    names = np.array([f"q{k}" for k in range(questions)])
    return pl.DataFrame(
        {
            "cell": np.repeat(cell, answers.size),
            "question": names[q.ravel()],
            "seed": np.zeros(answers.size, dtype=np.int64),
            "agent": np.array(AGENTS[:agents])[a.ravel()],
            "round": t.ravel(),
            "answer": answers.ravel().astype(str),
            "target": np.repeat("0", answers.size),
            **{name: values.ravel() for name, values in columns.items()},
        }
    )


def heard_from_all(table: pl.DataFrame) -> pl.DataFrame:
    """The table with every other agent's answer of the round before as heard."""
    agents = sorted(table["agent"].unique())
    kinds = pl.when(pl.col("round") == 1).then(pl.lit("opening")).otherwise(pl.lit("revision"))
    refs = [
        pl.when(pl.col("agent") != agent).then(
            pl.format("{}:{}:{}", pl.col("round") - 1, kinds, pl.lit(agent))
        )
        for agent in agents
    ]
    heard = pl.concat_list(refs).list.drop_nulls()
    return table.with_columns(heard=pl.when(pl.col("round") > 0).then(heard))


def opinions(
    rng: Rng,
    *,
    questions: int,
    agents: int = 3,
    rounds: int = 3,
    pull: float = 0.0,
    mass: float = 4.0,
    mean: float = 0.55,
) -> pl.DataFrame:
    """Dirichlet-categorical opinion: each agent adds the answers of all others to its counts.

    On average over the team belief in the truth is a martingale; `pull` then moves that share of
    the remaining belief to the truth each round, so that E p_t = 1 - (1 - mean)(1 - pull)^t.
    """
    candidates = 4
    difficulty = rng.beta(4 * mean, 4 * (1 - mean), size=(questions, 1))
    belief = np.empty((questions, agents, candidates))
    belief[..., 0] = np.broadcast_to(difficulty, (questions, agents))
    belief[..., 1:] = ((1 - difficulty) / (candidates - 1))[..., None]
    counts = belief * mass
    answers: list[NDArray[np.int64]] = []
    beliefs: list[Floats] = []
    own: list[Floats] = []
    confidences: list[Floats] = []
    for t in range(rounds + 1):
        if t:
            heard = np.eye(candidates)[answers[-1]].sum(axis=1, keepdims=True)
            counts = counts + heard - np.eye(candidates)[answers[-1]]
            counts = counts * (1 - pull)
            counts[..., 0] += pull / (1 - pull) * counts.sum(axis=-1)
        p = counts / counts.sum(axis=-1, keepdims=True)
        answers.append(_draw(rng, p))
        beliefs.append(p[..., 0])
        own.append(np.take_along_axis(p, answers[0][..., None], axis=-1)[..., 0])
        confidences.append(np.take_along_axis(p, answers[-1][..., None], axis=-1)[..., 0])
    table = frame(
        np.stack(answers),
        cell="debate",
        belief_target=np.stack(beliefs),
        belief_own=np.stack(own),
        confidence=np.stack(confidences),
    )
    return heard_from_all(table)


def mean_drift(*, mean: float = 0.55, pull: float, rounds: int = 3) -> float:
    """The drift per round that `opinions` has by construction."""
    return (1 - mean) * (1 - (1 - pull) ** rounds) / rounds


def _draw(rng: Rng, p: Floats) -> NDArray[np.int64]:
    passed = rng.random((*p.shape[:-1], 1)) > p.cumsum(axis=-1)
    return np.asarray(passed.sum(axis=-1), dtype=np.int64)


def conformists(
    rng: Rng, *, questions: int, adopt: float, keep: float, agents: int = 3
) -> pl.DataFrame:
    """Two rounds; an agent that disagrees with some other adopts one of them, keeps, or does else.

    The chances vary by question around `adopt` and `keep`, so agents of a question are alike.
    """
    opening = rng.choice(4, size=(questions, agents), p=[0.4, 0.3, 0.2, 0.1])
    shares = rng.dirichlet(np.array([adopt, keep, 1 - adopt - keep]) * 8, size=questions)
    move = _draw(rng, np.broadcast_to(shares[:, None, :], (questions, agents, 3)))
    peer = (np.arange(agents) + 1) % agents
    other = opening[:, peer]
    beyond = opening[:, (np.arange(agents) + 2) % agents]
    differing = np.where(other != opening, other, beyond)
    revised = np.choose(move, [differing, opening, np.full_like(opening, 9)])
    agreed = (opening == opening[:, :1]).all(axis=1, keepdims=True)
    revised = np.where(agreed, opening, revised)
    confidence = rng.uniform(0.3, 0.9, size=(2, questions, agents))
    return heard_from_all(frame(np.stack([opening, revised]), cell="debate", confidence=confidence))


def correlated(
    rng: Rng, *, questions: int, correlation: float, agents: int = 5, accuracy: float = 0.6
) -> pl.DataFrame:
    """One round; every two agents' correctness has this correlation (beta-binomial)."""
    size = 1 / correlation - 1
    chance = rng.beta(accuracy * size, (1 - accuracy) * size, size=(questions, 1))
    answers = np.where(rng.random((questions, agents)) < chance, 0, 1)[None]
    return frame(answers, cell="debate", confidence=np.full(answers.shape, 0.5))


def miscalibrated(
    rng: Rng, *, questions: int, excess: float, agents: int = 3, together: float = 0.5
) -> pl.DataFrame:
    """One round; P(right | confidence) = confidence - excess, agents of a question correlated."""
    confidence = rng.uniform(0.2, 0.95, size=(questions, agents))
    shared = rng.normal(size=(questions, 1)) * np.sqrt(together)
    own = rng.normal(size=(questions, agents)) * np.sqrt(1 - together)
    right = norm.cdf(shared + own) < confidence - excess
    return frame(np.where(right, 0, 1)[None], cell="debate", confidence=confidence[None])


def entrenched(
    rng: Rng,
    *,
    questions: int,
    rise: float,
    resampling: float = 0.0,
    rounds: int = 3,
    agents: int = 3,
    noise: float = 0.3,
) -> pl.DataFrame:
    """Two arms, `self` and `repeat`: on kept answers logit confidence rises by `rise` a round in
    `self` and by `resampling` in `repeat`, with a slope of its own for each question. Unsure
    answers are dropped first, so survivors are the sure ones in both arms.
    """
    start = rng.normal(0.4, 0.8, size=(questions, agents))
    slope = rng.normal(0, 0.2, size=(questions, 1))
    arms = {"self": rise, "repeat": resampling}
    wrong = rng.random((questions, agents)) < 0.5
    return pl.concat(
        [_arm(rng, cell, start, wrong, mean + slope, rounds, noise) for cell, mean in arms.items()]
    )


def believers(
    rng: Rng,
    *,
    questions: int,
    rise: float,
    control: float = 0.0,
    rounds: int = 3,
    agents: int = 3,
    noise: float = 0.3,
    drop: float = 0.35,
) -> pl.DataFrame:
    """Two arms, `self` and `repeat`, whose log-odds of the opening answer against the target rise
    by `rise` and `control` a round, with a slope of its own for each question, shared by both.

    Answers that are unsure at the time are dropped, more of them in `self`, so each arm keeps
    survivors of its own. Confidence is noise around the belief in the opening answer.
    """
    start = rng.normal(0.4, 0.8, size=(questions, agents))
    slope = rng.normal(0, 0.2, size=(questions, 1))
    wrong = rng.random((questions, agents)) < 0.5
    parts = []
    for cell, mean, doubt in (("self", rise, drop), ("repeat", control, drop / 4)):
        answers, odds = [np.where(wrong, 1, 0)], [start]
        for t in range(1, rounds + 1):
            odds.append(start + (mean + slope) * t + rng.normal(0, noise, size=start.shape))
            dropped = rng.random(start.shape) < doubt * (1 - expit(odds[-1]))
            answers.append(np.where(dropped, 2 + t, answers[-1]))
        logs = np.stack(odds)
        stated = expit(logs + rng.normal(0, noise, size=logs.shape))
        parts.append(
            frame(
                np.stack(answers),
                cell=cell,
                confidence=stated,
                log_p_own=np.log(expit(logs)),
                log_p_target=np.log(expit(logs)) - logs,
            )
        )
    return pl.concat(parts)


def _arm(
    rng: Rng,
    cell: str,
    start: Floats,
    wrong: NDArray[np.bool_],
    slope: Floats,
    rounds: int,
    noise: float,
) -> pl.DataFrame:
    answers, confidences = [np.where(wrong, 1, 0)], [expit(start)]
    for t in range(1, rounds + 1):
        doubt = rng.random(start.shape) < 0.35 * (1 - expit(start))
        answers.append(np.where(doubt, 2 + t, answers[-1]))
        confidences.append(expit(start + slope * t + rng.normal(0, noise, size=start.shape)))
    return frame(np.stack(answers), cell=cell, confidence=np.stack(confidences))


def survivors(
    rng: Rng, *, questions: int, rounds: int = 4, agents: int = 3, noise: float = 0.2
) -> pl.DataFrame:
    """No item's confidence changes but for noise; errors with little confidence are corrected
    first. Arms `self` and `repeat` are alike.
    """
    start = rng.normal(0.8, 0.9, size=(questions, agents))
    wrong = rng.random((questions, agents)) < 0.5
    arms = ("self", "repeat")
    return pl.concat([_corrected(rng, cell, start, wrong, rounds, noise) for cell in arms])


def _corrected(
    rng: Rng, cell: str, start: Floats, wrong: NDArray[np.bool_], rounds: int, noise: float
) -> pl.DataFrame:
    answers, confidences = [], []
    for _ in range(rounds + 1):
        answers.append(np.where(wrong, 1, 0))
        confidences.append(expit(start + rng.normal(0, noise, size=start.shape)))
        wrong = wrong & (rng.random(start.shape) > 0.3 * (1 - expit(start)))
    return frame(np.stack(answers), cell=cell, confidence=np.stack(confidences))


def amplified(
    rng: Rng, *, questions: int, share: float, rounds: int = 2, agents: int = 3
) -> pl.DataFrame:
    """Nobody changes an answer; confidence in errors closes `share` of its gap to 1 each round."""
    wrong = rng.random((questions, 1)) < rng.beta(2, 2, size=(questions, agents))
    confidence = rng.beta(6, 4, size=(questions, agents))
    answers = np.where(wrong, 1, 0)
    steps = [
        np.where(wrong, 1 - (1 - confidence) * (1 - share) ** t, confidence)
        for t in range(rounds + 1)
    ]
    return frame(np.stack([answers] * (rounds + 1)), cell="self", confidence=np.stack(steps))


def amplification_size(*, share: float, rounds: int = 2) -> float:
    """EAI of `amplified` by construction: P(wrong) times the mean rise, .5 * (1 - .6) * (…)."""
    return 0.5 * 0.4 * (1 - (1 - share) ** rounds)
