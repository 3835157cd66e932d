"""A topology as a picture: SVG or PNG, drawn without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from debate.errors import TopologyError
from debate.topologies.agent_marks import agent_layers
from debate.topologies.curves import Curve, curves
from debate.topologies.edge_marks import INK, edge_layers, notes
from debate.topologies.graph import Topology, edge
from debate.topologies.layout import Places, places
from debate.topologies.text import attributes

SUFFIXES = (".svg", ".png")
MARGIN = 56.0
MAX_EDGES = 3000


def draw(topology: Topology, path: Path | str, *, title: str = "") -> None:
    """Write a picture of the topology to `path`, as SVG or PNG by its suffix.

    Raises TopologyError for any other suffix, and for more edges than a picture can show.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise TopologyError(f'"{target}" is no picture that can be drawn; write .svg or .png')
    if topology.number_of_edges() > MAX_EDGES:
        raise TopologyError(
            f"{topology.number_of_edges()} edges are too many for a picture; "
            f"up to {MAX_EDGES} can be drawn"
        )
    format = target.suffix.lower().removeprefix(".")
    scale = {"scale_factor": 2} if format == "png" else {}
    chart(topology, title=title).save(str(target), format=format, **scale)


def chart(topology: Topology, *, title: str = "") -> Any:
    """The picture as an altair chart."""
    import altair as alt

    where = places(topology)
    radius = node_radius(len(topology))
    lines = curves(topology, where, radius)
    frame = _frame(where, lines, radius)
    at = _axes(alt, frame)
    parts = [
        *edge_layers(alt, topology, lines, at),
        *agent_layers(alt, topology, where, at, radius),
    ]
    properties: dict[str, Any] = {"width": frame.width, "height": frame.height}
    heading = alt.TitleParams(title, subtitle=_subtitle(topology), anchor="start", color=INK)
    layered = alt.layer(*parts).resolve_scale(
        color="independent", shape="independent", strokeDash="independent"
    )
    return layered.properties(**properties, title=heading, background="white").configure_view(
        stroke=None
    )


def node_radius(num_agents: int) -> float:
    """Pixels from an agent's centre to its rim; smaller in a crowd."""
    return 19.0 if num_agents <= 16 else 16.0


class Frame(NamedTuple):
    """The visible part of the plane, in pixels."""

    left: float
    right: float
    bottom: float
    top: float

    @property
    def width(self) -> float:
        """From left to right."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """From bottom to top."""
        return self.top - self.bottom


def _frame(where: Places, lines: tuple[Curve, ...], radius: float) -> Frame:
    points = [*where.values(), *(point for line in lines for point in line.points)]
    margin = MARGIN if len(where) > 1 else 2 * MARGIN
    left, right = min(p.x for p in points) - margin, max(p.x for p in points) + margin
    bottom, top = min(p.y for p in points) - radius - 26, max(p.y for p in points) + radius + 26
    return Frame(left=left, right=right, bottom=bottom, top=top)


def _subtitle(topology: Topology) -> list[str]:
    if not topology.number_of_edges():
        return ["nobody critiques anybody"]
    said = {attributes(edge(topology, u, v)) for u, v in topology.edges()}
    shared = next(iter(said)) if len(said) == 1 else ""
    first = "a → b: a critiques b" + (f"  ·  all edges: {shared}" if shared else "")
    return [first, *(f"{number}: {note}" for number, note in enumerate(notes(topology), 1))]


def _axes(alt: Any, frame: Frame) -> dict[str, Any]:
    def axis(low: float, high: float) -> Any:
        return alt.Scale(domain=[low, high], nice=False, zero=False)

    return {
        "x": alt.X("x:Q", axis=None, scale=axis(frame.left, frame.right)),
        "y": alt.Y("y:Q", axis=None, scale=axis(frame.bottom, frame.top)),
    }
