"""Run a configuration from Python and look at accuracy and confidence by round."""

import sys

import polars as pl

import debate

num_questions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
run = debate.run(
    "quickstart",
    overrides=[f"task.n={num_questions}"],
    out=f"runs/quickstart-{num_questions}",
)
by_round = (
    run.trajectories()
    .group_by("cell", "round")
    .agg(
        accuracy=pl.col("correct").mean(),
        confidence=pl.col("confidence").mean(),
        over_confidence=(pl.col("confidence") - pl.col("correct")).mean(),
    )
    .sort("cell", "round")
)
print(by_round)
