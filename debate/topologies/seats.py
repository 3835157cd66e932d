"""Seats at the table, the names by which a topology addresses them, and default seats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice, pairwise, product
from string import ascii_lowercase
from typing import get_args

from debate.config.topology import EdgeSpec, TopologySpec, parse_names
from debate.errors import TopologyError
from debate.types import AgentId, Role

MAX_SEATS = 1000
DEFAULT_COUNTS: dict[Role, int] = {"critic": 3, "judge": 3, "tool": 1, "human": 1}
"""How many default seats a role gets that a spec names."""

Groups = Mapping[str, tuple[AgentId, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """One place at the table: who sits there, as what, and a further name to address it by."""

    id: AgentId
    role: Role = "debater"
    group: str | None = None


def make_debaters(*ids: AgentId) -> tuple[Seat, ...]:
    """Return a seat for each of `ids`, all debaters.

    >>> [seat.id for seat in make_debaters("a", "b")]
    ['a', 'b']
    """
    return tuple(Seat(id=id) for id in ids)


def get_role_group(role: Role) -> str:
    """Return the name of the group of everybody with that role."""
    return f"{role}s"


ROLE_GROUPS = tuple(get_role_group(role) for role in get_args(Role))


def build_groups(seats: Sequence[Seat]) -> dict[str, tuple[AgentId, ...]]:
    """Return every name that a topology can use, with the ids behind it in seat order.

    Role groups are there even where nobody has the role. Raises TopologyError for ids that are
    repeated or mean something else as well.

    >>> build_groups(make_debaters("a", "b"))["debaters"]
    ('a', 'b')
    """
    _validate(seats)
    found: dict[str, list[AgentId]] = {name: [] for name in ("all", *ROLE_GROUPS)}
    for seat in seats:
        for name in dict.fromkeys(("all", get_role_group(seat.role), seat.group)):
            if name is not None:
                found.setdefault(name, []).append(seat.id)
    for seat in seats:
        if found.setdefault(seat.id, [seat.id]) != [seat.id]:
            raise TopologyError(
                f'"{seat.id}" is the name of an agent and of a group of others; rename one'
            )
    return {name: tuple(members) for name, members in found.items()}


def _validate(seats: Sequence[Seat]) -> None:
    if not seats:
        raise TopologyError("a topology needs at least one agent")
    if len(seats) > MAX_SEATS:
        raise TopologyError(f"{len(seats)} seats; at most {MAX_SEATS} can sit at one table")
    repeated = [id for id, times in Counter(seat.id for seat in seats).items() if times > 1]
    if repeated:
        raise TopologyError(f'the agent id "{repeated[0]}" is used twice; ids are unique')


def list_names(line: EdgeSpec) -> list[str]:
    """Return the names in one line of notation."""
    return [name for operand in line.expression.operands for name in operand]


def list_members(names: Iterable[str], groups: Groups) -> tuple[AgentId, ...]:
    """Return the ids behind `names`, each once."""
    return tuple(dict.fromkeys(id for name in names for id in groups[name]))


def divide_evenly(members: Sequence[AgentId], num_parts: int) -> list[tuple[AgentId, ...]]:
    """Cut `members` into runs whose sizes differ by one at most, longer ones first.

    >>> divide_evenly("abcde", 3)
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    size, longer = divmod(len(members), num_parts)
    starts = [part * size + min(part, longer) for part in range(num_parts + 1)]
    return [tuple(members[i:j]) for i, j in pairwise(starts)]


def make_default_seats(n: int, spec: TopologySpec) -> tuple[Seat, ...]:
    """Return `n` debaters a, b, c …, and seats of the other roles that the spec names.

    Names in the spec that are no groups are taken for debaters and come first, even if they are
    more than `n`. Raises ValueError for less than one.

    >>> from debate.topologies import load_topology
    >>> [seat.id for seat in make_default_seats(2, load_topology("judge_panel"))]
    ['a', 'b', 'judge-1', 'judge-2', 'judge-3']
    """
    if not 1 <= n <= MAX_SEATS:
        raise ValueError(f"{n} agents cannot be seated; from 1 to {MAX_SEATS} can")
    phases = spec.rounds or (spec,)
    names = dict.fromkeys(name for phase in phases for name in _list_names(phase))
    parts = (name for phase in phases for part in phase.split.values() for name in part)
    known = {"all", *ROLE_GROUPS, *parts}
    own = [name for name in names if name not in known]
    letters = (name for name in _generate_names() if name not in own)
    ids = sorted([*own, *islice(letters, max(0, n - len(own)))], key=lambda id: (len(id), id))
    others = ((role, k) for role, k in DEFAULT_COUNTS.items() if get_role_group(role) in names)
    more = (Seat(id=f"{role}-{i}", role=role) for role, k in others for i in range(1, k + 1))
    return (*(Seat(id=id) for id in ids), *more)


def _list_names(spec: TopologySpec) -> Iterator[str]:
    for line in spec.edges or ():
        yield from list_names(line)
    if spec.generator:
        yield from parse_names(spec.among)
    yield from spec.split


def _generate_names() -> Iterator[str]:
    """Yield a, b, …, z, aa, ab, …."""
    for length in count(1):
        yield from map("".join, product(ascii_lowercase, repeat=length))
