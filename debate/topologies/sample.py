"""Seats for a topology that is looked at before there are agents."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, product
from string import ascii_lowercase

from debate.config.notation import parse_names
from debate.config.topology import TopologySpec
from debate.topologies.build import named
from debate.topologies.seats import MAX_SEATS, ROLE_GROUPS, Seat, plural
from debate.types import Role

NUM_OTHERS: dict[Role, int] = {"critic": 3, "judge": 3, "tool": 1, "human": 1}


def default_seats(n: int, spec: TopologySpec) -> tuple[Seat, ...]:
    """`n` debaters a, b, c …, and those of other roles that the spec names: three judges, say.

    Names in the spec that are no groups are taken for debaters and come first, even if they are
    more than `n`. Raises ValueError for less than one.

    >>> from debate.topologies import load_topology
    >>> [seat.id for seat in default_seats(2, load_topology("judge_panel"))]
    ['a', 'b', 'judge-1', 'judge-2', 'judge-3']
    """
    if not 1 <= n <= MAX_SEATS:
        raise ValueError(f"{n} agents cannot be seated; from 1 to {MAX_SEATS} can")
    names = dict.fromkeys(_names(spec))
    known = {
        "all",
        *ROLE_GROUPS,
        *(part for s in _parts(spec) for p in s.split.values() for part in p),
    }
    own = [name for name in names if name not in known]
    letters = (name for name in _letters() if name not in own)
    ids = sorted([*own, *islice(letters, max(0, n - len(own)))], key=lambda id: (len(id), id))
    others = ((role, k) for role, k in NUM_OTHERS.items() if plural(role) in names)
    more = (Seat(id=f"{role}-{i}", role=role) for role, k in others for i in range(1, k + 1))
    return (*(Seat(id=id) for id in ids), *more)


def _parts(spec: TopologySpec) -> tuple[TopologySpec, ...]:
    return spec.rounds or (spec,)


def _names(spec: TopologySpec) -> Iterator[str]:
    for part in _parts(spec):
        for line in part.edges or ():
            yield from named(line)
        if part.generator:
            yield from parse_names(part.among)
        yield from part.split


def _letters() -> Iterator[str]:
    """a, b, …, z, aa, ab, …"""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))
