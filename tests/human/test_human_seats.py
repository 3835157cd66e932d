"""People in a configuration: where they can sit, how often they are asked, how they are called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from debate.analysis.labels import Labels
from debate.analysis.source import analyze_run
from debate.config.loader import load_run
from debate.errors import ConfigError
from debate.installation import make_install_command
from debate.log import Run
from debate.log.files import MANIFEST
from debate.runner.human_seats import count_person_turns, describe_people
from debate.runner.plan import Plan, make_plan
from debate.runner.show_debate import describe_debate, read_debate
from tests.human.people import CRITIQUED, TEAM, person
from tests.processes import invoke
from tests.support import run, scripted, write_questions

ONE = person(role="critic", model={"via": "terminal"})


def plan(*agents: dict[str, Any], **fields: Any) -> Plan:
    task = {"generator": "arithmetic", "n": 2}
    config = {"agents": agents or [*TEAM, ONE], "task": task, **CRITIQUED, **fields}
    return make_plan(load_run(config))


def test_what_a_person_is_asked_for_at_most_is_told_beforehand() -> None:
    (line,) = describe_people(plan())
    assert line == "a person is asked in the terminal for at most 4 turns, as reviewer"
    assert count_person_turns(plan(rounds=2, seeds=[0, 1]), "reviewer") == 16


def test_the_shipped_configuration_asks_for_four_critiques() -> None:
    (line,) = describe_people(make_plan(load_run("human")))
    assert line == "a person is asked in the terminal for at most 4 turns, as reviewer"


def test_turns_that_arms_ask_alike_are_counted_once() -> None:
    cells = {"one": {}, "two": {"decision": "unanimity"}, "three": {"rounds": 2}}
    assert count_person_turns(plan(cells=cells), "reviewer") == 8


def test_a_private_question_on_confidence_counts_too() -> None:
    seats = [scripted("a", "Answer: 4"), person("b", model={"via": "terminal"})]
    found = plan(*seats, topology="complete", protocol="exchange", probes=["verbal"])
    assert count_person_turns(found, "b") == 8


def test_prompts_with_worked_examples_are_told() -> None:
    told = describe_people(plan(*TEAM, ONE | {"prompts": "chat"}))
    assert "`prompts: chat_zero` has none" in told[1]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model": {"host": "actor"}}, "a person is asked by the run's own process"),
        ({"model": {"replicas": 2}}, "there is one of each person"),
        ({"model": {"port": 70_000}}, "port is 70000"),
        ({"model": {"token_env": "not a variable"}}, "name the environment variable"),
        ({"sampling": {"choice": ["A", "B"]}}, "the engine human cannot constrain its replies"),
    ],
)
def test_what_no_person_can_do_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        plan(*TEAM, person(role="critic", **fields))


@pytest.mark.parametrize("probe", ["belief", "p_true", "consistency"])
def test_a_probe_that_no_person_can_answer_is_refused(probe: str) -> None:
    seats = [scripted("a", "Answer: 4"), person("b")]
    with pytest.raises(ConfigError, match=f"cannot be probed by {probe}"):
        plan(*seats, topology="complete", protocol="exchange", probes=[probe])


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([{"via": "terminal"}, {"via": "terminal"}], "asked at the terminal already"),
        (
            [{"via": "web", "port": 9000}, {"via": "web", "port": 9000}],
            "asked at port 9000 already",
        ),
    ],
)
def test_two_people_do_not_share_a_place(models: list[dict[str, Any]], told: str) -> None:
    seats = [person(name, role="critic", model=m) for name, m in zip("xy", models, strict=True)]
    fields = {"topology": {"edges": ["x, y -> a, b"]}}
    with pytest.raises(ConfigError, match=told):
        plan(*TEAM, *seats, **fields)


def test_one_person_may_have_two_seats_and_two_people_two_ports() -> None:
    models = {"anna": {"engine": "human"}}
    seats = [{"id": name, "role": "critic", "model": "anna"} for name in "xy"]
    fields = {"topology": {"edges": ["x, y -> a, b"]}}
    assert count_person_turns(plan(*TEAM, *seats, models=models, **fields), "anna") == 8
    seats = [person(name, role="critic") for name in "xy"]
    assert len(describe_people(plan(*TEAM, *seats, **fields))) == 2


def test_several_orchestrators_cannot_ask_one_person() -> None:
    with pytest.raises(ConfigError, match="`orchestrators: 1`"):
        plan(cluster={"orchestrators": 2})


def test_a_budget_counts_turns_and_no_tokens() -> None:
    plan(budget={"calls": 12, "tokens": 10_000, "dollars": 1})
    plan(*TEAM, ONE | {"sampling": {"max_tokens": None}}, budget={"tokens": 10_000})


# What the command line says.


def write_config(folder: Path, **model: Any) -> str:
    path = folder / "run.json"
    seat = person(role="critic", model=model)
    config = {"agents": [*TEAM, seat], "task": write_questions(folder), **CRITIQUED}
    path.write_text(json.dumps(config))
    return str(path)


def test_without_a_terminal_the_run_is_refused_with_what_to_do(tmp_path: Path) -> None:
    config = write_config(tmp_path, via="terminal")
    done = invoke("run", config, "--out", str(tmp_path / "run"), "--quiet")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "is no terminal; run it in one, or ask on a page: -o models.reviewer.via=web" in line
    assert invoke("validate", config).returncode == 0


def test_without_the_extra_a_page_is_refused_with_the_command_that_adds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = invoke("run", write_config(tmp_path), "--out", str(tmp_path / "run"), "--quiet")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert 'model "reviewer" is asked on a page, which needs' in line
    assert line.endswith(make_install_command("serve"))


# What is said of people afterwards.


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose critic is recorded as a person."""
    critic = scripted("reviewer", "Verdict: correct", role="critic", prompts="chat_zero")
    ran = run(tmp_path_factory.mktemp("human"), [*TEAM, critic], **CRITIQUED)
    path = ran.directory / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["spec"]["models"]["reviewer"] = {"engine": "human"}
    path.write_text(json.dumps(manifest))
    return Run(ran.directory)


def test_a_persons_turns_are_called_human(answered: Run) -> None:
    found = analyze_run(answered)
    assert found.labels.agent("main", "reviewer") == "reviewer (human)"
    assert found.labels.agent("main", "a") == "a"
    assert any(caveat.startswith("A person spoke as reviewer: ") for caveat in found.caveats)
    shown = "\n".join(describe_debate(read_debate(answered, "q0")))
    assert "reviewer (human): critique of a · accepts" in shown


def test_without_people_nobody_is_called_human() -> None:
    assert Labels().agent("main", "reviewer") == "reviewer"
