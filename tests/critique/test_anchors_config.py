"""The shipped configuration of anchors, with simulated agents in the seats of the organisms."""

from __future__ import annotations

import polars as pl
import pytest
import yaml

import debate
from debate.analysis import Analysis
from debate.analysis.present import SECTIONS
from debate.config.references import list_shipped
from debate.log import Run, check_log
from debate.report.data import ReportData, read_report_data
from debate.report.overview import describe_run
from debate.report.pictures.reflection import draw_reflection
from debate.report.sections import build_verification

COMPETENCE = {"author": 0.6, "past": 0.3, "peer": 0.5, "other": 0.55, "judge": 0.65}
CALLS = 4
READ = ("repeat", "self_verdict", "checker", "oracle_25_25", "gaps")
OTHER_ORACLES = {
    f"oracle_{accept:02}_{reject:02}"
    for accept in (0, 25, 50, 75)
    for reject in (0, 25, 50, 75)
    if accept != reject
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run with eight questions, one seed and three of the oracles."""
    config = yaml.safe_load(list_shipped("configs")["anchors"].read_text())
    for agent in config["agents"]:
        if agent.pop("card", None):
            competence = COMPETENCE[agent["id"]]
            agent["model"] = {"engine": "simulated", "competence": competence, "concentration": 2}
    config["cells"] = {n: c for n, c in config["cells"].items() if n not in OTHER_ORACLES}
    config["task"] |= {"n": 8}
    config["seeds"] = [0]
    folder = tmp_path_factory.mktemp("anchors")
    return debate.run(config, out=folder / "run", quiet=True)


@pytest.fixture(scope="module")
def report(made: Run) -> ReportData:
    """What a page on some of its arms is made of."""
    return read_report_data(made.directory, cells=READ, resamples=10)


@pytest.fixture(scope="module")
def found(report: ReportData) -> Analysis:
    """Its analysis."""
    return report.analysis


def test_every_arm_costs_as_many_calls_of_the_author(made: Run) -> None:
    assert not check_log(made.directory)
    own = made.turns().filter(
        (pl.col("agent") == "author") & (pl.col("kind") != "critique") & (pl.col("cell") != "gaps")
    )
    counted = own.group_by("cell", "question").len()
    assert set(counted["len"]) == {CALLS}
    assert counted["cell"].n_unique() == len(made.manifest.spec["cells"]) - 1


def test_every_claim_is_about_an_estimate_that_the_run_has(found: Analysis) -> None:
    judged = [each for each in found.findings if {each.cell, each.control} <= {None, *READ}]
    assert len(judged) == 6
    assert not [each.name for each in judged if each.verdict == "not computed"]


def test_an_exact_gate_lets_nothing_wrong_stand_but_what_came_last(found: Analysis) -> None:
    change = found.find("accuracy_change", cell="checker", round=3)
    assert change is not None
    assert change.value is not None
    assert change.value > 0
    steps = [found.find("accuracy_step", cell="checker", round=r) for r in (1, 2, 3)]
    assert sum(e.value or 0 for e in steps if e) == pytest.approx(change.value)


def test_gaps_rates_and_steps_are_tabled_and_drawn(report: ReportData, found: Analysis) -> None:
    for make in SECTIONS["verification"].makers:
        assert make(found).rows, make
    gaps = found.tables["verification"].filter(cell="gaps", generator="author")
    assert dict(gaps.select("verifier", "relation").iter_rows())["past"] == "past"
    assert draw_reflection(report).spec is not None
    assert build_verification(report) is not None


def test_the_page_says_who_knows_the_answers_and_who_is_a_past_version(report: ReportData) -> None:
    told = {agent.name: agent.told for agent in describe_run(report)["agents"]}
    knowing = {name for name, text in told.items() if "knows the right answers" in text}
    assert {"checker", "user", "oracle_25_25"} <= knowing
    assert not knowing & {"author", "past", "calculator", "judge"}
    assert "past version of author" in told["past"]
