"""Teams of set error correlation, self-trust and drift, really debated: estimates against them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debate.analysis import Analysis, analyze_run
from debate.analysis.schema import Estimate
from tests.experiments.populations import (
    after_hearing,
    drawn,
    kept_error_change,
    opinions,
    plurality,
    team_of,
)
from tests.support import run, simulated

COMPETENCE, WEIGHT, SELF_TRUST = 0.6, 0.5, 2.0
SHARED = {"apart": 0.0, "partly": 0.5, "alike": 1.0}
DRIFT = {"apart": 3.0, "partly": 0.5, "alike": -1.0}
"""So that debating gains the less, the more the members err together."""
NUM_QUESTIONS, POPULATION = 100, 50_000
CHANCE = 4.0
"""Standard errors that a right estimate may be off in a test of many estimates."""


def _seats() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    agents, cells = [], {}
    for world, (name, shared) in enumerate(SHARED.items()):
        members = [f"{name}-{n}" for n in range(3)]
        agents += [
            simulated(
                each,
                competence=COMPETENCE,
                concentration=WEIGHT,
                shared=shared,
                world=world,
                drift=DRIFT[name],
                self_trust=SELF_TRUST,
            )
            for each in members
        ]
        cells[name] = {"agents": members}
        cells[f"{name}_pool"] = {"agents": members, "topology": "isolated", "protocol": "repeat"}
    agents.append(
        simulated("loner", competence=COMPETENCE, concentration=WEIGHT, self_trust=SELF_TRUST)
    )
    cells["self"] = {"agents": ["loner"], "topology": "self_loop"}
    cells["repeat"] = {"agents": ["loner"], "topology": "isolated", "protocol": "repeat"}
    return agents, cells


def analysed(folder: Path, num_questions: int) -> Analysis:
    """The analysis of a run of all teams, one round long."""
    agents, cells = _seats()
    done = run(
        folder, agents, cells=cells, rounds=1, num_questions=num_questions, probes=["belief"]
    )
    return analyze_run(done, resamples=50)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(tmp_path_factory.mktemp("teams"), NUM_QUESTIONS)


@cache
def truth(name: str) -> dict[str, float]:
    """What a team's measures are in the population, from the settings alone."""
    rng, shared = np.random.default_rng(11), SHARED[name]
    beliefs = team_of(rng, POPULATION, shared=shared, weight=WEIGHT, competence=COMPETENCE)
    opening = drawn(rng, beliefs)
    moved = after_hearing(beliefs, opening, weight=WEIGHT, conformity=1.0, drift=DRIFT[name])
    unheard = after_hearing(beliefs, opening, weight=WEIGHT, conformity=0.0, drift=DRIFT[name])
    again = np.concatenate([opening, drawn(rng, unheard)], axis=1)
    vote_0, vote_t = plurality(opening).mean(), plurality(drawn(rng, moved)).mean()
    return {
        "error_correlation": shared / (WEIGHT + 1),
        "mean_member": COMPETENCE,
        "oracle": float((opening == 0).any(axis=1).mean()),
        "vote_0": float(vote_0),
        "vote_T": float(vote_t),
        "vote_gain": float(vote_t - vote_0),
        "six_samples": float(plurality(again).mean()),
    }


def in_teams(found: Analysis, cell: str, measure: str) -> dict[str, Any]:
    """One row of the teams' table."""
    rows = found.tables["teams"].to_dicts()
    return next(row for row in rows if (row["cell"], row["measure"]) == (cell, measure))


def _is_near(value: float, low: float, high: float, true: float) -> bool:
    return abs(value - true) <= CHANCE * (high - low) / 3.92


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize(
    "measure", ["error_correlation", "mean_member", "oracle", "vote_0", "vote_T", "vote_gain"]
)
def test_a_team_s_measures_are_those_that_were_set(
    found: Analysis, name: str, measure: str
) -> None:
    row, true = in_teams(found, name, measure), truth(name)[measure]
    assert _is_near(row["value"], row["low"], row["high"], true), (row, true)


@pytest.mark.parametrize("name", SHARED)
def test_the_pool_is_the_same_seats_at_the_debate_s_tokens(found: Analysis, name: str) -> None:
    row = in_teams(found, name, "self_consistency")
    assert (row["matched_arm"], row["matched_samples"]) == (f"{name}_pool", 6)
    assert row["matched_tokens"] == pytest.approx(1.0)
    assert _is_near(row["value"], row["low"], row["high"], truth(name)["six_samples"])


def test_the_gain_falls_with_error_correlation_as_it_was_made_to(found: Analysis) -> None:
    slope = one(found, "dose_response.vote_gain.slope")
    points = [truth(name) for name in SHARED]
    doses, gains = ([each[key] for each in points] for key in ("error_correlation", "vote_gain"))
    set_slope = float(np.polyfit(doses, gains, 1)[0])
    assert slope.value is not None
    assert slope.se is not None
    assert set_slope < -0.1
    assert abs(slope.value - set_slope) <= CHANCE * slope.se
    assert slope.value < 0


def test_rereading_entrenches_by_as_much_as_self_trust_says(found: Analysis) -> None:
    entrenched = found.find("survivor_change", cell="self", round=1)
    true = kept_error_change(
        POPULATION, competence=COMPETENCE, weight=WEIGHT, self_trust=SELF_TRUST
    )
    assert entrenched is not None
    assert entrenched.value is not None
    assert entrenched.se is not None
    assert abs(entrenched.value - true) <= CHANCE * entrenched.se
    assert entrenched.value > 0.3


def test_belief_in_the_own_error_rises_by_as_much_as_self_trust_says(found: Analysis) -> None:
    """Belief b in the opening answer becomes (w b + s)/(w + s), and b in the truth w b/(w + s)."""
    entrenched = found.find("entrenchment", cell="self", round=1)
    rng = np.random.default_rng(0)
    beliefs = opinions(rng, POPULATION, competence=COMPETENCE, weight=WEIGHT)
    answers = drawn(rng, beliefs)
    own = beliefs[np.arange(POPULATION), answers][answers > 0]
    true = float(np.log((WEIGHT * own + SELF_TRUST) / (WEIGHT * own)).mean())
    assert entrenched is not None
    assert entrenched.value is not None
    assert entrenched.se is not None
    assert abs(entrenched.value - true) <= CHANCE * entrenched.se
    again = found.find("entrenchment", cell="repeat", round=1)
    assert again is not None
    assert again.value == pytest.approx(0.0, abs=1e-9)


def one(found: Analysis, name: str) -> Estimate:
    """The only estimate of that name."""
    (estimate,) = found.select(name)
    return estimate
