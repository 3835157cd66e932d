"""What is wrong with an endpoint is told before a run, by one call, and costs nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from rich.console import Console

import debate
from debate.config.loader import load_run
from debate.config.models import OpenaiModel
from debate.engines.base import Capabilities, Completion, Request
from debate.errors import EngineError
from debate.log import Run
from debate.runner.execute import execute, raise_if_failed
from debate.runner.plan import make_plan
from debate.runner.preflight import find_hint
from debate.runner.report_run import print_served
from debate.runner.verify_run import verify_run
from tests.processes import invoke
from tests.runner.speaker import chat, saying, seat
from tests.support import scripted, simulated, write_questions

WRONG_KEY = 401, '{"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}'
WRONG_MODEL = 404, '{"error": {"message": "The model `m` does not exist"}}'
TOO_LARGE = 400, '{"error": {"message": "max_tokens is too large: 100000"}}'
SPENT = (
    429,
    '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}',
)
LIMITED = 429, '{"error": {"message": "Rate limit reached, please try again in 1ms"}}'
PREFLIGHT = "This is a test."


def write_config(folder: Path, *agents: dict[str, Any], num: int = 3, **fields: Any) -> str:
    config = {"agents": agents, "topology": "isolated", "task": write_questions(folder, num)}
    path = folder / "run.yaml"
    path.write_text(json.dumps(config | {"rounds": 0} | fields))
    return str(path)


def start(config: str, folder: Path, *words: str) -> CompletedProcess[str]:
    words = ("--out", str(folder / "out"), "--no-report", *words)
    return invoke("run", config, *words, COLUMNS="300", MY_KEY="k1")


def make(config: str, folder: Path, **options: bool) -> Run:
    """The run without its report, which takes longer than the run."""
    return debate.run(config, out=folder / "out", **options)


def is_preflight(body: dict[str, Any]) -> bool:
    return bool(body["messages"][-1]["content"].startswith(PREFLIGHT))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (WRONG_KEY, "Incorrect API key provided"),
        (WRONG_MODEL, "check url and model"),
        (TOO_LARGE, "max_tokens is too large"),
        (SPENT, "You exceeded your current quota"),
        ((500, "lost"), "HTTP 500: lost (attempt 2 of 2)"),
        ((200, '{"choices": []}'), "no chat completion"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_with_the_servers_words_and_nothing_is_begun(
    reply: tuple[int, str], told: str, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []
    with saying(reply, asked=asked) as url:
        done = start(write_config(tmp_path, seat(url, retries=5, api_key_env="MY_KEY")), tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if f'a ("m" at {url})' in line]
    assert told in line
    assert all(map(is_preflight, asked))
    assert len(asked) <= 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("url", "asked", "has_advice"),
    [
        ("http://h:1", "/chat/completions", True),
        ("http://h:1/", "/chat/completions", True),
        ("http://h:1/v1", "/v1/chat/completions", False),
        ("http://h:1/v1/", "/v1/chat/completions", False),
        ("http://h:1/gate/v1beta/openai", "/gate/v1beta/openai/chat/completions", False),
        ("http://h:1/api", "/api/chat/completions", False),
        ("https://me.openai.azure.com", "/openai/deployments/m/chat/completions", False),
    ],
)
def test_a_path_that_is_not_there_is_told_and_a_version_advised_where_there_is_none(
    url: str, asked: str, has_advice: bool
) -> None:
    hint = find_hint(OpenaiModel(engine="openai", model="m", url=url), "HTTP 404: gone")
    assert hint is not None
    assert f"the path asked was {asked};" in hint
    assert hint.endswith("have a version in it: http://h:1/v1") == has_advice


def test_a_key_in_the_address_is_not_told(tmp_path: Path) -> None:
    with saying(WRONG_MODEL) as url:
        asked = f"{url}?api_key=planted-0123456789"
        done = start(write_config(tmp_path, seat(asked)), tmp_path)
    assert done.returncode == 2
    assert "api_key=(hidden)" in done.stderr
    assert "planted" not in done.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:{port}/v1", "Connection refused"),
        ("http://no-such-host.invalid/v1", "cannot connect to no-such-host.invalid"),
    ],
)
def test_an_endpoint_that_is_not_there_is_told_after_two_attempts(
    url: str, told: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path, seat(url.format(port=free_port()), retries=5))
    done = start(config, tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "(attempt 2 of 2)" in done.stderr


def test_every_model_that_fails_has_a_line_and_the_others_have_theirs(tmp_path: Path) -> None:
    with saying(WRONG_KEY) as locked, saying(WRONG_MODEL) as other, saying(chat()) as good:
        seats = [{**seat(url), "id": f"a{n}"} for n, url in enumerate((locked, other, good))]
        done = start(write_config(tmp_path, *seats), tmp_path)
    assert done.returncode == 2
    assert "2 models did not answer" in done.stderr
    assert "no key was sent; api_key_env names" in done.stderr
    assert "preflight: model a2 answers" in done.stderr


def test_the_call_has_the_parameters_of_the_run_and_its_cost_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []
    sampling = {"temperature": 0.5, "max_tokens": 77, "extra": {"min_p": 0.1}}
    usage = '{"prompt_tokens": 9, "completion_tokens": 2}'
    with saying(chat(usage=usage), asked=asked) as url:
        priced = seat(url, price={"prompt": 1e6, "generated": 1e6})
        made = make(write_config(tmp_path, {**priced, "sampling": sampling}), tmp_path)
    assert "cost 44.0000" in capsys.readouterr().err.replace("\n", " ")
    first, *others = asked
    assert is_preflight(first)
    assert len(others) == 3
    assert not any(map(is_preflight, others))
    differing = {name for name in first if first[name] != others[0][name]}
    assert differing <= {"messages", "seed"}
    assert set(first) == set(others[0])
    (begun,) = made.manifest.starts
    (call,) = begun.preflight
    assert (call.model, call.prompt_tokens, call.generated_tokens) == ("a", 9, 2)


def test_a_parameter_that_the_call_finds_refused_is_left_out_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []
    refusal = 400, json.dumps({"error": {"message": "Unsupported parameter: 'top_p'"}})
    with saying(refusal, chat(), asked=asked) as url:
        make(write_config(tmp_path, seat(url)), tmp_path)
    assert "without top_p, which the endpoint refused" in capsys.readouterr().err
    assert [("top_p" in body) for body in asked] == [True, *[False] * 4]


def test_a_rate_limit_stops_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with saying(LIMITED, chat()) as url:
        made = make(write_config(tmp_path, seat(url)), tmp_path)
    assert "requests_per_minute" in capsys.readouterr().err
    assert not made.turns()["failed"].any()


def test_the_call_can_be_left_out(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    with saying(chat(), asked=asked) as url:
        config = write_config(tmp_path, seat(url, max_failures=1), num=1)
        make(config, tmp_path, quiet=True, preflight=False)
    with saying((500, "lost"), asked=asked) as url:
        done = start(
            write_config(tmp_path, seat(url, max_failures=1)), tmp_path / "o", "--no-preflight"
        )
    assert done.returncode == 1
    assert asked
    assert not any(map(is_preflight, asked))


def test_where_nothing_is_left_to_do_nothing_is_asked(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    with saying(chat(), asked=asked) as url:
        config = write_config(tmp_path, seat(url))
        make(config, tmp_path, quiet=True)
        make(config, tmp_path, quiet=True)
    assert sum(map(is_preflight, asked)) == 1


def test_a_run_that_goes_on_is_tried_again_and_keeps_what_it_has(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    with saying(chat(), (500, "lost"), (500, "lost"), WRONG_KEY, asked=asked) as url:
        config = write_config(tmp_path, seat(url), scripted("b", "Answer: 4"))
        make(config, tmp_path, quiet=True)
        done = start(config, tmp_path)
    assert done.returncode == 2
    assert "Incorrect API key provided" in done.stderr
    assert sum(map(is_preflight, asked)) == 2
    assert Run(tmp_path / "out").turns().filter(agent="b").height == 3


def test_models_without_an_endpoint_are_asked_nothing_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make(write_config(tmp_path, simulated("a")), tmp_path)
    assert "preflight" not in capsys.readouterr().err
    (begun,) = made.manifest.starts
    assert begun.preflight == ()


# Failures in a row


def test_a_model_that_fails_again_and_again_ends_the_run_in_order(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    down = seat("", max_failures=4, max_in_flight=1)
    with saying(*[chat()] * 3, (500, "lost"), asked=asked) as url:
        down["model"]["url"] = url
        config = write_config(tmp_path, down, num=50)
        done = start(config, tmp_path)
    assert done.returncode == 1
    assert "model a is paused after 4 failures in a row: 4 × HTTP 500: lost" in done.stderr
    assert "the same command goes on from there" in done.stderr
    assert len(asked) == 1 + 2 + 4
    made = Run(tmp_path / "out")
    assert made.manifest.status == "failed"
    assert made.turns()["failed"].to_list().count(False) == 2
    assert verify_run(made.directory).problems == ()


def test_a_run_that_was_ended_goes_on_from_there(tmp_path: Path) -> None:
    failing = seat("", max_failures=2, max_in_flight=1)
    with saying(chat(), chat(), (500, "lost"), (500, "lost"), chat()) as url:
        failing["model"]["url"] = url
        config = write_config(tmp_path, failing, num=9)
        assert start(config, tmp_path).returncode == 1
        made = make(config, tmp_path, quiet=True)
    assert made.manifest.status == "complete"
    assert not made.turns()["failed"].any()


def test_with_keep_going_the_model_is_tried_again_and_the_run_is_done(tmp_path: Path) -> None:
    failing = seat("", max_failures=2, pause_s=0.001, max_in_flight=1)
    with saying(chat(), chat(), *[(500, "lost")] * 4, chat()) as url:
        failing["model"]["url"] = url
        made = make(write_config(tmp_path, failing, num=20, keep_going=True), tmp_path)
    assert made.turns()["failed"].to_list().count(True) == 4


def test_with_keep_going_a_dead_model_is_given_up_and_the_others_end(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []
    failing = seat("", max_failures=2, pause_s=0.001, max_in_flight=1)
    with saying(chat(), (500, "lost"), asked=asked) as url:
        failing["model"]["url"] = url
        seats = failing, scripted("b", "Answer: 4")
        config = write_config(tmp_path, *seats, num=20)
        done = start(config, tmp_path, "--keep-going")
    assert done.returncode == 0, done.stderr
    assert len(asked) == 1 + 2 + 6
    assert "is paused after 8 failures in a row" in done.stdout
    made = Run(tmp_path / "out").turns()
    assert made.filter(agent="b")["failed"].to_list() == [False] * 20
    assert made.filter(agent="a")["failed"].all()


# How much has to come back


def test_less_than_a_quarter_of_the_turns_is_a_failure_and_the_reasons_are_told(
    tmp_path: Path,
) -> None:
    agents = [*(simulated(name, failure=1.0) for name in "abde"), scripted("c", "Answer: 4")]
    config = write_config(tmp_path, *agents)
    done = start(config, tmp_path)
    assert done.returncode == 1
    assert "12 of 15 calls failed: 12 × simulated: simulated failure" in done.stderr
    assert "accuracy" in done.stdout


@pytest.mark.parametrize(("share", "does_fail"), [(0.0, False), (0.33, False), (0.34, True)])
def test_the_share_that_must_come_back_is_a_field(
    share: float, does_fail: bool, tmp_path: Path
) -> None:
    agents = [simulated("a", failure=1.0), simulated("b", failure=1.0), scripted("c", "Answer: 4")]
    plan = make_plan(load_run(write_config(tmp_path, *agents)))
    console = Console(quiet=True)
    result = asyncio.run(execute(plan, tmp_path / "out", console=console, quiet=True))
    if does_fail:
        with pytest.raises(EngineError, match="6 of 9 calls failed"):
            raise_if_failed(result, min_completed=share)
    else:
        raise_if_failed(result, min_completed=share)


def test_a_share_of_none_still_wants_one_turn(tmp_path: Path) -> None:
    plan = make_plan(load_run(write_config(tmp_path, simulated("a", failure=1.0))))
    result = asyncio.run(execute(plan, tmp_path / "out", console=Console(quiet=True), quiet=True))
    with pytest.raises(EngineError, match="every one of 3 calls failed"):
        raise_if_failed(result, min_completed=0.0)


# What served the calls, and what engines say of themselves


class TellingEngine:
    """Answers at once, and says what it is."""

    capabilities = Capabilities()

    async def start(self) -> None:
        """Nothing to load."""

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[list[Completion]]:
        """Answer every request."""
        yield [Completion(id=each.id, text="Answer: 4") for each in requests]

    def describe(self) -> dict[str, str]:
        """Say what the replies depend on."""
        return {"dtype": "bfloat16", "batch_invariant": "true"}

    async def close(self) -> None:
        """Nothing to free."""


def test_what_engines_say_of_themselves_is_in_the_manifest(tmp_path: Path) -> None:
    telling = {"id": "a", "model": {"engine": f"{__name__}.TellingEngine"}}
    made = make(write_config(tmp_path, telling, scripted("b", "Answer: 4")), tmp_path, quiet=True)
    (begun,) = made.manifest.starts
    assert begun.engines == {"a": {"dtype": "bfloat16", "batch_invariant": "true"}}


def test_what_an_endpoint_says_it_is_is_counted_and_a_change_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = (served(f"fp_{n}") for n in (1, 2))
    with saying(before, before, after) as url:
        made = make(write_config(tmp_path, seat(url, max_in_flight=1)), tmp_path)
    assert made.manifest.totals is not None
    assert made.manifest.totals.served == {"a": {"m-2024 fp_1": 1, "m-2024 fp_2": 2}}
    print_served(made, Console(width=200))
    told = (
        "note: model a changed at its endpoint: m-2024 fp_1 (1 calls), then m-2024 fp_2 (2 calls)"
    )
    assert told in capsys.readouterr().out
    assert verify_run(made.directory).problems == ()


def served(fingerprint: str) -> tuple[int, str]:
    status, text = chat()
    named = {"model": "m-2024", "system_fingerprint": fingerprint}
    return status, json.dumps(json.loads(text) | named)
