"""Who critiques whom, three ways: edge notation, a networkx generator, and by round."""

import tempfile

import debate

BY_HAND = {"edges": ["a <-> b", "c -> a", "c -> b", "d -> d"]}
SMALL_WORLD = {
    "generator": "watts_strogatz_graph",
    "args": {"n": "$n", "k": 2, "p": 0.3},
    "resample": "each_round",
    "seed": 7,
}
FIRST_RING_THEN_ALL = ["ring", "complete"]

for name, topology in (
    ("by-hand", BY_HAND),
    ("small-world", SMALL_WORLD),
    ("ring-then-all", FIRST_RING_THEN_ALL),
):
    run = debate.run(
        {
            "agents": [
                {"id": agent, "model": {"engine": "simulated", "competence": competence}}
                for agent, competence in (("a", 0.8), ("b", 0.6), ("c", 0.6), ("d", 0.4))
            ],
            "topology": topology,
            "task": {"generator": "arithmetic", "n": 20},
            "rounds": 2,
        },
        out=f"{tempfile.mkdtemp()}/{name}",
        quiet=True,
    )
    heard = (
        run.trajectories().filter(round=2).select("agent", "heard").unique("agent").sort("agent")
    )
    print(name, heard.rows())
