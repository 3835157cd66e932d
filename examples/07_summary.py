"""What became of a run's hypotheses, and its headline table, as Markdown for a paper's appendix.

`python examples/07_summary.py runs/a,runs/a_again runs/b`: what a second run of the same file, with
another seed, comes to stands beside each hypothesis of the first, with no outcome of its own.
"""

import sys
from pathlib import Path

import debate
from debate.analysis import Analysis, Finding, analyze_run

SHOWN = ("accuracy", "confidence", "over_confidence")


def figures(found: object, value: str = "value", low: str = "low", high: str = "high") -> str:
    numbers = [getattr(found, name, None) for name in (value, low, high)]
    told = ["—" if number is None else f"{number:.3f}" for number in numbers]
    return f"{told[0]} [{told[1]}, {told[2]}]"


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def headline(found: Analysis) -> list[str]:
    lines = [row("arm", "round", *SHOWN), row(*["---"] * 5)]
    for cell in found.cells:
        rounds = sorted({e.round for e in found.select("accuracy", cell=cell)} - {None})
        for at in dict.fromkeys((rounds[0], rounds[-1])):
            numbers = (found.find(name, cell=cell, round=at) for name in SHOWN)
            lines.append(row(cell, at, *map(figures, numbers)))
    return lines


def claim(finding: Finding, again: Finding | None) -> str:
    outcome = f"**{finding.verdict}**" + (f" ({finding.reason})" if finding.reason else "")
    if again is not None and again.verdict != finding.verdict:
        outcome += "; flips with the second seed"
    what = f"`{finding.what}`" + (f", {finding.confidence}" if finding.confidence else "")
    return row(finding.statement, what, figures(finding), outcome, figures(again) if again else "")


for given in sys.argv[1:]:
    directory, _, second = given.partition(",")
    found = analyze_run(debate.open_run(directory))
    again = {f.name: f for f in analyze_run(debate.open_run(second)).findings} if second else {}
    level = 100 * found.findings[0].level if found.findings else 95
    print(f"## {Path(directory).name}\n")
    print(row("stated beforehand", "estimate", f"value [{level:.4g} %]", "outcome", "second seed"))
    print(row(*["---"] * 5))
    print("\n".join(claim(finding, again.get(finding.name)) for finding in found.findings))
    print("\n" + "\n".join(headline(found)) + "\n")
