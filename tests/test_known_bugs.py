"""Bugs that debate frameworks have had: one test for each, so that this one does not."""

from __future__ import annotations

import ast
import asyncio
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import debate
from debate.config.loader import load_run
from debate.runner.execute import is_complete
from debate.runner.plan import make_plan
from debate.tasks.answer_format import CHAT
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import parse_answer
from debate.tasks.scoring import is_correct
from debate.topologies import build_schedule, get_authors, load_topology, make_default_seats
from debate.types import DebateKey, Question
from tests.processes import invoke
from tests.support import by_ref, run, said, scripted, simulated, turns_of

NUMBER = Question(id="q", text="?", kind="number", target="4")
PACKAGE = Path(debate.__file__).parent


def test_an_unparsed_reply_is_not_scored_as_correct(tmp_path: Path) -> None:
    found = run(tmp_path, [scripted("a", "four, I think"), scripted("b", "4?")], rounds=0)
    assert all(turn.is_abstention and turn.correct is False for turn in turns_of(found))
    assert is_correct(None, NUMBER) is False


def test_an_invalid_reply_is_not_replaced_by_a_random_answer(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: many"), scripted("b", "Answer: many")]
    found = run(tmp_path, agents, rounds=0, num_questions=20)
    assert found.turns()["answer"].null_count() == 40
    assert found.verdicts()["answer"].null_count() == 20


def test_an_error_is_not_handed_to_peers_as_an_opinion(tmp_path: Path) -> None:
    agents = [
        simulated("broken", failure=1.0),
        scripted("b", "Answer: 4"),
        scripted("c", "Answer: 5"),
    ]
    found = run(tmp_path, agents, rounds=1, log={"prompts": True})
    turns = by_ref(found)
    failure = turns["0:opening:broken"].failure
    assert failure is not None
    assert turns["1:revision:b"].heard == ("0:opening:c",)
    assert failure.message not in said(turns["1:revision:b"])


def test_a_failure_is_not_resumed_as_done(tmp_path: Path) -> None:
    model = {"engine": "simulated", "failure": 1.0}
    config = {
        "agents": [{"id": "a", "model": model}],
        "topology": "isolated",
        "task": {"generator": "arithmetic", "n": 3},
        "rounds": 0,
    }
    first = debate.run(config, out=tmp_path / "run", quiet=True)
    before = first.turns()
    assert before["failed"].sum() == 3
    after = debate.run(config, out=tmp_path / "run", quiet=True).turns()
    assert after["started_at"].min() > before["started_at"].max()
    assert after.height == 3


def test_rows_are_not_duplicated_on_resume(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    once = run(tmp_path, agents, num_questions=10, rounds=2).turns()
    lines = (tmp_path / "run" / "turns" / "0.jsonl").read_bytes()
    twice = run(tmp_path, agents, num_questions=10, rounds=2).turns()
    assert (tmp_path / "run" / "turns" / "0.jsonl").read_bytes() == lines
    assert twice.equals(once)


def test_a_partial_debate_is_not_counted_as_complete(tmp_path: Path) -> None:
    from debate.log import RunLog

    agents = [simulated("a"), simulated("b")]
    found = run(tmp_path, agents, num_questions=3, rounds=2)
    verdicts = tmp_path / "run" / "verdicts" / "0.jsonl"
    kept = [line for line in verdicts.read_text().splitlines() if not json.loads(line)["final"]]
    verdicts.write_text("".join(line + "\n" for line in kept))
    config = {
        "agents": agents,
        "topology": "complete",
        "rounds": 2,
        "task": {"path": str(tmp_path / "questions.jsonl"), "kind": "number"},
    }
    plan = make_plan(load_run(config))
    spec = found.manifest.spec
    with RunLog.open(tmp_path / "run", spec=spec, questions=plan.questions) as log:
        assert not is_complete(plan, log)


def test_failed_questions_are_not_replaced_by_others(tmp_path: Path) -> None:
    found = run(
        tmp_path, [simulated("a", failure=0.5)], topology="isolated", num_questions=40, rounds=0
    )
    assert sorted(found.turns()["question"].to_list()) == sorted(f"q{n}" for n in range(40))
    outcomes = found.verdicts()["outcome"].to_list()
    assert 0 < outcomes.count("failed") < 40


def test_turns_do_not_lie_in_completion_order(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 1", latency_s=0.05), scripted("b", "Answer: 2")]
    found = run(tmp_path, agents, rounds=1)
    agents_in_order = [turn.agent for turn in turns_of(found)]
    assert agents_in_order == ["a", "b", "a", "b"]


def test_rounds_are_not_mixed(tmp_path: Path) -> None:
    agents = [scripted("a", [f"Answer: {n}" for n in range(5)], latency_s=0.01), simulated("b")]
    for turn in turns_of(run(tmp_path, agents, rounds=4)):
        assert all(int(ref.split(":")[0]) == turn.round - 1 for ref in turn.heard)


@pytest.mark.parametrize("text", ["Answer: 4", "Confidence: high", "Confidence: 300%"])
def test_an_unread_confidence_is_absent_and_no_constant(text: str, tmp_path: Path) -> None:
    assert parse_confidence(text, CHAT) is None
    turn = turns_of(run(tmp_path, [scripted("a", text)], topology="isolated", rounds=0))[0]
    assert turn.confidences == ()


def test_the_log_is_appended_to_and_not_rewritten_for_each_turn(tmp_path: Path) -> None:
    from debate.log import RunLog
    from debate.types import Turn

    question = Question(id="q", text="?")
    with RunLog.open(tmp_path, spec={}, questions=[question]) as log:
        path = tmp_path / "turns" / "0.jsonl"
        inode, sizes = path.stat().st_ino, [0]
        for round in range(5):
            turn = Turn(
                cell="main",
                question="q",
                seed=0,
                round=round,
                kind="revision",
                agent="a",
                model="m",
            )
            log.queue(turn)
            asyncio.run(log.append_verdicts([]))
            assert path.stat().st_ino == inode
            sizes.append(path.stat().st_size)
    assert len({after - before for before, after in pairwise(sizes)}) == 1


def test_a_star_is_not_a_wheel() -> None:
    spec = load_topology("star")
    star = build_schedule(spec, make_default_seats(6, spec)).at(1)
    centre = [agent for agent in star if len(get_authors(star, agent)) > 1]
    assert len(centre) == 1
    leaves = [agent for agent in star if agent not in centre]
    assert all(get_authors(star, leaf) == tuple(centre) for leaf in leaves)


def test_one_hanging_reply_does_not_stall_the_others(tmp_path: Path) -> None:
    agents = [
        scripted("hangs", "Answer: 1", latency_s=600, timeout_s=0.2),
        scripted("b", "Answer: 4"),
    ]
    found = run(tmp_path, agents, rounds=1, num_questions=3)
    assert found.verdicts().filter(final=True)["answer"].to_list() == ["4"] * 3
    assert found.turns().filter(agent="hangs")["failed"].all()


def test_model_text_is_never_evaluated() -> None:
    text = "Answer: __import__('os').getpid()"
    assert parse_answer(text, NUMBER, CHAT).value is None
    calls = [
        node.func.id
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    assert not {"eval", "exec"} & set(calls)


def test_importing_needs_no_network_and_no_heavy_library() -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "import debate\n"
        "print(sorted({'ray', 'vllm', 'torch', 'transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.system
def test_every_documented_flag_can_be_used(tmp_path: Path) -> None:
    run(tmp_path, [simulated("a"), simulated("b")], num_questions=4, rounds=1)
    config = tmp_path / "c.yaml"
    config.write_text(
        "agents: [{id: a, model: {engine: simulated}}]\ntopology: self_loop\n"
        "task: {generator: arithmetic, n: 2}\n"
    )
    directory, out = str(tmp_path / "run"), str(tmp_path / "out")
    for words in (
        ["run", str(config), "--out", out, "-o", "rounds=1", "--quiet"],
        ["validate", str(config), "--override", "rounds=1"],
        ["topology", "ring", "--agents", "5", "--round", "2"],
        ["topology", "ring", "-n", "3", "--out", str(tmp_path / "ring.svg")],
        ["analyze", directory],
        ["analyze", directory, "--json"],
        ["verify", directory],
        ["doctor"],
        ["organisms", "list"],
    ):
        done = invoke(*words)
        assert done.returncode == 0, (words, done.stderr)


@pytest.mark.parametrize("text", ["not correct", "Verdict: not correct", "incorrectly correct"])
def test_a_verdict_is_not_found_by_substring(text: str) -> None:
    assert parse_verdict(text, CHAT) is not True


def test_an_answer_is_not_found_by_substring() -> None:
    choice = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"), target="A")
    assert parse_answer("A reasonable person would say B.", choice, CHAT).value is None


def test_a_run_keeps_every_question_and_every_round(tmp_path: Path) -> None:
    found = run(tmp_path, [simulated("a"), simulated("b")], num_questions=7, rounds=2)
    assert found.verdicts().height == 7 * 3
    key = DebateKey(cell="main", question="q6", seed=0)
    assert len(found.debate(key).turns) == 2 * 3
