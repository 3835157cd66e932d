"""Every number that an analysis prints can be claimed about, and the shipped claims are sound."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from debate.analysis import Analysis, analyze_run
from debate.analysis.present import present
from debate.analysis.registry import MEASURES, write_reference
from debate.config.fetchable import FETCHABLE, RECORD
from debate.config.loader import load_run
from debate.log import Run
from debate.report import write_report
from debate.runner.plan import make_plan
from tests.support import run, simulated

SHIPPED = Path(__file__).parents[2] / "configs"
CLAIM = {"statement": "A [bold]claim[/bold].", "direction": "above", "smallest": 0.05}


def _run_of_all_arms(folder: Path, **fields: object) -> Run:
    agents = [simulated(name) for name in "abc"]
    cells = {
        "self": {"agents": ["a"], "topology": "self_loop"},
        "repeat": {"agents": ["a"], "topology": "isolated", "protocol": "repeat"},
        "single": {"agents": ["a"], "topology": "isolated", "rounds": 0},
        "ab": {"agents": ["a", "b"]},
        "ab_anonymous": {"agents": ["a", "b"]},
        "abc": {},
    }
    return run(folder, agents, cells=cells, rounds=1, probes=["belief"], num_questions=8, **fields)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a claim."""
    claims = {"gain": {**CLAIM, "estimate": "vote_gain", "cell": "abc", "control": "ab"}}
    return _run_of_all_arms(tmp_path_factory.mktemp("arms"), hypotheses=claims)


@pytest.fixture(scope="module")
def analysis(done: Run) -> Analysis:
    """Its analysis."""
    return analyze_run(done, resamples=50)


def test_every_estimate_that_is_made_is_in_the_registry_and_on_its_page(
    analysis: Analysis,
) -> None:
    made = {e.name for e in analysis.estimates}
    assert len(made) > 60
    assert made <= set(MEASURES)
    page = write_reference()
    assert [name for name in MEASURES if f"| `{name}` |" not in page] == []


@pytest.fixture
def _chat_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that passes for the model which a shipped run names."""
    monkeypatch.setenv("DEBATE_MODELS", str(tmp_path))
    (tmp_path / "smollm2").mkdir()
    (tmp_path / "smollm2" / RECORD).write_text(json.dumps(FETCHABLE["smollm2"].record))


@pytest.mark.usefixtures("_chat_model")
@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("anchors", 10),
        ("diversity", 5),
        ("self_revision", 5),
        ("chat", 4),
        ("ownership", 4),
        ("ownership_chat", 4),
    ],
)
def test_the_shipped_experiments_state_claims_that_can_be_judged(name: str, least: int) -> None:
    spec = make_plan(load_run(SHIPPED / f"{name}.yaml")).spec
    assert len(spec.hypotheses) >= least
    assert all(claim.source for claim in spec.hypotheses.values())


def test_claims_are_shown_wherever_a_run_is_read(done: Run, analysis: Analysis) -> None:
    page = write_report(done.directory).read_text()
    assert "What was claimed beforehand" in page
    assert "A [bold]claim[/bold]." in page
    assert "Teams side by side" in page
    assert "\x1b" not in page
    paper = StringIO()
    present(analysis, Console(file=paper, width=160))
    shown = " ".join(paper.getvalue().split())
    assert "Nothing else may be called a finding" in shown
    assert "[bold]claim" in shown


def test_a_run_goes_on_under_other_claims_and_judges_those_it_began_with(tmp_path: Path) -> None:
    first = {"gain": {**CLAIM, "estimate": "vote_gain", "cell": "abc"}}
    _run_of_all_arms(tmp_path, hypotheses=first)
    later = {"loss": {**CLAIM, "estimate": "vote_gain", "cell": "abc", "direction": "below"}}
    done = _run_of_all_arms(tmp_path, hypotheses=later)
    loss, gain = analyze_run(done, resamples=50).findings
    assert loss.name == "loss"
    assert "turns were on record" in loss.reason
    assert gain.name.startswith("gain (until")
    assert "withdrawn" in gain.reason
