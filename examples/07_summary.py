"""A run's headline table and what became of its hypotheses, as Markdown for a paper's appendix.

`python examples/07_summary.py runs/a,runs/a_again runs/b` puts what a second run of the same file,
with another seed, comes to beside each hypothesis of the first; it carries no outcome of its own.
"""

import sys
from pathlib import Path

import debate
from debate.analysis import Analysis, Estimate, Finding, analyze_run

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


def votes(found: Analysis) -> str:
    lines = [
        "| arm | rule | openings (tied) | end (tied) | gain | over the best rule of the openings |",
        "|---|---|---|---|---|---|",
    ]
    for c in found.comparisons:
        if "vote_T" in c.family:
            ends = [
                f"{number(c.second_value)} ({c.second_tied:.0%})",
                f"{number(c.first_value)} ({c.first_tied:.0%})",
            ]
            gain = f"{number(c.value)} [{number(c.low)}, {number(c.high)}]"
            best = found.find("gain_over_best_rule", cell=c.cell) if c.is_own else None
            cells = [c.cell, c.method, *ends, gain, interval(best)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures(finding: Finding) -> str:
    ends = f"[{number(finding.low)}, {number(finding.high)}]"
    return f"{number(finding.value)} {'bounds ' * finding.is_bounded}{ends}"


def claim(finding: Finding, again: Finding | None) -> str:
    outcome = f"**{finding.verdict}**" + (f" ({finding.reason})" if finding.reason else "")
    if again is not None and again.verdict != finding.verdict:
        outcome += "; flips with the second seed"
    p = "—" if finding.p_holm is None else f"{finding.p_holm:.2g}"
    beside = "" if again is None else f" {figures(again)} |"
    what = f"`{finding.what}`" + (f", {finding.confidence}" if finding.confidence else "")
    return f"| {finding.statement} | {what} | {figures(finding)} | {p} | {outcome} |{beside}"


def claims(found: Analysis, again: Analysis | None) -> str:
    level = f"{100 * found.findings[0].level:.4g} %" if found.findings else "95 %"
    columns = ["stated beforehand", "estimate", f"value [{level}]", "p (Holm)", "outcome"]
    columns += ["second seed"] if again else []
    second = {f.name: f for f in again.findings} if again else {}
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join(lines + [claim(f, second.get(f.name)) for f in found.findings])


for given in sys.argv[1:]:
    directory, _, second = given.partition(",")
    found = analyze_run(debate.open_run(directory))
    again = analyze_run(debate.open_run(second)) if second else None
    name = Path(directory).name
    print(f"## {name}\n\n{claims(found, again)}\n\n{votes(found)}\n\n{headline(found)}\n")
