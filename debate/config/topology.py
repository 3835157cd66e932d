"""Who critiques whom, as it is written in YAML.

    # by hand                        # by a networkx generator        # both, with attributes
    edges:                           generator: watts_strogatz_graph  generator: cycle_graph
      - a -> b -> c                  args: {n: $n, k: 4, p: 0.2}      args: {n: $n}
      - judges -> debaters           seed: 7                          edges:
                                                                        - edge: judges -> debaters
                                                                          feedback: false

Groups are `all`, the roles in the plural (`debaters`, `critics`, `judges`, `tools`, `humans`), each
agent's own `group`, and what `split` makes.
In the compact notation for edges, one line says who critiques whom:

    a -> b                    a critiques b
    a <- b                    b critiques a
    a <-> b                   each critiques the other
    a -> b -> c               a chain: a critiques b, b critiques c
    a -> a                    a critiques itself
    judges -> debaters        every judge critiques every debater
    debaters -> debaters      every debater critiques every other one
    a, b -> judges            names joined by commas are a group
    each debaters -> itself   every debater critiques itself
    each debaters <-> partner debaters in twos, in order: first and second, third and fourth

A name is an agent's id or a group's name. Between groups nobody meets itself; a self-loop is
written as `a -> a` or `each … -> itself`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator, model_validator

from debate.config.graph_generators import check_arguments, check_generator, is_seeded
from debate.config.registry import RECORDED, is_custom
from debate.config.spec import Spec

Carried = Literal[
    "answer",
    "reasoning",
    "critique",
    "confidence",
    "rationale",
    "masked_reasoning",
    "shuffled_confidence",
]
EdgeDirection = Literal["both", "forward", "backward"]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]
Arrow = Literal["->", "<-", "<->"]
EachTarget = Literal["itself", "partner"]

_ARROW = re.compile(r"(<->|->|<-)")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_EACH = re.compile(r"each\s+(?=[^\s,])")
_TARGETS = get_args(EachTarget)
_BESIDE_ROUNDS = {"description", "rounds", "cycle"}
"""The fields that a topology with a list by round may have."""


class EdgeAttributes(Spec):
    """What an edge carries and when; what is not set is taken from the topology's `defaults`."""

    carries: tuple[Carried, ...] | None = None
    """The parts of the critic's turn that the author may hear; by default all that the protocol
    sends. `rationale` is the text without its statements of an answer, `masked_reasoning` also
    without the answer's value anywhere in it; `shuffled_confidence` is that of a speaker drawn by
    seed."""
    timeout_s: PositiveFloat | None = None
    """Seconds after which the author goes on without this critic; by default it waits."""
    when: Literal["always", "disagreement"] | None = None
    """Whether the edge is used always (the default) or only while the two answers differ."""
    feedback: bool | None = None
    """Whether the author hears the critic (the default); otherwise the critic only reads."""

    @field_validator("carries")
    @classmethod
    def _check_carries(cls, carries: tuple[Carried, ...] | None) -> tuple[Carried, ...] | None:
        if carries == ():
            raise ValueError('an edge carries something; write "feedback: false" for silence')
        if carries is not None and len(set(carries)) < len(carries):
            raise ValueError("write each thing that is carried once")
        _check_views({*carries} if carries else set())
        return carries


def _check_views(carries: set[Carried]) -> None:
    """Raise ValueError where one thing is carried in two ways, of which one tells all."""
    masked = carries & {"rationale", "masked_reasoning"}
    told = carries & {"answer", "reasoning", "critique"}
    if masked and told:
        raise ValueError(
            f"{min(masked)} keeps the answer back, and {min(told)} tells it; write one of them"
        )
    if len(masked) > 1:
        raise ValueError("rationale and masked_reasoning are one text; write one of them")
    if {"confidence", "shuffled_confidence"} <= carries:
        raise ValueError("a confidence is either shuffled or its speaker's; write one of them")


class EdgeSpec(EdgeAttributes):
    """Edges in one line of notation, with their attributes. A bare line stands for `{edge:
    LINE}`."""

    edge: str
    """Compact notation: `a -> b`, `judges -> debaters`, `each debaters -> itself`."""

    @model_validator(mode="before")
    @classmethod
    def _expand_notation(cls, value: Any) -> Any:
        return {"edge": value} if isinstance(value, str) else value

    @field_validator("edge")
    @classmethod
    def _check_notation(cls, text: str) -> str:
        parse_edges(text)
        return text

    @property
    def expression(self) -> EdgeExpression:
        """The notation, read."""
        return parse_edges(self.edge)


