"""Write the report: one page, the data of its pictures beside it, and pictures as files.

Everything is filled into one template, in which whatever models said is escaped.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from debate.analysis.caveats import warn_people
from debate.analysis.tables import Entry
from debate.errors import DrawingError, InputError
from debate.log.disk import make_folder, replace_file, resolve_alias, wrap_disk_errors
from debate.report.data import PromptExample, ReportData, read_report_data
from debate.report.debates import INDEX, TURNED_RIGHT, TURNED_WRONG, ListedArm, write_debates
from debate.report.figure import Figure, convert_svg, draw_figures, draw_screens
from debate.report.glossary import explain_column, read_glossary
from debate.report.markup import embed_csv, make_environment
from debate.report.page_parts import Section
from debate.report.provenance import dump_spec, list_facts
from debate.report.sections import build_sections
from debate.text import clean, count_noun
from debate.vega import keep_drawing

PAGE = "report.html"


def write_report(
    source: Path,
    *,
    out: Path | None = None,
    figures: Path | None = None,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
    prompts: Sequence[PromptExample] = (),
    tell: Callable[[str], object] = warnings.warn,
    **options: Any,
) -> Path:
    """Write the report of a run directory or of a table of transcripts; return the page's path.

    out: the page, by default `report.html` in the run directory, or `<table>-report.html` beside
    the table. The data of each picture and table go to a folder of the page's name beside it, as
    Parquet, and all debates as pages. figures: a folder for each picture as SVG and PDF. columns:
    what a table calls our columns. kind: of a table's answers (`debate.log.read_table`). cells: the
    arms to report. prompts: those to show, as `debate.runner.prompt_examples` makes them of a run.
    tell: is told where the pictures of the page could not be drawn. options: those of
    `debate.analysis.analyze`.
    Raises InputError where the source or a target is not what it should be, LogError where the
    disk refuses, DrawingError where the pictures for the folder cannot be drawn.
    """
    page = _choose_page(source, out)
    _require_folder(page.parent, "--out")
    if figures is not None:
        _require_folder(figures, "--figures")
    report = read_report_data(
        source, columns=columns, kind=kind, cells=cells, prompts=tuple(prompts), **options
    )
    with keep_drawing():
        return write_page(report, page, figures=figures, tell=tell)


def write_page(
    report: ReportData,
    page: Path,
    *,
    figures: Path | None = None,
    tell: Callable[[str], object] = warnings.warn,
) -> Path:
    """Write the page of a report that was read, and its data beside it; return the page's path.

    Where its pictures cannot be drawn, it is written with the reason in their place, which `tell`
    is told. Raises as `write_report` does.
    """
    sections = build_sections(report)
    folder = resolve_alias(page.parent)
    drawing = _draw_pictures(_list_drawn(sections))
    _save_data(sections, folder / page.stem)
    arms = write_debates(report, folder / page.stem, page=page.name)
    links = link_debates(arms, page.stem)
    content = render_page(report, sections, drawing, links, data_folder=page.stem)
    replace_file(folder / page.name, content.encode("utf-8", errors="backslashreplace"))
    if drawing.problem:
        tell(f"{page} has no pictures: {drawing.problem}")
    if figures is not None:
        _save_pictures(drawing, _list_drawn(sections), figures)
    return page


class Drawing(NamedTuple):
    """The pictures of a page as SVG, by name, and those that differ on phones; or why there are
    none.
    """

    pictures: Mapping[str, bytes]
    narrow: Mapping[str, bytes]
    problem: str = ""


def _draw_pictures(figures: Sequence[Figure]) -> Drawing:
    try:
        return Drawing(*draw_screens(figures))
    except DrawingError as error:
        return Drawing({}, {}, str(error))


def _choose_page(source: Path, out: Path | None) -> Path:
    if out is None:
        return source / PAGE if source.is_dir() else source.with_name(f"{source.stem}-{PAGE}")
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise InputError(f'--out {out}: a page is a file that ends in .html, such as "{PAGE}"')
    return out


def _require_folder(folder: Path, option: str) -> None:
    """Raise InputError where a file stands in the way of a folder."""
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise InputError(f"{option}: {place} is a file; give a folder, new or existing")
            return


def _save_data(sections: Sequence[Section], folder: Path) -> None:
    frames = {name: frame for section in sections for name, frame in section.data.items()}
    frames |= {figure.name: figure.data for figure in _list_drawn(sections)}
    _make_folder(folder)
    for name, frame in frames.items():
        packed = io.BytesIO()
        frame.write_parquet(packed)
        replace_file(folder / f"{name}.parquet", packed.getvalue())


def _save_pictures(drawing: Drawing, figures: Sequence[Figure], folder: Path) -> None:
    """Write each figure as SVG and PDF, in the colours of paper."""
    if drawing.problem:
        raise DrawingError(drawing.problem)
    documents = draw_figures(figures, "pdf")
    folder = resolve_alias(folder)
    _make_folder(folder)
    for name, picture in drawing.pictures.items():
        replace_file(folder / f"{name}.svg", picture)
        replace_file(folder / f"{name}.pdf", documents[name])


def _make_folder(folder: Path) -> None:
    with wrap_disk_errors(folder, "write"):
        make_folder(folder)


def _list_drawn(sections: Sequence[Section]) -> list[Figure]:
    """The figures of all sections that are pictures and not only notes."""
    return [f for section in sections for f in section.figures if f.spec is not None]


class DebateLinks(NamedTuple):
    """Where the debates behind numbers are found: by cell, by an arm's label, and by an arm's label
    and a column, of the outcomes that occur in the arm.
    """

    debate_links: Mapping[str, str]
    arm_links: Mapping[str, str]
    outcome_links: Mapping[tuple[str, str], str]


OUTCOMES_BY_COLUMN = {"right → wrong": TURNED_WRONG, "wrong → right": TURNED_RIGHT}
"""Columns whose numbers are of debates with one outcome."""


def link_debates(arms: Sequence[ListedArm], folder: str) -> DebateLinks:
    """Return the links from the page to the index of debates in `folder` beside it."""
    index = f"{quote(folder)}/{INDEX}"
    by_outcome = {
        (arm.label, column): f"{index}#{arm.outcome_anchors[outcome]}"
        for arm in arms
        for column, outcome in OUTCOMES_BY_COLUMN.items()
        if outcome in arm.by_outcome
    }
    return DebateLinks(
        {arm.cell: f"{index}#{arm.anchor}" for arm in arms},
        {arm.label: f"{index}#{arm.anchor}" for arm in arms},
        by_outcome,
    )


def render_page(
    report: ReportData,
    sections: Sequence[Section],
    drawing: Drawing,
    links: DebateLinks,
    *,
    data_folder: str,
) -> str:
    """Return the whole page as HTML. data_folder: where the pictures' data lie beside it."""
    labels = {figure.name: _describe_figure(figure) for figure in _list_drawn(sections)}
    pictures, narrow = (
        {
            name: convert_svg(svg, name=f"{name}{mark}", label=labels[name])
            for name, svg in drawn.items()
        }
        for drawn, mark in ((drawing.pictures, ""), (drawing.narrow, "-narrow"))
    )
    anchors = {place: id_ for section in sections for place, id_ in section.anchors.items()}
    return (
        make_environment()
        .get_template("page.html")
        .render(
            name=report.name,
            summary=_summarize(report),
            description=_get_description(report),
            simulated=_warn_of_simulation(report),
            people=warn_people(report.analysis.labels.people),
            sections=sections,
            section_names=[section.name for section in sections],
            pictures=pictures,
            narrow=narrow,
            problem=drawing.problem,
            anchors=anchors,
            facts=list_facts(report),
            spec=dump_spec(report),
            data_folder=data_folder,
            group_rows=_group_rows,
            explain=explain_column,
            headings=_list_headings(sections),
            glossary=read_glossary(),
            embedded={figure.name: embed_csv(figure.data) for figure in _list_drawn(sections)},
            **links._asdict(),
        )
    )


