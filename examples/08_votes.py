"""Votes before and after a debate under every rule that needs no further call, as Markdown.

`python examples/08_votes.py runs/quickstart`: a tie scores the share of the tied answers that are
right; the last column holds the run's own rule against the best rule of the openings, which is
chosen on other questions than it is scored on.
"""

import sys

import debate
from debate.analysis import analyze_run


def figures(value: float | None, low: float | None, high: float | None) -> str:
    told = ["—" if number is None else f"{number:.3f}" for number in (value, low, high)]
    return f"{told[0]} [{told[1]}, {told[2]}]"


for directory in sys.argv[1:]:
    found = analyze_run(debate.open_run(directory))
    print(
        "| arm | rule | openings (tied) | end (tied) | gain | over the best rule of the openings |"
    )
    print("|---|---|---|---|---|---|")
    for c in found.comparisons:
        if c.family == "vote_T - vote_0":
            best = found.find("gain_over_best_rule", cell=c.cell) if c.is_own else None
            over = figures(best.value, best.low, best.high) if best else ""
            before = f"{c.second_value:.3f} ({c.second_tied:.0%})"
            after = f"{c.first_value:.3f} ({c.first_tied:.0%})"
            cells = (c.cell, c.method, before, after, figures(c.value, c.low, c.high), over)
            print(f"| {' | '.join(cells)} |")
