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

from debate.bench.bare import bare_loop
from debate.bench.debates import seats, timed, write_questions
from debate.bench.endpoint import MOST, delay_s, endpoint, held_back_s, reply
from debate.bench.latency import served
from debate.bench.measure import Measure, Skipped
from debate.bench.memory import debate_simulated, peak, peak_bytes
from debate.bench.run import as_json, measured, parts_of
from debate.bench.table import table
from debate.bench.tokens import requests
from debate.cli import app
from debate.config.resolve import load_run
from debate.errors import InputError
from debate.wiring.plan import make_plan


@given(st.text(), st.integers(1, 5000))
def test_delays_depend_on_model_and_content_alone_and_are_bounded(content: str, ms: int) -> None:
    drawn = delay_s(f"tail-{ms}", content)
    assert drawn == delay_s(f"tail-{ms}", content)
    assert 0 < drawn <= MOST * ms / 1000
    assert delay_s(f"fixed-{ms}", content) == ms / 1000


def test_the_tail_is_heavy_and_its_median_is_the_models() -> None:
    drawn = sorted(delay_s("tail-1000", str(n)) for n in range(4001))
    assert drawn[2000] == pytest.approx(1.0, rel=0.05)
    assert drawn[-40] > 3


def test_a_reply_says_how_long_it_was_held_back() -> None:
    body = {"messages": [{"role": "user", "content": "?"}]}
    text = reply(body, 0.513)["choices"][0]["message"]["content"]
    assert held_back_s(text) == 0.513
    with pytest.raises(ValueError, match="not a reply"):
        held_back_s("Answer: 4")


def test_the_endpoint_serves_debates_and_bare_loops_and_ends_with_its_user(tmp_path: Path) -> None:
    with endpoint() as url:
        config = {
            "agents": seats([served(url, "fixed-1")] * 2),
            "topology": "pairwise",
            "rounds": 1,
            "task": write_questions(tmp_path, 2),
        }
        done = timed(config, tmp_path / "run")
        bare = bare_loop(url, "fixed-1", calls_per_wave=3, waves=2)
    assert done.num_turns == 8
    assert {held_back_s(turn.text) for turn in done.turns()} == {0.001}
    assert bare.wall_s > 0
    assert bare.cpu_s_per_call > 0


def test_memory_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = peak(3, tmp_path)
    assert found.num_questions == 3
    assert found.num_turns == 18
    assert found.peak_bytes > 2**24


def test_peak_memory_never_falls(tmp_path: Path) -> None:
    before = peak_bytes()
    assert debate_simulated(2, tmp_path).peak_bytes >= before


def test_the_requests_sent_at_once_are_those_of_the_debate(tmp_path: Path) -> None:
    config = {
        "agents": seats([{"engine": "scripted", "replies": "Answer: 4"}] * 2),
        "topology": "pairwise",
        "rounds": 1,
        "task": write_questions(tmp_path, 1),
        "log": {"prompts": True},
    }
    plan = make_plan(load_run(config))
    turns = timed(config, tmp_path / "run").turns()
    sent = requests(plan, turns)
    assert {request.messages for own in sent.values() for request in own} == {
        turn.prompt for turn in turns
    }
    assert sum(map(len, sent.values())) == len(turns)


def test_parts_are_taken_in_their_order_and_an_unknown_one_is_told() -> None:
    assert parts_of("e,a,e") == ("a", "e")
    with pytest.raises(InputError, match="--part"):
        parts_of("a,f")


def test_a_ratio_is_the_value_by_what_it_is_compared_with() -> None:
    assert Measure(part="b", what="x", value=3, unit="s", against=2).ratio == 1.5
    assert Measure(part="a", what="x", value=3, unit="s").ratio is None


def test_results_are_written_with_what_they_were_measured_on() -> None:
    results = [
        Measure(part="b", what="ring", value=3.0, unit="s", against=2.0, against_what="bound"),
        Skipped(part="d", what="cache", reason="nobody tells"),
    ]
    found = json.loads(as_json(results, quick=True, load=0.5))
    assert found["measures"][0]["ratio"] == 1.5
    assert found["skipped"][0]["reason"] == "nobody tells"
    assert found["environment"]["hardware"]["cpus"] >= 1
    assert (found["quick"], found["load_before"]) == (True, 0.5)


def test_the_table_shows_ratios_reasons_and_that_others_were_at_work() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    results = [
        Measure(part="b", what="ring", value=3.0, unit="s", against=2.0, against_what="bound"),
        Skipped(part="d", what="cache", reason="nobody tells"),
    ]
    console.print(table(results, load=7.0, cpus=2))
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
    results = list(measured(("c",), quick=True, folder=tmp_path, config=str(config)))
    assert [type(each) for each in results] == [Skipped]
    assert "no call of the debate succeeded: openai endpoint" in str(results[0])
    assert not list(tmp_path.glob("debate-bench-*"))


def test_a_wrong_part_ends_the_command_with_what_would_be_right() -> None:
    found = CliRunner().invoke(app, ["bench", "--part", "z"])
    assert isinstance(found.exception, InputError)
    assert '"z" is no part' in str(found.exception)
