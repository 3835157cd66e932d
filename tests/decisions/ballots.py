"""Ballots to decide by."""

from __future__ import annotations

from collections.abc import Mapping

from debate.types import Answer, Belief, Confidence, Failure, Turn

FAILURE = Failure(boundary="m: generate", message="reset")


def ballot(
    agent: str,
    value: str | None = "1",
    *,
    sure: float | None = None,
    log_p: Mapping[str, float] | None = None,
    failed: bool = False,
    round: int = 0,
) -> Turn:
    """A debater's turn; `log_p` is its belief."""
    return Turn(
        cell="main",
        question="q",
        seed=0,
        round=round,
        kind="revision" if round else "opening",
        agent=agent,
        model="m",
        answer=None if failed else Answer(value=value),
        confidences=() if sure is None else (Confidence(source="verbal", value=sure),),
        belief=None if log_p is None else Belief(log_p=log_p),
        failure=FAILURE if failed else None,
    )
