"""How opinions move: drift, flips, conformity, and revisions for the worse and the better."""

from __future__ import annotations

from debate.analysis.flips import advice
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import (
    Entry,
    Table,
    by_arm,
    by_round,
    estimated,
    p_value,
    table,
)

FLIPS = (
    "error_correction_rate", "error_introduction_rate", "fixed_point", "next_round_gain",
    "whole_wrong_to_right", "whole_right_to_wrong",
)  # fmt: skip
HEARING = ("conformity", "obstinacy", "identity_bias")
REVISIONS = ("harmful_revision", "beneficial_revision", "wrong_to_right", "right_to_wrong", "drift")


def drift(analysis: Analysis) -> Table:
    """Martingale drift with its test: does debate move belief towards the truth?"""
    rows = []
    for cell in analysis.cells:
        found = analysis.find("drift", cell=cell)
        if found and found.is_known:
            team = found.method.rpartition("; ")[2].removesuffix(" team")
            rows.append([Entry(analysis.labels.arm(cell)), Entry(team), estimated(found),
                         Entry(p_value(found.p_value))])  # fmt: skip
    note = "Zero: opinion moves without improving, and a vote over the openings does as well."
    columns = ["arm", "team", words("drift"), "p (martingale test)"]
    return table("Drift of belief in the truth", columns, rows, names=2, note=note)


def flips(analysis: Analysis) -> Table:
    """Errors corrected and introduced, and whether another round would help."""
    note = (
        "Another round helps only while ECR/EIR exceeds Acc/(1 − Acc). The shares of openings that "
        "ended on the other side stand beside it."
    )

    def another(cell: str) -> str:
        gain = analysis.find("next_round_gain", cell=cell)
        return advice(gain.low, gain.high) if gain else "–"

    title = "Flips, and whether to iterate"
    return by_arm(analysis, title, FLIPS, more={"another round?": another}, note=note)


def hearing(analysis: Analysis) -> Table:
    """Conformity, obstinacy and identity bias on events of disagreement."""
    note = (
        "Of the turns that heard a peer disagree: the share that adopted its answer, the share "
        "that kept its own; identity bias is their difference with speakers' names minus without."
    )
    return by_arm(analysis, "Conformity where peers disagree", HEARING, note=note)


def revisions(analysis: Analysis) -> Table:
    """Harmful and beneficial revision, flips and drift, round by round."""
    note = (
        "Harmful: wrong now, among those right at their opening that have heard a wrong peer; "
        "beneficial: right now, among those wrong that have heard a right one."
    )
    return by_round(analysis, "Revisions by round", REVISIONS, note=note)
