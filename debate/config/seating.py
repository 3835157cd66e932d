"""The seats of a run, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from debate.config.agents import AgentSpec
from debate.config.run import RunSpec


def seats(spec: RunSpec) -> tuple[AgentSpec, ...]:
    """The run's seats one by one: `count` written out, each alike sharing a group."""
    return tuple(seat for agent in spec.agents for seat in _copies(agent))


def seated(seats: Sequence[AgentSpec], names: Iterable[str]) -> tuple[AgentSpec, ...]:
    """The seats that are named, by id or else by group, in the order of the names."""
    by_id = {seat.id: seat for seat in seats}
    found: dict[str, AgentSpec] = {}
    for name in names:
        meant = [by_id[name]] if name in by_id else [s for s in seats if s.group == name]
        found |= {seat.id: seat for seat in meant}
    return tuple(found.values())


def _copies(agent: AgentSpec) -> Iterable[AgentSpec]:
    if agent.count == 1:
        return (agent,)
    group = agent.group or agent.id
    change = {"count": 1, "group": group}
    return tuple(
        agent.model_copy(update={**change, "id": f"{agent.id}-{n}"})
        for n in range(1, agent.count + 1)
    )
