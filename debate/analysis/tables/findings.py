"""The closing table of an experiment: what was claimed beforehand, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from debate.analysis.hypotheses import Beside, Finding
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, interval, p_value, table
from debate.analysis.text import clean, count, number


def findings(analysis: Analysis) -> Table:
    """One line for each hypothesis: what became of it, the interval that says so, what it lacks."""
    columns = ["hypothesis", "outcome", "claim", "estimate", "p, no effect", "detectable",
               "questions to decide"]  # fmt: skip
    rows = [_row(finding) for finding in analysis.findings]
    return table(
        "What was claimed beforehand", columns, rows, names=3, note=_note(analysis.findings)
    )  # fmt: skip


def _note(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    return (
        f"Each outcome is read from the interval shown, at {100 * found[0].level:.3g} %: "
        f"1 − .05/{len(found)}, all hypotheses of the file together. p, no effect: exact for "
        "paired differences, corrected by Holm. Detectable: what a study of this size finds in "
        "80 % of cases. Questions to decide: about how many would, at the same effect. Under "
        "other estimators of confidence a claim carries no outcome of its own. Nothing else may "
        "be called a finding."
    )


def _row(finding: Finding) -> list[Entry]:
    what = interval(finding.value, finding.low, finding.high, signed=True)
    if finding.is_bounded and finding.low is not None:
        ends = f"{number(finding.low, signed=True)} to {number(finding.high, signed=True)}"
        what = what._replace(under=f"bounds {ends}")
    told = [clean(finding.reason), *map(_beside, finding.others)]
    return [
        Entry(finding.name, clean(finding.statement)),
        Entry(finding.verdict, "; ".join(filter(None, told))),
        Entry(clean(finding.what), f"{bound(finding)}{_by(finding)}"),
        what,
        Entry(p_value(finding.p_holm)),
        Entry(number(finding.detectable)),
        Entry(count(finding.needed)),
    ]


def _by(finding: Finding) -> str:
    return f", confidence: {clean(finding.confidence)}" if finding.confidence else ""


def _beside(other: Beside) -> str:
    ends = f"[{number(other.low, signed=True)}, {number(other.high, signed=True)}]"
    return f"by {clean(other.confidence)} {number(other.value, signed=True)} {ends}"


def bound(finding: Finding) -> str:
    """The claim about the number, as in "above 0, of interest from 0.02"."""
    if finding.direction == "equal":
        return f"within {finding.smallest:g} of {finding.reference:g}"
    return f"{finding.direction} {finding.reference:g}, of interest from {finding.smallest:g}"
