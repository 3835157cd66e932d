"""A log with numbers in it that are none can be read, checked and gone on from."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debate.log.manifest import compute_totals
from debate.log.run import Run
from debate.log.utilisation import UTILISATION, UtilisationSample, read_utilisation
from debate.log.verify import check_log
from debate.types import Belief, Confidence, Turn, Usage
from tests.log.builders import DEBATE, open_log, turn, verdict, write

ABSURD = st.sampled_from([2**53 + 1, 2**62, 2**63, 2**64, 2**70, -(2**63), -1, 10**400, 1e308]) | (
    st.sampled_from(["inf", "-inf", "nan"])
)
SPOILT = ("seed", "round", "sampling_seed", "started_at", "finished_at", "num_failed", "score")
SPOILT += ("confidence", *(each.name for each in fields(Usage)))


def spoil(line: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Write values into all fields of these names, however deep, and into a tally and a belief."""
    for name, value in list(line.items()):
        if name in values:
            line[name] = values[name]
        elif name == "confidences" and "value" in values:
            line[name] = [each | {"value": values["value"]} for each in value]
        elif name in ("tally", "log_p") and "value" in values:
            line[name] = dict.fromkeys(value, values["value"])
        elif isinstance(value, dict):
            spoil(value, values)


def spoil_file(path: Path, values: Mapping[str, Any]) -> None:
    """Write values into every line of a file, without checksums."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line.pop("crc32", None)
        spoil(line, values)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def full(agent: str, **changed: Any) -> Turn:
    """A turn with a number in every field that may hold one."""
    usage = Usage(prompt_tokens=3, cached_tokens=1, generated_tokens=2, queued_s=0.5, running_s=0.5)
    sure = (Confidence(source="verbal", value=0.5),)
    belief = Belief(log_p={"4": -0.5, "5": float("-inf")})
    return turn(agent, usage=usage, confidences=sure, belief=belief, **changed)


def sample(**changed: Any) -> bytes:
    """A line of utilisation."""
    counts = ("queued", "in_flight", "done", "failed", "restarts", "swaps")
    counts += ("prompt_tokens", "cached_tokens", "generated_tokens", "replica")
    shares = ("at", "interval_s", "busy", "idle", "asleep", "swapping", "queued_s", "running_s")
    made = dict.fromkeys(counts, 1) | dict.fromkeys(shares, 1.0) | {"model": "m", "state": "ready"}
    return json.dumps(made | changed).encode() + b"\n"


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from([*SPOILT, "value"]), ABSURD, min_size=1, max_size=4))
def test_any_number_in_a_log_is_read_or_named(values: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = Path(folder)
        write(directory, [full("a"), full("b")], [verdict(0)])
        spoil_file(directory / "turns" / "0.jsonl", values)
        spoil_file(directory / "verdicts" / "0.jsonl", values)
        run = Run(directory)
        turns = run.turns()
        assert turns.select("prompt_tokens", "generated_tokens").sum().row(0) >= (0, 0)
        run.trajectories(), run.verdicts(), run.beliefs(), run.scan_turns().collect()
        compute_totals(directory)
        check_log(directory)
        with open_log(directory) as log:
            log.recorded(DEBATE)


@pytest.mark.parametrize("name", [each.name for each in fields(Usage)])
def test_a_number_that_is_none_is_absent_told_and_named(name: str, tmp_path: Path) -> None:
    write(tmp_path, [full("a"), full("b")])
    spoil_file(tmp_path / "turns" / "0.jsonl", {name: 46 * 10**18})
    told = rf"turns/0.jsonl:1: {name} is .* and 1 more: taken for absent"
    with pytest.warns(UserWarning, match=told):
        assert Run(tmp_path).turns()[name].to_list() == [None, None]
    named = [each for each in check_log(tmp_path) if ", turn" in each.place]
    assert sum(each.what.startswith(f"{name} is 4") for each in named) == 2


@pytest.mark.parametrize(("name", "value"), [("seed", 2**70), ("round", 20_000_000)])
def test_a_place_that_is_none_is_a_corrupted_line(name: str, value: int, tmp_path: Path) -> None:
    write(tmp_path, [full("a")])
    spoil_file(tmp_path / "turns" / "0.jsonl", {name: value})
    with pytest.warns(UserWarning, match=f"corrupted line .{name} is {value}.; it is left out"):
        assert Run(tmp_path).turns().is_empty()
    assert any(f"{name} is {value}" in str(each) for each in check_log(tmp_path))


@pytest.mark.parametrize("name", ["prompt_tokens", "at", "busy", "done", "running_s", "replica"])
def test_a_sample_with_a_number_that_is_none_is_left_out(name: str, tmp_path: Path) -> None:
    write(tmp_path, [full("a")])
    (tmp_path / UTILISATION).write_bytes(sample() + sample(**{name: 2**62}) + sample())
    with pytest.warns(UserWarning, match=f"a sample is left out, for {name} is"):
        assert read_utilisation(tmp_path).height == 2
    assert any(f"{name} is" in str(each) for each in check_log(tmp_path))


def test_a_sample_of_the_writer_is_sound() -> None:
    made = msgspec.json.decode(sample(), type=UtilisationSample)
    assert asdict(made)["done"] == 1
