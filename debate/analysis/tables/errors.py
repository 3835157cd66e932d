"""Confidence in errors: entrenchment, amplification and its parts, by round."""

from __future__ import annotations

from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Table, by_round

ERRORS = (
    "entrenchment", "entrenchment_alone", "change_when_right", "eai_over_control", "eai",
    "accuracy_change", "confidence_when_wrong",
)  # fmt: skip
PARTS = ("eai", "eai_kept", "eai_moved", "eai_introduced", "eai_removed")


def errors(analysis: Analysis) -> Table:
    """Entrenchment on fixed cohorts and the error-amplification index, with and without control."""
    note = (
        "Entrenchment is the mean change of logit confidence since the openings among errors that "
        "were kept; error amplification the change of confident-error mass. Over control: the same "
        "in the resampling arm taken off. Naive confidence rises by selection alone."
    )
    return by_round(analysis, "Confidence in errors by round", ERRORS, note=note)


def parts(analysis: Analysis) -> Table:
    """How error amplification came about; its parts add up to it."""
    return by_round(analysis, "What error amplification consists of", PARTS)
