"""`debate power` on small real runs, and what `debate validate` says of hypotheses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from debate.cli import app
from debate.config.loader import load_run
from debate.errors import InputError
from debate.log import Run
from debate.runner.estimate_power import PowerReport, estimate_power
from debate.runner.forecast import make_forecast
from debate.runner.plan import make_plan
from tests.support import run, write_questions

CLAIM = {"statement": "It is so.", "direction": "above", "smallest": 0.01}
HYPOTHESES: dict[str, dict[str, Any]] = {
    "more_right": {**CLAIM, "estimate": "accuracy", "cell": "ring", "control": "self"},
    "vote_unmoved": {
        **CLAIM,
        "estimate": "vote_gain",
        "cell": "self",
        "direction": "equal",
        "smallest": 0.05,
    },
    "elsewhere": {**CLAIM, "estimate": "accuracy", "cell": "star"},
    "not_by_question": {**CLAIM, "estimate": "ece_change", "cell": "ring"},
}


def _config(folder: Path, num: int = 40, **fields: Any) -> dict[str, Any]:
    seat = {"engine": "simulated", "price": {"generated": 1.0, "prompt": 0.5}}
    return {
        "agents": [{"id": name, "model": dict(seat)} for name in "abc"],
        "topology": "ring",
        "cells": {"ring": {"topology": "ring"}, "self": {"topology": "self_loop"}},
        "task": write_questions(folder, num),
        "rounds": 1,
        "probes": ["verbal"],
        **fields,
    }


def _pilot(folder: Path, num: int = 40, **fields: Any) -> Run:
    written = _config(folder, num, **fields)
    return run(folder, written.pop("agents"), name="pilot", **written)


def _power(folder: Path, pilot: Run, **fields: Any) -> PowerReport:
    cells = {**_config(folder)["cells"], "star": {"topology": "star"}}
    fields = {"hypotheses": HYPOTHESES, "cells": cells, **fields}
    plan = make_plan(load_run(_config(folder, **fields)))
    return estimate_power(plan, pilot.directory, draws=50)


def test_each_hypothesis_gets_its_numbers_or_says_why_not(tmp_path: Path) -> None:
    found = _power(tmp_path, _pilot(tmp_path))
    told = {each.name: each for each in found.hypotheses}
    assert told["more_right"].points
    assert told["more_right"].value is not None
    assert told["more_right"].at_task is not None
    assert told["more_right"].at_task.num_questions == 40
    assert 'the arm "star"' in told["elsewhere"].reason
    assert "a sum by question" in told["not_by_question"].reason
    assert all(told[name].needed is None for name in ("elsewhere", "not_by_question"))
    assert any("taken for the true one" in c for c in found.caveats)
    assert any("one seed" in c for c in found.caveats)
    assert any("leaves out star" in c for c in found.caveats)


def test_the_price_is_that_of_the_forecast_for_as_many_questions(tmp_path: Path) -> None:
    pilot = _pilot(tmp_path, hypotheses={"gain": HYPOTHESES["vote_unmoved"]})
    plan = make_plan(load_run(_config(tmp_path, hypotheses={"gain": HYPOTHESES["vote_unmoved"]})))
    found = estimate_power(plan, pilot.directory, draws=50)
    gain, whole = found.hypotheses[0], make_forecast(plan, pilot.directory)
    assert gain.needed is not None
    assert gain.needed.supported is not None
    assert gain.price is not None
    assert whole is not None
    assert whole.cost is not None
    share = gain.needed.supported / 40
    assert gain.price.turns == pytest.approx(share * float(whole.turns.value or 0))
    assert gain.price.cost == pytest.approx(share * float(whole.cost.value or 0))
    assert gain.price.time_s == pytest.approx(share * float(whole.whole_s or 0))


def test_several_seeds_tell_what_further_ones_would_do(tmp_path: Path) -> None:
    pilot = _pilot(tmp_path, seeds=[0, 1, 2])
    claim = {**CLAIM, "estimate": "over_confidence", "cell": "self", "smallest": 0.001}
    found = _power(tmp_path, pilot, hypotheses={"sure": claim})
    sure = found.hypotheses[0]
    assert found.num_seeds == 3
    assert sure.seed_share is not None
    assert 0 < sure.seed_share <= 1
    assert any("3 seeds a question" in c for c in found.caveats)


def test_a_pilot_made_by_validate_serves_before_the_run_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    claims = {"gain": HYPOTHESES["vote_unmoved"]}
    path.write_text(yaml.safe_dump(_config(tmp_path, hypotheses=claims)))
    out = tmp_path / "out"
    piloted = ["validate", str(path), "--pilot", "8", "--out", str(out)]
    assert CliRunner().invoke(app, piloted).exit_code == 0
    asked = CliRunner().invoke(app, ["power", str(path), "--pilot", str(out), "--json"])
    assert asked.exit_code == 0
    told = json.loads(asked.stdout)
    assert told["num_pilot"] == 8
    assert told["num_task"] == 40
    assert told["hypotheses"][0]["points"][0]["num_questions"] == 4
    assert {"supported", "in_sign", "at_best", "at_worst"} == set(told["hypotheses"][0]["needed"])
    shown = CliRunner().invoke(app, ["power", str(path), "--pilot", str(out)])
    assert shown.exit_code == 0
    assert "Questions that the hypotheses need" in shown.stdout
    assert "gain: supported with 4: " in " ".join(shown.stdout.split())


def test_too_few_questions_are_not_drawn_from(tmp_path: Path) -> None:
    found = _power(tmp_path, _pilot(tmp_path, 4))
    assert "4 questions of the pilot bear on it; it takes 5 or more" in found.hypotheses[0].reason


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"rounds": 2}, "rounds"),
        ({"probes": []}, "probes"),
        ({"protocol": "critique"}, "protocol"),
        (
            {"cells": {"other": {}}, "hypotheses": {"gain": {**CLAIM, "estimate": "drift"}}},
            "no condition of this configuration",
        ),
    ],
)
def test_a_pilot_of_another_configuration_is_refused(
    change: dict[str, Any], wanted: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=wanted):
        _power(tmp_path, _pilot(tmp_path, 6), **change)


def test_a_pilot_of_other_questions_and_seeds_is_told_of(tmp_path: Path) -> None:
    pilot = _pilot(tmp_path, 10)
    other = {**write_questions(tmp_path, 40), "filter": {"answer": "4"}}
    found = _power(tmp_path, pilot, task=other, seeds=[0, 1])
    assert any("asked other questions" in c for c in found.caveats)
    assert any("the configuration has 2" in c for c in found.caveats)


def test_bad_input_is_told_in_a_line(tmp_path: Path) -> None:
    pilot = _pilot(tmp_path, 6)
    with pytest.raises(InputError, match="no `hypotheses`"):
        _power(tmp_path, pilot, hypotheses={})
    plan = make_plan(
        load_run(
            _config(
                tmp_path,
                hypotheses=HYPOTHESES,
                cells={
                    "ring": {},
                    "star": {"topology": "star"},
                    "self": {"topology": "self_loop"},
                },
            )
        )
    )
    with pytest.raises(InputError, match="between 0 and 1"):
        estimate_power(plan, pilot.directory, target=1.0)
    with pytest.raises(InputError):
        estimate_power(plan, tmp_path / "nothing")


def test_validate_says_how_few_questions_could_support_each_hypothesis(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    claims = {
        "still": HYPOTHESES["vote_unmoved"],
        "all_still": {**HYPOTHESES["vote_unmoved"], "estimate": "accuracy_change"},
        "sure": {**CLAIM, "estimate": "confidence", "cell": "ring"},
        "up": {**CLAIM, "estimate": "vote_gain", "cell": "ring"},
    }
    path.write_text(yaml.safe_dump(_config(tmp_path, hypotheses=claims)))
    found = CliRunner().invoke(app, ["validate", str(path)])
    told = " ".join(found.stdout.split())
    assert found.exit_code == 0
    assert "hypothesis still: warning: can be supported from 119 questions on" in told
    assert "so it cannot be" in told
    assert "hypothesis all_still: warning: can be supported from" in told
    assert "hypothesis sure: how many questions it takes depends on the variance" in told
    assert "debate power CONFIG --pilot RUN" in told
    assert "hypothesis up: can be supported from 8 questions on; the task has 40" in told
