"""The end of a run: its page, and on the terminal main questions, accuracy and confidence."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.text import Text

from debate.analysis import Analysis, Estimate
from debate.analysis.layout import print_table, print_wrapped
from debate.analysis.main_questions import answer_main_questions
from debate.analysis.present import NO_CONFIDENCE_TOLD, print_answers, print_sentences
from debate.analysis.replies import describe_replies, warn_replies
from debate.analysis.source import read_source
from debate.analysis.tables import Table, build_table
from debate.analysis.tables.results import tabulate_confidence_alone, tabulate_findings
from debate.analysis.whole_questions import NOTHING_WHOLE, has_whole_questions
from debate.log import Run
from debate.log.trajectories import (
    find_cut_replies,
    find_notes,
    find_served,
    format_cut_replies,
)
from debate.report.data import read_report_data
from debate.report.page import PAGE, write_page
from debate.runner.execute import RunResult
from debate.runner.prompt_examples import render_examples
from debate.runner.spending import compute_cost
from debate.text import clean, format_count, format_decimal, format_dollars

MOST_ROUNDS = 24
"""Lines of the closing table up to which every round has one."""
COLUMNS = {"confidence": "confidence", "over_confidence": "over-confidence"}
_ACCURACY = {"accuracy": "accuracy"}
_ACCURACIES = {"accuracy": "accuracy, all", "accuracy_answered": "accuracy, answered"}
"""Shown where some turn stated no answer."""


def report_run(result: RunResult, console: Console, *, with_page: bool = True) -> None:
    """Analyse the run, write its report page where one is wanted, and print what it ends with.

    Printed are what was repaired or made again, the main questions with their answers, the closing
    tables, what became of the replies, and where to look next.
    """
    _print_made_again(result, console)
    run = Run(result.directory)
    if result.is_stopped and not has_whole_questions(run):
        print_wrapped(NOTHING_WHOLE, console)
        _print_spending(result, console)
        return
    report = None
    if with_page:
        report = read_report_data(result.directory, prompts=render_examples(result.directory))
    analysis = report.analysis if report else read_source(result.directory).analyze()
    _print_results(analysis, console)
    _print_run(run, analysis, console)

    def warn(told: str) -> None:
        print_wrapped(f"WARNING: {told}", console, style="bold red")

    page = write_page(report, result.directory / PAGE, tell=warn) if report else None
    _print_next(result.directory, page, console)
    _print_spending(result, console)


def print_summary(analysis: Analysis, console: Console, *, source: Path) -> None:
    """Print what a run ends with, of an earlier run or a table; the page is not written anew."""
    _print_results(analysis, console)
    if not source.is_dir():
        print_sentences(analysis.caveats, console)
    else:
        _print_run(Run(source), analysis, console)
    page = source / PAGE
    _print_next(source, page if page.is_file() else None, console, analysis.is_reference_free)


def _print_results(analysis: Analysis, console: Console) -> None:
    """The main questions with their answers, and the closing tables."""
    print_answers(answer_main_questions(analysis), console)
    console.print()
    if analysis.is_reference_free:
        print_table(tabulate_confidence_alone(analysis), console)
        return
    print_table(_make_round_table(analysis), console)
    if analysis.findings:
        console.print()
        print_table(tabulate_findings(analysis), console)


def _print_run(run: Run, analysis: Analysis, console: Console) -> None:
    """What became of the calls: replies, cut ones, notes of engines, changes at endpoints."""
    _print_replies(analysis, console)
    _print_cut(run, console)
    _print_notes(run, console)
    print_served(run, console)


def _print_spending(result: RunResult, console: Console) -> None:
    if result.spending is not None:
        style = "bold yellow" if result.is_stopped else ""
        print_wrapped(result.spending.in_words(), console, style=style)
    if (cost := compute_cost(Run(result.directory))) is not None:
        told = f"cost of all sessions and pilots, in US dollars: {format_dollars(cost)}"
        print_wrapped(told, console)


def _print_made_again(result: RunResult, console: Console) -> None:
    for problem in result.problems:
        told = clean(f"damaged, made again: {problem}")
        console.print(told, markup=False, highlight=False)
    if result.stale:
        console.print(
            f"{len(result.stale)} recorded turns had another prompt and were made again: "
            f"{', '.join(result.stale[:5])}{', …' if len(result.stale) > 5 else ''}",
            markup=False,
            highlight=False,
        )


def _print_replies(analysis: Analysis, console: Console) -> None:
    """What became of each agent's replies and probes, with samples of those that were not read."""
    for line in describe_replies(analysis.replies):
        print_wrapped(line, console)
    copied = next((c for c in analysis.caveats if "measures copying" in c), None)
    low = [each for each in analysis.replies if each.is_low]
    for told in filter(None, (*warn_replies(low), copied)):
        print_wrapped(f"WARNING: {told}", console, style="bold red")


