"""Debate topologies, which say who critiques whom: load, build, check, query, draw."""

from debate.deprecated import make_getattr
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

_RENAMED = {
    "BrokenTopology": "debate.topologies.InvalidTopologyError",
    "Problem": "debate.topologies.build.Problem",
    "Schedule": "debate.topologies.TopologySchedule",
    "authors": "debate.topologies.get_authors",
    "check": "debate.topologies.find_problems",
    "critics": "debate.topologies.get_critics",
    "debaters": "debate.topologies.make_debaters",
    "default_seats": "debate.topologies.make_default_seats",
    "draw": "debate.topologies.draw_picture",
    "edge": "debate.topologies.get_edge",
    "groups": "debate.topologies.seats.build_groups",
    "heard_critics": "debate.topologies.get_heard_critics",
    "seat": "debate.topologies.graph.get_seat",
    "shipped_topologies": "debate.topologies.list_shipped_topologies",
}
__getattr__ = make_getattr(__name__, _RENAMED)
