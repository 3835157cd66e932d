"""What one organism knows: accuracy by family, calibration, and the worth of its verdicts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transformers import LlamaForCausalLM

from debate.organisms.documents import panel_answer
from debate.organisms.estimates import (
    Estimate,
    Term,
    balanced,
    expected_calibration_error,
    ratio,
    wilson,
)
from debate.organisms.generate import Reply, context, reply
from debate.tasks.arithmetic import ArithmeticQuestion


@dataclass(frozen=True, kw_only=True)
class Quality:
    """An organism's figures on fresh questions, each answered once with nobody else's answer."""

    accuracy: Mapping[str, Estimate]
    """By family, with Wilson's interval."""
    overall: Estimate
    overconfidence: Estimate
    """Mean confidence minus accuracy."""
    calibration_error: float
    """Expected calibration error in ten bins."""
    verdicts: Estimate
    """Balanced accuracy of the verdict on claims drawn like panel lines."""


def openings(model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion]) -> list[Reply]:
    """Each question answered alone."""
    return reply(model, [context(q.text) for q in questions])


def judged(
    model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion], claims: Sequence[str]
) -> list[bool]:
    """Whether the model accepts each claim; without a verdict line it does not."""
    contexts = [context(q.text, claim=c) for q, c in zip(questions, claims, strict=True)]
    return [r.verdict == "y" for r in reply(model, contexts)]


def verdict_accuracy(
    questions: Sequence[ArithmeticQuestion], claims: Sequence[str], accepted: Sequence[bool]
) -> Estimate | None:
    """Balanced accuracy of verdicts, clustered by question."""
    rights: list[Term] = []
    wrongs: list[Term] = []
    for question, claim, accepts in zip(questions, claims, accepted, strict=True):
        right = claim == question.answer
        (rights if right else wrongs).append(Term(question.id, float(accepts == right)))
    return balanced(rights, wrongs)


def measure(
    model: LlamaForCausalLM, questions: Sequence[ArithmeticQuestion], *, seed: int = 0
) -> Quality:
    """Every figure of an organism's card; `seed` draws the claims to judge."""
    replies = openings(model, questions)
    correct = [r.answer == q.answer for r, q in zip(replies, questions, strict=True)]
    confidences = [r.confidence for r in replies]
    rng = random.Random(f"claims/{seed}")
    claims = [panel_answer(q.text, q.answer, rng) for q in questions]
    verdicts = verdict_accuracy(questions, claims, judged(model, questions, claims))
    gaps = zip(questions, confidences, correct, strict=True)
    overconfidence = ratio([Term(q.id, confidence - right) for q, confidence, right in gaps])
    assert overconfidence is not None
    assert verdicts is not None
    return Quality(
        accuracy=_by_family(questions, correct),
        overall=wilson(sum(correct), len(correct)),
        overconfidence=overconfidence,
        calibration_error=expected_calibration_error(confidences, correct),
        verdicts=verdicts,
    )


def _by_family(
    questions: Sequence[ArithmeticQuestion], correct: Sequence[bool]
) -> dict[str, Estimate]:
    """Accuracy in each family, in the order in which families first appear."""
    found: dict[str, list[bool]] = {}
    for question, right in zip(questions, correct, strict=True):
        found.setdefault(question.family, []).append(right)
    return {name: wilson(sum(hits), len(hits)) for name, hits in sorted(found.items())}
