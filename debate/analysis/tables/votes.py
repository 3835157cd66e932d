"""The team's own answer: scored by round like a member's, and compared in pairs."""

from __future__ import annotations

from debate.analysis.estimate import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, estimated, in_order, interval, p_value, table
from debate.analysis.text import count, number, short
from debate.analysis.words import words

SCORES = (
    "accuracy", "abstention_rate", "confidence", "over_confidence", "brier", "nll", "ece",
    "debiased_ece", "smooth_ece", "auroc", "aurc",
)  # fmt: skip
TEAM = (
    "mean_member", "best_member", "oracle", "vote_0", "vote_T", "kappa_p", "error_correlation",
    "effective_votes",
)  # fmt: skip


def votes(analysis: Analysis) -> Table:
    """Every method's accuracy and confidence by round, with proper scores."""
    names = [f"vote_{name}" for name in SCORES]
    found: dict[tuple[str, str, int], dict[str, Estimate]] = {}
    for e in analysis.select(*names):
        found.setdefault((e.cell or "", e.subject or "", e.round or 0), {})[e.name] = e
    rows = [
        [Entry(analysis.labels.arm(cell)), Entry(short(method)), Entry(str(round_)),
         *(estimated(named.get(name)) for name in names)]
        for (cell, method, round_), named in sorted(found.items())
    ]  # fmt: skip
    columns = ["arm", "method", "round", *map(words, SCORES)]
    return table("The team's answer by round", columns, rows, names=3)


def comparisons(analysis: Analysis) -> Table:
    """Every paired comparison with its tests and the smallest difference it could have found."""
    columns = ["arm", "method", "comparison", "difference", "p (Holm)", "p (McNemar)",
               "p (equivalence)", "detectable", "questions"]  # fmt: skip
    rows = [
        [
            Entry(analysis.labels.arm(c.cell)), Entry(short(c.method)),
            Entry(f"{short(c.first, 40)} − {short(c.second, 40)}"),
            interval(c.value, c.low, c.high, signed=True), Entry(p_value(c.p_holm)),
            Entry(p_value(c.p_mcnemar)), Entry(p_value(c.p_equivalence), f"within ±{c.margin:g}"),
            Entry(number(c.detectable)), Entry(count(c.num_questions)),
        ]
        for c in analysis.comparisons
    ]  # fmt: skip
    note = (
        "Detectable: the smallest true difference that a study of this size finds in 80 % of "
        "cases. A small p of equivalence says that the difference lies within the margin."
    )
    return table("Paired comparisons of accuracy", columns, rows, names=3, note=note)


def team(analysis: Analysis) -> Table:
    """What members can do alone and together: accuracies, correlation, effective votes."""
    rows = [
        [Entry(analysis.labels.arm(row["cell"])), Entry(row["team"]),
         *(Entry(number(row[name])) for name in TEAM)]
        for row in in_order(analysis, analysis.tables["team"]).iter_rows(named=True)
    ]  # fmt: skip
    note = "Correlations and effective votes are of the openings, before anybody heard anyone."
    return table("The team", ["arm", "team", *map(words, TEAM)], rows, names=2, note=note)
