"""A run of simulated critics whose discernment and self-trust are set, from YAML to the page."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import debate
from debate.analysis import Analysis, analyze_run
from debate.analysis.judgements import read_judgements
from debate.analysis.judging import JUDGING
from debate.analysis.registry import MEASURES
from debate.analysis.signal_detection import estimate_ownership
from debate.log import Run
from debate.report import write_report
from debate.report.data import read_report_data
from debate.report.pictures.critique import draw_cross_critique as heat_maps
from tests.critique.populations import Critics
from tests.critique.test_judging import judged
from tests.support import run, simulated

SET = Critics(discernment=1.0, leniency=0.0, self_trust=0.8, noise=1.0)
CELLS = {
    "alone": {"protocol": "cross_critique"},
    "named": {"protocol": {"name": "cross_critique", "anonymous": False}},
    "swapped": {
        "protocol": {
            "name": "cross_critique",
            "anonymous": False,
            "judging": {"labels": "swapped"},
        }
    },
    "own_2": {"protocol": {"name": "cross_critique", "judging": {"alternatives": "own", "k": 2}}},
    "padding_2": {
        "protocol": {"name": "cross_critique", "judging": {"alternatives": "padding", "k": 2}}
    },
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run: three critics alike, 120 questions, five cells."""
    model = {"discernment": 1.0, "self_leniency": 0.8, "judgement_noise": 1.0, "competence": 0.5}
    seats = [simulated(name, num_wrong=8, **model) for name in "abc"]
    folder = tmp_path_factory.mktemp("critics")
    made = judged(folder, seats, cells=CELLS, num_questions=120, probes=["belief"], log={})
    return made.directory


@pytest.fixture(scope="module")
def analysis(directory: Path) -> Analysis:
    """Its analysis."""
    return analyze_run(Run(directory), resamples=50)


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "subject", "truth"),
    [
        ("over_trust_gap", None, SET.gap),
        ("over_trust_logit", None, SET.self_trust),
        ("over_trust_logit", "b", SET.self_trust),
        ("own_effect_given_likelihood", None, SET.self_trust),
        ("likelihood_effect", None, 0.0),
        ("accept_wrong", "others", SET.accept(right=False, own=False)),
        ("accept_wrong", "own", SET.accept(right=False, own=True)),
        ("accept_right", "a -> b", SET.accept(right=True, own=False)),
        ("judging_auroc", "others", Critics(leniency=0.0).auroc),
    ],
)
def test_what_was_set_is_estimated(
    analysis: Analysis, name: str, subject: str | None, truth: float
) -> None:
    found = analysis.find(name, cell="alone", subject=subject)
    assert found is not None
    assert found.value is not None
    assert found.se is not None
    assert abs(found.value - truth) < 3.3 * found.se
    assert found.se < 0.2


@pytest.mark.system
def test_what_critics_are_told_changes_nothing_for_critics_that_do_not_read(
    analysis: Analysis,
) -> None:
    effects = analysis.select("label_effect")
    assert {e.subject for e in effects if e.cell == "named"} == {
        "told own over alone",
        "told another's over alone",
        "own label over another's (swapped)",
    }
    assert all(e.value == 0.0 for e in effects)


@pytest.mark.system
def test_alternatives_are_compared_with_the_answer_alone_and_with_noise(analysis: Analysis) -> None:
    changes = analysis.select("judging_auroc_change")
    assert {(e.cell, e.subject) for e in changes} == {
        ("own_2", "over alone"),
        ("own_2", "over padding_2"),
        ("padding_2", "over alone"),
    }
    assert all(not e.excludes(0.0) for e in changes)


@pytest.mark.system
def test_every_estimate_of_judgements_has_a_name_that_a_hypothesis_can_be_about(
    analysis: Analysis,
) -> None:
    made = {e.name for e in analysis.estimates}
    assert set(JUDGING) <= made
    assert set(JUDGING) <= set(MEASURES)


