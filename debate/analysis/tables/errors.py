"""Confidence in errors: entrenchment, amplification and its parts, by round."""

from __future__ import annotations

from debate.analysis.estimate import Estimate
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import (
    Entry,
    Table,
    by_round,
    estimated,
    name_confidence,
    table,
)

ERRORS = (
    "eai_over_control", "eai", "accuracy_change", "entrenchment", "entrenchment_stated",
    "change_when_right", "confidence_when_wrong",
)  # fmt: skip
PARTS = ("eai", "eai_kept", "eai_moved", "eai_introduced", "eai_removed")
AGAINST = ("entrenchment_over_control", "kept_in_both")


def errors(analysis: Analysis) -> Table:
    """The error-amplification index and entrenchment, each over a cohort fixed at round 0."""
    note = (
        "Error amplification is the change of confident-error mass, over rows whose confidence is "
        "known at both ends whatever the outcome; over control: the resampling arm's taken off. "
        "Entrenchment is over all who were wrong at round 0: the change of the log-odds of their "
        "opening answer against the target. Bounds hold whatever the confidences that are not "
        "known may be. Naive confidence rises by selection alone."
    )
    return by_round(analysis, "Confidence in errors by round", ERRORS, note=note)


def parts(analysis: Analysis) -> Table:
    """How error amplification came about; its parts add up to it."""
    return by_round(analysis, "What error amplification consists of", PARTS)


def entrenchment(analysis: Analysis) -> Table:
    """Entrenchment against each control after the last round, and on errors kept in both arms."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for name in AGAINST:
        for e in sorted(analysis.select(name), key=lambda e: e.round or 0):
            found.setdefault((e.cell or "", e.subject or ""), {})[name] = e
    rows = [
        [Entry(analysis.labels.arm(cell)), Entry(subject), Entry(str(_last(named))),
         *(estimated(named.get(name)) for name in AGAINST)]
        for (cell, subject), named in found.items()
        if any(e.is_known for e in named.values())
    ]  # fmt: skip
    note = (
        "Over restate: what ownership adds; over noise: what the own text adds to as much of any; "
        "over sibling: to somebody else's. Against repeat a probed belief subtracts exactly 0, its "
        "prompt being the opening's. Errors kept in both arms are selected by what both did."
    )
    told = " ".join(filter(None, (name_confidence(analysis, AGAINST), note)))
    columns = ["arm", "against", "round", *map(words, AGAINST)]
    return table("Entrenchment over controls", columns, rows, names=3, note=told)


def _last(named: dict[str, Estimate]) -> int:
    return max(e.round or 0 for e in named.values())