class TopologySpec(Spec):
    """A topology: written edges, a generator, both, or a list of topologies by round."""

    code_fields = {"generator": "generators"}

    description: str = ""
    """A note for readers; nothing is computed from it."""
    edges: tuple[EdgeSpec, ...] | None = None
    """Edges by hand; an empty list is a topology without edges. They win over generated ones."""
    generator: str | None = None
    """A graph generator of networkx, by its name, one of an installed package's, or
    `module.function` of your own; by default none."""
    args: dict[str, Any] | list[Any] = {}
    """The generator's arguments but for the seed, by name or in order; `$n`, `$n-1`, `$n//2` …
    count the agents of `among`."""
    among: str = "debaters"
    """The agents that the generator connects, in their order: a group, or names with commas."""
    direction: EdgeDirection | None = None
    """Generated edges run both ways (default of undirected graphs), forward, or backward.

    Forward is the generator's own direction if it has one (`create_using: DiGraph` among its
    arguments), else from the earlier agent to the later.
    """
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 0
    """Seed of a random generator."""
    resample: Literal["never", "each_round"] = "never"
    """Draw a random graph anew in each round of each run seed, or once."""
    split: dict[GroupName, tuple[GroupName, ...]] = {}
    """Groups to divide, in the order of their agents and as evenly as can be: from the name of each
    to the names of its parts."""
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
    def _check_generator_known(cls, generator: str | None, info: ValidationInfo) -> str | None:
        if generator is not None and info.context is not RECORDED and not _is_custom(generator):
            check_generator(generator)
        return generator

    @field_validator("args")
    @classmethod
    def _check_args(cls, args: Any, info: ValidationInfo) -> Any:
        if "generator" not in info.data:
            return args
        if info.data["generator"] is not None:
            # Only the one who loads the configuration knows whether custom code may be imported.
            if not _is_custom(info.data["generator"]):
                check_arguments(info.data["generator"], args)
        elif args:
            raise ValueError('arguments need a generator, e.g. "generator: cycle_graph"')
        return args

    @field_validator("among")
    @classmethod
    def _check_among(cls, among: str) -> str:
        parse_names(among)
        return among

    @field_validator("resample")
    @classmethod
    def _check_resample(cls, resample: str, info: ValidationInfo) -> str:
        generator = info.data.get("generator")
        if resample == "never" or "generator" not in info.data or _is_custom(generator):
            return resample
        if generator is None or not is_seeded(generator):
            drawn = generator or "a topology without a generator"
            raise ValueError(f"{drawn} has nothing to draw anew; use a random generator")
        return resample

    @field_validator("split")
    @classmethod
    def _check_split(cls, split: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        empty = [whole for whole, parts in split.items() if not parts]
        if empty:
            raise ValueError(f'"{empty[0]}" is split into no parts; name them: [first, second]')
        return split

    @field_validator("rounds")
    @classmethod
    def _check_rounds(cls, rounds: tuple[TopologySpec, ...]) -> tuple[TopologySpec, ...]:
        if any(spec.rounds for spec in rounds):
            raise ValueError("a topology in a list by round cannot have rounds of its own")
        return rounds

    @model_validator(mode="after")
    def _check_form(self) -> TopologySpec:
        if not self.rounds and self.edges is None and self.generator is None:
            raise ValueError(
                'say who critiques whom by "edges", "generator" or "rounds"; "edges: []" for nobody'
            )
        if self.cycle and not self.rounds:
            raise ValueError('"cycle" needs a list of topologies under "rounds"')
        written = {name for name in type(self).model_fields if self._is_set(name)}
        if self.rounds and written - _BESIDE_ROUNDS:
            extra = ", ".join(sorted(written - _BESIDE_ROUNDS))
            raise ValueError(f'beside "rounds" there is no place for {extra}; move it into a round')
        return self

    def _is_set(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)


def _is_custom(generator: str | None) -> bool:
    return generator is not None and is_custom("generators", generator)


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeExpression:
    """One line of notation. `arrows[i]` stands between `operands[i]` and `operands[i + 1]`.

    With `each`, there is one operand and one arrow, from each of its members to the target.
    """

    operands: tuple[tuple[str, ...], ...]
    arrows: tuple[Arrow, ...]
    each: EachTarget | None = None


def parse_edges(text: str) -> EdgeExpression:
    """Parse one line of notation. Raises ValueError that says what would be right.

    >>> parse_edges("a -> b, c").operands
    (('a',), ('b', 'c'))
    """
    first, *rest = map(str.strip, _ARROW.split(text))
    if not rest:
        raise ValueError(f'"{text}" has no arrow; write "a -> b" for "a critiques b"')
    operands, arrows = [first, *rest[1::2]], tuple(cast(Arrow, arrow) for arrow in rest[::2])
    if _EACH.match(first):
        return _parse_each(text, operands, arrows)
    return EdgeExpression(operands=tuple(parse_names(o, text) for o in operands), arrows=arrows)


def parse_names(operand: str, text: str | None = None) -> tuple[str, ...]:
    """Parse the names of one operand. Raises ValueError that quotes `text`, the whole line.

    >>> parse_names("a, judges")
    ('a', 'judges')
    """
    names = tuple(name.strip() for name in operand.split(","))
    whole = f' in "{text}"' if text is not None else ""
    for name in names:
        if not name:
            raise ValueError(f'a name is missing{whole}; write "a -> b", "a, b -> c"')
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}"{whole} is no name; names are of letters, digits and _ . -')
    if len(set(names)) < len(names):
        raise ValueError(f'"{operand}"{whole} names somebody twice; write each name once')
    return names


def _parse_each(text: str, operands: list[str], arrows: tuple[Arrow, ...]) -> EdgeExpression:
    if len(operands) != 2 or operands[1] not in _TARGETS:
        raise ValueError(
            f'"{text}": after "each" comes one group and "-> itself" or "<-> partner"; '
            'write "a -> b" without "each" for everybody in a and everybody in b'
        )
    members = parse_names(_EACH.sub("", operands[0], count=1), text)
    return EdgeExpression(operands=(members,), arrows=arrows, each=cast(EachTarget, operands[1]))