@pytest.mark.system
def test_the_page_has_the_heat_map_and_the_answer(directory: Path) -> None:
    page = write_report(directory)
    text = page.read_text()
    assert "Is it critique that fails, or critique of oneself?" in text
    assert "it fails more on oneself" in text
    data = pl.read_parquet(directory / "report" / "cross-critique.parquet")
    assert data.filter("own").height == 3
    assert set(data["cell"]) == {"alone"}


OWNERS = {
    "own": {
        "protocol": {"name": "cross_critique", "anonymous": False, "judging": {"labels": "own"}}
    },
    "others": {
        "protocol": {"name": "cross_critique", "anonymous": False, "judging": {"labels": "others"}}
    },
    "nobody": {"protocol": "cross_critique"},
}


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two critics that lean towards what is said to be theirs, and to the familiar."""
    model = {
        "discernment": 1.0,
        "ownership_shift": 1.0,
        "familiarity": 0.5,
        "judgement_noise": 0.8,
        "competence": 0.5,
        "num_wrong": 8,
    }
    seats = [simulated("a", **model), simulated("b", **model)]
    folder = tmp_path_factory.mktemp("owners")
    made = judged(folder, seats, cells=OWNERS, num_questions=150, probes=["belief"], log={})
    return made.directory


@pytest.mark.system
def test_a_set_shift_by_name_and_a_set_slope_of_familiarity_are_estimated(owned: Path) -> None:
    found = analyze_run(Run(owned), resamples=20)
    truths = {"said_to_be_logit": 1.0, "familiarity_logit": 0.5, "written_by_logit": 0.0}
    for name, truth in truths.items():
        estimate = found.find(name, cell="own")
        assert estimate is not None
        assert estimate.low is not None
        assert estimate.high is not None
        slack = estimate.high - estimate.low
        assert estimate.low - slack / 3 <= truth <= estimate.high + slack / 3, name
    shift = found.find("said_to_be_midpoint", cell="own")
    assert shift is not None
    assert shift.high is not None
    assert shift.high < -0.5


@pytest.mark.system
def test_the_page_shows_the_four_ways(owned: Path) -> None:
    text = write_report(owned).read_text()
    assert "Whose it is, and whose it is said to be" in text
    assert "a critic lets more pass" in text
    data = pl.read_parquet(owned / "report" / "four-ways.parquet")
    assert data.height == 6 * 3


SHIPPED = Path(__file__).parents[2] / "configs" / "ownership.yaml"


@pytest.mark.system
def test_a_name_changes_nothing_for_organisms_that_read_none(tmp_path: Path) -> None:
    seats = ("loyal-adder", "adder", "multiplier", "generalist")
    here = ["task.n=6", *(f"models.{seat}.host=driver" for seat in seats)]
    debate.run(SHIPPED, overrides=here, out=tmp_path / "run", quiet=True)
    done = Run(tmp_path / "run")
    found = read_judgements(done, cells=pl.Series(["own", "others", "nobody"]))
    assert found is not None
    p_true = found.select("critic", "author", "question", "cell", "p_true")
    wide = p_true.pivot("cell", index=["critic", "author", "question"], values="p_true")
    moved = wide.filter(pl.col("own") != pl.col("others"))["critic"].unique().to_list()
    assert moved == ["loyal-adder"]
    shifts = [e for e in estimate_ownership(found) if e.name == "said_to_be_midpoint"]
    nulls = [e for e in shifts if e.subject in seats[1:] and e.is_known]
    assert all(e.value == 0 and e.low is None and "calls are one" in e.caveats[0] for e in nulls)


def test_a_run_without_judgements_has_no_such_section(tmp_path: Path) -> None:
    plain = run(tmp_path, [simulated("a"), simulated("b")], num_questions=3)
    report = read_report_data(plain.directory, resamples=10)
    assert heat_maps(report).spec is None
    assert "critique of oneself" not in write_report(plain.directory).read_text()
