"""A topology generator of one's own: one hub, drawn by seed, that everybody else critiques."""

import random
import sys
import tempfile
from pathlib import Path

import networkx as nx

import debate


def random_hub(n: int, seed: int = 0) -> nx.DiGraph:
    """Draw one of n agents; all others critique it, and it critiques them."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    hub = random.Random(seed).randrange(n)
    graph.add_edges_from(pair for i in range(n) if i != hub for pair in ((i, hub), (hub, i)))
    return graph


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run = debate.run(
        {
            "agents": [{"id": name, "model": {"engine": "simulated"}} for name in "abcd"],
            "topology": {
                "generator": f"{Path(__file__).stem}.random_hub",
                "args": {"n": "$n"},
                "resample": "each_round",
            },
            "task": {"generator": "arithmetic", "n": 10},
            "rounds": 2,
        },
        out=f"{tempfile.mkdtemp()}/run",
        quiet=True,
    )
    heard = run.trajectories().filter(question=run.questions()["id"][0])
    print(heard.select("round", "agent", "heard").sort("round", "agent"))
