"""What is wrong with a schedule for a protocol, in words that say what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debate.config.topology import TopologySpec
from debate.topologies.build import build
from debate.topologies.graph import Topology, authors, critics, edge
from debate.topologies.problem import BrokenTopology, Problem
from debate.topologies.schedule import Schedule
from debate.topologies.seats import Seat

MAX_ROUNDS_LOOKED_AT = 64


def check(
    spec: TopologySpec,
    seats: Sequence[Seat],
    *,
    protocol: str,
    rounds: int,
    needs_judges: bool = False,
) -> list[Problem]:
    """Everything that is wrong with the spec for these seats, and where; empty where nothing is.

    Raises TopologyError for seats that cannot be told apart.
    """
    try:
        schedule = build(spec, seats)
    except BrokenTopology as error:
        return [*error.problems, *(Problem((), line) for line in _panel(seats, needs_judges))]
    idle = _idle(schedule, by_round=bool(spec.rounds))
    found = problems(schedule, seats, protocol=protocol, rounds=rounds, needs_judges=needs_judges)
    known = {problem.message for problem in idle}
    return [*idle, *(Problem((), line) for line in found if line not in known)]


def problems(
    schedule: Schedule,
    seats: Sequence[Seat],
    *,
    protocol: str,
    rounds: int,
    needs_judges: bool = False,
) -> list[str]:
    """What is wrong with a schedule that could be built; empty where nothing is.

    An agent counts as connected if it is in any of the rounds. `needs_judges` says that the
    decision asks judges.
    """
    drawn = [schedule.at(round) for round in _rounds(schedule, rounds)]
    found = [problem.message for problem in _idle(schedule)]
    found += _panel(seats, needs_judges)
    if not found:
        found += _silence(schedule, drawn, rounds)
    for seat in seats:
        found += _seat(seat, drawn, schedule, protocol)
    found += _unheard(drawn, protocol)
    return list(dict.fromkeys(found))


def _rounds(schedule: Schedule, rounds: int) -> range:
    """The rounds to look at: enough to see every phase, and some of those drawn anew."""
    different = MAX_ROUNDS_LOOKED_AT if schedule.changes else 1
    return range(1, max(1, min(rounds, different)) + 1)


def _idle(schedule: Schedule, *, by_round: bool = False) -> list[Problem]:
    return [
        problem.below(("rounds", number) if by_round else ())
        for number, phase in enumerate(schedule.phases)
        for problem in phase.idle
    ]


def _panel(seats: Sequence[Seat], needs_judges: bool) -> Iterator[str]:
    if needs_judges and not any(seat.role == "judge" for seat in seats):
        yield 'the decision asks judges and the panel is empty; give an agent "role: judge"'


def _silence(schedule: Schedule, drawn: Sequence[Topology], rounds: int) -> Iterator[str]:
    deliberate = all(phase.is_deliberate for phase in schedule.phases)
    if rounds and not deliberate and not any(topology.number_of_edges() for topology in drawn):
        yield (
            f"the topology has no edge between these {len(schedule.seats)} agents, so that nobody "
            'hears anybody; write "edges: []" if that is meant'
        )


def _seat(
    seat: Seat, drawn: Sequence[Topology], schedule: Schedule, protocol: str
) -> Iterator[str]:
    acts = any(authors(topology, seat.id) for topology in drawn)
    is_critiqued = any(critics(topology, seat.id) for topology in drawn)
    if seat.role == "critic" and protocol == "exchange":
        yield (
            f'{seat.id} is a critic, and under the protocol "exchange" only answers are heard, '
            'which a critic has not; use "protocol: critique" or make it a debater'
        )
    elif seat.role in _WORK and not acts:
        yield _without_work(seat, is_critiqued)
    allowed = any(phase.allows_uncritiqued for phase in schedule.phases)
    if seat.role == "debater" and protocol == "critique" and not is_critiqued and not allowed:
        yield (
            f'nobody critiques {seat.id}, and under the protocol "critique" it would never revise; '
            f'write an edge to it, such as "{_other(seat, schedule)} -> {seat.id}", '
            'or "uncritiqued: allow" if that is meant'
        )


_WORK = {"judge": "judges", "critic": "critiques", "tool": "answers"}


def _without_work(seat: Seat, is_critiqued: bool) -> str:
    turned = "; an edge starts at the one who critiques" if is_critiqued else ""
    return (
        f"{seat.id} is a {seat.role} and {_WORK[seat.role]} nobody; "
        f'write "{seat.id} -> debaters"{turned}'
    )


def _other(seat: Seat, schedule: Schedule) -> str:
    others = (other.id for other in schedule.seats if other.id != seat.id)
    return next(others, seat.id)


def _unheard(drawn: Sequence[Topology], protocol: str) -> Iterator[str]:
    """Edges that promise feedback and carry nothing that the protocol sends."""
    sent = {"exchange": {"answer", "reasoning"}, "critique": {"critique"}}.get(protocol)
    for topology in drawn if sent else ():
        for u, v in topology.edges():
            carries = set(edge(topology, u, v).carries)
            if sent and edge(topology, u, v).feedback and not carries & sent:
                yield (
                    f"{u} -> {v} carries {', '.join(sorted(carries))} only, and "
                    f'the protocol "{protocol}" sends {" and ".join(sorted(sent))}; add one, '
                    'or write "feedback: false"'
                )
