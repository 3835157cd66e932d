"""An analysis as tables in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from debate.analysis.comparisons import Comparison
from debate.analysis.estimate import Estimate
from debate.analysis.flips import advice
from debate.analysis.summary import Analysis

HEADLINE = {
    "accuracy": "accuracy, all",
    "accuracy_completed": "accuracy, completed",
    "confidence": "confidence",
    "over_confidence": "over-confidence",
    "abstention_rate": "abstained",
    "failure_rate": "failed",
}
ERRORS = {
    "entrenchment": "entrenchment (logit)",
    "confidence_when_wrong": "confidence when wrong (naive)",
    "eai": "EAI",
    "eai_over_control": "EAI over control",
    "accuracy_change": "accuracy change",
}
SCORES = {
    "brier": "Brier",
    "debiased_ece": "debiased ECE",
    "smooth_ece": "smECE",
    "ece": "ECE",
    "nll": "NLL",
    "auroc": "AUROC",
    "aurc": "AURC",
}
SIGNED = ("over_confidence", "accuracy_change", "eai", "eai_over_control", "entrenchment", "drift")
MOST_LINES = 10
MOST_CHARACTERS = 40


def present(analysis: Analysis, console: Console) -> None:
    """Print the headline first, then errors, calibration, opinion, votes, hot spots, caveats."""
    console.print(headline(analysis))
    console.print(by_round(analysis, "Confidence in errors", ERRORS))
    console.print(by_round(analysis, "Calibration", SCORES))
    console.print(opinions(analysis))
    console.print(comparisons(analysis.comparisons))
    console.print(hotspots(analysis))
    for sentence in (*analysis.caveats, *lacking(analysis)):
        console.print(Text(f"• {sentence}"))


def lacking(analysis: Analysis) -> list[str]:
    """What each number of an arm with more than one round would still need, one sentence each."""
    moving = {e.cell for e in analysis.select("accuracy") if e.round}
    arms: dict[tuple[str, str], set[str]] = {}
    for e in analysis.estimates:
        if _is_lacking(e) and e.cell in moving:
            arms.setdefault((e.name, e.missing or ""), set()).add(e.cell or "")
    return [
        plain_text(f"{name} ({', '.join(sorted(cells))}) needs {missing}")
        for (name, missing), cells in sorted(arms.items())
    ]


def _is_lacking(estimate: Estimate) -> bool:
    return bool(estimate.missing) and "itself the control" not in (estimate.missing or "")


def headline(analysis: Analysis) -> Table:
    """Both accuracies, confidence and over-confidence by cell and round."""
    return by_round(analysis, "Accuracy and confidence by round (95 % intervals)", HEADLINE)


def by_round(analysis: Analysis, title: str, columns: dict[str, str]) -> Table:
    """A line for each cell and round, a column for each estimate that is about the whole cell."""
    found = {
        (e.cell, e.round, e.name): e
        for e in analysis.estimates
        if e.name in columns and e.subject is None and e.round is not None
    }
    table = _table(title, "arm", "round", *columns.values())
    previous = None
    for cell, round_ in sorted({(cell or "", round_) for cell, round_, _ in found}):
        cells = [_shown(found.get((cell, round_, name))) for name in columns]
        if previous not in (None, cell):
            table.add_section()
        table.add_row(plain(cell), str(round_), *cells)
        previous = cell
    return table


def opinions(analysis: Analysis) -> Table:
    """Drift, flips, conformity and the advice on another round, over all rounds of a cell."""
    names = {
        "drift": "drift per round",
        "error_correction_rate": "ECR",
        "error_introduction_rate": "EIR",
        "fixed_point": "fixed point",
        "next_round_gain": "gain of another round",
        "conformity": "conformity",
        "obstinacy": "obstinacy",
        "identity_bias": "identity bias",
    }
    table = _table("How opinions move (all rounds)", "arm", *names.values())
    table.add_column("another round?")
    whole = {(e.cell, e.name): e for e in analysis.estimates if e.round is None}
    for cell in analysis.cells:
        gain = whole.get((cell, "next_round_gain"))
        verdict = advice(gain.low, gain.high) if gain else "–"
        shown = (_shown(whole.get((cell, name))) for name in names)
        table.add_row(plain(cell), *shown, verdict)
    return table


def comparisons(found: Sequence[Comparison]) -> Table:
    """Every paired comparison with its tests and the smallest difference it could have found."""
    columns = ("difference", "p (Holm)", "McNemar", "equivalent?", "detectable", "questions")
    table = _table("Paired comparisons of accuracy", "arm", "method", "comparison", *columns)
    for c in found:
        table.add_row(
            plain(c.cell),
            plain(c.method),
            plain(f"{c.first} - {c.second}"),
            _numbers(c.value, c.low, c.high, signed=True),
            _p(c.p_holm),
            _p(c.p_mcnemar),
            f"{_p(c.p_equivalence)} (±{c.margin:g})",
            "–" if c.detectable is None else f"{c.detectable:.3f}",
            str(c.num_questions),
        )
    return table


def hotspots(analysis: Analysis) -> Table:
    """The turns at which confidence in an error rose most, with what was heard just before."""
    columns = ("question", "seed", "agent", "round", "answer", "confidence", "heard")
    table = _table("Where confidence in errors rose most", "arm", *columns)
    rows = analysis.tables["hotspots"].sort("rise", descending=True, maintain_order=True)
    for row in rows.head(MOST_LINES).iter_rows(named=True):
        answer = f"{row['previous_answer']} → {row['answer']} (target {row['target']})"
        change = f"{_value(row['previous_confidence'])} → {_value(row['confidence'])}"
        where = (row["cell"], row["question"], row["seed"], row["agent"], row["round"])
        heard = " ".join(row["heard"] or ()) or "nothing"
        table.add_row(*(plain(cell) for cell in (*where, answer, change, heard)))
    return table


def plain(value: object) -> Text:
    """Text that came from outside, without markup or control characters, cut with an ellipsis.

    >>> plain("[red]\\x1b[31m").plain
    '[red]�[31m'
    """
    text = plain_text(str(value))
    return Text(text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…")


def plain_text(text: str) -> str:
    """The text with every control character replaced."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < 1 else "right")
    return table


def _shown(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    mark = "*" if _is_lacking(estimate) else ""
    signed = estimate.name in SIGNED
    return _numbers(estimate.value, estimate.low, estimate.high, signed=signed) + mark


def _numbers(value: float | None, low: float | None, high: float | None, *, signed: bool) -> str:
    if value is None:
        return "–"
    sign = "+" if signed else ""
    interval = "" if low is None or high is None else f" [{low:{sign}.3f}, {high:{sign}.3f}]"
    return f"{value:{sign}.3f}{interval}"


def _value(number: float | None) -> str:
    return "–" if number is None else f"{number:.2f}"


def _p(p_value: float | None) -> str:
    if p_value is None:
        return "–"
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}"
