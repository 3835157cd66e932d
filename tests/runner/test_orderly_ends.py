"""A budget, trial calls and a paused model in one run: what ends it, and how it goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from debate.config.loader import load_run
from debate.errors import EngineError, ModelRefused, RunEnded
from debate.log import Run
from debate.log.spend import read_spend
from debate.runner.execute import RunResult, execute, raise_if_failed
from debate.runner.plan import make_plan
from tests.faults.records import read
from tests.runner.speaker import chat, saying, seat
from tests.support import scripted, simulated, write_questions

TOLD = chat('{"prompt_tokens": 30, "completion_tokens": 4}')
LOST = 500, "lost"
LIMITED = 429, '{"error": {"message": "Rate limit reached, please try again in 1ms"}}'


def go(folder: Path, *agents: dict[str, Any], num: int = 3, **fields: Any) -> RunResult:
    """Run or resume, with a trial call to each endpoint."""
    config = {"agents": agents, "topology": "isolated", "rounds": 0}
    path = folder / "run.yaml"
    path.write_text(json.dumps(config | {"task": write_questions(folder, num)} | fields))
    plan = make_plan(load_run(str(path)))
    return asyncio.run(execute(plan, folder / "out", console=Console(quiet=True), quiet=True))


def get_calls(folder: Path) -> int:
    totals = read_spend(folder / "out")
    assert totals is not None
    assert not any(totals.open.values())
    return sum(size.calls for size in totals.models.values())


def get_tokens(folder: Path) -> int:
    totals = read_spend(folder / "out")
    assert totals is not None
    return sum(sum(size[1:]) for size in totals.models.values())


def get_status(folder: Path) -> str:
    return Run(folder / "out").manifest.status


def test_trial_calls_count_and_a_run_that_was_stopped_goes_on_with_one_more(
    tmp_path: Path,
) -> None:
    asked: list[dict[str, Any]] = []
    with saying(TOLD, asked=asked) as url:
        stopped = go(tmp_path, seat(url, max_in_flight=1), budget={"calls": 3})
        assert (stopped.is_stopped, get_status(tmp_path)) == (True, "budget")
        assert get_calls(tmp_path) == len(asked) == 3
        assert get_tokens(tmp_path) == 3 * 34
        assert Run(tmp_path / "out").turns().height == 2
        ended = go(tmp_path, seat(url, max_in_flight=1), budget={"calls": 5})
        assert (ended.is_stopped, get_status(tmp_path)) == (False, "complete")
        assert get_calls(tmp_path) == len(asked) == 5
    assert Run(tmp_path / "out").turns().height == 3


@pytest.mark.parametrize("kept", [True, False])
def test_a_trial_call_that_does_not_fit_stops_the_run_before_it_has_begun(
    kept: bool, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []
    with saying(TOLD, asked=asked) as url:
        seats = [{**seat(url), "id": f"a{n}"} for n in range(1 if kept else 3)]
        if kept:
            go(tmp_path, *seats, budget={"calls": 2})
        result = go(tmp_path, *seats, budget={"calls": 2})
        assert (result.is_stopped, get_status(tmp_path)) == (True, "budget")
        assert get_calls(tmp_path) == len(asked) == 2
        go(tmp_path, *seats, budget={"calls": 50})
    assert get_calls(tmp_path) == len(asked)
    assert not Run(tmp_path / "out").turns()["failed"].any()


def test_a_trial_call_that_meets_a_rate_limit_takes_no_tokens(tmp_path: Path) -> None:
    with saying(LIMITED, TOLD) as url:
        go(tmp_path, seat(url), num=1, budget={"tokens": 5000})
    assert (get_calls(tmp_path), get_tokens(tmp_path)) == (2, 34)


def test_where_the_trial_call_is_refused_nothing_is_written(tmp_path: Path) -> None:
    with saying((401, "no")) as url, pytest.raises(ModelRefused):
        go(tmp_path, seat(url), budget={"calls": 9})
    assert not (tmp_path / "out").exists()


def test_a_model_that_fails_again_and_again_ends_a_run_with_a_budget_which_goes_on(
    tmp_path: Path,
) -> None:
    asked: list[dict[str, Any]] = []
    limits = {"max_failures": 2, "max_in_flight": 1}
    with saying(TOLD, TOLD, LOST, LOST, TOLD, asked=asked) as url:
        with pytest.raises(RunEnded, match="paused after 2 failures in a row"):
            go(tmp_path, seat(url, **limits), num=9, budget={"calls": 20})
        assert get_status(tmp_path) == "failed"
        assert get_calls(tmp_path) == len(asked) == 4
        assert Run(tmp_path / "out").manifest.spent["calls"] == 4
        ended = go(tmp_path, seat(url, **limits), num=9, budget={"calls": 20})
        assert (ended.ended, get_status(tmp_path)) == (None, "complete")
        assert get_calls(tmp_path) == len(asked)
        other = tmp_path / "other"
        other.mkdir()
        go(other, seat(url, **limits), num=9)
    assert read(tmp_path / "out") == read(other / "out")


def test_calls_that_wait_for_room_in_the_budget_do_not_reach_a_paused_model(
    tmp_path: Path,
) -> None:
    asked: list[dict[str, Any]] = []
    with saying(TOLD, LOST, asked=asked) as url:  # one call fits at a time, and no 20 do
        agent = {**seat(url, max_failures=2), "sampling": {"max_tokens": 64}}
        with pytest.raises(RunEnded, match="paused after 2 failures"):
            go(tmp_path, agent, num=20, budget={"tokens": 1800})
    assert get_calls(tmp_path) == len(asked) == 3


def test_trials_of_a_paused_model_count(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    failing = {"max_failures": 2, "pause_s": 0.001, "max_in_flight": 1}
    with saying(TOLD, TOLD, *[LOST] * 4, TOLD, asked=asked) as url:
        go(tmp_path, seat(url, **failing), num=20, keep_going=True, budget={"calls": 99})
    assert get_calls(tmp_path) == len(asked) == 21


def test_no_pause_is_waited_for_once_the_hours_are_over(tmp_path: Path) -> None:
    with saying(TOLD, LOST) as url:
        failing = seat(url, max_failures=2, pause_s=1000.0, max_in_flight=1)
        other = scripted("b", "Answer: 4")
        hours = {"hours": 1 / 3600}
        result = go(tmp_path, failing, other, num=40, keep_going=True, budget=hours)
    assert (result.is_stopped, get_status(tmp_path)) == (True, "budget")


@pytest.mark.parametrize(("failure", "does_fail"), [(0.0, False), (1.0, True)])
def test_a_run_that_its_budget_stopped_has_failed_only_where_too_few_turns_came(
    failure: float, does_fail: bool, tmp_path: Path
) -> None:
    agents = simulated("a", failure=failure), simulated("b", failure=failure)
    result = go(tmp_path, *agents, budget={"calls": 3})
    assert result.is_stopped
    if does_fail:
        with pytest.raises(EngineError, match="every one of 3 calls failed"):
            raise_if_failed(result, min_completed=0.25)
    else:
        raise_if_failed(result, min_completed=1.0)
