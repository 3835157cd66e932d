"""Measure one organism: accuracy by family, calibration, and the worth of its verdicts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from transformers import LlamaForCausalLM

from debate.analysis.intervals import (
    ABSENT,
    Codes,
    Interval,
    compute_clustered_interval,
    compute_rate,
    sum_by_code,
)
from debate.analysis.judgements import compute_balanced_accuracy
from debate.analysis.paired import compute_over_confidence
from debate.analysis.scores import bin_equal_width, compute_expected_error
from debate.organisms.model import Generation, build_prompt, generate
from debate.organisms.training_data import draw_panel_answer
from debate.tasks.arithmetic import ArithmeticQuestion


@dataclass(frozen=True, kw_only=True)
class Quality:
    """An organism's figures on fresh questions, each answered once with nobody else's answer."""

    accuracy: Mapping[str, Interval]
    """By family, with Wilson's interval."""
    overall: Interval
    overconfidence: Interval
    """Mean confidence minus accuracy."""
    calibration_error: float
    """Expected calibration error in ten bins."""
    verdicts: Interval
    """Balanced accuracy of the verdict on claims drawn like panel lines."""


def answer_alone(
    model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion]
) -> list[Generation]:
    """Answer each question without anybody else's answer."""
    return generate(model, [build_prompt(q.text) for q in questions])


def judge_claims(
    model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion], claims: Sequence[str]
) -> list[bool]:
    """Return whether the model accepts each claim; without a verdict line it does not."""
    prompts = [build_prompt(q.text, claim=c) for q, c in zip(questions, claims, strict=True)]
    return [g.verdict == "y" for g in generate(model, prompts)]


def measure_quality(
    model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion], *, seed: int = 0
) -> Quality:
    """Measure every figure of an organism's card; `seed` draws the claims to judge."""
    answers = answer_alone(model, questions)
    correct = [a.answer == q.answer for a, q in zip(answers, questions, strict=True)]
    confidences = [a.confidence for a in answers]
    rng = random.Random(f"claims/{seed}")
    claims = [draw_panel_answer(q.text, q.answer, rng) for q in questions]
    right_claims = [claim == q.answer for claim, q in zip(claims, questions, strict=True)]
    accepted, clusters = judge_claims(model, questions, claims), cluster_questions(questions)
    return Quality(
        accuracy=_estimate_by_family(questions, correct),
        overall=estimate_share(correct, clusters),
        overconfidence=estimate_over_confidence(confidences, correct, clusters),
        calibration_error=_compute_calibration_error(confidences, correct),
        verdicts=estimate_balanced_accuracy(right_claims, accepted, clusters),
    )


def cluster_questions(questions: Sequence[ArithmeticQuestion]) -> Codes:
    """Return the cluster of each row: one integer for each question, from 0."""
    return np.unique([q.id for q in questions], return_inverse=True)[1].astype(np.int64)


def estimate_share(hits: Sequence[bool], clusters: Codes) -> Interval:
    """Estimate the share of hits, clustered by question."""
    return compute_rate(
        sum_by_code(clusters, np.asarray(hits, dtype=np.float64)), _count_rows(clusters)
    )


def estimate_over_confidence(
    confidences: Sequence[float], correct: Sequence[bool], clusters: Codes
) -> Interval:
    """Estimate mean confidence minus accuracy, clustered by question."""
    sure, right = (np.asarray(rows, dtype=np.float64) for rows in (confidences, correct))
    return compute_over_confidence(
        sum_by_code(clusters, sure), sum_by_code(clusters, right), _count_rows(clusters)
    )


def estimate_balanced_accuracy(
    right: Sequence[bool], accepted: Sequence[bool], clusters: Codes
) -> Interval:
    """Estimate the mean of two rates (right claims accepted, wrong ones rejected), clustered by
    question; without claims of both kinds there is none.
    """
    accepts = np.asarray(accepted, dtype=np.bool_)
    rows = {"right": np.asarray(right, np.bool_), "accepted": accepts, "rejected": ~accepts}
    linear = compute_balanced_accuracy(pl.DataFrame(rows))
    return ABSENT if linear is None else compute_clustered_interval(linear, clusters)


def _count_rows(clusters: Codes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The number of rows of each cluster."""
    return np.bincount(clusters).astype(np.float64)


def _compute_calibration_error(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Expected calibration error over ten bins of equal width."""
    sure, right = (np.asarray(rows, dtype=np.float64) for rows in (confidences, correct))
    return compute_expected_error(sure, right, bin_equal_width(sure, num_bins=10)).value


def _estimate_by_family(
    questions: Sequence[ArithmeticQuestion], correct: Sequence[bool]
) -> dict[str, Interval]:
    """Accuracy in each family, families by name."""
    found = {}
    for family in sorted({q.family for q in questions}):
        asked = [
            (q, right) for q, right in zip(questions, correct, strict=True) if q.family == family
        ]
        clusters = cluster_questions([q for q, _ in asked])
        found[family] = estimate_share([right for _, right in asked], clusters)
    return found
