"""What comes first: before and after the debate, and accuracy and confidence by round."""

from __future__ import annotations

from debate.analysis.estimate import Estimate
from debate.analysis.flips import advice
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, by_round, estimated, interval, table
from debate.analysis.text import count

BY_ROUND = (
    "accuracy", "accuracy_completed", "confidence", "over_confidence", "abstention_rate",
    "failure_rate",
)  # fmt: skip


def headline(analysis: Analysis) -> Table:
    """A row for each arm: before and after the debate, and what became of errors."""
    columns = ["arm", "questions", "accuracy, openings", "accuracy, end", "vote, end − openings",
               "over-confidence, openings", "over-confidence, end", "error amplification",
               "another round?"]  # fmt: skip
    rows = [_row(analysis, cell) for cell in analysis.cells]
    note = (
        "Accuracies are of all members, with failures and abstentions as wrong. Error "
        "amplification (EAI) is the change of confident-error mass since the openings: above 0, "
        "the debate amplified errors. Below each number its 95 % interval, clustered by question."
    )
    return table("Before and after", columns, rows, note=note)


def _row(analysis: Analysis, cell: str) -> list[Entry]:
    votes = [c for c in analysis.comparisons if c.cell == cell and "vote_T" in c.family]
    gain = analysis.find("next_round_gain", cell=cell)
    accuracy, over, eai = (
        in_rounds(analysis, name, cell) for name in ("accuracy", "over_confidence", "eai")
    )
    vote = Entry("–")
    if votes:
        vote = interval(votes[0].value, votes[0].low, votes[0].high, signed=True)
    return [
        Entry(analysis.labels.arm(cell)),
        Entry(count(accuracy[0].num_questions if accuracy else None)),
        estimated(accuracy[0] if accuracy else None),
        estimated(accuracy[-1] if len(accuracy) > 1 else None),
        vote,
        estimated(over[0] if over else None),
        estimated(over[-1] if len(over) > 1 else None),
        estimated(eai[-1] if eai else None),
        Entry(advice(gain.low, gain.high) if gain else "–"),
    ]


def in_rounds(analysis: Analysis, name: str, cell: str) -> list[Estimate]:
    """One estimate about the whole cell in its rounds, in order."""
    found = analysis.select(name, cell=cell)
    whole = [(e.round, e) for e in found if e.subject is None and e.round is not None]
    return [e for _, e in sorted(whole, key=lambda pair: pair[0])]


def accuracy(analysis: Analysis) -> Table:
    """Both accuracies, confidence, over-confidence and what was not answered, by round."""
    return by_round(analysis, "Accuracy and confidence by round", BY_ROUND)
