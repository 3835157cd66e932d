"""One simulated debate and its report, shared by the tests of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from debate.report import write_report
from debate.report.data import ReportData, read_report_data
from debate.runner.prompt_examples import render_examples
from tests.report.tables import write_table
from tests.support import run, simulated


@pytest.fixture(scope="session")
def debated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small run of simulated agents that like their own answers."""
    folder = tmp_path_factory.mktemp("debated")
    seats = [simulated(name, competence=0.4, self_trust=2.0) for name in "abc"]
    return run(folder, seats, num_questions=12).directory


@pytest.fixture(scope="session")
def page(debated: Path) -> Path:
    """Its report, written where it belongs."""
    return write_report(debated, prompts=render_examples(debated))


@pytest.fixture(scope="session")
def report(debated: Path) -> ReportData:
    """What its report is made from."""
    return read_report_data(debated)


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a foreign table, with its pictures in a folder beside it."""
    folder = tmp_path_factory.mktemp("foreign")
    return write_report(write_table(folder), figures=folder / "deep" / "figures")
