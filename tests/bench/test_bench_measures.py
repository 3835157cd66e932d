"""What the benchmark computes and prints; never how fast anything is."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from debate.bench.endpoint import (
    MAX_MEDIANS,
    compute_delay_s,
    make_reply,
    parse_delay_s,
    run_endpoint,
)
from debate.bench.latency import make_endpoint_model, run_bare_loop
from debate.bench.memory import debate_simulated, read_peak_bytes, run_in_process
from debate.bench.suite import encode_results, make_table, parse_parts, run_parts
from debate.bench.throughput import rebuild_requests
from debate.bench.workloads import (
    Measurement,
    SkippedMeasurement,
    make_seats,
    time_run,
    write_questions,
)
from debate.cli import app
from debate.config.loader import load_run
from debate.errors import InputError
from debate.runner.plan import make_plan


@given(st.text(), st.integers(1, 5000))
def test_delays_depend_on_model_and_content_alone_and_are_bounded(content: str, ms: int) -> None:
    drawn = compute_delay_s(f"tail-{ms}", content)
    assert drawn == compute_delay_s(f"tail-{ms}", content)
    assert 0 < drawn <= MAX_MEDIANS * ms / 1000
    assert compute_delay_s(f"fixed-{ms}", content) == ms / 1000


def test_the_tail_is_heavy_and_its_median_is_the_models() -> None:
    drawn = sorted(compute_delay_s("tail-1000", str(n)) for n in range(4001))
    assert drawn[2000] == pytest.approx(1.0, rel=0.05)
    assert drawn[-40] > 3


def test_a_reply_says_how_long_it_was_held_back() -> None:
    body = {"messages": [{"role": "user", "content": "?"}]}
    text = make_reply(body, 0.513)["choices"][0]["message"]["content"]
    assert parse_delay_s(text) == 0.513
    with pytest.raises(ValueError, match="not a reply"):
        parse_delay_s("Answer: 4")


def test_the_endpoint_serves_debates_and_bare_loops_and_ends_with_its_user(tmp_path: Path) -> None:
    with run_endpoint() as url:
        config = {
            "agents": make_seats([make_endpoint_model(url, "fixed-1")] * 2),
            "topology": "pairwise",
            "rounds": 1,
            "task": write_questions(tmp_path, 2),
        }
        run = time_run(config, tmp_path / "run")
        bare = run_bare_loop(url, "fixed-1", calls_per_wave=3, waves=2)
    assert run.num_turns == 8
    assert {parse_delay_s(turn.text) for turn in run.read_turns()} == {0.001}
    assert bare.wall_s > 0
    assert bare.cpu_s_per_call > 0


def test_memory_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = run_in_process(3, tmp_path)
    assert found.num_questions == 3
    assert found.num_turns == 18
    assert found.peak_bytes > 2**24


def test_peak_memory_never_falls(tmp_path: Path) -> None:
    before = read_peak_bytes()
    assert debate_simulated(2, tmp_path).peak_bytes >= before


def test_the_requests_sent_at_once_are_those_of_the_debate(tmp_path: Path) -> None:
    config = {
        "agents": make_seats([{"engine": "scripted", "replies": "Answer: 4"}] * 2),
        "topology": "pairwise",
        "rounds": 1,
        "task": write_questions(tmp_path, 1),
        "log": {"prompts": True},
    }
    plan = make_plan(load_run(config))
    turns = time_run(config, tmp_path / "run").read_turns()
    sent = rebuild_requests(plan, turns)
    assert {request.messages for own in sent.values() for request in own} == {
        turn.prompt for turn in turns
    }
    assert sum(map(len, sent.values())) == len(turns)


def test_parts_are_taken_in_their_order_and_an_unknown_one_is_told() -> None:
    assert parse_parts("e,a,e") == ("a", "e")
    with pytest.raises(InputError, match="--part"):
        parse_parts("a,g")


def test_a_ratio_is_the_value_by_what_it_is_compared_with() -> None:
    assert Measurement(part="b", what="x", value=3, unit="s", against=2).ratio == 1.5
    assert Measurement(part="a", what="x", value=3, unit="s").ratio is None


def test_results_are_written_with_what_they_were_measured_on() -> None:
    results = [
        Measurement(part="b", what="ring", value=3.0, unit="s", against=2.0, against_what="bound"),
        SkippedMeasurement(part="d", what="cache", reason="nobody tells"),
    ]
    found = json.loads(encode_results(results, quick=True, load=0.5))
    assert found["measures"][0]["ratio"] == 1.5
    assert found["skipped"][0]["reason"] == "nobody tells"
    assert found["environment"]["hardware"]["cpus"] >= 1
    assert (found["quick"], found["load_before"]) == (True, 0.5)


def test_the_table_shows_ratios_reasons_and_that_others_were_at_work() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    results = [
        Measurement(part="b", what="ring", value=3.0, unit="s", against=2.0, against_what="bound"),
        SkippedMeasurement(part="d", what="cache", reason="nobody tells"),
    ]
    console.print(make_table(results, load=7.0, cpus=2))
    shown = console.export_text()
    assert "1.50" in shown
    assert "nobody tells" in shown
    assert "7.0 processes wanted to run on 2 CPUs" in shown


def test_a_part_that_cannot_be_measured_says_why_and_stops_no_other(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    task = write_questions(tmp_path, 1)
    config.write_text(
        "models: {m: {engine: openai, url: 'http://127.0.0.1:9/v1', model: m, retries: 0}}\n"
        "agents: [{id: a, model: m}]\n"
        f"topology: isolated\ntask: {{path: {task['path']}, kind: number}}\n"
    )
    results = list(run_parts(("c",), quick=True, folder=tmp_path, config=str(config)))
    assert [type(each) for each in results] == [SkippedMeasurement]
    assert "no call of the debate succeeded: openai endpoint" in str(results[0])
    assert not list(tmp_path.glob("debate-bench-*"))


def test_a_wrong_part_ends_the_command_with_what_would_be_right() -> None:
    found = CliRunner().invoke(app, ["bench", "--part", "z"])
    assert isinstance(found.exception, InputError)
    assert '"z" is no part' in str(found.exception)
