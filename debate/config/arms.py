"""Arms: what an author sees before it answers again, as cells on any topology.

Each arm is the run's debate with one thing changed around one author, so that the difference
between two arms isolates what their treatments differ in:

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

In the last five the team's topology and protocol hold; in `sibling` and `scripted` somebody else
sits in the places of the other debaters. What a factor cannot change in an arm (the topology of
`repeat`, the rounds of `single`) does not make further cells of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from debate.config.agents import AgentSpec
from debate.config.models import ModelSpec, ScriptedModel
from debate.config.protocol import ProtocolSpec
from debate.config.sweep import ArmName, Factor
from debate.config.topology import TopologySpec
from debate.errors import InputError, suggestion

ALONE: Final = frozenset({"single", "self", "repeat", "restate"})
"""Arms in which the author is the only member."""

_IDLE: Final[Mapping[ArmName, frozenset[Factor]]] = MappingProxyType(
    {
        "single": frozenset({"topology", "protocol", "rounds", "anonymous"}),
        "self": frozenset({"topology", "anonymous"}),
        "repeat": frozenset({"topology", "protocol", "anonymous"}),
        "restate": frozenset({"topology", "protocol", "anonymous"}),
    }
)
"""What makes no difference to an arm; to the others everything does."""

NOBODY = TopologySpec(edges=(), uncritiqued="allow")
ITSELF = TopologySpec.model_validate({"edges": ["each debaters -> itself"]})


@dataclass(frozen=True, kw_only=True)
class Treated:
    """An arm made concrete: its members, and seats and models that exist for its sake alone."""

    members: tuple[AgentSpec, ...]
    author: AgentSpec
    topology: TopologySpec
    protocol: ProtocolSpec
    rounds: int
    models: Mapping[str, ModelSpec] = field(default_factory=dict)


def matters(factor: Factor, arm: ArmName | None) -> bool:
    """Whether a factor's levels make a difference to an arm.

    >>> matters("rounds", "single"), matters("rounds", "repeat"), matters("rounds", None)
    (False, True, True)
    """
    return arm is None or factor not in _IDLE.get(arm, frozenset())


def treated(
    arm: ArmName,
    team: Sequence[AgentSpec],
    *,
    author: str | None,
    topology: TopologySpec,
    protocol: ProtocolSpec,
    rounds: int,
) -> Treated:
    """The arm for this team and author. Raises InputError for a team that it cannot be had of."""
    own = _author(team, author)
    _require_rounds(arm, protocol)
    others = [seat for seat in team if seat.role == "debater" and seat.id != own.id]
    plain = Treated(
        members=tuple(team), author=own, topology=topology, protocol=protocol, rounds=rounds
    )
    if arm in ALONE:
        return _alone(arm, plain)
    if arm in ("peer", "noise"):
        _require_others(arm, own, others)
    if arm == "noise":
        view = protocol.view.model_copy(update={"noise": True})
        return replace(plain, protocol=protocol.model_copy(update={"view": view}))
    if arm == "sibling":
        return replace(plain, members=_siblings(team, own, others))
    if arm in ("scripted", "scripted_right"):
        return _scripted(plain, others, "right" if arm == "scripted_right" else "wrong")
    return plain


def _author(team: Sequence[AgentSpec], wanted: str | None) -> AgentSpec:
    debaters = {seat.id: seat for seat in team if seat.role == "debater"}
    if wanted is None and debaters:
        return next(iter(debaters.values()))
    named = [seat for seat in debaters.values() if wanted in (seat.id, seat.group)]
    if not named:
        who = f'"{wanted}" is no debater of this team' if wanted else "nobody of this team debates"
        raise InputError(f"{who}; {suggestion(wanted, debaters)}")
    return named[0]


def _alone(arm: ArmName, plain: Treated) -> Treated:
    protocol = plain.protocol
    if arm in ("repeat", "restate"):
        protocol = protocol.model_copy(update={"name": arm})
    return replace(
        plain,
        members=(plain.author,),
        topology=ITSELF if arm in ("self", "restate") else NOBODY,
        protocol=protocol,
        rounds=0 if arm == "single" else plain.rounds,
    )


def _require_rounds(arm: ArmName, protocol: ProtocolSpec) -> None:
    """Whoever votes alone agrees with itself: such a debate would be over at its opening."""
    ends = [f"stop: {protocol.stop}"] if protocol.stop == "consensus" else []
    ends += [f"debate_if: {protocol.debate_if}"] if protocol.debate_if else []
    if ends and arm in (ALONE | {"scripted", "scripted_right"}) - {"single"}:
        raise InputError(f"with `{ends[0]}` the arm {arm} would end at its opening; leave that out")


def _require_others(arm: ArmName, own: AgentSpec, others: Sequence[AgentSpec]) -> None:
    if not others:
        raise InputError(f'the arm {arm} needs a debater besides "{own.id}" in the team')
    if arm == "peer" and all(seat.model == own.model for seat in others):
        raise InputError(
            f'the arm peer needs a debater of another model than "{own.id}"; '
            "with the same model it is the arm sibling"
        )


def _siblings(
    team: Sequence[AgentSpec], own: AgentSpec, others: Sequence[AgentSpec]
) -> tuple[AgentSpec, ...]:
    """The team with copies of the author in the other debaters' places.

    A copy answers to the name of the seat that it takes, so that a topology may go by names.
    """
    if not others:
        return (*team, own.model_copy(update={"id": f"{own.id}.2", "count": 1}))
    copies = {
        seat.id: own.model_copy(
            update={"id": f"{own.id}.{number}", "group": seat.group or seat.id, "count": 1}
        )
        for number, seat in enumerate(others, start=2)
    }
    return tuple(copies.get(seat.id, seat) for seat in team)


def _scripted(
    plain: Treated, others: Sequence[AgentSpec], answer: Literal["wrong", "right"]
) -> Treated:
    """The team with confederates in the other debaters' places, all stating the same answer.

    Their names, which the author may be told, do not say what they are.
    """
    model, letter = f"scripted.{answer}", answer[0]
    groups: list[str | None] = [seat.group or seat.id for seat in others]
    made = [
        AgentSpec(id=f"peer.{letter}{number}", model=model, group=group, confederate=True)
        for number, group in enumerate(groups or [None], start=1)
    ]
    places = {seat.id: seat for seat in plain.members}
    places |= {seat.id: peer for seat, peer in zip(others, made, strict=False)}
    members = tuple(places.values()) if others else (*plain.members, *made)
    script = ScriptedModel(engine="scripted", states=answer)
    return replace(plain, members=members, models={model: script})
