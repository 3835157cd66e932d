"""How well confidence tells right from wrong: proper scores, errors of calibration, ranking."""

from __future__ import annotations

from debate.analysis.estimate import Estimate
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, by_round, estimated, table

PROPER = ("brier", "reliability", "resolution", "uncertainty", "nll")
ERRORS = ("debiased_ece", "ece", "ece_if_calibrated", "ace", "smooth_ece", "ks")
RANKING = ("auroc", "aurc", "over_confidence")
CHANGES = ("brier_change", "ece_change", "aurc_change")


def scores(analysis: Analysis) -> Table:
    """The Brier score with Murphy's parts, and the negative log-likelihood."""
    note = "Brier = reliability − resolution + uncertainty, but for spread inside the 15 bins."
    return by_round(analysis, "Proper scores by round", PROPER, note=note)


def calibration_errors(analysis: Analysis) -> Table:
    """ECE, ACE, debiased ECE, smECE and KS."""
    note = (
        "Debiased ECE leads. The others are above 0 for a calibrated model, too, most in small "
        "samples: beside ECE stands what a calibrated model with the same confidences would show."
    )
    return by_round(analysis, "Calibration errors by round", ERRORS, note=note)


def ranking(analysis: Analysis) -> Table:
    """AUROC, AURC and over-confidence."""
    return by_round(analysis, "Ranking by confidence, and over-confidence, by round", RANKING)


def changes(analysis: Analysis) -> Table:
    """Last round against openings, and against the control's last round, by paired bootstrap."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for e in analysis.select(*CHANGES):
        found.setdefault((e.cell or "", e.subject or ""), {})[e.name] = e
    rows = [
        [Entry(analysis.labels.arm(cell)), Entry(subject or "openings"),
         *(estimated(named.get(name)) for name in CHANGES)]
        for (cell, subject), named in sorted(found.items())
    ]  # fmt: skip
    note = "The last round minus what is named; paired bootstrap by question, percentiles."
    columns = ["arm", "against", *map(words, CHANGES)]
    return table("Did calibration change?", columns, rows, names=2, note=note)
