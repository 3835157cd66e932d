"""Who judged whose answers, and what is made of it: the cross-critique matrix in tables."""

from __future__ import annotations

from collections.abc import Iterator

from debate.analysis.estimate import Estimate
from debate.analysis.registry import words
from debate.analysis.summary import Analysis
from debate.analysis.tables.table import Entry, Table, estimated, table
from debate.analysis.text import count, short

MATRIX = ("accept_right", "accept_wrong", "judging_balanced_accuracy", "judging_auroc",
          "judging_brier", "judging_abstention")  # fmt: skip
SELF = ("judging_balanced_accuracy", "over_trust_gap", "over_acceptance_gap", "own_effect",
        "own_effect_given_likelihood", "likelihood_effect", "discernment_gap",
        "false_accept_gap")  # fmt: skip
CHANGES = ("judging_auroc_change", "judging_brier_change", "judging_balanced_accuracy_change",
           "over_trust_gap_change")  # fmt: skip


def oneself(analysis: Analysis) -> Table:
    """Is it critique that fails, or critique of oneself? A row for each arm, and the answers."""
    rows = [
        [Entry(analysis.labels.arm(cell)), *_of_oneself(analysis, cell)]
        for cell in _judging_cells(analysis)
    ]
    columns = ["arm", "balanced accuracy on others'", *map(words, SELF[1:])]
    title = "Is it critique that fails, or critique of oneself?"
    return table(title, columns, rows, note=" ".join(_answers(analysis)))


def _of_oneself(analysis: Analysis, cell: str) -> Iterator[Entry]:
    yield estimated(analysis.find(SELF[0], cell=cell, subject="others"))
    for name in SELF[1:]:
        yield estimated(analysis.find(name, cell=cell))


def _answers(analysis: Analysis) -> Iterator[str]:
    """The sentence of each arm; arms of which the same is said are named together."""
    told = analysis.tables.get("cross_critique_answers")
    said: dict[str, list[str]] = {}
    for cell, answer in told.iter_rows() if told is not None else ():
        said.setdefault(answer, []).append(analysis.labels.arm(cell))
    for answer, cells in said.items():
        yield f"{', '.join(cells)}: {answer}"


def matrix(analysis: Analysis) -> Table:
    """A row for each arm, critic and author: oneself, each other, and all others together."""
    by_edge: dict[tuple[str, str], dict[str, Estimate]] = {}
    for e in analysis.select(*MATRIX):
        if e.subject is not None and " -> " in e.subject:
            by_edge.setdefault((e.cell or "", e.subject), {})[e.name] = e
    rows = [
        [Entry(analysis.labels.arm(cell)), *_edge(subject), _judged(found),
         *(estimated(found.get(name)) for name in MATRIX)]
        for (cell, subject), found in sorted(by_edge.items())
    ]  # fmt: skip
    note = (
        "An abstention neither accepts nor rejects. AUROC and Brier are of P(True), from the "
        "log-probability of the verdict. Intervals are 95 %, clustered by question."
    )
    columns = ["arm", "critic", "author", "judged", *map(words, MATRIX)]
    return table("Who judges whom, and how well", columns, rows, names=3, note=note)


def _edge(subject: str) -> tuple[Entry, Entry]:
    critic, _, author = subject.partition(" -> ")
    whom = "itself" if author == critic else "all others" if author == "others" else short(author)
    return Entry(short(critic)), Entry(whom)


def _judged(found: dict[str, Estimate]) -> Entry:
    silent = found.get("judging_abstention")
    return Entry(count(silent.n if silent else None))


def broader(analysis: Analysis) -> Table:
    """What alternatives beside the judged answer changed, against it alone and against noise."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for e in analysis.select(*CHANGES):
        found.setdefault((e.cell or "", e.subject or ""), {})[e.name] = e
    rows = [
        [Entry(analysis.labels.arm(cell)), Entry(subject), _tokens(analysis, cell),
         _tokens(analysis, subject.removeprefix("over ")),
         *(estimated(named.get(name)) for name in CHANGES)]
        for (cell, subject), named in sorted(found.items())
    ]  # fmt: skip
    note = "The same judgements in both arms; tokens are those of one judgement, prompt included."
    columns = ["arm", "against", "tokens", "tokens there", *map(words, CHANGES)]
    return table("Broader alternatives: what they change", columns, rows, names=2, note=note)


def _tokens(analysis: Analysis, cell: str) -> Entry:
    spent = analysis.find("judging_tokens", cell=cell)
    return Entry(count(spent.value if spent else None))


def labelled(analysis: Analysis) -> Table:
    """What the name on an answer changed in P(True) of the same wrong answer."""
    rows = [
        [Entry(analysis.labels.arm(e.cell or "")), Entry(e.subject or ""), estimated(e),
         Entry(count(e.n)), Entry(e.missing or "")]
        for e in analysis.select("label_effect")
    ]  # fmt: skip
    columns = ["arm", "label", words("label_effect"), "judgements", "lacks"]
    return table("What the author's name changes", columns, rows, names=2)


def _judging_cells(analysis: Analysis) -> list[str]:
    judged = {e.cell for e in analysis.select("judging_abstention")}
    return [cell for cell in analysis.cells if cell in judged]
