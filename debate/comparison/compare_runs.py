"""Runs made at different times, compared: paired where their questions coincide."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.text import Text

from debate.analysis.contrasts import correct_p_values
from debate.analysis.layout import print_table
from debate.analysis.measures import Measures
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.registry import get_words
from debate.analysis.schema import Estimate
from debate.analysis.states import build_states, select_authors, select_members, select_voters
from debate.analysis.summary import Analysis
from debate.analysis.tables import Entry, Table, build_table, format_p_value, show_interval
from debate.analysis.tables.team_tables import (
    tabulate_dose_response,
    tabulate_team_contrasts,
    tabulate_teams,
)
from debate.analysis.teams import compare_teams
from debate.analysis.tokens import select_debate_turns
from debate.analysis.votes import build_vote_states
from debate.comparison.pairing import (
    ComparedRun,
    RunPairing,
    concat_runs,
    label_cell,
    match_cells,
    pair_runs,
    read_runs,
)
from debate.log.identity import diff_fields, format_clauses
from debate.text import clean, format_count, format_decimal

FORMAT = 1
COMPARED_MEASURES = (
    "accuracy",
    "vote_accuracy",
    "confidence",
    "over_confidence",
    "brier",
    "entrenchment",
    "eai",
    "vote_gain",
    "tokens_per_debate",
)
FEWEST_TEAMS = 3
ABOUT_THE_FILE = ("name", "output", "description", "cluster", "hypotheses", "log")
NOTE = (
    "Last round of each arm; intervals are 95 %, clustered by question. p is corrected by Holm "
    "over all lines: none of them was claimed beforehand."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDifference:
    """One measure of one arm, in `first` and in `second`: `second` minus `first`.

    p_holm: corrected over all differences of the comparison, none of which was claimed beforehand.
    missing: why there is no value.
    """

    measure: str
    cell: str
    first: str
    second: str
    first_value: float | None = None
    second_value: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    num_questions: int = 0
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Every run against the first. tables and estimates: of all teams together, where there are
    three or more (see `debate.analysis.teams`).
    """

    labels: tuple[str, ...]
    pairings: tuple[str, ...]
    differences: tuple[RunDifference, ...]
    configs: dict[str, tuple[str, ...]]
    tables: dict[str, pl.DataFrame]
    estimates: tuple[Estimate, ...]
    caveats: tuple[str, ...]

    def to_json(self) -> str:
        """Everything as JSON without nan."""
        content = {
            "format": FORMAT,
            "runs": self.labels,
            "pairings": self.pairings,
            "differences": [asdict(each) for each in self.differences],
            "configs": self.configs,
            "teams": {name: table.to_dicts() for name, table in self.tables.items()},
            "estimates": [asdict(each) for each in self.estimates],
            "caveats": self.caveats,
        }
        return json.dumps(content, allow_nan=False, ensure_ascii=False)


def compare_runs(paths: Sequence[Path]) -> RunComparison:
    """Compare runs, or tables of transcripts, with the first of them. Raises InputError."""
    first, *others = read_runs(paths)
    pairings = [pair_runs(first, other) for other in others]
    found = [each for paired in pairings for each in _compare_pair(paired)]
    adjusted = correct_p_values([each.p_value for each in found])
    corrected = [replace(each, p_holm=p) for each, p in zip(found, adjusted, strict=True)]
    tables, estimates = _compare_teams((first, *others))
    return RunComparison(
        labels=tuple(source.label for source in (first, *others)),
        pairings=tuple(f"{p.second.label} and {first.label}: {p.how}" for p in pairings),
        differences=tuple(corrected),
        configs={other.label: _compare_configs(first, other) for other in others},
        tables=tables,
        estimates=tuple(estimates),
        caveats=tuple(_list_caveats((first, *others))),
    )


def _make_measures(*sources: ComparedRun) -> Measures:
    """The measures of all arms of these runs, each as an analysis of its run alone has it."""
    rows, verdicts, turns = concat_runs(*sources)
    everyone = build_states(rows)
    team = select_members(everyone)
    voters = _select_voters(team, sources)
    about = {
        label_cell(source, cell): author
        for source in sources
        for cell, author in source.design.authors.items()
    }
    noisy = {label_cell(source, cell) for source in sources for cell in source.design.noisy}
    return Measures(
        select_authors(team, about),
        build_vote_states(voters, verdicts),
        voters,
        select_debate_turns(everyone, turns),
        noisy=noisy,
    )


