"""Tables of confidence: errors and their parts, scores of calibration, and how opinions move."""

from __future__ import annotations

from debate.analysis.flips import advise
from debate.analysis.registry import get_words
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.tables import (
    Table,
    build_table,
    format_p_value,
    group_estimates,
    show_estimate,
    tabulate_by_cell,
    tabulate_by_round,
    write_confidence_note,
)
from debate.text import split_names

ERRORS = split_names(
    "eai_over_control eai accuracy_change entrenchment entrenchment_stated change_when_right "
    "confidence_when_wrong"
)
PARTS = ("eai", "eai_kept", "eai_moved", "eai_introduced", "eai_removed")
AGAINST = ("entrenchment_over_control", "kept_in_both")


def tabulate_errors(analysis: Analysis) -> Table:
    """The error-amplification index and entrenchment, each over a cohort fixed at round 0."""
    note = (
        "Error amplification is the change of confident-error mass, over rows whose confidence is "
        "known at both ends whatever the outcome; over control: the resampling arm's taken off. "
        "Entrenchment is over all who were wrong at round 0: the change of the log-odds of their "
        "opening answer against the target. Bounds hold whatever the confidences that are not "
        "known may be. Naive confidence rises by selection alone."
    )
    return tabulate_by_round(analysis, "Confidence in errors by round", ERRORS, note=note)


def tabulate_error_parts(analysis: Analysis) -> Table:
    """The parts of error amplification, which add up to it."""
    return tabulate_by_round(analysis, "What error amplification consists of", PARTS)


def tabulate_entrenchment(analysis: Analysis) -> Table:
    """Entrenchment against each control after the last round, and over errors kept in both."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for name in AGAINST:
        for e in sorted(analysis.select(name), key=lambda e: e.round or 0):
            found.setdefault((e.cell or "", e.subject or ""), {})[name] = e
    rows = [
        [
            analysis.labels.arm(cell),
            subject,
            str(_find_last_round(named)),
            *(show_estimate(named.get(name)) for name in AGAINST),
        ]
        for (cell, subject), named in found.items()
        if any(e.is_known for e in named.values())
    ]
    note = (
        "Over restate, which shows the last answer alone: what ownership adds together with, from "
        "round 2 on, the answers before it; over noise: what the own text adds to as much of any; "
        "over sibling: to somebody else's. Against repeat a probed belief subtracts exactly 0, its "
        "prompt being the opening's. Errors kept in both arms are selected by what both did."
    )
    told = " ".join(filter(None, (write_confidence_note(analysis, AGAINST), note)))
    columns = ["arm", "against", "round", *map(get_words, AGAINST)]
    return build_table("Entrenchment over controls", columns, rows, names=3, note=told)


def _find_last_round(named: dict[str, Estimate]) -> int:
    return max(e.round or 0 for e in named.values())


PROPER_SCORES = ("brier", "reliability", "resolution", "uncertainty", "nll")
CALIBRATION_ERRORS = ("debiased_ece", "ece", "ece_if_calibrated", "ace", "smooth_ece", "ks")
RANKING = ("auroc", "aurc", "over_confidence")
CALIBRATION_CHANGES = ("brier_change", "ece_change", "aurc_change")


def tabulate_scores(analysis: Analysis) -> Table:
    """The Brier score with Murphy's parts, and the negative log-likelihood."""
    note = "Brier = reliability − resolution + uncertainty, but for spread inside the 15 bins."
    return tabulate_by_round(analysis, "Proper scores by round", PROPER_SCORES, note=note)


def tabulate_calibration_errors(analysis: Analysis) -> Table:
    """ECE, ACE, debiased ECE, smECE and KS."""
    note = (
        "Debiased ECE leads. The others are above 0 for a calibrated model, too, most in small "
        "samples: beside ECE stands what a calibrated model with the same confidences would show."
    )
    return tabulate_by_round(analysis, "Calibration errors by round", CALIBRATION_ERRORS, note=note)


def tabulate_ranking(analysis: Analysis) -> Table:
    """AUROC, AURC and over-confidence."""
    return tabulate_by_round(
        analysis, "Ranking by confidence, and over-confidence, by round", RANKING
    )


def tabulate_calibration_changes(analysis: Analysis) -> Table:
    """Last round against openings, and against the control's last round, by paired bootstrap."""
    rows = [
        [
            analysis.labels.arm(cell),
            subject or "openings",
            *(show_estimate(named.get(name)) for name in CALIBRATION_CHANGES),
        ]
        for (cell, subject), named in group_estimates(analysis, CALIBRATION_CHANGES).items()
    ]
    note = "The last round minus what is named; paired bootstrap by question, percentiles."
    columns = ["arm", "against", *map(get_words, CALIBRATION_CHANGES)]
    return build_table("Did calibration change?", columns, rows, names=2, note=note)


FLIPS = split_names(
    "error_correction_rate error_introduction_rate fixed_point next_round_gain "
    "whole_wrong_to_right whole_right_to_wrong"
)
CONFORMITY = ("conformity", "obstinacy", "identity_bias")
REVISIONS = ("harmful_revision", "beneficial_revision", "wrong_to_right", "right_to_wrong", "drift")


def tabulate_drift(analysis: Analysis) -> Table:
    """Martingale drift with its test: does debate move belief towards the truth?"""
    rows = []
    for cell in analysis.cells:
        found = analysis.find("drift", cell=cell)
        if found and found.is_known:
            team = found.method.rpartition("; ")[2].removesuffix(" team")
            p_value = format_p_value(found.p_value)
            rows.append([analysis.labels.arm(cell), team, show_estimate(found), p_value])
    note = "Zero: opinion moves without improving, and a vote over the openings does as well."
    columns = ["arm", "team", get_words("drift"), "p (martingale test)"]
    return build_table("Drift of belief in the truth", columns, rows, names=2, note=note)


def tabulate_flips(analysis: Analysis) -> Table:
    """Errors corrected and introduced, and whether another round would help."""
    note = (
        "Another round helps only while ECR/EIR exceeds Acc/(1 − Acc). The shares of openings that "
        "ended on the other side stand beside it."
    )

    def another(cell: str) -> str:
        gain = analysis.find("next_round_gain", cell=cell)
        return advise(gain.low, gain.high) if gain else "–"

    title = "Flips, and whether to iterate"
    return tabulate_by_cell(analysis, title, FLIPS, more={"another round?": another}, note=note)


def tabulate_conformity(analysis: Analysis) -> Table:
    """Conformity, obstinacy and identity bias on events of disagreement."""
    note = (
        "Of the turns that heard a peer disagree: the share that adopted its answer, the share "
        "that kept its own; identity bias is their difference with speakers' names minus without."
    )
    return tabulate_by_cell(analysis, "Conformity where peers disagree", CONFORMITY, note=note)


def tabulate_revisions(analysis: Analysis) -> Table:
    """Harmful and beneficial revision, flips and drift, round by round."""
    note = (
        "Harmful: wrong now, among those right at their opening that have heard a wrong peer; "
        "beneficial: right now, among those wrong that have heard a right one."
    )
    return tabulate_by_round(analysis, "Revisions by round", REVISIONS, note=note)
