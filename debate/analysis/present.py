"""An analysis in the terminal: sentences, tables by section, and what tempers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rich.console import Console

from debate.analysis.design import NO_CONTROL
from debate.analysis.effects import MainAnswer
from debate.analysis.layout import print_line, print_table, wrap
from debate.analysis.main_questions import answer_main_questions
from debate.analysis.registry import get_words
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.tables import Table, TableMaker, is_lacking, write_copied_note
from debate.analysis.tables.confidence import (
    tabulate_calibration_changes,
    tabulate_calibration_errors,
    tabulate_conformity,
    tabulate_drift,
    tabulate_entrenchment,
    tabulate_error_parts,
    tabulate_errors,
    tabulate_flips,
    tabulate_ranking,
    tabulate_revisions,
    tabulate_scores,
)
from debate.analysis.tables.influence import (
    RANKINGS,
    tabulate_alternatives,
    tabulate_credit,
    tabulate_critique_matrix,
    tabulate_edges,
    tabulate_hazards,
    tabulate_hotspots,
    tabulate_labels,
    tabulate_self_critique,
)
from debate.analysis.tables.ownership_tables import (
    tabulate_ownership,
    tabulate_ownership_changes,
    tabulate_ownership_logits,
)
from debate.analysis.tables.results import (
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_comparisons,
    tabulate_confidence_alone,
    tabulate_findings,
    tabulate_headline,
    tabulate_replies,
    tabulate_tokens,
    tabulate_votes,
)
from debate.analysis.tables.team_tables import (
    tabulate_dose_response,
    tabulate_minorities,
    tabulate_team,
    tabulate_team_contrasts,
    tabulate_teams,
)
from debate.analysis.tables.verification_tables import (
    tabulate_own_gaps,
    tabulate_reflection_rates,
    tabulate_steps,
    tabulate_verification,
)
from debate.errors import InputError, suggest
from debate.text import clean, format_count, join_names, shorten


class SectionTables(NamedTuple):
    """A part of what is printed: what it is about, and its tables in their order."""

    about: str
    makers: tuple[TableMaker, ...]


SECTIONS: Mapping[str, SectionTables] = MappingProxyType(
    {
        "hypotheses": SectionTables("what was claimed beforehand", (tabulate_findings,)),
        "headline": SectionTables("every arm before and after", (tabulate_headline,)),
        "reading": SectionTables("which replies were read", (tabulate_replies,)),
        "accuracy": SectionTables(
            "accuracy and confidence by round", (tabulate_accuracy, tabulate_across_factors)
        ),
        "teams": SectionTables(
            "teams side by side",
            (tabulate_teams, tabulate_team_contrasts, tabulate_dose_response),
        ),
        "critique": SectionTables(
            "who judges whom, and how well",
            (
                tabulate_self_critique,
                tabulate_critique_matrix,
                tabulate_alternatives,
                tabulate_labels,
                tabulate_ownership,
                tabulate_ownership_changes,
                tabulate_ownership_logits,
            ),
        ),
        "verification": SectionTables(
            "what a verifier's verdicts are worth",
            (tabulate_verification, tabulate_own_gaps, tabulate_reflection_rates, tabulate_steps),
        ),
        "errors": SectionTables(
            "confidence in errors, and entrenchment",
            (tabulate_errors, tabulate_error_parts, tabulate_entrenchment),
        ),
        "calibration": SectionTables(
            "scores of confidence",
            (
                tabulate_scores,
                tabulate_calibration_errors,
                tabulate_ranking,
                tabulate_calibration_changes,
            ),
        ),
        "changes": SectionTables(
            "who changed an answer",
            (tabulate_drift, tabulate_flips, tabulate_conformity, tabulate_revisions),
        ),
        "votes": SectionTables(
            "the team's answer, and right minorities",
            (tabulate_comparisons, tabulate_minorities, tabulate_team, tabulate_votes),
        ),
        "influence": SectionTables(
            "what was heard before a flip", (tabulate_hazards, tabulate_credit, tabulate_edges)
        ),
        "where": SectionTables(
            "where confidence in errors grew", (*RANKINGS.values(), tabulate_hotspots)
        ),
        "tokens": SectionTables("turns, tokens and dollars", (tabulate_tokens,)),
    }
)
"""The tables of an analysis by section, in the order in which a terminal prints them.

