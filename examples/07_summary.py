"""A run's headline table and what became of its hypotheses, as Markdown for a paper's appendix."""

import sys
from pathlib import Path

import debate
from debate.analysis import Analysis, Estimate, Finding
from debate.analysis.runs import analyze_run

SHOWN = ("accuracy", "confidence", "over_confidence")


def number(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def interval(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "—"
    return f"{number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]"


def headline(found: Analysis) -> str:
    lines = ["| arm | round | accuracy | confidence | over-confidence |", "|---|---|---|---|---|"]
    for cell in found.cells:
        rounds = sorted({e.round for e in found.select("accuracy", cell=cell)} - {None})
        for round in dict.fromkeys((rounds[0], rounds[-1])):
            figures = [interval(found.find(name, cell=cell, round=round)) for name in SHOWN]
            lines.append(f"| {cell} | {round} | {' | '.join(figures)} |")
    return "\n".join(lines)


def claim(finding: Finding) -> str:
    figures = f"{number(finding.value)} [{number(finding.low)}, {number(finding.high)}]"
    outcome = f"**{finding.verdict}**" + (f" ({finding.reason})" if finding.reason else "")
    return f"| {finding.statement} | `{finding.what}` | {figures} | {outcome} |"


def claims(found: Analysis) -> str:
    lines = ["| stated beforehand | estimate | value [95 %] | outcome |", "|---|---|---|---|"]
    return "\n".join(lines + [claim(finding) for finding in found.findings])


for directory in sys.argv[1:]:
    found = analyze_run(debate.open_run(directory))
    print(f"## {Path(directory).name}\n\n{claims(found)}\n\n{headline(found)}\n")
