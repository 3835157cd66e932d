"""Write the report: one page, the data of its pictures beside it, and pictures as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from debate.errors import InputError
from debate.log.disk import on_disk, replace_file
from debate.report.figure import Figure
from debate.report.material import Material, read_material
from debate.report.page import render
from debate.report.section import Section
from debate.report.sections import sections
from debate.report.svg import save

PAGE = "report.html"


def write_report(
    source: Path,
    *,
    out: Path | None = None,
    figures: Path | None = None,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
    cells: Sequence[str] = (),
    **options: Any,
) -> Path:
    """Write the report of a run directory or of a table of transcripts; the page's path.

    out: the page, by default `report.html` in the run directory, or `<table>-report.html` beside
    the table. The data of each picture and table go to a folder of the page's name beside it, as
    Parquet. figures: a folder for each picture as SVG and PDF. columns: what a table calls our
    columns. kind: of a table's answers (`debate.log.read_table`). cells: the arms to report.
    options: those of `debate.analysis.analyze`.
    Raises InputError where the source or a target is not what it should be, LogError where the
    disk refuses.
    """
    page = _page_path(source, out)
    _require_folder(page.parent, "--out")
    if figures is not None:
        _require_folder(figures, "--figures")
    material = read_material(source, columns=columns, kind=kind, cells=cells, **options)
    return write_page(material, page, figures=figures)


def write_page(material: Material, page: Path, *, figures: Path | None = None) -> Path:
    """Write the page of material that has been read, and its data beside it; the page's path."""
    made = sections(material)
    data = page.with_suffix("")
    content = render(material, made, data_folder=data.name)
    _save_data(made, data)
    if figures is not None:
        _save_pictures(made, figures)
    replace_file(page, content.encode("utf-8"))
    return page


def _page_path(source: Path, out: Path | None) -> Path:
    if out is None:
        return source / PAGE if source.is_dir() else source.with_name(f"{source.stem}-{PAGE}")
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        raise InputError(f'--out {out}: a page is a file that ends in .html, such as "{PAGE}"')
    return out


def _require_folder(folder: Path, option: str) -> None:
    """Refuse a folder that cannot be one because a file stands in its way."""
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise InputError(f"{option}: {place} is a file; give a folder, new or existing")
            return


def _save_data(made: Sequence[Section], folder: Path) -> None:
    frames = {name: frame for section in made for name, frame in section.data.items()}
    frames |= {figure.name: figure.data for figure in _drawn(made)}
    with on_disk(folder, "write"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            frame.write_parquet(folder / f"{name}.parquet")


def _save_pictures(made: Sequence[Section], folder: Path) -> None:
    with on_disk(folder, "write"):
        folder.mkdir(parents=True, exist_ok=True)
    for figure in _drawn(made):
        save(figure.spec or {}, folder, figure.name)


def _drawn(made: Sequence[Section]) -> list[Figure]:
    """The figures of all sections that are pictures and not only notes."""
    return [f for section in made for f in section.figures if f.spec is not None]