def _select_voters(team: pl.DataFrame, sources: Sequence[ComparedRun]) -> pl.DataFrame:
    """The states of those whose answers are ballots, told by each run for its own arms."""
    voters = [
        select_voters(
            team.filter(pl.col("cell").is_in([label_cell(source, c) for c in source.cells])),
            source.silent,
        )
        for source in sources
    ]
    return pl.concat(voters).sort("cell", maintain_order=True)


def _compare_pair(paired: RunPairing) -> Iterator[RunDifference]:
    measures = _make_measures(paired.first, paired.second)
    for mine, theirs in match_cells(paired.first, paired.second):
        for name in COMPARED_MEASURES:
            yield _compare(paired, measures, name, mine, theirs)


def _compare(
    paired: RunPairing, measures: Measures, name: str, mine: str, theirs: str
) -> RunDifference:
    about = RunDifference(
        measure=name, cell=mine, first=paired.first.label, second=paired.second.label
    )
    first = measures.find(name, cell=label_cell(paired.first, mine))
    second = measures.find(name, cell=label_cell(paired.second, theirs))
    for measure, source in ((first, paired.first), (second, paired.second)):
        if isinstance(measure, Unavailable):
            return replace(about, missing=f"needs {measure.reason} in {source.label}")
    assert isinstance(first, Quantity)
    assert isinstance(second, Quantity)
    contrast = second.minus(first)
    gap = contrast.bounded()
    return replace(
        about,
        first_value=first.interval().value,
        second_value=second.interval().value,
        value=contrast.value,
        low=gap.low,
        high=gap.high,
        p_value=contrast.p_value(),
        num_questions=gap.num_questions,
    )


def _compare_teams(
    sources: Sequence[ComparedRun],
) -> tuple[dict[str, pl.DataFrame], list[Estimate]]:
    """The teams of all runs side by side, with dose and response over them."""
    measures = _make_measures(*sources)
    if len(measures.teams) < FEWEST_TEAMS:
        return {}, []
    found = compare_teams(measures)
    return found.tables, found.estimates


def _compare_configs(first: ComparedRun, other: ComparedRun) -> tuple[str, ...]:
    if not first.spec or not other.spec:
        return ("a table of transcripts has no configuration",)
    return tuple(diff_fields(first.spec, other.spec, ignoring=ABOUT_THE_FILE))


def _list_caveats(sources: Sequence[ComparedRun]) -> Iterator[str]:
    for source in sources:
        if source.status != "complete":
            yield f"{source.label} is {source.status}: only what is on disk is compared"
    for source in sources:
        rows = source.trajectories
        if "simulated" in rows.columns and rows["simulated"].any():
            yield f"{source.label}: simulated agents took part; it describes the simulation"
    yield "no difference here was claimed beforehand: they are observations, not findings"


def print_comparison(found: RunComparison, console: Console) -> None:
    """Print how the runs are paired, their differences, their configurations', and their teams."""
    for sentence in found.pairings:
        console.print(Text(clean(sentence)))
    _print_table(_make_table(found), console)
    console.print(Text(NOTE, style="dim"))
    for label, clauses in found.configs.items():
        what = f"{label} differs in its configuration:\n{format_clauses(clauses)}"
        console.print(Text(clean(what if clauses else f"{label}: equally configured", keep="\n")))
    for made in _make_team_tables(found):
        _print_table(made, console)
    for sentence in found.caveats:
        console.print(Text(f"• {clean(sentence)}"))


def _print_table(made: Table, console: Console) -> None:
    if made.rows:
        print_table(made, console)


def _make_table(found: RunComparison) -> Table:
    """A line for each measure of each arm that was compared."""
    columns = ["arm", "measure", "run", "here", "first run", "difference", "p (Holm)", "questions"]
    title = f"Compared with {found.labels[0]}"
    return build_table(title, columns, [_make_row(each) for each in found.differences], names=3)


def _make_row(each: RunDifference) -> list[Entry]:
    return [
        Entry(clean(each.cell)),
        Entry(get_words(each.measure), each.missing),
        Entry(clean(each.second)),
        Entry(format_decimal(each.second_value)),
        Entry(format_decimal(each.first_value)),
        show_interval(each.value, each.low, each.high, signed=True),
        Entry(format_p_value(each.p_holm)),
        Entry(format_count(each.num_questions) if each.num_questions else "–"),
    ]


def _make_team_tables(found: RunComparison) -> tuple[Table, ...]:
    """The teams' tables, made as those of a single analysis are."""
    if not found.tables:
        return ()
    cells = tuple(dict.fromkeys(found.tables["teams"]["cell"]))
    whole = Analysis(
        estimates=found.estimates, comparisons=(), tables=found.tables, caveats=(), cells=cells
    )
    return tabulate_teams(whole), tabulate_team_contrasts(whole), tabulate_dose_response(whole)
