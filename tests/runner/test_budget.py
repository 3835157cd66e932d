"""A budget is never passed, and a run that it stopped goes on to the log of one without."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from debate.analysis.source import read_source
from debate.config.budget import BudgetSpec
from debate.config.loader import load_run
from debate.engines.base import Completion, Request
from debate.errors import BudgetSpent, ConfigError, InputError
from debate.log import Run
from debate.log.spend import SPEND, SpendJournal, SpendLine, read_spend
from debate.runner.budget import Account
from debate.runner.execute import RunResult, execute
from debate.runner.plan import Plan, make_plan
from debate.runner.tariff import Tariff
from tests.faults.records import read
from tests.processes import PATIENCE_S, invoke, kill_at, start
from tests.runner.counted import Counted
from tests.runner.speaker import chat, saying, seat
from tests.support import run

PRICE = {"prompt": 2.5, "generated": 10.0}
NUM_CAPS = 20
LATE_S = 0.5
"""Seconds by which a busy machine may notice late that the hours are over."""


def make_config(num: int = 3, *, latency_s: float = 0.0, **fields: Any) -> dict[str, Any]:
    """Two counted agents in two arms, with probes of every kind."""
    agents = [
        {
            "id": name,
            "sampling": {"max_tokens": 64},
            "model": {
                "engine": "tests.runner.counted.CountedEngine",
                "price": PRICE,
                "options": {"competence": competence, "latency_s": latency_s},
            },
        }
        for name, competence in (("a", 0.6), ("b", 0.8))
    ]
    return {
        "agents": agents,
        "topology": "complete",
        "task": {"generator": "arithmetic", "n": num},
        "cells": {"team": {}, "alone": {"topology": "self_loop"}},
        "rounds": 1,
        "probes": ["belief", "p_true", "verbal"],
        **fields,
    }


def plan_config(**fields: Any) -> Plan:
    return make_plan(load_run(make_config(**fields)))


def run_capped(folder: Path, plan: Plan, **budget: float) -> RunResult:
    """Run or resume a plan, made once, with a budget."""
    capped = plan.spec.model_copy(update={"budget": BudgetSpec(**budget)})
    capped_plan = replace(plan, spec=capped)
    return asyncio.run(execute(capped_plan, folder, console=Console(quiet=True), quiet=True))


def get_spent(folder: Path) -> dict[str, float]:
    """What the journal says: never less than what the engine has counted."""
    totals = read_spend(folder)
    assert totals is not None
    sizes = list(totals.models.values())
    prompt, generated = (sum(size[n] for size in sizes) for n in (1, 2))
    return {
        "calls": sum(size.calls for size in sizes),
        "tokens": prompt + generated,
        "dollars": (prompt * PRICE["prompt"] + generated * PRICE["generated"]) / 1e6,
        "hours": totals.seconds / 3600,
    }


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_config()


@pytest.fixture(scope="module")
def whole(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run without a cap."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    run_capped(folder, plan, calls=100_000)
    return folder


def read_counted() -> dict[str, float]:
    """What the engine has counted since it was reset."""
    tokens = Counted.prompt_tokens + Counted.generated_tokens
    return {"calls": Counted.calls, "tokens": tokens, "dollars": Counted.dollars(**PRICE)}


@pytest.mark.parametrize("kind", ["calls", "tokens", "dollars"])
def test_no_cap_is_ever_passed_and_the_log_ends_like_one_without(
    plan: Plan, whole: Path, tmp_path: Path, kind: str
) -> None:
    needed, rng, folder = get_spent(whole)[kind], random.Random(kind), tmp_path / "run"
    Counted.reset()
    for cap in sorted(rng.uniform(0.01, 1.0) * needed for _ in range(NUM_CAPS)):
        limit = cap if kind == "dollars" else max(1, int(cap))
        run_capped(folder, plan, **{kind: limit})
        spent = get_spent(folder)
        assert read_counted()[kind] <= spent[kind] <= limit
        print(f"{kind}: cap {limit:.6g}, spent {spent[kind]:.6g}, {Run(folder).manifest.status}")
    run_capped(folder, plan, **{kind: int(100 * needed) + 100})
    assert Run(folder).manifest.status == "complete"
    assert read(folder) == read(whole)


def test_hours_are_kept_and_what_was_in_flight_is_counted(tmp_path: Path) -> None:
    plan, folder = plan_config(num=20, latency_s=0.02, max_debates=1), tmp_path / "run"
    rng = random.Random("hours")
    for seconds in sorted(rng.uniform(0.1, 1.5) for _ in range(NUM_CAPS)):
        result = run_capped(folder, plan, hours=seconds / 3600)
        spent = get_spent(folder)["hours"]
        assert spent <= (seconds + LATE_S) / 3600
        print(f"hours: cap {seconds:.3f} s, spent {3600 * spent:.3f} s, {result.is_stopped}")
        assert result.is_stopped


def test_calls_are_used_to_the_last_one(plan: Plan, tmp_path: Path) -> None:
    result = run_capped(tmp_path / "run", plan, calls=7)
    assert get_spent(tmp_path / "run")["calls"] == 7
    assert result.spending is not None
    assert "7 of 7 calls" in result.spending.in_words()
    assert "-o budget.calls=14" in result.spending.in_words()


def test_a_budget_set_later_counts_what_was_made_before(plan: Plan, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_capped(folder, plan)
    made = Run(folder).turns().filter(pl.col("shared_with").is_null()).height
    Counted.reset()
    result = run_capped(folder, plan, calls=made)
    assert get_spent(folder)["calls"] == made
    assert (result.is_stopped, Counted.calls) == (True, 0)


def test_the_arms_stay_paired_where_the_budget_cut_one_off(
    plan: Plan, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    run_capped(folder, plan, calls=int(0.6 * get_spent(whole)["calls"]))
    run = Run(folder)
    ended = run.verdicts().filter(pl.col("final")).group_by("question").agg(pl.col("cell"))
    wholes = {q for q, cells in ended.iter_rows() if set(cells) == {"team", "alone"}}
    begun = set(run.turns()["question"])
    assert 0 < len(wholes) < len(begun)
    source = read_source(folder)
    by_cell = source.trajectories.group_by("cell").agg(pl.col("question").unique().sort())
    assert {tuple(questions) for _, questions in by_cell.iter_rows()} == {tuple(sorted(wholes))}
    assert any("left out of every arm" in each for each in source.analyze().caveats)


def test_whole_questions_are_finished_before_others_begin(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_capped(folder, plan_config(num=12), calls=100)
    run = Run(folder)
    ended = run.verdicts().filter(pl.col("final"))
    begun = run.turns()["question"].n_unique()
    assert begun - ended["question"].n_unique() <= 1


def test_an_unknown_price_is_refused_with_the_models_that_lack_it(tmp_path: Path) -> None:
    config = make_config(budget={"dollars": 1.0})
    for agent in config["agents"]:
        del agent["model"]["price"]
    with pytest.raises(ConfigError, match=r'price of model "a"(?s:.*)price of model "b"'):
        make_plan(load_run(config))


@pytest.mark.parametrize("kind", ["tokens", "dollars"])
def test_replies_without_a_bound_are_refused(kind: str) -> None:
    config = make_config(budget={kind: 1000})
    config["agents"][1]["sampling"] = {"max_tokens": None}
    with pytest.raises(ConfigError, match='nothing bounds the replies of "b"'):
        make_plan(load_run(config))
    make_plan(load_run({**config, "budget": {"calls": 5, "hours": 1}}))


@pytest.mark.system
def test_a_run_killed_in_the_middle_forgets_no_call(tmp_path: Path) -> None:
    config, out = tmp_path / "run.yaml", tmp_path / "run"
    config.write_text(json.dumps(make_config(num=20, latency_s=0.01, budget={"calls": 250})))
    kill_at(start(config, out), out, 40)
    before, turns = get_spent(out)["calls"], Run(out).turns()
    assert before >= turns.filter(pl.col("shared_with").is_null()).height
    assert start(config, out).wait(PATIENCE_S) == 3
    assert before < get_spent(out)["calls"] <= 250


def test_the_command_ends_with_a_code_of_its_own_and_says_how_to_go_on(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(json.dumps(make_config()))
    words = ("run", str(config), "--out", str(tmp_path / "run"), "--no-report")
    stopped = invoke(*words, "-o", "budget.calls=5")
    assert stopped.returncode == 3
    assert "spent: 5 of 5 calls; the same command with a larger budget" in stopped.stdout
    assert "5 of 5 calls" in stopped.stderr
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "budget"
    ended = invoke(*words, "-o", "budget.calls=500")
    assert (ended.returncode, "of 500 calls" in ended.stdout) == (0, True)


@pytest.mark.parametrize(
    ("statuses", "calls", "tokens_at_worst"),
    [((500, 500), 2, 2), ((500, 200), 2, 1), ((429, 200), 2, 0), ((200, 200), 1, 0)],
)
def test_every_attempt_counts_and_what_failed_counts_at_its_worst(
    tmp_path: Path, statuses: tuple[int, ...], calls: int, tokens_at_worst: int
) -> None:
    usage = '{"prompt_tokens": 30, "completion_tokens": 4}'
    replies = [chat(usage) if status == 200 else (status, "no") for status in statuses]
    with saying(*replies) as url:
        folder = run_endpoint(tmp_path, url, budget={"tokens": 5000})
    spent = get_spent(folder)
    assert spent["calls"] == calls
    told = 34 if statuses[-1] == 200 else 0
    assert divmod(spent["tokens"] - told, 512)[0] >= tokens_at_worst
    assert (spent["tokens"] > told) == bool(tokens_at_worst)


def test_another_attempt_that_does_not_fit_leaves_the_turn_to_the_next_start(
    tmp_path: Path,
) -> None:
    with saying((500, "no"), chat()) as url:
        folder = run_endpoint(tmp_path, url, budget={"calls": 1})
        assert (Run(folder).manifest.status, get_spent(folder)["calls"]) == ("budget", 1)
        assert Run(folder).turns().is_empty()
        run_endpoint(tmp_path, url, budget={"calls": 2})
    turns = Run(folder).turns()
    assert (turns.height, turns["answer"].to_list()) == (1, ["4"])


def run_endpoint(folder: Path, url: str, *, budget: dict[str, float]) -> Path:
    """Ask an endpoint one question, twice at most; return the run directory."""
    seats = [seat(url, retries=1)]
    fields: dict[str, Any] = {"topology": "self_loop", "rounds": 0, "budget": budget}
    return run(folder, seats, preflight=False, **fields).directory


def test_an_endpoint_that_takes_no_limit_of_tokens_is_not_asked_without(tmp_path: Path) -> None:
    refusal = {"error": {"message": "max_tokens is not supported", "param": "max_tokens"}}
    other = {"error": {"message": "not supported", "param": "max_completion_tokens"}}
    with saying((400, json.dumps(refusal)), (400, json.dumps(other)), chat()) as url:
        folder = run_endpoint(tmp_path, url, budget={"tokens": 50_000})
    (failure,) = Run(folder).turns()["failure"]
    assert "takes no limit of tokens" in failure
    assert 2 <= get_spent(folder)["calls"] <= 3  # the third was granted, and not sent


def test_two_processes_share_one_account(plan: Plan, tmp_path: Path) -> None:
    budget = BudgetSpec(calls=10)
    tariff = Tariff(budget=budget, models=plan.models)
    (tmp_path / "run").mkdir()

    async def spend(account: Account, name: str) -> int:
        done = 0
        with suppress(BudgetSpent):
            for number in range(20):
                asked = Request(id=f"{name}/{number}", messages=())

                async def reply(asked: Request = asked) -> Completion:
                    await asyncio.sleep(0)
                    return Completion(id=asked.id)

                await account.spend("a", asked, reply)
                done += 1
        return done

    async def share() -> list[int]:
        journals = [SpendJournal(tmp_path / "run") for _ in range(2)]
        accounts = [Account(tariff, journal, by=str(n)) for n, journal in enumerate(journals, 1)]
        done = await asyncio.gather(*(spend(each, str(n)) for n, each in enumerate(accounts)))
        for account, journal in zip(accounts, journals, strict=True):
            await account.settle()
            journal.close()
        return done

    assert sum(asyncio.run(share())) == 10
    assert get_spent(tmp_path / "run")["calls"] == 10


def test_a_line_that_was_torn_by_a_crash_held_nothing(tmp_path: Path) -> None:
    journal = SpendJournal(tmp_path)
    journal.commit(lambda _: [SpendLine(model="a", calls=3, open=3)])
    journal.close()
    path = tmp_path / SPEND
    path.write_bytes(path.read_bytes() + b'{"model": "a", "cal')
    assert get_spent(tmp_path)["calls"] == 3
    path.write_bytes(b"nonsense\n")
    with pytest.raises(InputError, match=r"spend\.jsonl:1: what was spent cannot be read"):
        read_spend(tmp_path)


def test_a_budget_is_no_part_of_what_a_run_is(plan: Plan, tmp_path: Path) -> None:
    config = make_config(1)
    make = {"task": config["task"], "cells": config["cells"], "topology": "complete", "rounds": 1}
    first = run(tmp_path, config["agents"], budget={"calls": 999}, **make)
    assert first.manifest.spec["budget"]["calls"] == 999
    assert first.manifest.spec["models"]["a"]["price"] == PRICE
    again = run(tmp_path, config["agents"], **make)
    assert again.turns().equals(first.turns())
    assert again.manifest.spent["calls"] == first.manifest.spent["calls"]
