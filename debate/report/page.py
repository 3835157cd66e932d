"""Write the report: one page, the data of its pictures beside it, and pictures as files.

Everything is filled into one template, in which whatever models said is escaped.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from debate.analysis.tables import Entry
from debate.analysis.text import clean, format_count
from debate.errors import DrawingError, InputError
from debate.log.disk import make_folder, replace_file, resolve_alias, wrap_disk_errors
from debate.log.manifest import Manifest, RunStart, get_package_versions
from debate.report.data import ReportData, read_report_data
from debate.report.figure import Figure, convert_svg, draw_figures
from debate.report.sections import Section, build_sections
from debate.report.theme import declare_variables

PAGE = "report.html"


def write_report(
    source: Path,
    *,
    out: Path | None = None,
    figures: Path | None = None,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
    tell: Callable[[str], object] = warnings.warn,
    **options: Any,
) -> Path:
    """Write the report of a run directory or of a table of transcripts; return the page's path.

    out: the page, by default `report.html` in the run directory, or `<table>-report.html` beside
    the table. The data of each picture and table go to a folder of the page's name beside it, as
    Parquet. figures: a folder for each picture as SVG and PDF. columns: what a table calls our
    columns. kind: of a table's answers (`debate.log.read_table`). cells: the arms to report.
    tell: is told where the pictures of the page could not be drawn. options: those of
    `debate.analysis.analyze`.
    Raises InputError where the source or a target is not what it should be, LogError where the
    disk refuses, DrawingError where the pictures for the folder cannot be drawn.
    """
    page = _choose_page(source, out)
    _require_folder(page.parent, "--out")
    if figures is not None:
        _require_folder(figures, "--figures")
    report = read_report_data(source, columns=columns, kind=kind, cells=cells, **options)
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
    content = render_page(report, sections, drawing, data_folder=page.stem)
    _save_data(sections, folder / page.stem)
    replace_file(folder / page.name, content.encode("utf-8", errors="backslashreplace"))
    if drawing.problem:
        tell(f"{page} has no pictures: {drawing.problem}")
    if figures is not None:
        _save_pictures(drawing, _list_drawn(sections), figures)
    return page


class Drawing(NamedTuple):
    """The pictures of a page as SVG, by name; or why there are none."""

    pictures: Mapping[str, bytes]
    problem: str = ""


def _draw_pictures(figures: Sequence[Figure]) -> Drawing:
    try:
        return Drawing(draw_figures(figures, "svg"))
    except DrawingError as error:
        return Drawing({}, str(error))


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


def render_page(
    report: ReportData, sections: Sequence[Section], drawing: Drawing, *, data_folder: str
) -> str:
    """Return the whole page as HTML. data_folder: where the pictures' data lie beside it."""
    pictures = {
        figure.name: convert_svg(
            drawing.pictures[figure.name], name=figure.name, label=_describe_figure(figure)
        )
        for figure in _list_drawn(sections)
        if figure.name in drawing.pictures
    }
    anchors = {place: id_ for section in sections for place, id_ in section.anchors.items()}
    return (
        make_environment()
        .get_template("page.html")
        .render(
            name=report.name,
            summary=_summarize(report),
            description=_get_description(report),
            simulated=_warn_of_simulation(report),
            sections=sections,
            pictures=pictures,
            problem=drawing.problem,
            anchors=anchors,
            facts=_list_facts(report),
            spec=_dump_spec(report),
            data_folder=data_folder,
            group_rows=_group_rows,
            day=Markup(declare_variables(dark=False)),
            night=Markup(declare_variables(dark=True)),
        )
    )


def make_environment() -> Environment:
    """Make templates that escape everything, refuse absent names and show no control characters."""
    return Environment(
        loader=PackageLoader("debate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _clean_value(value: Any) -> Any:
    return value if isinstance(value, Markup) else clean(str(value), keep="\n\t")


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
    parts = [f"{format_count(num)} {noun}{'s' * (num != 1)}" for num, noun in counts]
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


class Fact(NamedTuple):
    """One line of the provenance at the foot of the page."""

    name: str
    value: str


def _list_facts(report: ReportData) -> tuple[Fact, ...]:
    """The source, what made it, and when; the same source gives the same facts."""
    writer = Fact("page written by", f"debate-lab {get_package_versions().get('debate-lab', '?')}")
    if report.manifest is None:
        return (Fact("table", report.source.name), *_list_file_facts(report.source), writer)
    directory = Fact("run directory", report.source.resolve().name)
    return (directory, *_list_run_facts(report.manifest), writer)


def _list_file_facts(path: Path) -> tuple[Fact, ...]:
    with wrap_disk_errors(path, "read"):
        content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Fact("size", f"{format_count(len(content))} bytes"), Fact("SHA-256", digest)


def _list_run_facts(manifest: Manifest) -> list[Fact]:
    facts = [
        Fact("begun", manifest.created_at),
        Fact("status", manifest.status),
        Fact("format version", str(manifest.format_version)),
        Fact("seeds", ", ".join(map(str, manifest.seeds)) or "not told"),
        Fact("starts", format_count(len(manifest.starts))),
    ]
    if manifest.totals:
        turns, failed = (format_count(n) for n in (manifest.totals.turns, manifest.totals.failed))
        facts.append(Fact("turns", f"{turns}, {failed} of them failed"))
    return facts + (_list_start_facts(manifest.starts[-1]) if manifest.starts else [])


def _list_start_facts(start: RunStart) -> list[Fact]:
    environment = start.environment
    commit = "no checkout"
    if git := environment.git:
        commit = git.commit + (", with uncommitted changes" if git.dirty else "")
    gpus = ", ".join(environment.hardware.gpus) or "no GPU"
    packages = ", ".join(
        f"{name} {version}" for name, version in sorted(environment.packages.items())
    )
    return [
        Fact("last started", start.at),
        Fact("commit", commit),
        Fact("Python", f"{environment.python} on {environment.platform}"),
        Fact("hardware", f"{environment.hardware.cpus} CPUs; {gpus}"),
        Fact("packages", packages),
    ]


def _dump_spec(report: ReportData) -> str:
    """The run's resolved configuration, as the manifest holds it; empty for a table."""
    if report.manifest is None:
        return ""
    return json.dumps(report.manifest.spec, indent=2, ensure_ascii=False)
