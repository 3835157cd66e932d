"""Who critiques whom: build and question debate topologies."""

from debate.topologies.build import build
from debate.topologies.check import check, problems
from debate.topologies.edges import Edge
from debate.topologies.graph import (
    Topology,
    authors,
    critics,
    edge,
    from_graph,
    from_notation,
    heard_critics,
    seat,
    speaking_order,
)
from debate.topologies.load import load_topology, shipped_topologies
from debate.topologies.picture import draw
from debate.topologies.problem import BrokenTopology, Problem
from debate.topologies.sample import default_seats
from debate.topologies.schedule import Schedule, fixed
from debate.topologies.seats import Seat, debaters, groups
from debate.topologies.text import draw_text

__all__ = [
    "BrokenTopology",
    "Edge",
    "Problem",
    "Schedule",
    "Seat",
    "Topology",
    "authors",
    "build",
    "check",
    "critics",
    "debaters",
    "default_seats",
    "draw",
    "draw_text",
    "edge",
    "fixed",
    "from_graph",
    "from_notation",
    "groups",
    "heard_critics",
    "load_topology",
    "problems",
    "seat",
    "shipped_topologies",
    "speaking_order",
]
