"""An arm of one's own: the author hears a single peer, the first of its team."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import polars as pl

import debate
from debate.config.arms import Arm
from debate.config.topology import TopologySpec
from debate.errors import InputError


def one_peer(base: Arm) -> Arm:
    """Show the first other debater alone: one voice instead of many."""
    if not base.others:
        raise InputError("the arm one_peer needs another debater in the team")
    edge = f"{base.others[0].id} <-> {base.author.id}"
    topology = TopologySpec.model_validate({"edges": [edge]})
    return replace(base, members=(base.author, base.others[0]), topology=topology)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run = debate.run(
        {
            "agents": [{"id": n, "model": {"engine": "simulated", "world": ord(n)}} for n in "abc"],
            "topology": "complete",
            "task": {"generator": "arithmetic", "n": 50},
            "rounds": 1,
            "sweep": {"arm": ["self", "peer", f"{Path(__file__).stem}.one_peer"]},
        },
        out=f"{tempfile.mkdtemp()}/run",
        quiet=True,
    )
    rows = run.trajectories().filter(agent="a", round=1)
    print(rows.group_by("cell").agg(pl.col("heard").first(), pl.col("correct").mean()).sort("cell"))