def _list_headings(sections: Sequence[Section]) -> dict[str, str]:
    """The headings of all tables that the page can explain, and the anchor of each explanation.

    Of a table whose first column has no heading, its names of lines are among them.
    """
    tables = [table for section in sections for table in section.tables]
    found = [column for table in tables for column in table.columns]
    found += [row[0].text for table in tables if not table.columns[0] for row in table.rows]
    told = [name for name in dict.fromkeys(found) if name and explain_column(name)]
    return {name: f"column-{number}" for number, name in enumerate(told, start=1)}


def _group_rows(rows: Sequence[Sequence[Entry]]) -> list[list[Sequence[Entry]]]:
    """Rows that follow one another with the same first field, together."""
    return [list(same) for _, same in groupby(rows, key=itemgetter(0))]


def _describe_figure(figure: Figure) -> str:
    """The title and the caption of a picture, for screen readers."""
    return clean(f"{figure.title}. {figure.caption}")


def _get_description(report: ReportData) -> str:
    return str(report.manifest.spec.get("description") or "") if report.manifest else ""


def _summarize(report: ReportData) -> str:
    """One line: how many of what, and which confidence the numbers are of."""
    states = report.states
    counts = (
        (states["question"].n_unique(), "question"),
        (len(report.cells), "arm"),
        (states["agent"].n_unique(), "agent"),
        (states["model"].n_unique(), "model"),
        (max(report.rounds), "round"),
        (states["seed"].n_unique(), "seed"),
    )
    parts = [count_noun(num, noun) for num, noun in counts]
    if report.analysis.confidence:
        parts.append(f"confidence: {clean(report.analysis.confidence)}")
    return " · ".join(parts)


def _warn_of_simulation(report: ReportData) -> str:
    """A warning where simulated agents took part; otherwise empty."""
    simulated = report.analysis.labels.agents
    if not simulated:
        return ""
    agents = {*report.states.select("cell", "agent").unique().iter_rows()}
    some = "All" if agents <= simulated.keys() else "Some"
    return f"{some} agents are simulated: their numbers describe the simulation, not a model."