A new table is one function from an `Analysis` to a `Table` and one entry here. A table without rows
is not printed. The page's sections pick from the same functions.
"""
TABLES: tuple[TableMaker, ...] = tuple(make for each in SECTIONS.values() for make in each.makers)
CONFIDENCE = SectionTables("confidence by round", (tabulate_confidence_alone,))
CAVEATS = "caveats"
WIDEST_SENTENCE = 100
NO_CONFIDENCE_TOLD = (
    "No confidence is recorded, so no number of it is shown: in a run `probes: [verbal]` asks for "
    "it, in a table from elsewhere a column `confidence` holds it."
)
MOST_PLACES = 3
"""Rules, pairs or agents without a value that a sentence names."""


def list_sections(analysis: Analysis) -> Mapping[str, SectionTables]:
    """The sections that an analysis may have; one alone where nothing says what is right."""
    return {"confidence": CONFIDENCE} if analysis.is_reference_free else SECTIONS


def make_tables(analysis: Analysis, sections: Sequence[str] = ()) -> list[Table]:
    """The tables with rows of these sections, of all by default.

    Raises InputError for a section that is not there.
    """
    known = list_sections(analysis)
    for name in sections:
        if name not in known and name != CAVEATS:
            meant = suggest(name, [*known, CAVEATS]).partition("?")
            told = f"{meant[0]}? " if meant[1] else ""
            names = ", ".join([*known, CAVEATS])
            raise InputError(f'no section is called "{name}"; {told}there are {names}')
    chosen = [name for name in sections if name in known] if sections else list(known)
    made = [make(analysis) for name in chosen for make in known[name].makers]
    return [table for table in made if table.rows]


def present(analysis: Analysis, console: Console, *, sections: Sequence[str] = ()) -> None:
    """Print which confidence is analysed, the tables of these sections, then the caveats.

    By default all sections. Raises InputError for a section that is not there.
    """
    tables = make_tables(analysis, sections)
    _print_confidence(analysis, console)
    _print_tables(tables, console)
    if not sections or CAVEATS in sections:
        print_sentences((*analysis.caveats, *list_lacking(analysis)), console)


def present_brief(analysis: Analysis, console: Console) -> None:
    """Print the main questions with their answers, and the table of all arms."""
    print_answers(answer_main_questions(analysis), console)
    console.print()
    _print_confidence(analysis, console)
    _print_tables(make_tables(analysis, [next(iter(_list_brief(analysis)))]), console)


def present_overview(analysis: Analysis, console: Console, *, command: str) -> None:
    """Print what is brief, the hypotheses, the caveats, and where the rest is.

    command: prints more with `--section NAME` after it.
    """
    print_answers(answer_main_questions(analysis), console)
    console.print()
    _print_confidence(analysis, console)
    _print_tables(make_tables(analysis, _list_brief(analysis)), console)
    print_sentences(analysis.caveats, console)
    console.print()
    print_line(console, f"More: {clean(command)} --section NAME, or --all", style="bold")
    for name, section in list_sections(analysis).items():
        num = sum(len(table.rows) for table in make_tables(analysis, [name]))
        if num:
            rows = f"{format_count(num)} {'row' if num == 1 else 'rows'}"
            print_line(console, f"  {name:<12} {section.about} ({rows})")
    lacking = len(analysis.caveats) + len(list_lacking(analysis))
    print_line(console, f"  {CAVEATS:<12} what tempers the numbers, and what some lack ({lacking})")


def _list_brief(analysis: Analysis) -> list[str]:
    if analysis.is_reference_free:
        return ["confidence"]
    return ["headline", *(["hypotheses"] if analysis.findings else [])]


def _print_confidence(analysis: Analysis, console: Console) -> None:
    if analysis.confidence is not None:
        named = f"{analysis.confidence}{write_copied_note(analysis)}"
        print_line(console, f"Confidence: {clean(named)}\n")
    else:
        for line in wrap(NO_CONFIDENCE_TOLD, _get_sentence_width(console)):
            print_line(console, line)
        console.print()


def _print_tables(tables: Sequence[Table], console: Console) -> None:
    for table in tables:
        print_table(table, console)
        console.print()


def print_answers(answers: Sequence[MainAnswer], console: Console) -> None:
    """Print each question with its answer below it."""
    for each in answers:
        print_line(console, each.question, style="bold")
        for line in wrap(each.sentence, _get_sentence_width(console), first="  ", indent="  "):
            print_line(console, line)


def print_sentences(sentences: Sequence[str], console: Console) -> None:
    """Print sentences as a list."""
    for sentence in sentences:
        for line in wrap(clean(sentence), _get_sentence_width(console), first="• ", indent="  "):
            print_line(console, line)


def _get_sentence_width(console: Console) -> int:
    return min(console.width, WIDEST_SENTENCE)


def list_lacking(analysis: Analysis) -> list[str]:
    """List what estimates of conditions with several rounds lack, one sentence each.

    Where a measure has a value in some other round, or of somebody else, the sentence names the
    places without one. The control condition is not among it: its lack is a caveat.
    """
    moving = {e.cell for e in analysis.select("accuracy", "confidence") if e.round}
    places: dict[tuple[str, str], list[Estimate]] = {}
    for e in analysis.estimates:
        if e.cell in moving:
            places.setdefault((e.cell or "", e.name), []).append(e)
    arms: dict[tuple[str, str], list[str]] = {}
    for (cell, name), found in places.items():
        lacking = [e for e in found if is_lacking(e) and e.missing != NO_CONTROL]
        for missing in dict.fromkeys(e.missing or "" for e in lacking):
            alike = [e for e in lacking if e.missing == missing]
            words = f"{get_words(name)}{_name_places(alike, found)}"
            arms.setdefault((cell, missing), []).append(words)
    told: dict[tuple[str, str], list[str]] = {}
    for (cell, missing), names in arms.items():
        told.setdefault((join_names(names), missing), []).append(analysis.labels.arm(cell))
    return [
        f"In {join_names(sorted(cells))}, {names} would need {missing}."
        for (names, missing), cells in told.items()
    ]


def _name_places(lacking: Sequence[Estimate], found: Sequence[Estimate]) -> str:
    """Where a measure lacks a value: empty where it has none anywhere.

    lacking: the places that lack it; found: all places of the measure in one condition.
    """
    if len(lacking) == len(found):
        return ""
    subjects = list(dict.fromkeys(e.subject for e in lacking))
    rounds = [{e.round for e in lacking if e.subject == subject} for subject in subjects]
    if all(each == rounds[0] for each in rounds) and len(subjects) <= MOST_PLACES:
        whom = join_names([shorten(subject, 40) for subject in subjects if subject is not None])
        named = sorted(round for round in rounds[0] if round is not None)
        at = f"round{'s' * (len(named) > 1)} {join_names([str(each) for each in named])}"
        return f" ({', '.join(filter(None, (whom, at if named else '')))})"
    return f" (in {len(lacking)} of {len(found)} rounds and subjects)"
