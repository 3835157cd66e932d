"""Tables of whose an answer is: judged under every name, and what name and writing change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from debate.analysis.judging import JUDGING
from debate.analysis.schema import Estimate
from debate.analysis.signal_detection import DETECTION, REGRESSION
from debate.analysis.summary import Analysis
from debate.analysis.tables import Entry, Table, build_table, show_estimate, show_interval
from debate.analysis.whose import FOUR_WAY_MEASURES
from debate.text import count_noun, format_count

EVERYBODY = "all"
LEVEL_NOTE = (
    "d′ says whether critics can tell right answers from wrong ones, c how much they let pass: the "
    "lower, the more, right or wrong; d_a and the midpoint are the same of log-odds of P(True). "
    "Answers written by oneself and by others are of different difficulty here; the table below "
    "compares like with like."
)
CHANGE_NOTE = (
    "said to be: the same answers under both names; written by: one's own and another's answer to "
    "one question, both right or both wrong, under one name. A name that moves c and leaves d′ is "
    "ownership; writing that moves c is ownership of another kind, or familiarity."
)
LOGIT_NOTE = (
    "Shifts of logit P(True) among answers that the critic finds equally likely, over right and "
    "wrong ones alike; right − wrong: how far they move the two kinds apart."
)


def tabulate_ownership(analysis: Analysis) -> Table:
    """The four ways, and nobody's: shares accepted, d′, c, and the same of P(True)."""
    told = analysis.tables.get("ownership")
    rows = [] if told is None else [_show_way(analysis, row) for row in told.rows(named=True)]
    names = ["arm", "critic", "written by", "said to be", "judged"]
    words = [JUDGING[name].words for name in FOUR_WAY_MEASURES]
    note = " ".join([*_join_answers(analysis), LEVEL_NOTE])
    title = "Whose it is, and whose it is said to be"
    return build_table(title, [*names, *words], rows, names=4, note=note)


def _show_way(analysis: Analysis, row: Mapping[str, Any]) -> list[Entry | str]:
    return [
        analysis.labels.arm(row["cell"]),
        _show_critic(analysis, row["cell"], row["critic"]),
        row["written_by"],
        row["said_to_be"],
        format_count(row["n"]),
        *(
            show_interval(row[n], row[f"{n}_low"], row[f"{n}_high"], signed=JUDGING[n].is_signed)
            for n in FOUR_WAY_MEASURES
        ),
    ]


def _show_critic(analysis: Analysis, cell: str, critic: str | None) -> str:
    return EVERYBODY if critic is None else analysis.labels.agent(cell, critic)


def _join_answers(analysis: Analysis) -> Iterator[str]:
    told = analysis.tables.get("ownership_answers")
    for cell, answer in told.iter_rows() if told is not None else ():
        yield f"{analysis.labels.arm(cell)}: {answer}"


def tabulate_ownership_changes(analysis: Analysis) -> Table:
    """What being said to be one's own changes, and what having written it: d′ and c."""
    found: dict[tuple[str, str, str], dict[str, Estimate]] = {}
    for side in ("said_to_be", "written_by"):
        for measure in DETECTION:
            for e in analysis.select(f"{side}_{measure}"):
                key = (e.cell or "", side.replace("_", " "), e.subject or EVERYBODY)
                found.setdefault(key, {})[measure] = e
    rows = [
        [
            analysis.labels.arm(cell),
            side,
            among,
            count_noun(named["d_prime"].n, "pair"),
            *(show_estimate(named.get(measure)) for measure in DETECTION),
            "; ".join(named["d_prime"].caveats),
        ]
        for (cell, side, among), named in found.items()
        if named["d_prime"].is_known
    ]
    words = [JUDGING[f"judging_{measure}"].words for measure in DETECTION]
    columns = ["arm", "own − another's", "among", "pairs", *words, "note"]
    title = "What the name changes, and what having written it"
    return build_table(title, columns, rows, names=3, note=CHANGE_NOTE)


def tabulate_ownership_logits(analysis: Analysis) -> Table:
    """The shifts of logit P(True) between answers that the critic finds equally likely."""
    rows = []
    for cell in analysis.cells:
        named = {name: analysis.find(name, cell=cell) for name in REGRESSION}
        if any(e is not None and e.is_known for e in named.values()):
            rows.append([analysis.labels.arm(cell), *map(show_estimate, named.values())])
    columns = ["arm", *(JUDGING[name].words for name in REGRESSION)]
    title = "The same between answers that the critic finds equally likely"
    return build_table(title, columns, rows, note=LOGIT_NOTE)
