"""Whatever an endpoint says stops its own turn at most, and is told at the end of the run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from debate.orchestrator.question import debate_question
from debate.runner.verify_run import verify_run
from debate.types import Question, Turn, Verdict
from tests.hostile.echo import Everything, calls_to, cells_of
from tests.processes import invoke
from tests.runner.speaker import chat, saying, seat
from tests.support import by_ref, run, scripted, write_questions


class Watching:
    """Keeps the turns that it is told of."""

    def __init__(self, turns: list[Turn]) -> None:
        self._turns = turns

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        """Keep it."""
        self._turns.append(turn)

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Look away."""


@pytest.mark.parametrize(
    "reply",
    [
        chat(usage='{"prompt_tokens": 9223372036854775813}'),
        chat(usage='{"prompt_tokens": 4611686018427387904, "completion_tokens": 1e400}'),
        chat(usage='{"prompt_tokens": 5.5}'),
        chat(usage="[]"),
        chat(logprob="1e-7"),
        chat(logprob="-Infinity"),
        chat(logprob="null"),
        chat(logprob='"x"'),
    ],
)
def test_a_sick_side_value_costs_no_reply_and_no_run(
    reply: tuple[int, str], tmp_path: Path
) -> None:
    with saying(reply) as url:
        found = run(tmp_path, [seat(url), scripted("b", "Answer: 4")], rounds=1, preflight=False)
    assert verify_run(found.directory).problems == ()
    assert {turn.value for turn in by_ref(found).values()} == {"4"}
    assert found.turns().height == 4
    assert (found.directory / "report.html").exists() or found.directory.exists()


@pytest.mark.parametrize(
    "reply",
    [
        (200, "[" * 100_000),
        (200, "5"),
        (200, '{"choices": [[]]}'),
        (200, '{"choices": [{"message": []}]}'),
        (599, "\x00"),
        chat(logprob="1000.0"),
        chat(logprob="0.5"),
        chat(logprob="1" + "0" * 350),
    ],
)
def test_a_reply_that_is_none_fails_its_turn_alone(reply: tuple[int, str], tmp_path: Path) -> None:
    with saying(reply) as url:
        found = run(tmp_path, [seat(url), scripted("b", "Answer: 4")], rounds=1, preflight=False)
    turns = by_ref(found)
    assert turns["0:opening:a"].failure is not None
    assert turns["1:revision:b" if "1:revision:b" in turns else "0:opening:b"].value == "4"


def test_a_log_with_an_absurd_count_can_still_be_read(tmp_path: Path) -> None:
    with saying(chat(usage='{"prompt_tokens": 7}')) as url:
        found = run(tmp_path, [seat(url)], rounds=0, topology="isolated")
    file = found.directory / "turns" / "0.jsonl"
    line = file.read_text().replace('"prompt_tokens":7', '"prompt_tokens":4611686018427387904')
    file.write_text(line.rpartition(',"crc32"')[0] + "}\n")
    told = r"turns/0.jsonl:1: prompt_tokens is 4611686018427387904: taken for absent"
    with pytest.warns(UserWarning, match=told):
        assert found.turns()["prompt_tokens"].to_list() == [None]
    assert any("prompt_tokens is 46" in str(each) for each in verify_run(found.directory).problems)


def test_what_was_done_otherwise_is_told_once_at_the_end(tmp_path: Path) -> None:
    refusal = json.dumps({"error": {"message": "Unsupported parameter: 'top_p'"}})
    config = tmp_path / "run.yaml"
    with saying((400, refusal), chat()) as url:
        task = write_questions(tmp_path, 3)
        written = {"agents": [seat(url, max_in_flight=1)], "topology": "isolated", "task": task}
        config.write_text(json.dumps(written | {"rounds": 0}))
        words = ("run", str(config), "--out", str(tmp_path / "out"), "--quiet", "--no-report")
        ended = invoke(*words)
    assert ended.returncode == 0
    told = [line for line in ended.stdout.splitlines() if "top_p" in line]
    assert told == ["note: model a, 3 turns: without top_p, which the endpoint refused"]


def test_a_key_that_one_endpoint_repeats_reaches_no_file_and_no_other_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = "planted-0123456789-of-b"
    monkeypatch.setenv("PLANTED_KEY", planted)
    with saying(chat(content=json.dumps(f"It is {planted}.\nAnswer: 4"))) as a, saying(chat()) as b:
        seats = [seat(a), seat(b, api_key_env="PLANTED_KEY") | {"id": "b"}]
        found = run(tmp_path, seats, rounds=1, log={"prompts": True})
    files = [path for path in found.directory.rglob("*") if path.is_file()]
    assert not [path for path in files if planted.encode() in path.read_bytes()]
    assert "It is [key]." in (found.directory / "turns" / "0.jsonl").read_text()


async def test_an_answer_that_cannot_be_scored_fails_its_turn_alone() -> None:
    def fail(value: str | None, question: Question) -> bool | None:
        if value is not None:
            raise KeyError(value)
        return None

    cells = cells_of(prompts="chat", protocol="exchange")
    calls = calls_to(Everything("Answer: 4"))
    watched: list[Turn] = []
    calls.watcher = Watching(watched)
    asked = Question(id="q", text="2+2?", kind="number", target="4")
    await debate_question(asked, tuple(replace(cell, score=fail) for cell in cells), calls, seed=0)
    assert watched
    told = {turn.failure and turn.failure.message for turn in watched if turn.kind != "critique"}
    assert told == {"the answer cannot be scored: KeyError: '4'"}
