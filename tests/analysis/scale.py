"""Time and peak memory of an analysis: `python -m tests.analysis.scale [TURNS]`."""

from __future__ import annotations

import os
import resource
import sys
import time

import numpy as np
import polars as pl

from debate.analysis import analyze

from . import simulate

ARMS = ("single", "self", "repeat", "restate", "sibling", "peer")
AGENTS, ROUNDS = 3, 4


def turns(num: int) -> pl.DataFrame:
    """About `num` turns: six arms of three agents that hear each other, over four rounds."""
    questions = max(1, num // (len(ARMS) * AGENTS * ROUNDS))
    rng = np.random.default_rng(0)
    arms = [
        simulate.opinions(rng, questions=questions, agents=AGENTS, rounds=ROUNDS - 1).with_columns(
            cell=pl.lit(arm)
        )
        for arm in ARMS
    ]
    return pl.concat(arms).with_columns(
        category=pl.col("question").str.slice(-1),
        generated_tokens=pl.lit(20),
        prompt_tokens=pl.lit(100),
    )


def main() -> None:
    """Print how long `analyze` takes on this many turns, and the most memory it held."""
    num = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    table = turns(num)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), os.times()
    found = analyze(table)
    spent = os.times()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    busy = spent.user + spent.system - cpu.user - cpu.system
    print(f"turns {table.height:,}; estimates {len(found.estimates):,}")
    print(f"wall {time.perf_counter() - wall:.1f} s; processor {busy:.1f} s")
    print(f"peak memory {peak / 2**20:.2f} GiB (before {before / 2**20:.2f} GiB)")


if __name__ == "__main__":
    main()
