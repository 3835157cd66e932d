"""Arms: what an author sees before it answers again, as cells on any topology.

Each arm is the run's debate with one thing changed around one author, so that the difference
between two arms isolates what the two show differently:

    arm             the author sees                            isolates
    single          nothing; it answers once                   the baseline
    self            its own last answer (a self-loop)          self-revision
    repeat          nothing: an independent new answer         mere resampling
    restate         its last answer, as nobody's in particular repetition without ownership
    noise           random text as long as what it would hear  extra text
    sibling         other samples of its own model             peers that are not different
    peer            the other debaters of its team             diversity
    scripted        peers who all state the same wrong answer  conformity
    scripted_right  peers who all state the right answer       conformity

In the last five the team's topology and protocol hold; in `sibling` and `scripted` other agents
take the places of the other debaters. What a factor cannot change in an arm (the topology of
`repeat`, the rounds of `single`) does not make further cells of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from debate.config.agents import AgentSpec
from debate.config.models import ModelSpec, ScriptedModel
from debate.config.protocol import ProtocolSpec
from debate.config.topology import TopologySpec
from debate.errors import InputError, suggest

ArmName = Literal[
    "single",
    "self",
    "repeat",
    "restate",
    "noise",
    "sibling",
    "peer",
    "scripted",
    "scripted_right",
]
SOLO_ARMS: Final = frozenset({"single", "self", "repeat", "restate"})
"""Arms in which the author is the only member."""

NO_EDGES = TopologySpec(edges=(), uncritiqued="allow")
SELF_LOOPS = TopologySpec.model_validate({"edges": ["each debaters -> itself"]})


@dataclass(frozen=True, kw_only=True)
class Arm:
    """An arm of one team: its members, and the models that exist for its sake alone."""

    members: tuple[AgentSpec, ...]
    author: AgentSpec
    topology: TopologySpec
    protocol: ProtocolSpec
    rounds: int
    models: Mapping[str, ModelSpec] = field(default_factory=dict)


def build_arm(
    arm: ArmName,
    team: Sequence[AgentSpec],
    *,
    author: str | None,
    topology: TopologySpec,
    protocol: ProtocolSpec,
    rounds: int,
) -> Arm:
    """Build the arm for this team and author. Raises InputError where the team cannot have it."""
    own = _find_author(team, author)
    _refuse_early_end(arm, protocol)
    others = [agent for agent in team if agent.role == "debater" and agent.id != own.id]
    base = Arm(members=tuple(team), author=own, topology=topology, protocol=protocol, rounds=rounds)
    if arm in SOLO_ARMS:
        return _build_solo(arm, base)
    if arm in ("peer", "noise"):
        _require_others(arm, own, others)
    if arm == "noise":
        view = protocol.view.model_copy(update={"noise": True})
        return replace(base, protocol=protocol.model_copy(update={"view": view}))
    if arm == "sibling":
        return replace(base, members=_replace_by_siblings(team, own, others))
    if arm in ("scripted", "scripted_right"):
        return _replace_by_scripts(base, others, "right" if arm == "scripted_right" else "wrong")
    return base


def _find_author(team: Sequence[AgentSpec], wanted: str | None) -> AgentSpec:
    debaters = {agent.id: agent for agent in team if agent.role == "debater"}
    if wanted is None and debaters:
        return next(iter(debaters.values()))
    named = [agent for agent in debaters.values() if wanted in (agent.id, agent.group)]
    if not named:
        who = f'"{wanted}" is no debater of this team' if wanted else "nobody of this team debates"
        raise InputError(f"{who}; {suggest(wanted, debaters)}")
    return named[0]


def _build_solo(arm: ArmName, base: Arm) -> Arm:
    protocol = base.protocol
    if arm in ("repeat", "restate"):
        protocol = protocol.model_copy(update={"name": arm})
    return replace(
        base,
        members=(base.author,),
        topology=SELF_LOOPS if arm in ("self", "restate") else NO_EDGES,
        protocol=protocol,
        rounds=0 if arm == "single" else base.rounds,
    )


def _refuse_early_end(arm: ArmName, protocol: ProtocolSpec) -> None:
    """Raise InputError where the debate would end at its opening, as a lone voter always agrees."""
    ends = [f"stop: {protocol.stop}"] if protocol.stop == "consensus" else []
    ends += [f"debate_if: {protocol.debate_if}"] if protocol.debate_if else []
    if ends and arm in (SOLO_ARMS | {"scripted", "scripted_right"}) - {"single"}:
        raise InputError(f"with `{ends[0]}` the arm {arm} would end at its opening; leave that out")


def _require_others(arm: ArmName, own: AgentSpec, others: Sequence[AgentSpec]) -> None:
    if not others:
        raise InputError(f'the arm {arm} needs a debater besides "{own.id}" in the team')
    if arm == "peer" and all(agent.model == own.model for agent in others):
        raise InputError(
            f'the arm peer needs a debater of another model than "{own.id}"; '
            "with the same model it is the arm sibling"
        )


def _replace_by_siblings(
    team: Sequence[AgentSpec], own: AgentSpec, others: Sequence[AgentSpec]
) -> tuple[AgentSpec, ...]:
    """Put copies of the author in the other debaters' places.

    The name of the agent that a copy replaces is its group, so that a topology may go by names.
    """
    if not others:
        return (*team, own.model_copy(update={"id": f"{own.id}.2", "count": 1}))
    copies = {
        agent.id: own.model_copy(
            update={"id": f"{own.id}.{number}", "group": agent.group or agent.id, "count": 1}
        )
        for number, agent in enumerate(others, start=2)
    }
    return tuple(copies.get(agent.id, agent) for agent in team)


def _replace_by_scripts(
    base: Arm, others: Sequence[AgentSpec], answer: Literal["wrong", "right"]
) -> Arm:
    """Put confederates in the other debaters' places, all stating the same answer.

    Their names, which the author may be told, do not say what they are.
    """
    model, letter = f"scripted.{answer}", answer[0]
    groups: list[str | None] = [agent.group or agent.id for agent in others]
    made = [
        AgentSpec(id=f"peer.{letter}{number}", model=model, group=group, confederate=True)
        for number, group in enumerate(groups or [None], start=1)
    ]
    places = {agent.id: agent for agent in base.members}
    places |= {agent.id: peer for agent, peer in zip(others, made, strict=False)}
    members = tuple(places.values()) if others else (*base.members, *made)
    script = ScriptedModel(engine="scripted", states=answer)
    return replace(base, members=members, models={model: script})
