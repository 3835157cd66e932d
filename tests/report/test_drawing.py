"""Pictures are drawn by a process of their own, whose end costs nothing but the pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import altair
import pytest
from altair.utils.schemapi import validate_jsonschema
from jsonschema import ValidationError

from debate.errors import DrawingError, RunConflict
from debate.report import write_report
from debate.report.data import ReportData
from debate.report.figure import PHONE_PLOT, narrow_chart
from debate.report.markup import part_interval
from debate.report.sections import build_sections
from debate.topologies import build_schedule, draw_picture, load_topology, make_default_seats
from debate.vega import _KEEPING, draw_charts, keep_drawing
from tests.report.tables import write_table

CHART = {"data": {"values": [{"a": 1}]}, "mark": "point", "encoding": {"x": {"field": "a"}}}


def test_each_chart_becomes_a_picture_in_order() -> None:
    other = {**CHART, "mark": {"type": "text", "text": "second"}}
    first, second = draw_charts([CHART, other], "svg")
    assert first.startswith(b"<svg")
    assert b"second" not in first
    assert b"second" in second
    assert draw_charts([], "svg") == []


def test_one_process_draws_while_it_is_kept_and_a_dead_one_is_replaced() -> None:
    with keep_drawing():
        first, drawer = draw_charts([CHART], "svg"), _KEEPING.drawer
        assert draw_charts([CHART], "pdf")[0].startswith(b"%PDF")
        assert _KEEPING.drawer is drawer
        assert drawer is not None
        drawer._process.kill()
        drawer._process.wait()
        assert draw_charts([CHART], "svg") == first
        assert _KEEPING.drawer is not drawer


def test_every_picture_of_a_page_is_valid_vega_lite(report: ReportData) -> None:
    """Pages are written without this check, which takes as long as a third of all else."""
    figures = [figure for section in build_sections(report) for figure in section.figures]
    specs = [figure.spec for figure in figures if figure.spec is not None]
    assert len(specs) > 5
    schema = altair.load_schema()
    for spec in specs:
        validate_jsonschema(spec, schema)
    with pytest.raises(ValidationError, match="quux"):
        validate_jsonschema({**CHART, "mark": "quux"}, schema)


def test_a_drawing_process_without_memory_is_told_in_words() -> None:
    code = f"from debate.vega import draw_charts; draw_charts([{CHART!r}], 'svg')"
    limited = f'ulimit -c 0; ulimit -v 1000000; exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["bash", "-c", limited, code], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert "DrawingError: pictures cannot be drawn: the process for it" in done.stderr
    assert "memory is limited to 1.0 GB here (ulimit -v)" in done.stderr


def test_a_page_without_pictures_is_written_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, told = write_table(tmp_path), list[str]()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-such-program"))
    page = write_report(table, tell=told.append)
    assert len(told) == 1
    assert f"{page} has no pictures: pictures cannot be drawn: no process for it starts" in told[0]
    assert "pictures cannot be drawn: no process" in page.read_text()
    assert (page.with_suffix("") / "flow.parquet").exists()
    with pytest.raises(DrawingError, match="no process for it starts"):
        write_report(table, figures=tmp_path / "figures", tell=told.append)
    spec = load_topology("ring")
    ring = build_schedule(spec, make_default_seats(3, spec)).at(1)
    with pytest.raises(DrawingError, match="no process for it starts"):
        draw_picture(ring, tmp_path / "ring.png")


def test_nothing_of_a_page_is_written_through_a_link(tmp_path: Path) -> None:
    table, victim = write_table(tmp_path), tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("precious")
    page = write_report(table, tell=str)
    beside = page.with_suffix("")
    (beside / "flow.parquet").unlink()
    (beside / "flow.parquet").symlink_to(victim / "precious")
    page.unlink()
    page.symlink_to(victim / "precious")
    write_report(table, tell=str)
    assert (victim / "precious").read_text() == "precious"
    assert not page.is_symlink()
    assert not (beside / "flow.parquet").is_symlink()
    beside.rename(tmp_path / "moved")
    beside.symlink_to(victim)
    with pytest.raises(RunConflict, match="is a link, and nothing is written through it"):
        write_report(table, tell=str)
    assert [path.name for path in victim.iterdir()] == ["precious"]


def test_python_without_docstrings_is_refused_before_anything_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "debate", "run", "quickstart"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: python -OO (PYTHONOPTIMIZE=2) drops the docstrings")


def test_panels_stand_below_one_another_on_phones_and_shrink_only_where_numbers_run_across(
    report: ReportData,
) -> None:
    figures = {f.name: f for section in build_sections(report) for f in section.figures if f.spec}
    flow = narrow_chart(figures["flow"].spec or {})
    assert flow["columns"] == 1
    assert all(panel["width"] <= PHONE_PLOT for panel in flow["concat"])
    rows = narrow_chart(figures["reliability"].spec or {})["concat"]
    assert {row["columns"] for row in rows} == {2}
    graphs = figures["influence"].spec or {}
    widths = [panel["width"] for row in graphs["concat"] for panel in row["hconcat"]]
    stacked = narrow_chart(graphs)["concat"]
    assert [panel["width"] for row in stacked for panel in row["concat"]] == widths


def test_printed_tables_are_kept_whole_one_by_one_and_spots_show_what_was_heard(page: Path) -> None:
    style = page.read_text().partition("@media print")[2].partition("</style>")[0]
    assert ".turn:not(.spot-turn,.heard)" in style
    chained = [rule for rule in style.split("}") if rule.endswith("{break-after:avoid")]
    told = [each.strip() for rule in chained for each in rule.partition("{")[0].split(",")]
    assert all(":not(:last" in each for each in told if each.startswith("tbody"))
    assert "0.5 to<wbr>" in part_interval("0.5 to 0.7").replace("\N{NO-BREAK SPACE}", " ")
