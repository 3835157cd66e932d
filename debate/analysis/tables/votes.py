"""The team's own answer: scored by round like a member's, and compared in pairs."""

from __future__ import annotations

from debate.analysis.estimate import Estimate
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, estimated, in_order, interval, p_value, table
from debate.analysis.text import count, number, short

SCORES = (
    "accuracy", "tied_rate", "abstention_rate", "confidence", "over_confidence", "brier", "nll",
    "ece",    "debiased_ece", "smooth_ece", "auroc", "aurc",
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
    columns = ["arm", "rule", "round", *map(words, SCORES)]
    return table("The team's answer by round", columns, rows, names=3)


def comparisons(analysis: Analysis) -> Table:
    """Every paired comparison with its tests and the smallest difference it could have found."""
    columns = ["arm", "rule", "comparison", "first", "second", "difference", "p (Holm)",
               "p (McNemar)", "detectable", "questions"]  # fmt: skip
    rows = [
        [
            Entry(analysis.labels.arm(c.cell)),
            Entry(short(c.method), "" if c.is_own else "not the run's"),
            Entry(f"{short(c.first, 40)} − {short(c.second, 40)}"),
            Entry(number(c.first_value), f"{c.first_tied:.0%} tied"),
            Entry(number(c.second_value), f"{c.second_tied:.0%} tied"),
            interval(c.value, c.low, c.high, signed=True), Entry(p_value(c.p_holm)),
            Entry(p_value(c.p_mcnemar)), Entry(number(c.detectable)),
            Entry(count(c.num_questions)),
        ]
        for c in analysis.comparisons
    ]  # fmt: skip
    note = (
        "Each rule against itself; a tie scores the share of the tied answers that are right. "
        "p (Holm): exact, by sign-flips of each question's difference. Detectable: the smallest "
        "true difference that a study of this size finds in 80 % of cases."
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
