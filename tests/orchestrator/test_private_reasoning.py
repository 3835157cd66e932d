"""Private reasoning in a debate: on record, read by nobody, heard only where the view says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from debate.log import Run
from debate.runner.verify_run import verify_run
from tests.cutting import Ended, endpoint, seat
from tests.support import by_ref, run, said, scripted

THOUGHT = "<think>SECRET: Answer: 5</think>\nBecause.\nAnswer: 4"


def debated(folder: Path, **view: Any) -> Run:
    """A debate of one agent that reasons with one that does not."""
    agents = [scripted("a", THOUGHT), scripted("b", "Answer: 4")]
    found = run(
        folder,
        agents,
        rounds=1,
        log={"prompts": True},
        protocol={"name": "exchange", "view": view},
    )
    assert verify_run(found.directory).problems == ()
    return found


def test_reasoning_is_on_record_apart_from_the_reply(tmp_path: Path) -> None:
    found = debated(tmp_path)
    turns = by_ref(found)
    opening = turns["0:opening:a"]
    assert (opening.text, opening.value) == ("Because.\nAnswer: 4", "4")
    assert opening.reasoning == "SECRET: Answer: 5"
    assert turns["0:opening:b"].reasoning is None
    assert found.turns()["reasoning"].drop_nulls().unique().to_list() == ["SECRET: Answer: 5"]
    lines = (found.directory / "turns" / "0.jsonl").read_text().splitlines()
    assert sum('"reasoning"' in line for line in lines) == 2
    assert not any('"notes"' in line for line in lines)


def test_nobody_hears_it_by_default(tmp_path: Path) -> None:
    turns = by_ref(debated(tmp_path))
    for agent in "ab":
        assert "Because." in said(turns[f"1:revision:{agent}"])
        assert "SECRET" not in said(turns[f"1:revision:{agent}"])


def test_all_hear_it_where_the_view_says_so(tmp_path: Path) -> None:
    turns = by_ref(debated(tmp_path, hear_reasoning=True))
    for agent in "ab":
        assert "SECRET" in said(turns[f"1:revision:{agent}"])


def test_hearing_it_changes_a_call_only_where_there_is_some(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")]
    hashes = []
    for hears in (False, True):
        protocol = {"name": "exchange", "view": {"hear_reasoning": hears}}
        made = run(tmp_path, agents, rounds=1, protocol=protocol, name=f"run{hears}")
        hashes.append({ref: turn.prompt_hash for ref, turn in by_ref(made).items()})
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    "text", ["<think>\nAnswer: 5\nConfidence: 95%\nHmm", "Answer: 5\n\n<think>wait"]
)
def test_a_limit_inside_reasoning_cuts_the_turn(text: str, tmp_path: Path) -> None:
    with endpoint({"a": Ended(text, "length")}) as url:
        found = run(tmp_path, [seat("a", url)], rounds=1, topology="self_loop")
    assert verify_run(found.directory).problems == ()
    opening = by_ref(found)["0:opening:a"]
    assert (opening.outcome, opening.value, opening.confidences) == ("cut", None, ())
    assert opening.reasoning is not None
