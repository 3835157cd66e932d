"""Seats at the table and the names by which a topology can address them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

from debate.errors import TopologyError
from debate.types import AgentId, Role

MAX_SEATS = 1000

Groups = Mapping[str, tuple[AgentId, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seat:
    """One place at the table: who sits there, as what, and a further name to address it by."""

    id: AgentId
    role: Role = "debater"
    group: str | None = None


def debaters(*ids: AgentId) -> tuple[Seat, ...]:
    """A seat for each of `ids`, all debaters.

    >>> [seat.id for seat in debaters("a", "b")]
    ['a', 'b']
    """
    return tuple(Seat(id=id) for id in ids)


def plural(role: Role) -> str:
    """The group of everybody with that role."""
    return f"{role}s"


ROLE_GROUPS = tuple(plural(role) for role in get_args(Role))


def groups(seats: Sequence[Seat]) -> dict[str, tuple[AgentId, ...]]:
    """Every name that a topology can use, with the ids behind it in seat order.

    Role groups are there even where nobody has the role. Raises TopologyError for ids that are
    repeated or mean something else as well.

    >>> groups(debaters("a", "b"))["debaters"]
    ('a', 'b')
    """
    _check(seats)
    found: dict[str, list[AgentId]] = {name: [] for name in ("all", *ROLE_GROUPS)}
    for seat in seats:
        for name in dict.fromkeys(("all", plural(seat.role), seat.group)):
            if name is not None:
                found.setdefault(name, []).append(seat.id)
    for seat in seats:
        if found.setdefault(seat.id, [seat.id]) != [seat.id]:
            raise TopologyError(
                f'"{seat.id}" is the name of an agent and of a group of others; rename one'
            )
    return {name: tuple(members) for name, members in found.items()}


def _check(seats: Sequence[Seat]) -> None:
    if not seats:
        raise TopologyError("a topology needs at least one agent")
    if len(seats) > MAX_SEATS:
        raise TopologyError(f"{len(seats)} seats; at most {MAX_SEATS} can sit at one table")
    repeated = [id for id, count in Counter(seat.id for seat in seats).items() if count > 1]
    if repeated:
        raise TopologyError(f'the agent id "{repeated[0]}" is used twice; ids are unique')


def divided(members: Sequence[AgentId], num_parts: int) -> list[tuple[AgentId, ...]]:
    """`members` in order as `num_parts` runs whose sizes differ by one at most, longer ones first.

    >>> divided("abcde", 3)
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    size, longer = divmod(len(members), num_parts)
    starts = [part * size + min(part, longer) for part in range(num_parts + 1)]
    return [tuple(members[i:j]) for i, j in pairwise(starts)]


def seat_word(names: Sequence[str]) -> str:
    """That nobody sits in these groups, and what would change it.

    >>> seat_word(["judges"])
    'no agent is among judges; give one "role: judge"'
    """
    role = names[0].removesuffix("s")
    return f'no agent is among {", ".join(names)}; give one "role: {role}"'
