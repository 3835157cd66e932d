"""Size and power of entrenchment: `python -m tests.analysis.nulls [REPEATS]`.

A generator in which agents reconsider when they feel unsure, and what they state is what they
believe with fresh noise. In the null nothing that is believed ever changes; "each keeps its own
survivors" then rises all the same. Versions: `belief` (log-odds are probed), `stated` (only the
confidence in the present answer is known, so bounds), and a true rise of .5 logits, probed.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import polars as pl
from scipy.special import expit

from debate.analysis.hypotheses import Finding, conclude_hypotheses
from debate.analysis.measures import Measures
from debate.analysis.states import build_states
from debate.analysis.votes import build_vote_states
from debate.config.run import HypothesisSpec

QUESTIONS = 500
RISE = 0.5
CLAIM = {
    "surer": HypothesisSpec(
        statement="Rereading raises belief in the own error.",
        estimate="entrenchment",
        cell="self",
        control="restate",
        direction="above",
        smallest=0.2,
    )
}


def reconsider(
    rng: np.random.Generator, *, rise: float, probed: bool, spread: float = 1.0
) -> pl.DataFrame:
    """Arms `self` and `restate` over one round: keep the answer while it feels sure.

    rise: what belief in the opening answer gains in `self`, in logits. spread: of the noise in what
    is stated. probed: whether the log-odds of the belief are told.
    """
    belief = rng.normal(0, 1, QUESTIONS)
    wrong = rng.random(QUESTIONS) < 0.5
    stated = expit(belief + rng.normal(0, spread, QUESTIONS))
    parts = []
    for cell, gain, doubt in (("self", rise, 1.0), ("restate", 0.0, 0.5)):
        moved = belief + gain + (rng.normal(0, 0.5, QUESTIONS) if rise else 0.0)
        felt = expit(moved + rng.normal(0, spread, QUESTIONS))
        keeps = rng.random(QUESTIONS) > doubt * (1 - felt)
        other = np.where(rng.random(QUESTIONS) < 0.3, 0, rng.integers(2, 5, QUESTIONS))
        answers = (np.where(wrong, 1, 0), np.where(keeps, np.where(wrong, 1, 0), other))
        for round_, (answer, odds, sure) in enumerate(
            zip(answers, (belief, moved), (stated, felt), strict=True)
        ):
            logs = {"log_p_own": np.log(expit(odds)), "log_p_target": np.log(expit(-odds))}
            parts.append(
                pl.DataFrame(
                    {
                        "question": [f"q{i}" for i in range(QUESTIONS)],
                        "cell": cell,
                        "agent": "a",
                        "round": round_,
                        "answer": answer.astype(str),
                        "target": "0",
                        "confidence": sure,
                    }
                    | (logs if probed else {})
                )
            )
    return pl.concat(parts)


def conclude(rng: np.random.Generator, *, rise: float, probed: bool) -> Finding:
    """What one run of the generator comes to."""
    states = build_states(reconsider(rng, rise=rise, probed=probed))
    return conclude_hypotheses(CLAIM, Measures(states, build_vote_states(states)), [])[0]


def main() -> None:
    """Print how often each version is computed and supported, and how often its interval covers."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    versions = (("belief", 0.0, True), ("stated", 0.0, False), ("rise", RISE, True))
    for name, rise, probed in versions:
        found = [
            conclude(np.random.default_rng([7, k]), rise=rise, probed=probed)
            for k in range(repeats)
        ]
        verdicts = Counter(each.verdict for each in found)
        covered = sum(
            each.low is not None and each.high is not None and each.low <= rise <= each.high
            for each in found
        )
        error = (0.25 / repeats) ** 0.5
        print(
            f"{name}: {dict(verdicts)}; covers {rise:g} in {covered / repeats:.3f}"
            f" (error at most {error:.3f}, {repeats} repeats)"
        )


if __name__ == "__main__":
    main()
