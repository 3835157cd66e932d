"""Arms: what an author sees before it answers again, as cells on any topology.

Each arm is the run's debate with one thing changed around one author, so that the difference
between two arms isolates what the two show differently:

    arm             the author sees                            isolates
    single          nothing; it answers once                   the baseline
    self            its own earlier answers (a self-loop)      self-revision
    repeat          nothing: an independent new answer         mere resampling
    restate         its last answer alone, as nobody's         repetition without ownership
    noise           random text as long as what it would hear  extra text
    sibling         other samples of its own model             peers that are not different
    peer            the other debaters of its team             diversity
    anchor          the others of its team, whatever they  an external anchor: a tool, a judge,
                    are                                    a user, a past version, a verifier
    scripted        peers who all state the same wrong answer  conformity
    scripted_right  peers who all state the right answer       conformity

From round 2 on `self` shows more answers than `restate`, so that their difference is of the
history, too; `view: {rounds: last}` shows the last one in both. In the last six the team's
topology and protocol hold; in `sibling` and `scripted` other agents take the places of the other
debaters. What a factor cannot change in an arm (the topology of `repeat`, the rounds of `single`)
does not make further cells of it. An arm of an installed package's or of a user's own is an
`ArmFunction`, and every factor makes further cells of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Final, Literal, Protocol

from debate.config.agents import AgentSpec
from debate.config.models import ModelSpec, ScriptedModel
from debate.config.protocol import ProtocolSpec
from debate.config.registry import CodeName, find
from debate.config.topology import TopologySpec
from debate.errors import DebateError, InputError, suggest

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

    @property
    def others(self) -> tuple[AgentSpec, ...]:
        """The debaters besides the author, in seat order."""
        return tuple(a for a in self.members if a.role == "debater" and a.id != self.author.id)


class ArmFunction(Protocol):
    """Changes what the author sees: an arm.

    It is given the run's debate as the team has it: members in seat order, with the author among
    them, topology, protocol and rounds. It returns the debate with one thing changed, most often
    by `dataclasses.replace`; values are frozen. The author stays a member. Agents that it adds
    need ids that no other agent of the run has, and models that it adds go under `models`. It
    raises InputError where this team cannot have the arm. The same base gives the same arm.
    """

    def __call__(self, base: Arm, /) -> Arm:
        """Return the arm."""


def single(base: Arm) -> Arm:
    """Show nothing; the author answers once: the baseline."""
    return replace(base, members=(base.author,), topology=NO_EDGES, rounds=0)


def self_revision(base: Arm) -> Arm:
    """Show the author its own earlier answers, by a self-loop: self-revision."""
    return replace(base, members=(base.author,), topology=SELF_LOOPS)


def repeat(base: Arm) -> Arm:
    """Show nothing, and ask for an independent new answer: mere resampling."""
    protocol = base.protocol.model_copy(update={"name": "repeat"})
    return replace(base, members=(base.author,), topology=NO_EDGES, protocol=protocol)


def restate(base: Arm) -> Arm:
    """Show the author its last answer alone, as nobody's: repetition without ownership."""
    protocol = base.protocol.model_copy(update={"name": "restate"})
    return replace(base, members=(base.author,), topology=SELF_LOOPS, protocol=protocol)


def noise(base: Arm) -> Arm:
    """Show random text as long as what the author would hear: extra text."""
    _require_others("noise", base)
    view = base.protocol.view.model_copy(update={"noise": True})
    return replace(base, protocol=base.protocol.model_copy(update={"view": view}))


def sibling(base: Arm) -> Arm:
    """Show other samples of the author's own model: peers that are not different.

    The name of the agent that a copy replaces is its group, so that a topology may go by names.
    """
    own = base.author
    if not base.others:
        added = own.model_copy(update={"id": f"{own.id}.2", "count": 1})
        return replace(base, members=(*base.members, added))
    copies = {
        agent.id: own.model_copy(
            update={"id": f"{own.id}.{number}", "group": agent.group or agent.id, "count": 1}
        )
        for number, agent in enumerate(base.others, start=2)
    }
    return replace(base, members=tuple(copies.get(agent.id, agent) for agent in base.members))


