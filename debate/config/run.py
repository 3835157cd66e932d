"""One run: who debates what, how, what is claimed beforehand, and where it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from debate.config.agents import AgentSpec
from debate.config.arms import ArmName
from debate.config.budget import BudgetSpec
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.config.protocol import DecisionSpec, ProbeSpec, ProtocolSpec
from debate.config.spec import Name, Probability, Rounds, Spec
from debate.config.sweep import SweepSpec
from debate.config.task import TaskSpec
from debate.config.topology import TopologySpec

EstimateName = Annotated[str, Field(pattern=r"^[A-Za-z]\w*(\.\w+)*$", max_length=96)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class LogSpec(Spec):
    """What the run directory keeps besides turns and verdicts."""

    prompts: bool = False
    """Whether to keep each turn's full prompt; its hash is kept in any case."""
    cache: str | None = None
    """A folder of calls that runs share, keyed by content, relative to the file that names it; by
    default each run keeps its own."""


class CellSpec(Spec):
    """One condition of a run: whatever it does not say is the run's."""

    code_fields = {"arm": "arms"}

    description: str = ""
    """What the condition shows an agent, for readers of the report; nothing is computed from it."""
    agents: tuple[Name, ...] | None = None
    """The agents that take part, in their order, by id or group; by default all."""
    topology: TopologySpec | None = None
    """Who critiques whom; by default the run's topology."""
    protocol: ProtocolSpec | None = None
    """How its debates go; by default the run's protocol."""
    rounds: Rounds | None = None
    """Rounds after the opening; by default the run's."""
    decision: DecisionSpec | None = None
    """How the team's answer is found; by default the run's rule."""
    arm: ArmName | None = None
    """What the author is shown before it answers again; by default what the topology says. Also an
    arm of an installed package's or of your own, as `module.function`."""
    author: Name | None = None
    """The agent that the arm is about; by default the first debater named."""
    factors: dict[str, str] = {}
    """The levels of the sweep that made this cell, by factor; for tables and controls."""


class HypothesisSpec(Spec):
    """One claim that may come out false.

    The file's hypotheses are one family: their tests are corrected together.
    """

    statement: Annotated[str, Field(min_length=1)]
    """The claim, in a sentence."""
    estimate: EstimateName
    """The estimate that decides, by its name in `debate analyze --json`."""
    direction: Literal["above", "below", "equal"]
    """On which side of `reference` the estimate lies if the claim is right; `equal`: within
    `smallest` of it."""
    smallest: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Smallest effect of interest, in the estimate's unit: anything nearer to `reference` is
    equivalent to nothing."""
    cell: Name | None = None
    """The cell that the claim is about; unset, the estimate is one of the whole experiment."""
    control: Name | None = None
    """A cell whose same estimate is taken off, question by question; by default nothing is."""
    round: Annotated[int, Field(ge=0, strict=True)] | None = None
    """The round after which the estimate is taken; by default over all rounds, or after the last
    one where it is by round (for how a team errs together, at the openings)."""
    subject: str | None = None
    """What the estimate is about inside the cell, such as an agent, a pair or a rule; by default
    the whole of it."""
    max_unanswered: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    """Share of turns that may lack an answer (abstained, cut off, failed) in each arm concerned.
    Above it, the outcome is read from bounds, which take those turns for the best and the worst."""
    reference: Finite = 0.0
    """The value that the estimate would have if there were nothing to find."""
    source: str = ""
    """Where the claim was made, for readers."""

    @model_validator(mode="after")
    def _check_control(self) -> HypothesisSpec:
        if self.control is not None and self.cell is None:
            raise ValueError("a `control` is taken off a `cell`; name that one too")
        if self.control is not None and self.control == self.cell:
            raise ValueError(f'"{self.control}" is its own `control`; name another arm')
        return self


class RunSpec(Spec):
    """A run: who debates what, and how. After loading, every reference in it is resolved."""

    name: Name = "run"
    """The run's name, and by default its directory under runs/."""
    description: str = ""
    """A note for readers; nothing is computed from it."""
    models: dict[Name, ModelSpec] = {}
    """Models by name; agent cards bring their own, and what stands here wins over it."""
    agents: tuple[AgentSpec, ...]
    """The agents: names of cards, files of cards, or agents written out."""
    topology: TopologySpec
    """Who critiques whom: a shipped name, a file, or written out."""
    task: TaskSpec
    """Where the questions come from, and how answers are scored."""
    protocol: ProtocolSpec = ProtocolSpec()
    """How debates go: what travels on the edges, in which order, and when they stop."""
    rounds: Rounds = 3
    """Rounds after the opening, at most."""
    decision: DecisionSpec = DecisionSpec()
    """How the team's answer is found."""
    cells: dict[Name, CellSpec] = {}
    """Conditions to run side by side on the same questions, openings shared; by default `main`."""
    sweep: SweepSpec | None = None
    """Factors whose combinations are cells, beside those under `cells`."""
    hypotheses: dict[Name, HypothesisSpec] = {}
    """Claims made beforehand, by name; the analysis says what became of each, and no more."""
    probes: tuple[ProbeSpec, ...] = ()
    """Confidence probes after every turn that states an answer; by default none."""
    seeds: Annotated[tuple[Annotated[int, Field(strict=True)], ...], Field(min_length=1)] = (0,)
    """Seeds of all randomness; each debates every question once."""
    output: str | None = None
    """The run directory, relative to where the command runs; by default runs/NAME."""
    log: LogSpec = LogSpec()
    """What the run directory keeps."""
    cluster: ClusterSpec = ClusterSpec()
    """Where the models run, and with what resources."""
    keep_going: bool = False
    """Whether the others go on where a model fails `max_failures` times in a row, and it is tried
    again; by default the run ends in order, and the same command goes on from there."""
    min_completed: Probability = 0.25
    """The share of turns that must have come back; with less, the run ends with exit code 1."""
    budget: BudgetSpec = BudgetSpec()
    """What it may spend, at most; by default there is no cap."""
    max_debates: PositiveInt | None = None
    """Debates that run at once, at most; by default what keeps every engine's batch full."""

    @field_validator("agents")
    @classmethod
    def _check_somebody(cls, agents: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        if not agents:
            raise ValueError("name at least one agent, as in `agents: [adder]`")
        return agents

    @field_validator("seeds")
    @classmethod
    def _check_distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("each seed once; a repeated seed would debate the same thing twice")
        return seeds


def expand_agents(spec: RunSpec) -> tuple[AgentSpec, ...]:
    """Return the run's agents one by one, `count` written out; those made by it share a group."""
    return tuple(copy for agent in spec.agents for copy in _make_copies(agent))


def _make_copies(agent: AgentSpec) -> Iterable[AgentSpec]:
    if agent.count == 1:
        return (agent,)
    group = agent.group or agent.id
    change = {"count": 1, "group": group}
    return tuple(
        agent.model_copy(update={**change, "id": f"{agent.id}-{n}"})
        for n in range(1, agent.count + 1)
    )
