"""A run directory as polars frames, which `.to_pandas()` turns into those of pandas."""

import sys
import tempfile

import polars as pl

import debate
from debate.types import DebateKey

if len(sys.argv) > 1:
    run = debate.open_run(sys.argv[1])
else:
    run = debate.run(
        {
            "agents": [
                {"id": name, "model": {"engine": "simulated", "self_trust": 2.0}} for name in "ab"
            ],
            "topology": "self_loop",
            "task": {"generator": "arithmetic", "n": 200},
            "rounds": 3,
            "probes": ["belief"],
        },
        out=f"{tempfile.mkdtemp()}/run",
        quiet=True,
    )

trajectories = run.trajectories()
wrong_at_first = trajectories.filter((pl.col("round") == 0) & ~pl.col("correct"))
cohort = trajectories.join(wrong_at_first, on=["cell", "question", "seed", "agent"], how="semi")
print("belief in the own opening answer, where that was wrong:")
print(cohort.group_by("round").agg(pl.col("belief_own").mean()).sort("round"))
print(run.verdicts().tail())

first = run.debates().row(0, named=True)
for turn in run.debate(DebateKey(**first)).turns:
    if turn.kind != "probe":
        print(f"{turn.ref:16} heard {list(turn.heard)} answered {turn.value}")
