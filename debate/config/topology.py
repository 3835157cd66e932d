"""Who critiques whom, as it is written in YAML.

    # by hand                        # by a networkx generator        # both, with attributes
    edges:                           generator: watts_strogatz_graph  generator: cycle_graph
      - a -> b -> c                  args: {n: $n, k: 4, p: 0.2}      args: {n: $n}
      - judges -> debaters           seed: 7                          edges:
                                                                        - edge: judges -> debaters
                                                                          feedback: false

The notation of an edge is described in `debate.config.notation`. Groups are `all`, the roles in
the plural (`debaters`, `critics`, `judges`, `tools`, `humans`), each agent's own `group`, and what
`split` makes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from debate.config.base import Spec
from debate.config.generators import check_arguments, check_generator, is_seeded
from debate.config.notation import Expression, parse_edges, parse_names

Carried = Literal["answer", "reasoning", "critique", "confidence"]
Direction = Literal["both", "forward", "backward"]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]

_BY_ROUND_ONLY = {"description", "rounds", "cycle"}


class EdgeAttributes(Spec):
    """How an edge carries; what is not said is taken from the topology's defaults."""

    carries: tuple[Carried, ...] | None = None
    """What the author may hear of the critic's turn; by default all that the protocol sends."""
    timeout_s: PositiveFloat | None = None
    """Seconds after which the author goes on without this critic; by default it waits."""
    when: Literal["always", "disagreement"] | None = None
    """Whether the edge is used always (the default) or only while the two answers differ."""
    feedback: bool | None = None
    """Whether the author hears the critic (the default); without, the critic only reads."""

    @field_validator("carries")
    @classmethod
    def _distinct(cls, carries: tuple[Carried, ...] | None) -> tuple[Carried, ...] | None:
        if carries == ():
            raise ValueError('an edge carries something; write "feedback: false" for silence')
        if carries is not None and len(set(carries)) < len(carries):
            raise ValueError("write each thing that is carried once")
        return carries


class EdgeSpec(EdgeAttributes):
    """Edges written in one line of notation, with their attributes."""

    edge: str
    """Compact notation: `a -> b`, `judges -> debaters`, `each debaters -> itself`."""

    @model_validator(mode="before")
    @classmethod
    def _from_notation(cls, value: Any) -> Any:
        return {"edge": value} if isinstance(value, str) else value

    @field_validator("edge")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_edges(text)
        return text

    @property
    def expression(self) -> Expression:
        """The notation, read."""
        return parse_edges(self.edge)


class TopologySpec(Spec):
    """A topology: written edges, a generator, both, or a list of topologies by round."""

    description: str = ""
    """For people."""
    edges: tuple[EdgeSpec, ...] | None = None
    """Edges by hand; an empty list is a topology without edges. They win over generated ones."""
    generator: str | None = None
    """A graph generator of networkx, by its name."""
    args: dict[str, Any] | list[Any] = {}
    """The generator's arguments; `$n`, `$n-1`, `$n//2` … count the seats. Not the seed."""
    among: str = "debaters"
    """The seats that the generator connects, in seat order: a group, or names with commas."""
    direction: Direction | None = None
    """Generated edges run both ways (default of undirected graphs), forward, or backward.

    Forward is the generator's own direction if it has one (`create_using: DiGraph` among its
    arguments), else from the earlier seat to the later.
    """
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 0
    """Seed of a random generator."""
    resample: Literal["never", "each_round"] = "never"
    """Draw a random graph anew in each round of each run seed, or once."""
    split: dict[GroupName, tuple[GroupName, ...]] = {}
    """Groups made by dividing another, in seat order and as evenly as can be: old to new names."""
    defaults: EdgeAttributes = EdgeAttributes()
    """Attributes of edges that do not say otherwise."""
    uncritiqued: Literal["refuse", "allow"] = "refuse"
    """Whether some debaters are meant to be critiqued by nobody, as the first of a chain is."""
    rounds: tuple[TopologySpec, ...] = ()
    """A topology for each round; the last one stays."""
    cycle: bool = False
    """After the last of `rounds`, begin again with the first."""

    @field_validator("generator")
    @classmethod
    def _known(cls, generator: str | None) -> str | None:
        if generator is not None:
            check_generator(generator)
        return generator

    @field_validator("args")
    @classmethod
    def _callable(cls, args: Any, info: ValidationInfo) -> Any:
        if "generator" not in info.data:
            return args
        if info.data["generator"] is not None:
            check_arguments(info.data["generator"], args)
        elif args:
            raise ValueError('arguments need a generator, e.g. "generator: cycle_graph"')
        return args

    @field_validator("among")
    @classmethod
    def _names(cls, among: str) -> str:
        parse_names(among)
        return among

    @field_validator("resample")
    @classmethod
    def _random(cls, resample: str, info: ValidationInfo) -> str:
        generator = info.data.get("generator")
        if resample == "never" or "generator" not in info.data:
            return resample
        if generator is None or not is_seeded(generator):
            drawn = generator or "a topology without a generator"
            raise ValueError(f"{drawn} has nothing to draw anew; use a random generator")
        return resample

    @field_validator("split")
    @classmethod
    def _parts(cls, split: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        empty = [whole for whole, parts in split.items() if not parts]
        if empty:
            raise ValueError(f'"{empty[0]}" is split into no parts; name them: [first, second]')
        return split

    @field_validator("rounds")
    @classmethod
    def _flat(cls, rounds: tuple[TopologySpec, ...]) -> tuple[TopologySpec, ...]:
        if any(spec.rounds for spec in rounds):
            raise ValueError("a topology in a list by round cannot have rounds of its own")
        return rounds

    @model_validator(mode="after")
    def _one_form(self) -> TopologySpec:
        if not self.rounds and self.edges is None and self.generator is None:
            raise ValueError(
                'say who critiques whom by "edges", "generator" or "rounds"; "edges: []" for nobody'
            )
        if self.cycle and not self.rounds:
            raise ValueError('"cycle" needs a list of topologies under "rounds"')
        written = {name for name in type(self).model_fields if self._says(name)}
        if self.rounds and written - _BY_ROUND_ONLY:
            extra = ", ".join(sorted(written - _BY_ROUND_ONLY))
            raise ValueError(f'beside "rounds" there is no place for {extra}; move it into a round')
        return self

    def _says(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)
