"""Signals that ask a run to end are heard: it closes, says how to go on, and goes on."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import debate
import debate.errors
from debate import interrupts
from debate.cli import describe_interruption
from debate.interrupts import hear_signals, run_to_end
from debate.log import Run
from tests.processes import PATIENCE_S, await_turns, start_listening
from tests.support import simulated

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What a listener has heard it goes on to hear; here it is to stop."""
    numbers = (*interrupts.ENDING_SIGNALS, signal.SIGALRM)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", CODES)
def test_a_signal_cancels_what_runs_and_lets_it_close(number: signal.Signals) -> None:
    closed = []

    async def wait() -> None:
        try:
            asyncio.get_running_loop().call_soon(signal.raise_signal, number)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            signal.raise_signal(number)  # a further one does not keep it from closing
            closed.append("log")

    with hear_signals(lambda _: "") as listener, pytest.raises(KeyboardInterrupt):
        run_to_end(wait())
    assert closed == ["log"]
    assert listener.heard == number


def test_code_that_keeps_the_loop_waiting_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "BLOCKED_S", 0.01)

    async def compute() -> None:
        signal.raise_signal(signal.SIGINT)
        while True:
            pass

    with hear_signals(lambda _: ""), pytest.raises(KeyboardInterrupt):
        run_to_end(compute())


def test_a_signal_outside_of_any_run_interrupts_at_once() -> None:
    with hear_signals(lambda _: "") as listener, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert listener.heard == signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "number", "told"),
    [
        ("run a.yaml --out 'my runs'", signal.SIGINT, "interrupted; the same command goes on"),
        ("probe runs/a", signal.SIGTERM, "stopped by SIGTERM; the same command goes on"),
        ("validate a.yaml --pilot 3", signal.SIGINT, "interrupted; the same command goes on"),
        ("validate a.yaml", signal.SIGINT, "interrupted"),
        ("analyze runs/a", signal.SIGHUP, "stopped by SIGHUP"),
    ],
)
def test_an_interruption_is_told_with_the_command_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, words: str, number: signal.Signals, told: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["debate", *shlex.split(words)])
    first, *more = describe_interruption(number).splitlines()
    if told.endswith("goes on"):
        assert first == f"{told} from here: debate {words}"
        assert more == ["calls that were under way were given up and are made again"]
    else:
        assert [first, *more] == [told]


def test_what_was_to_be_ignored_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with hear_signals(lambda _: "") as listener:
        signal.raise_signal(signal.SIGHUP)
    assert listener.heard is None


def test_without_a_signal_everything_is_as_before() -> None:
    before = [signal.getsignal(number) for number in CODES]
    with hear_signals(lambda _: ""):
        pass
    assert [signal.getsignal(number) for number in CODES] == before


async def test_the_python_api_runs_inside_a_running_loop(tmp_path: Path) -> None:
    task = {"generator": "arithmetic", "n": 2}
    config = {"agents": [simulated("a")], "topology": "self_loop", "task": task, "rounds": 1}
    assert debate.run(config, out=tmp_path / "run", quiet=True).manifest.status == "complete"
    with pytest.raises(debate.errors.InputError):
        debate.run({**config, "rounds": -1}, out=tmp_path / "other", quiet=True)


AT_ONCE = ("max_debates=100",)
"""What makes a slow run quick: all of its debates at a time."""


def write_slow_run(folder: Path, **fields: object) -> Path:
    slow = {"engine": "simulated", "latency_s": 0.3, **fields.pop("model", {})}  # type: ignore[dict-item]
    config = {
        "agents": [{"id": name, "model": slow} for name in "ab"],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "n": 24},
        "max_debates": 1,
        **fields,
    }
    (folder / "run.yaml").write_text(json.dumps(config))
    return folder / "run.yaml"


def interrupt(folder: Path, config: Path, *numbers: signal.Signals) -> tuple[int, str]:
    """Send signals to a run with a few turns; its exit code and what it said."""
    process = start_listening(config, folder / "out")
    await_turns(process, folder / "out", 2)
    for number in numbers:
        process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out + err


@pytest.mark.system
@pytest.mark.parametrize("number", CODES)
def test_a_stopped_run_says_how_to_go_on_and_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    config = write_slow_run(tmp_path)
    code, said = interrupt(tmp_path, config, number, number, number)
    assert code == CODES[number]
    assert f"the same command goes on from here: debate run {config}" in said
    assert "Traceback" not in said
    assert Run(tmp_path / "out").manifest.status == "interrupted"
    goes_on = debate.run(config, overrides=AT_ONCE, out=tmp_path / "out", quiet=True)
    assert goes_on.manifest.status == "complete"


@pytest.mark.system
@pytest.mark.ray
@pytest.mark.parametrize(
    "fields", [{"model": {"host": "actor", "cpus": 0.2}}, {"cluster": {"orchestrators": 2}}]
)
def test_a_run_on_ray_hears_of_the_end_of_its_job(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    code, said = interrupt(tmp_path, write_slow_run(tmp_path, **fields), signal.SIGTERM)
    assert code == 143
    assert said.startswith("stopped by SIGTERM; the same command goes on from here: ")
    assert said.splitlines()[1:] == ["calls that were under way were given up and are made again"]
    assert Run(tmp_path / "out").manifest.status == "interrupted"
