"""One edge, and the pairs that a line of notation stands for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from debate.config.notation import Arrow, Expression
from debate.config.topology import Carried, EdgeAttributes
from debate.topologies.seats import Groups
from debate.types import AgentId

Pair = tuple[AgentId, AgentId]


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """How the critic u of an edge u → v reads its author v, and how v hears it.

    `carries` is a filter on what the protocol sends: of u's turn, v may hear these parts, as far
    as the turn has them. An exchange has no critique; confidence is there only where the protocol
    asks for it. `timeout_s` seconds after v is ready, v goes on without u. On `disagreement`, the
    edge is used only while the latest answers of u and v differ. Without `feedback`, u reads v and
    v does not hear u.
    """

    carries: tuple[Carried, ...] = ("answer", "reasoning", "critique", "confidence")
    timeout_s: float | None = None
    when: Literal["always", "disagreement"] = "always"
    feedback: bool = True


def edge_of(*attributes: EdgeAttributes) -> Edge:
    """An edge with what `attributes` say; later ones win, and what none says is the default."""
    names = EdgeAttributes.model_fields
    said = {
        name: getattr(layer, name) for layer in attributes for name in names if _says(layer, name)
    }
    return Edge(**said)


def _says(attributes: EdgeAttributes, name: str) -> bool:
    return getattr(attributes, name) is not None


def pairs(expression: Expression, groups: Groups) -> tuple[Pair, ...]:
    """The (critic, author) pairs that the notation stands for, each once, in seat order.

    Every name must be in `groups`.
    """
    operands = [members(names, groups) for names in expression.operands]
    if expression.each == "itself":
        return tuple((member, member) for member in operands[0])
    if expression.each == "partner":
        twos = zip(operands[0][::2], operands[0][1::2], strict=False)
        return tuple(dict.fromkeys(p for u, v in twos for p in _both(u, v, expression.arrows[0])))
    steps = zip(operands, expression.arrows, operands[1:], strict=False)
    return tuple(dict.fromkeys(pair for step in steps for pair in _between(*step)))


def members(names: Iterable[str], groups: Groups) -> tuple[AgentId, ...]:
    """The ids behind `names`, each once."""
    return tuple(dict.fromkeys(id for name in names for id in groups[name]))


def _between(left: tuple[AgentId, ...], arrow: Arrow, right: tuple[AgentId, ...]) -> Iterator[Pair]:
    to_itself = left == right and len(left) == 1
    for u, v in product(left, right):
        if u != v or to_itself:
            yield from _both(u, v, arrow)


def _both(u: AgentId, v: AgentId, arrow: Arrow) -> Iterator[Pair]:
    if arrow != "<-":
        yield u, v
    if arrow != "->":
        yield v, u
