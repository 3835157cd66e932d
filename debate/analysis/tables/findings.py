"""The closing table of an experiment: what was claimed beforehand, and what became of it."""

from __future__ import annotations

from debate.analysis.findings import Finding
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, interval, p_value, table
from debate.analysis.text import clean, number

NOTE = (
    "Intervals are 95 %, not corrected; both tests are corrected by Holm over all hypotheses of "
    "the file. p, no effect: of there being nothing. p, too small: of the effect reaching the "
    "smallest one of interest; below .05 it is equivalent to nothing. Detectable: what a study of "
    "this size finds in 80 % of cases. Nothing else may be called a finding."
)


def findings(analysis: Analysis) -> Table:
    """One line for each hypothesis: what became of it, the number, and both corrected tests."""
    columns = ["hypothesis", "outcome", "claim", "estimate", "p, no effect", "p, too small",
               "detectable"]  # fmt: skip
    rows = [_row(finding) for finding in analysis.findings]
    return table("What was claimed beforehand", columns, rows, names=3, note=NOTE)


def _row(finding: Finding) -> list[Entry]:
    return [
        Entry(finding.name, clean(finding.statement)),
        Entry(finding.verdict, clean(finding.reason)),
        Entry(clean(finding.what), bound(finding)),
        interval(finding.value, finding.low, finding.high, signed=True),
        Entry(p_value(finding.p_holm)),
        Entry(p_value(finding.p_equivalence_holm)),
        Entry(number(finding.detectable)),
    ]


def bound(finding: Finding) -> str:
    """The claim about the number, as in "above 0, of interest from 0.02"."""
    if finding.direction == "equal":
        return f"within {finding.smallest:g} of {finding.reference:g}"
    return f"{finding.direction} {finding.reference:g}, of interest from {finding.smallest:g}"