def peer(base: Arm) -> Arm:
    """Show the other debaters of the team: diversity."""
    _require_others("peer", base)
    own = base.author
    if all(agent.model == own.model for agent in base.others):
        raise InputError(
            f'the arm peer needs a debater of another model than "{own.id}"; '
            "with the same model it is the arm sibling"
        )
    return base


def anchor(base: Arm) -> Arm:
    """Show what the other members of the team say, whatever they are: an external anchor."""
    if len(base.members) < 2:
        raise InputError(f'the arm anchor needs somebody besides "{base.author.id}" in the team')
    return base


def scripted(base: Arm) -> Arm:
    """Show peers who all state the same wrong answer: conformity."""
    return _replace_by_scripts(base, "wrong")


def scripted_right(base: Arm) -> Arm:
    """Show peers who all state the right answer: conformity."""
    return _replace_by_scripts(base, "right")


ARMS: Final[Mapping[str, ArmFunction]] = MappingProxyType(
    {
        "single": single,
        "self": self_revision,
        "repeat": repeat,
        "restate": restate,
        "noise": noise,
        "sibling": sibling,
        "peer": peer,
        "anchor": anchor,
        "scripted": scripted,
        "scripted_right": scripted_right,
    }
)
"""The arms of this package, by name."""

ArmName = Annotated[str, CodeName("arms", ARMS)]


def build_arm(
    arm: str,
    team: Sequence[AgentSpec],
    *,
    author: str | None,
    topology: TopologySpec,
    protocol: ProtocolSpec,
    rounds: int,
) -> Arm:
    """Build the arm for this team and author. Raises InputError where the team cannot have it."""
    own = _find_author(team, author)
    base = Arm(members=tuple(team), author=own, topology=topology, protocol=protocol, rounds=rounds)
    if arm not in ARMS:
        return _build_custom(arm, base)
    _refuse_early_end(arm, protocol)
    return ARMS[arm](base)


def _build_custom(arm: str, base: Arm) -> Arm:
    function = find("arms", arm).value
    try:
        built = function(base)
    except DebateError:
        raise
    except Exception as cause:
        raise InputError(f'arm "{arm}" raised {type(cause).__name__}: {cause}') from cause
    if not isinstance(built, Arm):
        raise InputError(f'arm "{arm}" returned {type(built).__name__}; it must return an Arm')
    if built.author not in built.members:
        raise InputError(f'arm "{arm}" leaves its author "{built.author.id}" out of its members')
    return built


def _find_author(team: Sequence[AgentSpec], wanted: str | None) -> AgentSpec:
    debaters = {agent.id: agent for agent in team if agent.role == "debater"}
    if wanted is None and debaters:
        return next(iter(debaters.values()))
    named = [agent for agent in debaters.values() if wanted in (agent.id, agent.group)]
    if not named:
        who = f'"{wanted}" is no debater of this team' if wanted else "nobody of this team debates"
        raise InputError(f"{who}; {suggest(wanted, debaters)}")
    return named[0]


def _refuse_early_end(arm: str, protocol: ProtocolSpec) -> None:
    """Raise InputError where the debate would end at its opening, as a lone voter always agrees."""
    ends = [f"stop: {protocol.stop}"] if protocol.stop == "consensus" else []
    ends += [f"debate_if: {protocol.debate_if}"] if protocol.debate_if else []
    if ends and arm in (SOLO_ARMS | {"scripted", "scripted_right"}) - {"single"}:
        raise InputError(f"with `{ends[0]}` the arm {arm} would end at its opening; leave that out")


def _require_others(arm: str, base: Arm) -> None:
    if not base.others:
        raise InputError(f'the arm {arm} needs a debater besides "{base.author.id}" in the team')


def _replace_by_scripts(base: Arm, answer: Literal["wrong", "right"]) -> Arm:
    """Put confederates in the other debaters' places, all stating the same answer.

    Their names, which the author may be told, do not say what they are.
    """
    model, letter, others = f"scripted.{answer}", answer[0], base.others
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
