"""Decisions that count answers: of debaters, of judges, of whoever spoke last."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

from debate.config.decision import DecisionSpec
from debate.orchestrator.decision_poll import Count, Room
from debate.types import Confidence, Turn


def majority(spec: DecisionSpec, room: Room) -> Count:
    """Votes by answer: n(a) = Σ_m 1[a_m = a]."""
    poll = room.poll(room.ballots)
    return Count(tally=_sums((vote.answer, 1.0) for vote in poll.votes), poll=poll)


def confidence_weighted(spec: DecisionSpec, room: Room) -> Count:
    """Confidence by answer: w(a) = Σ_m c_m · 1[a_m = a].

    A ballot without a confidence has no weight that could be known, so it does not count.
    """
    poll = room.poll(room.ballots, counts=lambda turn: stated(turn, spec) is not None)
    weights = ((vote.answer, stated(vote.turn, spec) or 0.0) for vote in poll.votes)
    return Count(tally=_sums(weights), poll=poll)


def last_speaker(spec: DecisionSpec, room: Room) -> Count:
    """The ballot of the latest round, and there of the last seat.

    Who failed, or was cut before an answer was closed, did not speak.
    """
    poll = room.poll(room.ballots)
    spoken = [turn for turn in room.ballots if turn.failure is None and not turn.is_cut]
    last = max(reversed(spoken), key=lambda turn: turn.round, default=None)
    name = room.name(last.value) if last else None
    return Count(tally={} if name is None else {name: 1.0}, poll=poll, speaker=last)


def judge_majority(spec: DecisionSpec, room: Room) -> Count:
    """Votes by answer over judges, one vote a judge: v(a) = Σ_j (1/k_j) Σ_i 1[a_ji = a].

    A judge with k judgments divides its vote. A judgment without an answer of its own votes for
    the answer that it accepts.
    """
    poll = room.poll(room.judgments, answer=lambda turn: _choice(turn, room))
    shares = _sums((vote.turn.agent, 1.0) for vote in poll.votes)
    parts = ((vote.answer, 1 / shares[vote.turn.agent]) for vote in poll.votes)
    return Count(tally=_sums(parts), poll=poll)


def judge_scores(spec: DecisionSpec, room: Room) -> Count:
    """Mean score of each judged answer: s(a) = mean of s_j over the judgments j of a.

    A judgment of somebody's answer scores that answer, by its verdict or its confidence; one that
    is about nobody in particular scores the answer that it gives.
    """
    poll = room.poll(
        room.judgments,
        answer=lambda turn: _judged(turn, room),
        counts=lambda turn: _score(turn, spec) is not None,
    )
    sums = _sums((vote.answer, _score(vote.turn, spec) or 0.0) for vote in poll.votes)
    counts = _sums((vote.answer, 1.0) for vote in poll.votes)
    return Count(tally={answer: sums[answer] / counts[answer] for answer in sums}, poll=poll)


def stated(turn: Turn, spec: DecisionSpec) -> float | None:
    """The turn's confidence from the estimator asked for; None where there is none in [0, 1]."""
    found = _confidence(turn, spec)
    return found.value if found and 0 <= found.value <= 1 else None


def _confidence(turn: Turn, spec: DecisionSpec) -> Confidence | None:
    return next((c for c in turn.confidences if spec.confidence in (None, c.source)), None)


def _choice(turn: Turn, room: Room) -> str | None:
    """What a judgment votes for: its own answer, else the one that it accepts."""
    if turn.value is not None:
        return room.name(turn.value)
    return _author_answer(turn, room) if turn.accepts else None


def _judged(turn: Turn, room: Room) -> str | None:
    """What a judgment scores: the answer that its verdict is on, else its own."""
    return room.name(turn.value) if turn.accepts is None else _author_answer(turn, room)


def _author_answer(turn: Turn, room: Room) -> str | None:
    return next((room.name(b.value) for b in room.ballots if b.agent == turn.about), None)


def _score(turn: Turn, spec: DecisionSpec) -> float | None:
    """How right the judged answer is, in [0, 1].

    `p_true` is about the answer; every other confidence is about the verdict.
    """
    if spec.score != "confidence":
        return float(turn.accepts is not False)
    confidence, value = _confidence(turn, spec), stated(turn, spec)
    if confidence is None or value is None:
        return None
    return value if turn.accepts is not False or confidence.source == "p_true" else 1 - value


def _sums(weights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Weight by answer, summed exactly, so that no order of turns matters."""
    parts: dict[str, list[float]] = defaultdict(list)
    for answer, weight in weights:
        parts[answer].append(weight)
    return {answer: math.fsum(parts[answer]) for answer in sorted(parts)}
