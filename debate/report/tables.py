"""The tables of a report, as text that a template only has to lay out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from debate.analysis import Estimate
from debate.analysis.flips import advice
from debate.analysis.present import ERRORS, HEADLINE, SCORES, SIGNED
from debate.report.material import Material
from debate.report.text import count, number, short

MOST_ROWS = 200
OPINIONS = {
    "drift": "drift per round",
    "error_correction_rate": "errors corrected",
    "error_introduction_rate": "errors introduced",
    "fixed_point": "fixed point",
    "next_round_gain": "gain of another round",
    "conformity": "conformity",
    "obstinacy": "obstinacy",
}
LEDGER = {
    "turns": "turns",
    "prompt_tokens": "prompt tokens",
    "cached_tokens": "of them cached",
    "generated_tokens": "generated tokens",
}


class Entry(NamedTuple):
    """One field of a table: what it says, and the interval below it."""

    text: str
    under: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its columns; the first `num_names` of them hold names, the others numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    num_names: int = 1
    note: str = ""


def table(
    title: str, columns: list[str], rows: list[list[Entry]], *, names: int = 1, note: str = ""
) -> Table:
    """A table of the first 200 rows; the note tells how many there are."""
    cut = f" The first {MOST_ROWS} of {count(len(rows))} rows." if len(rows) > MOST_ROWS else ""
    return Table(
        title=title,
        columns=tuple(columns),
        rows=tuple(tuple(row) for row in rows[:MOST_ROWS]),
        num_names=names,
        note=(note + cut).strip(),
    )


def headline(material: Material) -> Table:
    """A row for each arm: before and after the debate, and what became of errors."""
    columns = ["arm", "questions", "accuracy, openings", "accuracy, end", "vote, end − openings",
               "confidence when wrong, openings", "confidence when wrong, end", "EAI, end",
               "another round?"]  # fmt: skip
    rows = [_headline_row(material, cell) for cell in material.cells]
    note = (
        "Accuracies are of all members, with failures and abstentions as wrong. EAI is the change "
        "of confident-error mass since the openings: above 0, the debate amplified errors. "
        "Below each number its 95 % interval, clustered by question."
    )
    return table("Before and after", columns, rows, note=note)


def _headline_row(material: Material, cell: str) -> list[Entry]:
    votes = [c for c in material.analysis.comparisons if c.cell == cell and "vote_T" in c.family]
    gain = material.analysis.find("next_round_gain", cell=cell)
    accuracy, wrong, eai = (
        by_round_of(material, name, cell) for name in ("accuracy", "confidence_when_wrong", "eai")
    )
    vote = Entry("–")
    if votes:
        vote = _entry(votes[0].value, votes[0].low, votes[0].high, signed=True)
    return [
        Entry(material.arm(cell)),
        Entry(count(accuracy[0].num_questions if accuracy else None)),
        estimated(accuracy[0] if accuracy else None),
        estimated(accuracy[-1] if accuracy else None),
        vote,
        estimated(wrong[0] if wrong else None),
        estimated(wrong[-1] if wrong else None),
        estimated(eai[-1] if eai else None),
        Entry(advice(gain.low, gain.high) if gain else "–"),
    ]


def by_round_of(material: Material, name: str, cell: str) -> list[Estimate]:
    """One estimate about the whole cell in its rounds, in order."""
    found = material.analysis.select(name, cell=cell)
    whole = [(e.round, e) for e in found if e.subject is None and e.round is not None]
    return [e for _, e in sorted(whole, key=lambda pair: pair[0])]


def details(material: Material) -> tuple[Table, ...]:
    """The tables by round, how opinions move, and the paired comparisons."""
    return (
        _by_round(material, "Accuracy and confidence by round", HEADLINE),
        _by_round(material, "Confidence in errors by round", ERRORS),
        _by_round(material, "Calibration by round", SCORES),
        _opinions(material),
        _comparisons(material),
    )


def _by_round(material: Material, title: str, names: dict[str, str]) -> Table:
    found = {
        (e.cell, e.round, e.name): e
        for e in material.analysis.select(*names)
        if e.subject is None and e.round is not None
    }
    rows = [
        [Entry(material.arm(cell)), Entry(str(round_)),
         *(estimated(found.get((cell, round_, name))) for name in names)]
        for cell in material.cells
        for round_ in material.rounds
        if any((cell, round_, name) in found for name in names)
    ]  # fmt: skip
    return table(title, ["arm", "round", *names.values()], rows, names=2)


def _opinions(material: Material) -> Table:
    find = material.analysis.find
    rows = [
        [Entry(material.arm(cell)), *(estimated(find(name, cell=cell)) for name in OPINIONS)]
        for cell in material.cells
    ]
    return table("How opinions move, all rounds", ["arm", *OPINIONS.values()], rows)


def _comparisons(material: Material) -> Table:
    columns = ["arm", "method", "comparison", "difference", "p (Holm)", "p (McNemar)",
               "p (equivalence)", "detectable", "questions"]  # fmt: skip
    rows = [
        [
            Entry(material.arm(c.cell)), Entry(short(c.method)),
            Entry(f"{short(c.first, 40)} − {short(c.second, 40)}"),
            _entry(c.value, c.low, c.high, signed=True), Entry(_p(c.p_holm)),
            Entry(_p(c.p_mcnemar)), Entry(_p(c.p_equivalence), f"within ±{c.margin:g}"),
            Entry(number(c.detectable)), Entry(count(c.num_questions)),
        ]
        for c in material.analysis.comparisons
    ]  # fmt: skip
    return table("Paired comparisons of accuracy", columns, rows, names=3)


def tokens(material: Material) -> Table:
    """Turns and tokens by arm, agent and model, summed over rounds."""
    whole = material.analysis.tables["ledger"]
    by = ["cell", "agent", "model"]
    known = [pl.when(pl.col(n).is_not_null().any()).then(pl.col(n).sum()).alias(n) for n in LEDGER]
    summed = whole.group_by(by).agg(known).sort(by)
    rows = [
        [Entry(material.arm(row["cell"])), Entry(material.agent(row["cell"], row["agent"])),
         Entry(short(row["model"])), *(Entry(count(row[name])) for name in LEDGER)]
        for row in summed.iter_rows(named=True)
    ]  # fmt: skip
    told = whole["generated_tokens"].is_not_null().any()
    note = "" if told else "Nothing tells how many tokens were used."
    return table("Turns and tokens", ["arm", "agent", "model", *LEDGER.values()], rows,
                 names=3, note=note)  # fmt: skip


def estimated(estimate: Estimate | None) -> Entry:
    """An estimate with its interval; a dash where it is not known."""
    if estimate is None:
        return Entry("–")
    signed = estimate.name in SIGNED
    return _entry(estimate.value, estimate.low, estimate.high, signed=signed)


def _entry(value: float | None, low: float | None, high: float | None, *, signed: bool) -> Entry:
    known = value is not None and low is not None and high is not None
    under = f"{number(low, signed=signed)} to {number(high, signed=signed)}" if known else ""
    return Entry(number(value, signed=signed), under)


def _p(value: float | None) -> str:
    return "<.001" if value is not None and value < 0.001 else number(value)
