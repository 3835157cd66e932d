"""What estimates are called where people read them."""

from __future__ import annotations

WORDS = {
    "accuracy": "accuracy, all",
    "accuracy_completed": "accuracy, completed",
    "abstention_rate": "abstained",
    "failure_rate": "failed",
    "carried_rate": "kept from before",
    "over_confidence": "over-confidence",
    "confidence_when_wrong": "confidence when wrong (naive)",
    "entrenchment": "entrenchment over control (logit)",
    "entrenchment_alone": "entrenchment (logit)",
    "change_when_right": "same on right answers (logit)",
    "eai": "error amplification",
    "eai_over_control": "error amplification over control",
    "eai_kept": "by the same error",
    "eai_moved": "by another error",
    "eai_introduced": "by errors introduced",
    "eai_removed": "by errors removed",
    "accuracy_change": "change of accuracy",
    "brier": "Brier",
    "nll": "NLL",
    "ece": "ECE",
    "ace": "ACE",
    "debiased_ece": "debiased ECE",
    "smooth_ece": "smECE",
    "ks": "KS",
    "auroc": "AUROC",
    "aurc": "AURC",
    "drift": "drift of belief per round",
    "error_correction_rate": "errors corrected (ECR)",
    "error_introduction_rate": "errors introduced (EIR)",
    "fixed_point": "accuracy it leads to",
    "next_round_gain": "gain of another round",
    "whole_wrong_to_right": "wrong → right",
    "whole_right_to_wrong": "right → wrong",
    "wrong_to_right": "wrong → right",
    "right_to_wrong": "right → wrong",
    "conformity": "conformity (adopts)",
    "obstinacy": "obstinacy (keeps)",
    "harmful_revision": "harmful revision",
    "beneficial_revision": "beneficial revision",
    "ece_change": "change of ECE",
    "brier_change": "change of Brier",
    "aurc_change": "change of AURC",
    "same_wrong": "same wrong answer",
    "q_statistic": "Q",
    "phi": "φ",
    "kappa_p": "κp",
    "vote_0": "vote of the openings",
    "vote_T": "vote at the end",
    "mean_member": "mean member",
    "best_member": "best member",
    "oracle": "any member right",
    "best_single": "best member alone, equal tokens",
    "self_consistency": "pool without exchange, equal tokens",
    "vote_gain": "vote, end − openings",
    "gain_over_pool": "vote at the end − pool",
    "gain_over_best": "vote at the end − best member",
    "tokens_per_debate": "generated tokens a debate",
    "accept_right": "accepts right",
    "accept_wrong": "accepts wrong",
    "judging_balanced_accuracy": "balanced accuracy",
    "judging_auroc": "AUROC of P(True)",
    "judging_brier": "Brier of P(True)",
    "judging_abstention": "no verdict",
    "over_trust_gap": "P(True) of own − others' errors, paired",
    "over_acceptance_gap": "accepts own − others' errors, paired",
    "own_effect": "own effect (logit)",
    "own_effect_given_likelihood": "own effect, equally likely (logit)",
    "likelihood_effect": "effect of likelihood (logit per nat)",
    "discernment_gap": "balanced accuracy, others' − own",
    "false_accept_gap": "accepts own − others' errors, unpaired",
    "judging_auroc_change": "change of AUROC",
    "judging_brier_change": "change of Brier",
    "judging_balanced_accuracy_change": "change of balanced accuracy",
    "over_trust_gap_change": "change of own − others' gap",
    "label_effect": "change of P(True)",
    "nothing_heard": "nothing heard",
    "nobody_heard": "nobody heard",
}
SIGNED = frozenset({
    "over_confidence", "accuracy_change", "eai", "eai_over_control", "eai_kept", "eai_moved",
    "eai_introduced", "eai_removed", "entrenchment", "entrenchment_alone", "change_when_right",
    "drift", "next_round_gain", "identity_bias", "ece_change", "brier_change", "aurc_change",
    "vote_over_confidence", "vote_gain", "gain_over_pool", "gain_over_best", "over_trust_gap",
    "over_acceptance_gap", "own_effect", "own_effect_given_likelihood", "likelihood_effect",
    "discernment_gap", "false_accept_gap", "label_effect", "judging_auroc_change",
    "judging_brier_change", "judging_balanced_accuracy_change", "over_trust_gap_change",
})  # fmt: skip
"""Estimates that may lie on either side of zero, so that their sign is always shown."""


def words(name: str) -> str:
    """An estimate's name, or another name of ours, as people read it.

    >>> words("eai_over_control"), words("vote_brier"), words("double_fault")
    ('error amplification over control', 'vote: Brier', 'double fault')
    """
    if name in WORDS:
        return WORDS[name]
    if name.startswith("vote_"):
        return f"vote: {words(name.removeprefix('vote_'))}"
    return name.replace("_", " ")
