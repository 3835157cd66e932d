"""Whatever an endpoint says stops its own turn at most, and is told at the end of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from debate.runner.verify_run import verify_run
from tests.processes import command
from tests.runner.speaker import chat, saying, seat
from tests.support import by_ref, run, scripted, write_questions


@pytest.mark.parametrize(
    "reply",
    [
        chat(usage='{"prompt_tokens": 9223372036854775813}'),
        chat(usage='{"prompt_tokens": 4611686018427387904, "completion_tokens": 1e400}'),
        chat(usage='{"prompt_tokens": 5.5}'),
        chat(usage="[]"),
        chat(logprob="1000.0"),
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
    assert found.turns()["prompt_tokens"].to_list() == [None]


def test_what_was_done_otherwise_is_told_once_at_the_end(tmp_path: Path) -> None:
    refusal = json.dumps({"error": {"message": "Unsupported parameter: 'top_p'"}})
    config = tmp_path / "run.yaml"
    with saying((400, refusal), chat()) as url:
        task = write_questions(tmp_path, 3)
        written = {"agents": [seat(url, max_in_flight=1)], "topology": "isolated", "task": task}
        config.write_text(json.dumps(written | {"rounds": 0}))
        ended = command("run", str(config), "--out", str(tmp_path / "out"), "--quiet")
    assert ended.returncode == 0
    told = [line for line in ended.stdout.splitlines() if "top_p" in line]
    assert told == ["note: model a, 3 turns: without top_p, which the endpoint refused"]
