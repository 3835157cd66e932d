"""One run: who debates what, how, and where it is written."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from debate.config.agents import AgentSpec, Name
from debate.config.base import Spec
from debate.config.cluster import ClusterSpec
from debate.config.decision import DecisionSpec
from debate.config.hypotheses import HypothesisSpec
from debate.config.models import ModelSpec
from debate.config.protocol import ProbeSpec, ProtocolSpec
from debate.config.sweep import ArmName, Rounds, SweepSpec
from debate.config.task import TaskSpec
from debate.config.topology import TopologySpec


class LogSpec(Spec):
    """What the run directory keeps."""

    prompts: bool = False
    """Keep each turn's full prompt; its hash is always kept."""
    cache: str | None = None
    """A folder of calls shared across runs, keyed by content; relative to the config's folder."""


class CellSpec(Spec):
    """One treatment of a run: whatever it does not say is the run's."""

    agents: tuple[Name, ...] | None = None
    """The seats that take part, in their order; by default all."""
    topology: TopologySpec | None = None
    """Who critiques whom."""
    protocol: ProtocolSpec | None = None
    """What travels on the edges."""
    rounds: Rounds | None = None
    """Rounds after the opening."""
    decision: DecisionSpec | None = None
    """How the team's answer is found."""
    arm: ArmName | None = None
    """Make it this arm of the cell's team: see `debate.config.arms`."""
    author: Name | None = None
    """Whose answers the arm is about; by default the first debater named."""
    factors: dict[str, str] = {}
    """The sweep's levels that made this cell, by factor; for tables and controls."""


class RunSpec(Spec):
    """A run, with every reference resolved."""

    name: Name = "run"
    """The run's name, and by default its directory under runs/."""
    description: str = ""
    """For people."""
    models: dict[Name, ModelSpec] = {}
    """Models by name; agent cards bring their own."""
    agents: tuple[AgentSpec, ...]
    """The seats: card names, card files, or seats written out."""
    topology: TopologySpec
    """Who critiques whom: a shipped name, a file, or written out."""
    task: TaskSpec
    """The questions."""
    protocol: ProtocolSpec = ProtocolSpec()
    """What travels on the edges."""
    rounds: Rounds = 3
    """Rounds after the opening."""
    decision: DecisionSpec = DecisionSpec()
    """How the team's answer is found."""
    cells: dict[Name, CellSpec] = {}
    """Treatments to run side by side on the same questions, openings shared; unset, one: main."""
    sweep: SweepSpec | None = None
    """Factors whose combinations are cells, beside those under `cells`."""
    hypotheses: dict[Name, HypothesisSpec] = {}
    """What is claimed beforehand; the analysis tells what became of each, and of nothing else."""
    probes: tuple[ProbeSpec, ...] = ()
    """Confidence probes after every turn that states an answer."""
    seeds: Annotated[tuple[Annotated[int, Field(strict=True)], ...], Field(min_length=1)] = (0,)
    """Each seed debates every question once."""
    output: str | None = None
    """The run directory, relative to where the command runs; by default runs/NAME."""
    log: LogSpec = LogSpec()
    """What the run directory keeps."""
    cluster: ClusterSpec = ClusterSpec()
    """Where the actors run."""
    max_debates: PositiveInt | None = None
    """Debates under way at once; by default what keeps every engine's batch full."""

    @field_validator("agents")
    @classmethod
    def _somebody(cls, agents: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        if not agents:
            raise ValueError("name at least one agent, as in `agents: [adder]`")
        return agents

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed once; a repeated seed would debate the same thing twice")
        return seeds
