"""Decisions over beliefs: opinion pools, ranked votes, approval.

All compare the candidates that every voter's belief contains.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

from debate.config.decision import DecisionSpec
from debate.orchestrator.decision_poll import Count, Poll, Room
from debate.types import Turn

Opinion = Mapping[str, float]
"""Log-probability (nats) of each common candidate, normalised over them."""


def log_opinion_pool(spec: DecisionSpec, room: Room) -> Count:
    """P(a) ∝ Π_m p_m(a)^{w_m}, Σ w = 1 (Genest & Zidek 1986)."""
    poll, opinions, names = _electorate(room)
    weights = _weights(spec, poll)
    pooled = {
        name: math.fsum(
            weight * opinion[name] for weight, opinion in zip(weights, opinions, strict=True)
        )
        for name in names
    }
    return Count(tally={name: math.exp(lp) for name, lp in _normalised(pooled).items()}, poll=poll)


def linear_pool(spec: DecisionSpec, room: Room) -> Count:
    """P(a) = Σ_m w_m p_m(a), Σ w = 1 (Stone 1961)."""
    poll, opinions, names = _electorate(room)
    weights = _weights(spec, poll)
    pooled = {
        name: math.fsum(
            w * math.exp(opinion[name]) for w, opinion in zip(weights, opinions, strict=True)
        )
        for name in names
    }
    return Count(tally=pooled, poll=poll)


def approval(spec: DecisionSpec, room: Room) -> Count:
    """Approvals by answer: n(a) = Σ_m 1[p_m(a) ≥ threshold] (Brams & Fishburn 1978)."""
    poll, opinions, names = _electorate(room)
    least = math.log(spec.threshold or 0.25) - 1e-12
    tally = {name: float(sum(opinion[name] >= least for opinion in opinions)) for name in names}
    return Count(tally=tally, poll=poll)


def ranked(spec: DecisionSpec, room: Room) -> Count:
    """A ranked vote in which each agent ranks the candidates by its belief."""
    poll, opinions, names = _electorate(room)
    count = RANKINGS[spec.rule or "borda"]
    return Count(tally=count(opinions, names), poll=poll)


def borda(opinions: Sequence[Opinion], names: Sequence[str]) -> dict[str, float]:
    """Points: a candidate gets one for each one ranked below it, half for each equal one.

    >>> borda([{"a": -1.0, "b": -2.0, "c": -2.0}], "abc")
    {'a': 2.0, 'b': 0.5, 'c': 0.5}
    """
    return {
        name: sum(
            _beats(opinion, name, other) for opinion in opinions for other in names if other != name
        )
        for name in names
    }


def copeland(opinions: Sequence[Opinion], names: Sequence[str]) -> dict[str, float]:
    """Pairwise majorities won, half for each drawn one (Copeland 1951).

    >>> copeland([{"a": -1.0, "b": -2.0}, {"a": -2.0, "b": -1.0}], "ab")
    {'a': 0.5, 'b': 0.5}
    """
    won = dict.fromkeys(names, 0.0)
    for one, other in combinations(names, 2):
        lead = 2 * sum(_beats(opinion, one, other) for opinion in opinions) - len(opinions)
        won[one] += 0.5 if lead == 0 else float(lead > 0)
        won[other] += 0.5 if lead == 0 else float(lead < 0)
    return won


def instant_runoff(opinions: Sequence[Opinion], names: Sequence[str]) -> dict[str, float]:
    """First places of the deciding count.

    The candidates with the fewest first places leave, together, until one has more than half or
    all that are left have equally many. A ballot with several first places divides its vote.

    >>> instant_runoff([{"a": 0.0, "b": -1.0}, {"a": 0.0, "b": -1.0}, {"a": -1.0, "b": 0.0}], "ab")
    {'a': 2.0, 'b': 1.0}
    """
    while True:
        firsts = _first_places(opinions, names)
        fewest = min(firsts.values(), default=0.0)
        staying = [name for name in names if not math.isclose(firsts[name], fewest, abs_tol=1e-9)]
        if not staying or max(firsts.values()) > len(opinions) / 2 + 1e-9:
            return firsts
        names = staying


def _first_places(opinions: Sequence[Opinion], names: Sequence[str]) -> dict[str, float]:
    parts: dict[str, list[float]] = {name: [] for name in names}
    for opinion in opinions:
        best = max(opinion[name] for name in names)
        tops = [name for name in names if opinion[name] == best]
        for name in tops:
            parts[name].append(1 / len(tops))
    return {name: math.fsum(parts[name]) for name in names}


def _beats(opinion: Opinion, one: str, other: str) -> float:
    """1 where the first is believed more, ½ where both equally."""
    return 0.5 if opinion[one] == opinion[other] else float(opinion[one] > opinion[other])


RANKINGS: Mapping[str, Callable[[Sequence[Opinion], Sequence[str]], dict[str, float]]] = (
    MappingProxyType({"borda": borda, "copeland": copeland, "instant_runoff": instant_runoff})
)
"""How rankings are counted, by name."""


class Electorate(NamedTuple):
    """The poll, its voters' opinions in the same order, and the candidates common to all."""

    poll: Poll
    opinions: list[Opinion]
    names: list[str]


def _electorate(room: Room) -> Electorate:
    poll = room.poll(room.ballots, counts=lambda turn: bool(_log_p(turn, room)))
    beliefs = [_log_p(vote.turn, room) for vote in poll.votes]
    names = sorted(set.intersection(*map(set, beliefs))) if beliefs else []
    opinions = [_normalised({name: belief[name] for name in names}) for belief in beliefs]
    return Electorate(poll, opinions, names)


def _log_p(turn: Turn, room: Room) -> Opinion:
    """The turn's belief by counted name; empty where there is none that can be used."""
    found: dict[str, float] = {}
    for candidate, log_p in (turn.belief.log_p if turn.belief else {}).items():
        name = room.name(candidate) or candidate
        found[name] = _log_sum([log_p, found.get(name, -math.inf)])
    usable = all(log_p < math.inf for log_p in found.values())  # false for nan, too
    return found if usable and any(map(math.isfinite, found.values())) else {}


def _weights(spec: DecisionSpec, poll: Poll) -> list[float]:
    """The voters' weights, which sum to 1."""
    relative = [(spec.weights or {}).get(vote.turn.agent, 1.0) for vote in poll.votes]
    total = math.fsum(relative)
    return [weight / total for weight in relative]


def _normalised(log_p: Opinion) -> Opinion:
    """Log-probabilities that sum to 1; unchanged where every candidate is impossible."""
    total = _log_sum(list(log_p.values()))
    return log_p if total == -math.inf else {name: lp - total for name, lp in log_p.items()}


def _log_sum(log_p: Sequence[float]) -> float:
    """log Σ exp without overflow; nan if any is."""
    if any(map(math.isnan, log_p)):
        return math.nan
    top = max(log_p, default=-math.inf)
    return top if math.isinf(top) else top + math.log(math.fsum(math.exp(p - top) for p in log_p))
