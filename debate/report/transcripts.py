"""The turns at which confidence in errors rose most, each with the debate around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.registry import get_words
from debate.analysis.tables import Place
from debate.analysis.tables.influence import (
    RANKINGS,
    describe_heard,
    join_arms,
    merge_shared_turns,
)
from debate.report.data import ReportData
from debate.tasks import list_candidates
from debate.text import clean, count_noun, format_decimal, shorten
from debate.types import Confidence, DebateKey, Question, Turn, states_answer

MAX_HOTSPOTS, MAX_HOTSPOTS_PER_ARM = 30, 10
MAX_TURNS = 60
"""Of one debate, this many turns are shown."""
MAX_CHARACTERS, MIN_CHARACTERS = 6_000, 300
"""Of one turn, this many characters are shown at most, and this many in any case."""
MAX_PAGE_CHARACTERS = 3_000_000
"""All turns on the page together have about this many characters at most."""
PAPER_LINES, PAPER_COLUMNS = 12, 76
"""Lines of a turn that are printed on paper, and about how many letters one of them holds."""
MARKS = {"correct": "✓", "wrong": "✗", "abstained": "∅", "cut": "✂", "failed": "!", "open": "·"}
KEY = list(Place._fields)


class Excerpt(NamedTuple):
    """The turns that are shown of one debate, and how many are not."""

    turns: tuple[Turn, ...]
    num_omitted: int


class ConfidenceBadge(NamedTuple):
    """One confidence: its value, its estimator, and how strongly it is coloured, in percent."""

    value: str
    source: str
    tint: int


@dataclass(frozen=True, kw_only=True)
class TranscriptTurn:
    """One turn as the page shows it."""

    agent: str
    what: str
    model: str
    text: str
    answer: str
    state: str
    """The outcome; "open" where nothing was judged."""
    mark: str
    confidences: tuple[ConfidenceBadge, ...]
    """Those that the turn carries itself, then those that probes found."""
    heard: str
    is_spot: bool
    was_heard: bool
    anchor: str = ""
    verdict: str = ""
    """The team's verdict after the round, at the round's last turn."""

    @property
    def is_long(self) -> bool:
        """Whether the text takes more lines than are printed on paper."""
        lines = self.text.split("\n")
        return sum(1 + len(line) // PAPER_COLUMNS for line in lines) > PAPER_LINES


@dataclass(frozen=True, kw_only=True)
class Hotspot:
    """A turn at which confidence in an error rose, and the debate around it."""

    anchor: str
    places: tuple[Place, ...]
    """Of the turn in each arm that shares it."""
    arm: str
    question: str
    seed: int
    agent: str
    round: int
    answer: str
    confidence: str
    rise: str
    heard: str
    text: str
    target: str
    turns: tuple[TranscriptTurn, ...]
    note: str


def find_hotspots(report: ReportData) -> tuple[Hotspot, ...]:
    """Return the ten steepest rises of each arm, at most thirty in all, steepest first; then the
    turns that the rankings on the page lead to, at most thirty more. A turn that several arms
    share is returned once.
    """
    table = report.analysis.tables["hotspots"]
    by_arm = table.group_by("cell", maintain_order=True).head(MAX_HOTSPOTS_PER_ARM)
    steepest = by_arm.sort("step", descending=True, maintain_order=True).head(MAX_HOTSPOTS)
    links = _find_linked(report).join(steepest, on=KEY, how="anti", maintain_order="left")
    chosen = pl.concat([steepest, links.head(MAX_HOTSPOTS)])
    rows = list(merge_shared_turns(chosen).iter_rows(named=True))
    excerpts = [_select_excerpt(report, row) for row in rows]
    limit = _limit_characters(sum(len(excerpt.turns) for excerpt in excerpts))
    return tuple(
        _make_hotspot(report, row, excerpt, limit, f"turn-{position}")
        for position, (row, excerpt) in enumerate(zip(rows, excerpts, strict=True), start=1)
    )


def _find_linked(report: ReportData) -> pl.DataFrame:
    """The rows of the turns that the tables of rankings lead to, in the order of the tables."""
    places = [
        entry.place
        for make in RANKINGS.values()
        for row in make(report.analysis).rows
        for entry in row
        if entry.place is not None
    ]
    links = report.analysis.tables["links"]
    asked = pl.DataFrame(places, schema={k: links.schema[k] for k in KEY}, orient="row")
    found = asked.unique(maintain_order=True).join(links, on=KEY, maintain_order="left")
    return found.select(links.columns)


def _select_excerpt(report: ReportData, row: dict[str, Any]) -> Excerpt:
    """All turns of a hotspot's debate; of a very long one, the nearest by the same agent or heard.

    row: the hotspot's, of the analysis.
    """
    key = DebateKey(cell=row["cell"], question=row["question"], seed=row["seed"])
    turns = report.read_turns(key)
    if len(turns) <= MAX_TURNS:
        return Excerpt(turns, 0)
    heard = set(row["heard"] or ())
    near = [k for k, t in enumerate(turns) if t.agent == row["agent"] or t.ref in heard]
    near.sort(key=lambda k: abs(turns[k].round - row["round"]))
    chosen = sorted(near[:MAX_TURNS])
    return Excerpt(tuple(turns[k] for k in chosen), len(turns) - len(chosen))


def _limit_characters(num_turns: int) -> int:
    """The number of characters of each turn with which the page stays within bounds."""
    share = MAX_PAGE_CHARACTERS // max(1, num_turns)
    return min(MAX_CHARACTERS, max(MIN_CHARACTERS, share))


def _make_hotspot(
    report: ReportData, row: dict[str, Any], excerpt: Excerpt, limit: int, anchor: str
) -> Hotspot:
    num_omitted = excerpt.num_omitted
    return Hotspot(
        anchor=anchor,
        places=tuple(Place(cell, *(row[name] for name in KEY[1:])) for cell in row["cells"]),
        arm=join_arms(report.analysis, row["cells"]),
        question=shorten(row["question"], 40),
        seed=row["seed"],
        agent=report.label_agent(row["cell"], row["agent"]),
        round=row["round"],
        answer=f"{shorten(row['previous_answer'], 24)} → {shorten(row['answer'], 24)}",
        confidence=" → ".join(
            format_decimal(row[name], 2) for name in ("previous_confidence", "confidence")
        ),
        rise=format_decimal(row["step"], 2, signed=True),
        heard=describe_heard(row["heard"]),
        text=format_question(report.find_question(row["question"])),
        target=shorten(row["target"]),
        turns=build_transcript(report, excerpt.turns, row, limit=limit, anchor=anchor),
        note=f"{count_noun(num_omitted, 'turn')} left out: neither heard nor followed by this one."
        if num_omitted
        else "",
    )


def format_question(question: Question | None) -> str:
    """Return a question as it is read, with its options by letter; empty where there is none."""
    if question is None:
        return ""
    options = question.options
    if options and question.kind == "choice":
        letters = list_candidates(question)
        options = tuple(f"{a}) {told}" for a, told in zip(letters, options, strict=True))
    return format_text("\n".join((question.text, *options)))


def build_transcript(
    report: ReportData, turns: Sequence[Turn], row: dict[str, Any], *, limit: int, anchor: str
) -> tuple[TranscriptTurn, ...]:
    """Return the turns of a debate around a hotspot, each with what probes found of it.

    row: the hotspot's, of the analysis. limit: characters of each turn. anchor: the identifier of
    the hotspot's turn.
    """
    probed: dict[tuple[str, int], list[Confidence]] = {}
    for turn in turns:
        if turn.kind == "probe":
            probed.setdefault((turn.agent, turn.round), []).extend(turn.confidences)
    made = [
        _make_turn(report, turn, probed.get((turn.agent, turn.round), []), row, limit, anchor)
        for turn in turns
        if turn.kind != "probe"
    ]
    rounds = [turn.round for turn in turns if turn.kind != "probe"]
    verdicts = report.read_verdicts(turns[0].debate) if made else {}
    last = {round_: position for position, round_ in enumerate(rounds)}
    for round_, position in last.items():
        made[position] = replace(made[position], verdict=verdicts.get(round_, ""))
    return tuple(made)


def _make_turn(
    report: ReportData,
    turn: Turn,
    probed: list[Confidence],
    row: dict[str, Any],
    limit: int,
    anchor: str,
) -> TranscriptTurn:
    state = turn.outcome or "open"
    about = f" of {shorten(turn.about, 40)}" if turn.about else ""
    is_spot = states_answer(turn) and (turn.agent, turn.round) == (row["agent"], row["round"])
    return TranscriptTurn(
        agent=report.label_agent(turn.cell, turn.agent),
        what=f"round {turn.round}, {turn.kind}{about}",
        model=shorten(turn.model),
        text=format_text(_get_shown_text(turn), limit=limit),
        answer="–" if turn.answer is None else shorten(turn.value or "no answer", 40),
        state=state,
        mark=MARKS[state],
        confidences=_make_badges([*turn.confidences, *(probed if states_answer(turn) else ())]),
        heard=describe_heard(list(turn.heard)) if turn.heard else "",
        is_spot=is_spot,
        was_heard=turn.ref in (row["heard"] or ()),
        anchor=anchor if is_spot else "",
    )


def _get_shown_text(turn: Turn) -> str:
    """Return what the turn said, with the final line that it was asked for, or why it failed."""
    if turn.failure is not None:
        return turn.failure.message
    line = turn.final_line and f"(asked for its final line) {turn.final_line}"
    steps = [
        part
        for step in turn.tool_steps
        for part in (step.said, *(f"({c.tool}, {c.outcome}) {c.output}" for c in step.calls))
    ]
    return "\n\n".join(filter(None, (*steps, turn.text, line)))


def _make_badges(confidences: list[Confidence]) -> tuple[ConfidenceBadge, ...]:
    """The confidences, the first of each estimator."""
    by_source = {c.source: c for c in reversed(confidences)}
    ordered = [c for c in confidences if by_source[c.source] is c]
    return tuple(
        ConfidenceBadge(
            format_decimal(c.value, 2), shorten(get_words(c.source)), round(10 + 45 * c.value)
        )
        for c in ordered
    )


def format_text(text: str, *, limit: int = MAX_CHARACTERS) -> str:
    r"""Return the first `limit` characters of a text: line ends kept, control characters replaced.

    >>> format_text("a\r\nb\x00")
    'a\nb�'
    """
    whole = text.replace("\r\n", "\n").strip()
    shown = clean(whole[:limit], keep="\n\t")
    num_omitted = len(whole) - limit
    return f"{shown}\n[… {num_omitted} more characters]" if num_omitted > 0 else shown
