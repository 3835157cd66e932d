"""Debate topologies, which say who critiques whom: load, build, check, query, draw."""

from debate.topologies.build import (
    InvalidTopologyError,
    build_schedule,
    find_problems,
    list_shipped_topologies,
    load_topology,
)
from debate.topologies.graph import (
    Edge,
    Topology,
    from_graph,
    get_authors,
    get_critics,
    get_edge,
    get_heard_critics,
)
from debate.topologies.picture import draw_picture
from debate.topologies.schedule import TopologySchedule
from debate.topologies.seats import Seat, make_debaters, make_default_seats
from debate.topologies.text_drawing import draw_text

__all__ = [
    "Edge",
    "InvalidTopologyError",
    "Seat",
    "Topology",
    "TopologySchedule",
    "build_schedule",
    "draw_picture",
    "draw_text",
    "find_problems",
    "from_graph",
    "get_authors",
    "get_critics",
    "get_edge",
    "get_heard_critics",
    "list_shipped_topologies",
    "load_topology",
    "make_debaters",
    "make_default_seats",
]
