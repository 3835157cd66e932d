"""Tables of who moved whom: flips by edge, where errors grew, and who judged whose answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from debate.analysis.attribution import STEEPEST
from debate.analysis.registry import get_words
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.tables import (
    Entry,
    Place,
    Table,
    TableMaker,
    build_table,
    group_estimates,
    show_estimate,
    show_interval,
    sort_by_cell,
)
from debate.text import (
    count_noun,
    format_count,
    format_decimal,
    format_percent,
    join_names,
    shorten,
    split_names,
)

TRANSITIONS = ("right_to_wrong", "wrong_to_right")
RELATIONS = {
    "self": "itself",
    "past": "a past version of itself",
    "same_model": "the same model",
    "other_model": "another model",
    "nothing_heard": "nothing",
    "nobody_heard": "nobody that was heard",
}
Row = dict[str, Any]


def tabulate_hazards(analysis: Analysis) -> Table:
    """P(flip) after hearing over each kind of edge."""
    by = ["cell", "relation", "kind", "critic_outcome", "surer"]
    rows = [
        [
            analysis.labels.arm(key["cell"]),
            _show_relation(key),
            shorten(key["kind"]),
            shorten(key["critic_outcome"]),
            _show_surer(key["surer"]),
            *(_show_rate(found.get(way)) for way in TRANSITIONS),
        ]
        for key, found in _group_by_transition(analysis, "hazards", by)
    ]
    note = "Share of the turns at risk that flipped; a turn that heard several counts for each."
    heads = ["arm", "heard", "by way of", "the critic was", "and surer?"]
    columns = [*heads, *map(get_words, TRANSITIONS)]
    return build_table("Hazard of a flip by kind of edge", columns, rows, names=5, note=note)


def tabulate_edges(analysis: Analysis) -> Table:
    """P(flip) and P(adopt | the two disagree) for every edge."""
    rows = [
        [
            analysis.labels.arm(key["cell"]),
            f"{shorten(key['critic'], 30)} → {shorten(key['author'], 30)}",
            *(_show_rate(found.get(way)) for way in (*TRANSITIONS, "adoption")),
        ]
        for key, found in _group_by_transition(analysis, "edges", ["cell", "critic", "author"])
    ]
    note = "u → v: v heard u. Adoption: v took u's answer over, where the two disagreed."
    columns = ["arm", "edge", *map(get_words, TRANSITIONS), "adoption"]
    return build_table("Every edge", columns, rows, names=2, note=note)


def tabulate_credit(analysis: Analysis) -> Table:
    """The holders of the new answer of each flip, among those that were heard."""
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            get_words(row["flip"]),
            _show_relation(row),
            shorten(row["critic_outcome"]),
            format_decimal(row["flips"], 1),
            format_percent(row["share"]),
        ]
        for row in sort_by_cell(analysis, analysis.tables["credit"]).iter_rows(named=True)
    ]
    note = (
        "A flip goes back to the heard turns that held its new answer, in equal shares; to nobody "
        "where no heard turn did."
    )
    columns = ["arm", "flip", "goes back to", "that was", "flips", "share"]
    return build_table("What flips go back to", columns, rows, names=4, note=note)


def _group_by_transition(
    analysis: Analysis, name: str, by: list[str]
) -> list[tuple[Row, dict[str, Row]]]:
    """The rows of a table by key and transition, conditions in their order."""
    found: dict[tuple[Any, ...], dict[str, Row]] = {}
    frame = analysis.tables[name].sort(by, nulls_last=True)
    for row in sort_by_cell(analysis, frame).iter_rows(named=True):
        found.setdefault(tuple(row[name] for name in by), {})[row["transition"]] = row
    return [(dict(zip(by, key, strict=True)), ways) for key, ways in found.items()]


def _show_rate(row: Row | None) -> Entry:
    if row is None:
        return Entry("–")
    shown = show_interval(row["rate"], row["low"], row["high"])
    return shown._replace(under=f"{shown.under}, n {format_count(row['n'])}".lstrip(", "))


def _show_relation(row: Row) -> str:
    return RELATIONS.get(row["relation"] or "", "somebody unknown")


def _show_surer(value: bool | None) -> str:
    return "–" if value is None else "yes" if value else "no"


STATED = ("previous_confidence", "confidence")
MOST_IN_CELL = 6
"""Lines of a ranking for each condition: all where there are no more, else five and the rest."""
PLURALS = {"category": "categories"}
MOST_SPOTS = 10
NOTHING, LEAST_SHOWN = 1e-12, 0.00005
"""A contribution that is nothing but rounding, and the least that does not read as 0.0000."""


def make_ranking_table(kind: str, title: str, label: Callable[[Analysis, Row], str]) -> TableMaker:
    """The table of one ranking: of each condition the first lines, and the sum of all others.

    So the contributions that are shown add up to the condition's error amplification. What adds
    nothing has no line; the note counts it.
    """

    def make(analysis: Analysis) -> Table:
        whole = sort_by_cell(analysis, analysis.tables[f"where_{kind}"])
        totals = _sum_contributions(analysis)
        rows: list[list[object]] = []
        idle: list[str] = []
        for (cell,), part in whole.group_by("cell", maintain_order=True):
            adding = part.filter(pl.col("contribution").abs() > NOTHING)
            if not adding.is_empty():
                rows.extend(_show_contributions(analysis, adding, totals[str(cell)], label))
                if num := part.height - adding.height:
                    told = count_noun(num, title, PLURALS.get(title, ""))
                    idle.append(f"{told} of {analysis.labels.arm(str(cell))}")
        heads = ["steepest turn", "heard just before", "adds to EAI", "trajectories"]
        columns = ["arm", title, *heads]
        note = f"Left out, as they add nothing: {join_names(idle, most=60)}." if idle else ""
        return build_table(f"By {title}", columns, rows, names=4, note=note)

    return make


def _sum_contributions(analysis: Analysis) -> dict[str, float]:
    """Error amplification after the last round, of each condition: the sum over its rounds."""
    rounds = analysis.tables["where_rounds"].group_by("cell").agg(pl.col("contribution").sum())
    return dict(rounds.iter_rows())


def _show_contributions(
    analysis: Analysis, part: pl.DataFrame, total: float, label: Callable[[Analysis, Row], str]
) -> Iterator[list[object]]:
    """The lines of one condition. part: its contributions, the largest first.

    Those that would read +0.0000 are among all others.
    """
    arm = analysis.labels.arm(part["cell"][0])
    visible = part.filter(pl.col("contribution").abs() >= LEAST_SHOWN)
    is_whole = visible.height == part.height <= MOST_IN_CELL
    shown = part if is_whole else visible.head(MOST_IN_CELL - 1)
    for row in shown.iter_rows(named=True):
        yield [
            arm,
            label(analysis, row),
            *_show_steepest(analysis, row),
            format_decimal(row["contribution"], 4, signed=True),
            format_count(row["trajectories"]),
        ]
    if shown.height < part.height:
        rest = total - float(shown["contribution"].to_numpy().sum())
        yield [arm, "all others", "–", "–", format_decimal(rest, 4, signed=True), "–"]


def _show_steepest(analysis: Analysis, row: Row) -> list[object]:
    question, seed, agent, round_ = (row[name] for name in STEEPEST)
    if question is None:
        return ["–", "–"]
    place = Place(row["cell"], question, seed, agent, round_)
    told = f"{shorten(question, 24)}, {shorten(agent, 20)}, round {round_}"
    return [Entry(told, place=place), describe_heard_at(analysis, place)]


def describe_heard_at(analysis: Analysis, place: Place) -> str:
    """The turns heard just before a turn that some ranking leads to."""
    links = analysis.tables["links"]
    at = pl.all_horizontal(pl.col(name) == value for name, value in place._asdict().items())
    found = links.filter(at)["heard"].to_list()
    return describe_heard(found[0] if found else None)


def describe_heard(refs: list[str] | None) -> str:
    """The turns that were heard, as one line.

    >>> describe_heard(["0:opening:b", "1:revision:c", "2:critique:u:v"])
    'opening of b, c in round 1, critique by u in round 2'
    """
    return ", ".join(_describe_turn(ref) for ref in refs or ()) or "nothing"


def _describe_turn(ref: str) -> str:
    round_, kind, agent, *_ = ref.split(":")
    who = shorten(agent, 24)
    if kind == "opening":
        return f"opening of {who}"
    return f"{f'critique by {who}' if kind == 'critique' else who} in round {round_}"


SAME_TURN = split_names(
    "question seed agent model round previous_answer answer previous_confidence confidence heard"
)
"""What a turn that several conditions share has in common."""


def merge_shared_turns(spots: pl.DataFrame) -> pl.DataFrame:
    """Hot spots with one row for a turn that several conditions share: the first of them.

    cells: the conditions that share it, in the order of the rows.
    """
    others = [pl.col(name).first() for name in spots.columns if name not in SAME_TURN]
    merged = spots.group_by(SAME_TURN, maintain_order=True).agg(*others, cells=pl.col("cell"))
    return merged.select(*spots.columns, "cells")


def join_arms(analysis: Analysis, cells: Sequence[str]) -> str:
    """The names of conditions that share a turn."""
    return ", ".join(map(analysis.labels.arm, cells))


def tabulate_hotspots(analysis: Analysis) -> Table:
    """The turns at which confidence in an error rose most, with what was heard just before."""
    found = analysis.tables["hotspots"].sort("step", descending=True, maintain_order=True)
    rows = [
        [
            join_arms(analysis, row["cells"]),
            shorten(row["question"], 24) + (f", seed {row['seed']}" if row["seed"] else ""),
            analysis.labels.agent(row["cell"], row["agent"]),
            str(row["round"]),
            Entry(
                f"{shorten(row['previous_answer'], 16)} → {shorten(row['answer'], 16)}",
                f"target {shorten(row['target'], 16)}",
            ),
            " → ".join(format_decimal(row[n], 2) for n in STATED),
            describe_heard(row["heard"]),
        ]
        for row in merge_shared_turns(found).head(MOST_SPOTS).iter_rows(named=True)
    ]
    columns = ["arm", "question", "agent", "round", "answer", "confidence", "heard just before"]
    note = "A turn that several arms share stands once, with all of them."
    return build_table("Where confidence in errors rose most", columns, rows, names=7, note=note)


def _name_edge(analysis: Analysis, row: Row) -> str:
    critic, author = (analysis.labels.agent(row["cell"], row[n]) for n in ("critic", "author"))
    return f"{author}, hearing nobody" if row["critic"] is None else f"{critic} → {author}"


RANKINGS: dict[str, TableMaker] = {
    "where_rounds": make_ranking_table("rounds", "round", lambda _, row: str(row["round"])),
    "where_agents": make_ranking_table(
        "agents", "agent", lambda analysis, row: analysis.labels.agent(row["cell"], row["agent"])
    ),
    "where_edges": make_ranking_table("edges", "edge", _name_edge),
    "where_categories": make_ranking_table(
        "categories", "category", lambda _, row: shorten(row["category"])
    ),
    "where_questions": make_ranking_table(
        "questions", "question", lambda _, row: shorten(row["question"], 40)
    ),
}
MATRIX = split_names(
    "accept_right accept_wrong judging_balanced_accuracy judging_auroc judging_brier "
    "judging_abstention"
)
SELF_CRITIQUE = split_names(
    "judging_balanced_accuracy over_trust_gap over_acceptance_gap own_effect "
    "own_effect_given_likelihood likelihood_effect discernment_gap false_accept_gap"
)
ALTERNATIVE_CHANGES = split_names(
    "judging_auroc_change judging_brier_change judging_balanced_accuracy_change "
    "over_trust_gap_change"
)


def tabulate_self_critique(analysis: Analysis) -> Table:
    """Critique of others against critique of oneself: a row for each condition, and a sentence."""
    rows = [
        [analysis.labels.arm(cell), *_show_self_critique(analysis, cell)]
        for cell in _list_judging_cells(analysis)
    ]
    columns = ["arm", "balanced accuracy on others'", *map(get_words, SELF_CRITIQUE[1:])]
    title = "Is it critique that fails, or critique of oneself?"
    return build_table(title, columns, rows, note=" ".join(_join_answers(analysis)))


def _show_self_critique(analysis: Analysis, cell: str) -> Iterator[Entry]:
    yield show_estimate(_find_of_others(analysis, cell))
    for name in SELF_CRITIQUE[1:]:
        yield show_estimate(analysis.find(name, cell=cell))


def _join_answers(analysis: Analysis) -> Iterator[str]:
    """The sentence of each condition; conditions of which the same is said are named together."""
    told = analysis.tables.get("cross_critique_answers")
    by_sentence: dict[str, list[str]] = {}
    for cell, answer in told.iter_rows() if told is not None else ():
        by_sentence.setdefault(answer, []).append(analysis.labels.arm(cell))
    for answer, cells in by_sentence.items():
        yield f"{', '.join(cells)}: {answer}"


def tabulate_critique_matrix(analysis: Analysis) -> Table:
    """A row for each condition, critic and author: oneself, each other, and all others together."""
    rows = [
        [
            analysis.labels.arm(cell),
            *_show_edge(subject),
            _count_judged(found),
            *(show_estimate(found.get(name)) for name in MATRIX),
        ]
        for (cell, subject), found in group_estimates(analysis, MATRIX).items()
        if " -> " in subject
    ]
    note = (
        "An abstention neither accepts nor rejects. AUROC and Brier are of P(True), from the "
        "log-probability of the verdict. Intervals are 95 %, clustered by question."
    )
    columns = ["arm", "critic", "author", "judged", *map(get_words, MATRIX)]
    return build_table("Who judges whom, and how well", columns, rows, names=3, note=note)


def _show_edge(subject: str) -> tuple[str, str]:
    critic, _, author = subject.partition(" -> ")
    whom = "itself" if author == critic else "all others" if author == "others" else shorten(author)
    return shorten(critic), whom


def _count_judged(found: dict[str, Estimate]) -> Entry:
    silent = found.get("judging_abstention")
    return Entry(format_count(silent.n if silent else None))


def tabulate_alternatives(analysis: Analysis) -> Table:
    """Changes by alternatives beside the judged answer, against it alone and against noise."""
    rows = [
        [
            analysis.labels.arm(cell),
            subject,
            _show_tokens(analysis, cell),
            _show_tokens(analysis, subject.removeprefix("over ")),
            *(show_estimate(named.get(name)) for name in ALTERNATIVE_CHANGES),
        ]
        for (cell, subject), named in group_estimates(analysis, ALTERNATIVE_CHANGES).items()
    ]
    note = "The same judgements in both arms; tokens are those of one judgement, prompt included."
    columns = ["arm", "against", "tokens", "tokens there", *map(get_words, ALTERNATIVE_CHANGES)]
    return build_table("Broader alternatives: what they change", columns, rows, names=2, note=note)


def _show_tokens(analysis: Analysis, cell: str) -> Entry:
    spent = analysis.find("judging_tokens", cell=cell)
    return Entry(format_count(spent.value if spent else None))


def tabulate_labels(analysis: Analysis) -> Table:
    """Changes of P(True) of the same wrong answer by the name on it."""
    rows = [
        [
            analysis.labels.arm(e.cell or ""),
            e.subject or "",
            show_estimate(e),
            format_count(e.n),
            e.missing or "",
        ]
        for e in analysis.select("label_effect")
    ]
    columns = ["arm", "label", get_words("label_effect"), "judgements", "lacks"]
    return build_table("What the author's name changes", columns, rows, names=2)


def _list_judging_cells(analysis: Analysis) -> list[str]:
    judged = {e.cell for e in analysis.select("judging_abstention")}
    return [cell for cell in analysis.cells if cell in judged]


def _find_of_others(analysis: Analysis, cell: str) -> Estimate | None:
    found = analysis.select(SELF_CRITIQUE[0], cell=cell)
    return next((e for e in found if e.subject == "others" and e.round is None), None)
