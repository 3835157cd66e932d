"""What is written where, for runs and for tables, and what is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from debate.cli import app
from debate.errors import InputError
from debate.report import write_report
from tests.report.reading import Elements
from tests.report.tables import write_table
from tests.support import run, simulated


def test_a_run_s_report_lies_in_its_directory(debated: Path, page: Path) -> None:
    assert page == debated / "report.html"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_every_picture_on_the_page_has_its_data_beside_it(page: Path) -> None:
    links = [v for v in Elements(page.read_text()).values("href") if v.endswith(".parquet")]
    assert {"report/flow.parquet", "report/votes.parquet", "report/trajectories.parquet"} <= {
        *links
    }
    for link in links:
        assert pl.read_parquet(page.parent / link).height > 0


def test_the_same_source_gives_the_same_page(foreign: Path) -> None:
    before = foreign.read_bytes()
    assert write_report(foreign.parent / "foreign.parquet").read_bytes() == before


def test_pictures_are_saved_as_files_where_asked(foreign: Path) -> None:
    saved = foreign.parent / "deep" / "figures"
    assert (saved / "flow.svg").read_text().startswith("<svg")
    assert (saved / "flow.pdf").read_bytes().startswith(b"%PDF")
    assert not (saved / "influence.svg").exists()


def test_a_foreign_table_is_reported_beside_itself(foreign: Path) -> None:
    assert foreign.name == "foreign-report.html"
    shown = Elements(foreign.read_text())
    assert "SHA-256" in shown.text
    assert "so I say" in shown.text
    assert (foreign.parent / "foreign-report" / "hotspots.parquet").exists()


def test_a_table_without_confidence_gives_notes_for_what_is_lacking(tmp_path: Path) -> None:
    shown = Elements(write_report(write_table(tmp_path, confidence=False)).read_text())
    assert "No answer carries a confidence" in shown.text
    assert "No agent's confidence in an error rose, or none was recorded." in shown.text


def test_a_run_of_which_every_turn_failed_still_has_a_page(tmp_path: Path) -> None:
    broken = run(tmp_path, [simulated(name, failure=1.0) for name in "ab"])
    assert "Before and after" in write_report(broken.directory).read_text()


def test_several_seeds_and_abstentions_are_reported(tmp_path: Path) -> None:
    seats = [simulated(name, competence=0.3, parse_failure=0.3, failure=0.1) for name in "abc"]
    source = run(
        tmp_path, seats, topology="ring", num_questions=3, seeds=[0, 1], rounds=1
    ).directory
    shown = Elements(write_report(source).read_text())
    assert "2 seeds" in shown.text
    assert "abstained" in shown.text


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        write_report(tmp_path / "nothing")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no run"):
        write_report(tmp_path)


def test_a_page_must_be_an_html_file(debated: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.html"):
        write_report(debated, out=tmp_path / "page")


def test_a_file_in_the_way_of_a_folder_is_named(debated: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match=r"--figures: .*taken is a file"):
        write_report(debated, figures=tmp_path / "taken")
    with pytest.raises(InputError, match=r"--out: .*taken is a file"):
        write_report(debated, out=tmp_path / "taken" / "page.html")


def test_the_command_makes_a_page_of_one_round_and_prints_where_it_is(tmp_path: Path) -> None:
    source, target = write_table(tmp_path, rounds=1), tmp_path / "x" / "page.html"
    done = CliRunner().invoke(app, ["report", str(source), "--out", str(target)])
    assert done.exit_code == 0, done.output
    assert done.output.replace("\n", "") == str(target)
    assert "There is one round only" in target.read_text()
