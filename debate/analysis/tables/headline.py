"""What comes first: before and after the debate, and accuracy and confidence by round."""

from __future__ import annotations

from debate.analysis.comparisons import Comparison
from debate.analysis.estimate import Estimate
from debate.analysis.factors import FACTORS
from debate.analysis.flips import advice
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import (
    Entry,
    Table,
    by_round,
    estimated,
    interval,
    name_confidence,
    table,
)
from debate.analysis.text import count, number

BY_ROUND = (
    "accuracy", "accuracy_completed", "accuracy_answered", "confidence", "over_confidence",
    "abstention_rate", "cut_rate", "failure_rate",
)  # fmt: skip


def headline(analysis: Analysis) -> Table:
    """A row for each arm: the vote and its members before and after, and what became of errors."""
    columns = ["arm", "questions", "vote, openings", "vote, end", "vote, end − openings",
               "vote, end − best rule of the openings", "accuracy, openings", "accuracy, end",
               "over-confidence, openings", "over-confidence, end", "error amplification",
               "another round?"]  # fmt: skip
    rows = [_row(analysis, cell) for cell in analysis.cells]
    note = (
        "The vote is by the run's own rule; a tie scores the share of the tied answers that are "
        "right, and stands below each vote. The best rule of the openings is chosen on other "
        "questions than it is scored on. Accuracies are of all members, with failures, cut replies "
        "and abstentions as wrong. Error amplification (EAI) is the change of confident-error mass "
        "since the openings: above 0, the debate amplified errors. Below each number its 95 % "
        "interval, clustered by question."
    )
    told = " ".join(filter(None, (name_confidence(analysis, ["eai"]), note)))
    return table("Before and after", columns, rows, note=told)


def _row(analysis: Analysis, cell: str) -> list[Entry]:
    votes = [
        c for c in analysis.comparisons if c.cell == cell and "vote_T" in c.family and c.is_own
    ]
    gain = analysis.find("next_round_gain", cell=cell)
    accuracy, over, eai = (
        in_rounds(analysis, name, cell) for name in ("accuracy", "over_confidence", "eai")
    )
    return [
        Entry(analysis.labels.arm(cell)),
        Entry(count(accuracy[0].num_questions if accuracy else None)),
        *(_votes(votes[0]) if votes else [Entry("–")] * 3),
        estimated(analysis.find("gain_over_best_rule", cell=cell)),
        estimated(accuracy[0] if accuracy else None),
        estimated(accuracy[-1] if len(accuracy) > 1 else None),
        estimated(over[0] if over else None),
        estimated(over[-1] if len(over) > 1 else None),
        estimated(eai[-1] if eai else None),
        Entry(advice(gain.low, gain.high) if gain else "–"),
    ]


def _votes(found: Comparison) -> list[Entry]:
    """Both votes with the share of ties, and the gain."""
    return [
        Entry(number(found.second_value), f"{found.second_tied:.0%} tied"),
        Entry(number(found.first_value), f"{found.first_tied:.0%} tied"),
        interval(found.value, found.low, found.high, signed=True),
    ]


def in_rounds(analysis: Analysis, name: str, cell: str) -> list[Estimate]:
    """One estimate about the whole cell in its rounds, in order."""
    found = analysis.select(name, cell=cell)
    whole = [(e.round, e) for e in found if e.subject is None and e.round is not None]
    return [e for _, e in sorted(whole, key=lambda pair: pair[0])]


def accuracy(analysis: Analysis) -> Table:
    """Both accuracies, confidence, over-confidence and what was not answered, by round."""
    return by_round(analysis, "Accuracy and confidence by round", BY_ROUND)


def for_others(analysis: Analysis) -> Table:
    """The last round with intervals that speak of other models or prompts, too."""
    note = "Clustered by question and by model, or prompt set, where there are six or more."
    return by_round(analysis, "For other models and prompts, too", tuple(FACTORS), note=note)


def confidence_alone(analysis: Analysis) -> Table:
    """Confidence by round where nothing says what is right, and its sum over the sides."""
    names = ("confidence", "confidence_change", "confidence_sum_excess",
             "confidence_sum_excess_change")  # fmt: skip
    note = "Sides of which exactly one wins are calibrated only if their confidences add up to 1."
    return by_round(analysis, "Confidence by round, without a truth", names, note=note)
