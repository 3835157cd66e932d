"""Decision rules over beliefs: opinion pools, ranked votes, approval.

All compare the candidates that every voter's belief contains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

from debate.config.protocol import DecisionSpec
from debate.orchestrator.decision_rules import Ballots, Poll, VoteCount
from debate.types import Turn

LogBelief = Mapping[str, float]
"""Log-probability (nats) of each common candidate, normalised over them."""


def log_opinion_pool(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Pool by P(a) ∝ Π_m p_m(a)^{w_m}, Σ w = 1 (Genest & Zidek 1986)."""
    poll, beliefs, names = _find_electorate(ballots)
    weights = _get_weights(spec, poll)
    pooled = {
        name: math.fsum(w * belief[name] for w, belief in zip(weights, beliefs, strict=True))
        for name in names
    }
    tally = {name: math.exp(log_p) for name, log_p in _normalise_log(pooled).items()}
    return VoteCount(tally=tally, poll=poll)


def linear_pool(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Pool by P(a) = Σ_m w_m p_m(a), Σ w = 1 (Stone 1961)."""
    poll, beliefs, names = _find_electorate(ballots)
    weights = _get_weights(spec, poll)
    pooled = {
        name: math.fsum(
            w * math.exp(belief[name]) for w, belief in zip(weights, beliefs, strict=True)
        )
        for name in names
    }
    return VoteCount(tally=pooled, poll=poll)


def approval(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Count approvals by answer: n(a) = Σ_m 1[p_m(a) ≥ threshold] (Brams & Fishburn 1978)."""
    poll, beliefs, names = _find_electorate(ballots)
    least = math.log(spec.threshold or 0.25) - 1e-12
    tally = {name: float(sum(belief[name] >= least for belief in beliefs)) for name in names}
    return VoteCount(tally=tally, poll=poll)


def ranked(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Count a ranked vote in which each agent ranks the candidates by its belief."""
    poll, beliefs, names = _find_electorate(ballots)
    count = RANKINGS[spec.rule or "borda"]
    return VoteCount(tally=count(beliefs, names), poll=poll)


def borda(beliefs: Sequence[LogBelief], names: Sequence[str]) -> dict[str, float]:
    """Count points: a candidate gets one for each one ranked below it, half for each equal one.

    >>> borda([{"a": -1.0, "b": -2.0, "c": -2.0}], "abc")
    {'a': 2.0, 'b': 0.5, 'c': 0.5}
    """
    return {
        name: sum(
            _compare(belief, name, other) for belief in beliefs for other in names if other != name
        )
        for name in names
    }


def copeland(beliefs: Sequence[LogBelief], names: Sequence[str]) -> dict[str, float]:
    """Count pairwise majorities won, half for each drawn one (Copeland 1951).

    >>> copeland([{"a": -1.0, "b": -2.0}, {"a": -2.0, "b": -1.0}], "ab")
    {'a': 0.5, 'b': 0.5}
    """
    won = dict.fromkeys(names, 0.0)
    for one, other in combinations(names, 2):
        lead = 2 * sum(_compare(belief, one, other) for belief in beliefs) - len(beliefs)
        won[one] += 0.5 if lead == 0 else float(lead > 0)
        won[other] += 0.5 if lead == 0 else float(lead < 0)
    return won


def instant_runoff(beliefs: Sequence[LogBelief], names: Sequence[str]) -> dict[str, float]:
    """Count the first places of the deciding round.

    The candidates with the fewest first places leave, together, until one has more than half or
    all that are left have equally many. A ballot with several first places divides its vote.

    >>> instant_runoff([{"a": 0.0, "b": -1.0}, {"a": 0.0, "b": -1.0}, {"a": -1.0, "b": 0.0}], "ab")
    {'a': 2.0, 'b': 1.0}
    """
    while True:
        firsts = _count_first_places(beliefs, names)
        fewest = min(firsts.values(), default=0.0)
        staying = [name for name in names if not math.isclose(firsts[name], fewest, abs_tol=1e-9)]
        if not staying or max(firsts.values()) > len(beliefs) / 2 + 1e-9:
            return firsts
        names = staying


RANKINGS: Mapping[str, Callable[[Sequence[LogBelief], Sequence[str]], dict[str, float]]] = (
    MappingProxyType({"borda": borda, "copeland": copeland, "instant_runoff": instant_runoff})
)
"""The functions that count rankings, by name."""


def _count_first_places(beliefs: Sequence[LogBelief], names: Sequence[str]) -> dict[str, float]:
    parts: dict[str, list[float]] = {name: [] for name in names}
    for belief in beliefs:
        best = max(belief[name] for name in names)
        tops = [name for name in names if belief[name] == best]
        for name in tops:
            parts[name].append(1 / len(tops))
    return {name: math.fsum(parts[name]) for name in names}


def _compare(belief: LogBelief, one: str, other: str) -> float:
    """Return 1 where the first is believed more, ½ where both equally, else 0."""
    return 0.5 if belief[one] == belief[other] else float(belief[one] > belief[other])


class Electorate(NamedTuple):
    """The poll, its voters' beliefs in the same order, and the candidates common to all."""

    poll: Poll
    beliefs: list[LogBelief]
    names: list[str]


def _find_electorate(ballots: Ballots) -> Electorate:
    poll = ballots.poll(ballots.turns, counts=lambda turn: bool(_find_log_p(turn, ballots)))
    found = [_find_log_p(vote.turn, ballots) for vote in poll.votes]
    names = sorted(set.intersection(*map(set, found))) if found else []
    beliefs = [_normalise_log({name: belief[name] for name in names}) for belief in found]
    return Electorate(poll, beliefs, names)


def _find_log_p(turn: Turn, ballots: Ballots) -> LogBelief:
    """Return the turn's belief by counted name; empty where there is none that can be used."""
    found: dict[str, float] = {}
    for candidate, log_p in (turn.belief.log_p if turn.belief else {}).items():
        name = ballots.get_name(candidate) or candidate
        found[name] = _log_sum_exp([log_p, found.get(name, -math.inf)])
    usable = all(log_p < math.inf for log_p in found.values())  # false for nan, too
    return found if usable and any(map(math.isfinite, found.values())) else {}


def _get_weights(spec: DecisionSpec, poll: Poll) -> list[float]:
    """Return the voters' weights, which sum to 1."""
    relative = [(spec.weights or {}).get(vote.turn.agent, 1.0) for vote in poll.votes]
    total = math.fsum(relative)
    return [weight / total for weight in relative]


def _normalise_log(log_p: LogBelief) -> LogBelief:
    """Shift log-probabilities to sum to 1; as they are where every candidate is impossible."""
    total = _log_sum_exp(list(log_p.values()))
    return log_p if total == -math.inf else {name: lp - total for name, lp in log_p.items()}


def _log_sum_exp(log_p: Sequence[float]) -> float:
    """Compute log Σ exp without overflow; nan if any is."""
    if any(map(math.isnan, log_p)):
        return math.nan
    top = max(log_p, default=-math.inf)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(p - top) for p in log_p))