def _print_cut(run: Run, console: Console) -> None:
    """Warn of agents many of whose replies were cut off at their token limit."""
    told = format_cut_replies(find_cut_replies(run.scan_turns(), run.manifest.spec))
    if told is not None:
        print_wrapped(f"WARNING: {told}", console, style="bold red")


def _print_notes(run: Run, console: Console) -> None:
    """Tell what engines did otherwise than asked, each once for each model."""
    for note in find_notes(run.scan_turns()):
        noun = "turn" if note.num_turns == 1 else "turns"
        told = f"note: model {note.model}, {format_count(note.num_turns)} {noun}: {note.note}"
        print_wrapped(told, console)


def print_served(run: Run, console: Console) -> None:
    """Warn where an endpoint's model or its system changed while the run was made."""
    by_model: dict[str, list[str]] = {}
    for each in find_served(run.scan_turns()):
        told = f"{each.served_by} ({format_count(each.num_turns)} calls)"
        by_model.setdefault(each.model, []).append(told)
    for model, versions in by_model.items():
        if len(versions) > 1:
            line = f"note: model {model} changed at its endpoint: {', then '.join(versions)}"
            print_wrapped(line, console)


def _print_next(
    source: Path, page: Path | None, console: Console, is_reference_free: bool = False
) -> None:
    """Where to look: commands, and the page where there is one or can be one."""
    where = shlex.quote(str(source))
    told = [("all estimates", f"debate analyze {where}")]
    if source.is_dir():
        told = [("run directory", str(source)), *told]
        told.append(("one debate", f"debate show {where} QUESTION"))
    if not is_reference_free:
        told.append(("report", f"debate report {where}" if page is None else str(page)))
    for label, what in told:
        console.print(Text(clean(f"{label}: {what}")), soft_wrap=True)


def _make_round_table(analysis: Analysis) -> Table:
    """A line for each arm and round; of many, for each arm's openings and last round."""
    title = "95 % intervals by question"
    if analysis.confidence is not None:
        title += f"; confidence: {clean(analysis.confidence)}"
    rates = analysis.select("abstention_rate", "cut_rate", "failure_rate")
    shown = _ACCURACIES if any(e.value for e in rates) else _ACCURACY
    columns = {**shown, **COLUMNS}
    places = _list_rounds(analysis)
    is_long = sum(map(len, places.values())) > MOST_ROUNDS
    rows = [
        [
            analysis.labels.arm(cell),
            str(number),
            *(_format_estimate(analysis.find(name, cell=cell, round=number)) for name in columns),
        ]
        for cell, rounds in places.items()
        for number in (dict.fromkeys((rounds[0], rounds[-1])) if is_long else rounds)
    ]
    note = "Rounds between: `debate analyze --section accuracy`." if is_long else ""
    if analysis.confidence is None:
        note = f"{note} {NO_CONFIDENCE_TOLD}".strip()
    return build_table(title, ["arm", "round", *columns.values()], rows, names=2, note=note)


def _list_rounds(analysis: Analysis) -> dict[str, list[int]]:
    """The rounds of each condition that has an accuracy, in order."""
    found: dict[str, list[int]] = {}
    for cell in analysis.cells:
        rounds = sorted({e.round or 0 for e in analysis.select("accuracy", cell=cell)})
        found |= {cell: rounds} if rounds else {}
    return found


def _format_estimate(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    value = format_decimal(estimate.value, signed=estimate.name == "over_confidence")
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{format_decimal(estimate.low, 2)}, {format_decimal(estimate.high, 2)}]"
