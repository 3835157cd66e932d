"""Tables of what verdicts are worth: gaps by generator and verifier, error rates, saturation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from debate.analysis.registry import get_words
from debate.analysis.summary import Analysis
from debate.analysis.tables import Entry, Table, build_table, show_estimate, show_interval
from debate.analysis.verification import OF_CELLS, OF_VERDICTS
from debate.text import format_count, format_decimal, shorten, split_names

RELATIONS = {"own": "own", "past": "past version", "other": "another"}
SHOWN = split_names(
    "generator_accuracy verification_gap relative_verification_gap verification_gap_within "
    "verification_gap_p_true error_rate_sum gap_over_neutral"
)
SIGNED = frozenset(SHOWN) - {"generator_accuracy", "error_rate_sum"}
GAP_NOTE = (
    "Gap: accuracy of the answers that the verifier accepts minus that of all; relative: over 1 − "
    "J(f). The plain gap pools all answers, the one within questions needs several answers to one "
    "(seeds). The last column takes off what the verifier's rates on others' answers would give."
)
SATURATED = 0.02
"""A step of accuracy that certainly lies within this of zero counts as none."""
Row = dict[str, Any]


def tabulate_verification(analysis: Analysis) -> Table:
    """A row for each condition, generator and verifier: J(f), and the gaps with their intervals.

    Conditions in which most judge most come first.
    """
    found = list(_iterate(analysis, "verification"))
    num = Counter(row["cell"] for row in found)
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            shorten(row["generator"], 24),
            shorten(row["verifier"], 24),
            RELATIONS[row["relation"]],
            format_count(row["n"]),
            *(_show(row, name) for name in SHOWN),
        ]
        for row in sorted(found, key=lambda row: -num[row["cell"]])
    ]
    columns = ["arm", "generator f", "verifier g", "whose", "answers", *map(get_words, SHOWN)]
    title = "Verification gap: what a verifier's verdicts are worth"
    return build_table(title, columns, rows, names=4, note=GAP_NOTE)


def tabulate_own_gaps(analysis: Analysis) -> Table:
    """Verifying one's own answers against others verifying them, plain and at equal skill."""
    rows = []
    for cell in analysis.cells:
        found = [analysis.find(name, cell=cell) for name in OF_CELLS]
        if any(e is not None and e.is_known for e in found):
            rows.append([analysis.labels.arm(cell), *map(show_estimate, found)])
    note = (
        "Below zero, verifiers make less of their own answers than others make of them. At equal "
        "skill: each gap less what the verifier's rates on third parties' answers would give."
    )
    columns = ["arm", *map(get_words, OF_CELLS)]
    return build_table("Own verdicts against others'", columns, rows, note=note)


def tabulate_reflection_rates(analysis: Analysis) -> Table:
    """Conditions in which verdicts decide what stands, by error rates, with what they gained."""
    found = sorted(_iterate(analysis, "reflection"), key=lambda row: row["error_rate_sum"] or 0.0)
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            str(row["round"]),
            *(_show(row, name) for name in OF_VERDICTS),
            _show(row, "gain"),
        ]
        for row in found
    ]
    note = (
        "Error rates of the verdicts on openings; an answer stands unless it is rejected. Gain: "
        "change of accuracy since the openings. "
        "Reflection helps only where false accept + false reject is below 1 (arXiv 2510.12157)."
    )
    columns = ["arm", "round", *map(get_words, OF_VERDICTS), "gain in accuracy"]
    title = "What false accepts and false rejects do"
    return build_table(title, columns, rows, names=2, note=note)


def tabulate_steps(analysis: Analysis) -> Table:
    """Accuracy by round and what each round adds: whether improvement saturates."""
    rows = []
    for cell in analysis.cells:
        steps = analysis.select("accuracy_step", cell=cell)
        known = [step for step in steps if step.subject is None and step.value is not None]
        for step in known if len(known) > 1 else ():
            level = analysis.find("accuracy", cell=cell, round=step.round)
            told = (
                "–" if step.low is None else "yes" if _is_saturated(step.low, step.high) else "no"
            )
            rows.append(
                [
                    analysis.labels.arm(cell),
                    str(step.round),
                    show_estimate(level),
                    show_estimate(step),
                    told,
                ]
            )
    note = f"Saturated: the step certainly lies within ±{SATURATED:g} of nothing."
    columns = ["arm", "round", get_words("accuracy"), get_words("accuracy_step"), "saturated"]
    return build_table("Does another round add anything?", columns, rows, names=2, note=note)


def _is_saturated(low: float, high: float | None) -> bool:
    return high is not None and low > -SATURATED and high < SATURATED


def _iterate(analysis: Analysis, table: str) -> Iterator[Row]:
    found = analysis.tables.get(table)
    rows = [] if found is None else found.to_dicts()
    order = {cell: number for number, cell in enumerate(analysis.cells)}
    return iter(sorted(rows, key=lambda row: order.get(row["cell"], len(order))))


def _show(row: Row, name: str) -> Entry:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    signed = name in SIGNED or name == "gain"
    if value is None:
        return Entry("–")
    if low is None:
        return Entry(format_decimal(value, signed=signed))
    return show_interval(value, low, high, signed=signed)
