"""All debates as pages beside the report, and an index of them by arm, outcome and question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from debate.log.disk import replace_file, wrap_disk_errors
from debate.report.conditions import describe_condition
from debate.report.data import ReportData
from debate.report.markup import make_environment
from debate.report.transcripts import (
    MAX_CHARACTERS,
    MIN_CHARACTERS,
    TranscriptTurn,
    build_transcript,
    format_question,
)
from debate.text import clean, count_noun, shorten
from debate.types import DebateKey

INDEX = "debates.html"
DEBATES_PER_PAGE = 100
MAX_DEBATES = 20_000
"""Debates that have a page at most, in all arms together."""
MAX_TOTAL_CHARACTERS = 40_000_000
"""What was said takes about this many characters at most, on all pages together."""
KEY = ("cell", "question", "seed")

TURNED_WRONG, TURNED_RIGHT = "somebody turned wrong", "somebody turned right"
NEVER, MIXED, ALWAYS = "nobody ever right", "some right, no change", "all right from the start"
OUTCOMES = {
    TURNED_WRONG: "turned-wrong",
    TURNED_RIGHT: "turned-right",
    NEVER: "never-right",
    MIXED: "mixed",
    ALWAYS: "right",
}
"""What became of a debate, in the order of the index, with the end of its anchor. Where some turned
wrong and some right, it stands under the first."""


class ListedDebate(NamedTuple):
    """One debate in the index: where it stands, and how many were right before and after."""

    key: DebateKey
    file: str
    anchor: str
    question: str
    outcome: str
    change: str


@dataclass(frozen=True, kw_only=True)
class ShownDebate:
    """One debate on its page."""

    listed: ListedDebate
    text: str
    target: str
    turns: tuple[TranscriptTurn, ...]


@dataclass(frozen=True, kw_only=True)
class ListedArm:
    """The debates of an arm that have a page, by outcome; omitted: how many have none."""

    cell: str
    label: str
    anchor: str
    by_outcome: Mapping[str, Sequence[ListedDebate]]
    omitted: int

    @property
    def outcome_anchors(self) -> dict[str, str]:
        """The anchors of the lists in the index by outcome, of the outcomes that occur."""
        return {outcome: f"{self.anchor}-{OUTCOMES[outcome]}" for outcome in self.by_outcome}

    @property
    def debates(self) -> Iterator[ListedDebate]:
        """All of them."""
        for debates in self.by_outcome.values():
            yield from debates


class DebatePage(NamedTuple):
    """One file of debates of one arm."""

    file: str
    arm: ListedArm
    debates: Sequence[ListedDebate]


def list_debates(report: ReportData) -> tuple[ListedArm, ...]:
    """Return the debates of each arm, each with its file, its anchor and what became of it."""
    table = _classify(report)
    limit = max(1, MAX_DEBATES // max(1, len(report.cells)))
    arms, number = [], 0
    for position, cell in enumerate(report.cells, start=1):
        rows = table.filter(pl.col("cell") == cell)
        listed = list(_list_rows(rows.head(limit), number))
        number += -(-len(listed) // DEBATES_PER_PAGE)
        grouped = {o: [d for d in listed if d.outcome == o] for o in OUTCOMES}
        arms.append(
            ListedArm(
                cell=cell,
                label=report.label_arm(cell),
                anchor=f"arm-{position}",
                by_outcome={outcome: found for outcome, found in grouped.items() if found},
                omitted=rows.height - len(listed),
            )
        )
    return tuple(arms)


def _classify(report: ReportData) -> pl.DataFrame:
    """One row for each debate: who was right first and last, and what became of it."""
    right = pl.col("outcome") == "correct"
    before = right.shift(1).over([*KEY, "agent"])
    states = report.estimated_states.sort("round").with_columns(
        right=right,
        turned_wrong=(before & ~right).fill_null(False),
        turned_right=(~before & right).fill_null(False),
        is_first=pl.col("round") == pl.col("round").min().over([*KEY, "agent"]),
        is_last=pl.col("round") == pl.col("round").max().over([*KEY, "agent"]),
    )
    debates = states.group_by(KEY, maintain_order=True).agg(
        pl.col("turned_wrong", "turned_right").any(),
        num=pl.col("agent").n_unique(),
        first=(pl.col("right") & pl.col("is_first")).sum(),
        last=(pl.col("right") & pl.col("is_last")).sum(),
    )
    outcome = (
        pl.when("turned_wrong")
        .then(pl.lit(TURNED_WRONG))
        .when("turned_right")
        .then(pl.lit(TURNED_RIGHT))
        .when(pl.col("first") == 0)
        .then(pl.lit(NEVER))
        .when(pl.col("first") == pl.col("num"))
        .then(pl.lit(ALWAYS))
        .otherwise(pl.lit(MIXED))
    )
    return debates.with_columns(outcome=outcome)


def _list_rows(rows: pl.DataFrame, first_page: int) -> Iterator[ListedDebate]:
    has_seeds = rows["seed"].n_unique() > 1
    for position, row in enumerate(rows.iter_rows(named=True)):
        page = first_page + position // DEBATES_PER_PAGE + 1
        seed = f", seed {row['seed']}" if has_seeds else ""
        yield ListedDebate(
            key=DebateKey(**{name: row[name] for name in KEY}),
            file=f"debates-{page:03d}.html",
            anchor=f"d{position % DEBATES_PER_PAGE + 1}",
            question=f"{shorten(row['question'], 40)}{seed}",
            outcome=row["outcome"],
            change=f"{row['first']} → {row['last']} of {row['num']} right",
        )


def split_pages(arms: Sequence[ListedArm]) -> tuple[DebatePage, ...]:
    """Return the files in order, each with its debates."""
    pages = []
    for arm in arms:
        by_file: dict[str, list[ListedDebate]] = {}
        for debate in sorted(arm.debates, key=lambda d: (d.file, int(d.anchor[1:]))):
            by_file.setdefault(debate.file, []).append(debate)
        pages += [DebatePage(file, arm, debates) for file, debates in by_file.items()]
    return tuple(pages)


def read_shown(report: ReportData, page: DebatePage, *, limit: int) -> Iterator[ShownDebate]:
    """Read the debates of one page, with at most `limit` characters of each turn."""
    nowhere = {"agent": None, "round": None, "heard": ()}
    for listed in page.debates:
        question = report.find_question(listed.key.question)
        turns = report.read_turns(listed.key)
        target = question.target if question else None
        yield ShownDebate(
            listed=listed,
            text=format_question(question),
            target=clean("–" if target is None else str(target)),
            turns=build_transcript(report, turns, nowhere, limit=limit, anchor=""),
        )


def write_debates(report: ReportData, folder: Path, *, page: str) -> tuple[ListedArm, ...]:
    """Write the pages of all debates and their index; return the arms as the index lists them.

    page: the name of the report beside the folder. Pages that an earlier report left are removed.
    Raises LogError where the disk refuses.
    """
    arms, environment = list_debates(report), make_environment()
    pages, limit = split_pages(arms), limit_turns(report)
    template = environment.get_template("debate_page.html")
    files = ["", *(each.file for each in pages), ""]
    for number, each in enumerate(pages, start=1):
        content = template.render(
            name=report.name,
            page=each,
            told=_describe_arm(report, each.arm.cell),
            report_page=page,
            before=files[number - 1],
            after=files[number + 1],
            debates=read_shown(report, each, limit=limit),
        )
        replace_file(folder / each.file, _encode(content))
    num = sum(len(each.debates) for each in pages)
    index = environment.get_template("debates.html").render(
        name=report.name,
        page=page,
        num=num,
        arms=arms,
        outcomes=OUTCOMES,
        count_noun=count_noun,
    )
    replace_file(folder / INDEX, _encode(index))
    _remove_others(folder, {each.file for each in pages})
    return arms


def _encode(content: str) -> bytes:
    return content.encode("utf-8", errors="backslashreplace")


def _describe_arm(report: ReportData, cell: str) -> str:
    return describe_condition(report.manifest.spec, cell) if report.manifest else ""


def _remove_others(folder: Path, kept: set[str]) -> None:
    with wrap_disk_errors(folder, "write"):
        for path in folder.glob("debates-*.html"):
            if path.name not in kept:
                path.unlink()


def limit_turns(report: ReportData) -> int:
    """Return how many characters of each turn the pages show, so that all stay within bounds."""
    share = MAX_TOTAL_CHARACTERS // max(1, report.states.height)
    return min(MAX_CHARACTERS, max(MIN_CHARACTERS, share))
