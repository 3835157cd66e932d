"""The names of all estimates: what a hypothesis may be about."""

from __future__ import annotations

from debate.analysis.dose import PARTS
from debate.analysis.judging import NAMES as JUDGING
from debate.analysis.measures import NAMES as MEASURES
from debate.analysis.teams import RESPONSES

_SCORES = (
    "nll", "ece", "ace", "debiased_ece", "smooth_ece", "ks", "auroc", "aurc", "reliability",
    "resolution", "uncertainty",
)  # fmt: skip
_OF_VOTES = (
    "accuracy_completed", "abstention_rate", "nll", "ece", "debiased_ece", "smooth_ece", "auroc",
    "aurc",
)  # fmt: skip
_CHANGES = (
    "entrenchment", "eai_kept", "eai_moved", "eai_introduced", "eai_removed", "eai_over_control",
    "ece_change", "brier_change", "aurc_change",
)  # fmt: skip
_OPINIONS = (
    "error_correction_rate", "error_introduction_rate", "wrong_to_right", "right_to_wrong",
    "whole_wrong_to_right", "whole_right_to_wrong", "fixed_point", "next_round_gain", "conformity",
    "obstinacy", "identity_bias", "harmful_revision", "beneficial_revision", "carried_rate",
)  # fmt: skip

CONTRASTED = frozenset(MEASURES)
"""Estimates that can be compared between two arms, question by question."""
ESTIMATES = (
    CONTRASTED
    | frozenset(_SCORES)
    | {f"vote_{name}" for name in _OF_VOTES}
    | frozenset(_CHANGES)
    | frozenset(_OPINIONS)
    | frozenset(JUDGING)
    | {f"dose_response.{response}.{part}" for response in RESPONSES for part in PARTS}
)
"""Every name that `debate analyze` may print a number under."""
