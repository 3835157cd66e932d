"""The protocol filter, critics that know the truth, and what equal calls cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from debate.errors import ConfigError
from debate.log import Run, check_log
from debate.runner.verify_run import verify_run
from debate.types import Turn
from tests.support import by_ref, run, said, scripted, turns_of

AUTHOR = scripted("author", ["Answer: 7", "Answer: 8", "Answer: 4", "Answer: 9"])
CHECKER = {"id": "checker", "role": "critic", "model": {"engine": "checker"}}
USER = {
    "id": "user",
    "role": "human",
    "model": {"engine": "oracle", "states_answer": True},
}
EDGE = {"edges": ["checker -> author"]}


def filtered(folder: Path, critic: Any = CHECKER, **fields: Any) -> Run:
    """An author whose third answer is right, and a critic at its gate."""
    options = {"protocol": "filter", "rounds": 3, "topology": EDGE, "log": {"prompts": True}}
    found = run(folder, [AUTHOR, critic], **options | fields)
    assert not check_log(found.directory)
    return found


def answers(found: Run) -> dict[int, str | None]:
    return {turn.round: turn.value for turn in turns_of(found) if turn.kind == "revision"}


def test_a_rejected_answer_is_given_anew_and_an_accepted_one_stands(tmp_path: Path) -> None:
    found = filtered(tmp_path)
    assert answers(found) == {1: "8", 2: "4"}
    turns = by_ref(found)
    assert [turns[f"{n}:critique:checker:author"].accepts for n in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
    assert turns["3:critique:checker:author"].heard == ("2:revision:author",)


def test_an_answer_is_given_anew_without_a_word_of_what_was_said(tmp_path: Path) -> None:
    turns = by_ref(filtered(tmp_path))
    assert said(turns["1:revision:author"]) == said(turns["0:opening:author"])
    assert turns["1:revision:author"].heard == ()


def test_one_who_cannot_tell_changes_nothing(tmp_path: Path) -> None:
    ignorant = {**CHECKER, "model": {"engine": "oracle", "coverage": 0.0}}
    assert answers(filtered(tmp_path, ignorant)) == {}


def test_with_equal_calls_every_round_costs_one_of_the_author(tmp_path: Path) -> None:
    protocol = {"name": "filter", "equal_calls": True}
    found = filtered(tmp_path, protocol=protocol)
    assert answers(found) == {1: "8", 2: "4"}
    made = [turn.ref for turn in turns_of(found) if turn.agent == "author"]
    assert made == [
        "0:opening:author",
        "1:revision:author",
        "2:revision:author",
        "3:probe:author:spare",
    ]
    assert verify_run(found.directory).problems == ()


def test_the_spare_call_is_the_very_one_that_resampling_makes(tmp_path: Path) -> None:
    cells = {
        "gate": {"arm": "anchor", "agents": ["author", "checker"]},
        "repeat": {"arm": "repeat", "agents": ["author"], "protocol": "exchange"},
    }
    protocol = {"name": "filter", "equal_calls": True}
    found = filtered(tmp_path, protocol=protocol, cells=cells)
    spare = by_ref(found, cell="gate")["3:probe:author:spare"]
    again = by_ref(found, cell="repeat")["3:revision:author"]
    assert spare.prompt_hash == again.prompt_hash
    assert {spare.shared_with, again.shared_with} != {None}


def test_no_prompt_but_of_those_who_hear_a_user_holds_the_target(tmp_path: Path) -> None:
    """The checker says right or wrong, and is heard; the user states the answer, to one alone."""
    deaf = scripted("deaf", ["Answer: 71", "Answer: 72", "Answer: 73"])
    found = run(
        tmp_path,
        [AUTHOR, deaf, CHECKER, USER],
        topology={"edges": ["checker -> author, deaf", "user -> author"]},
        protocol="critique",
        rounds=2,
        task=_write_task(tmp_path),
        log={"prompts": True},
    )
    turns = turns_of(found)
    heard = [turn for turn in turns if turn.agent == "author" and turn.kind == "revision"]
    assert all("98765" in said(turn) for turn in heard)
    others = [turn for turn in turns if turn not in heard and turn.agent != "user"]
    assert {turn.agent for turn in others} == {"author", "deaf", "checker"}
    assert not any("98765" in said(turn) for turn in others)
    assert "This answer is wrong." in said(_find(turns, "1:revision:deaf"))


def test_a_critic_that_says_right_or_wrong_is_heard_as_that(tmp_path: Path) -> None:
    found = filtered(tmp_path, protocol="critique", rounds=1)
    assert "This answer is wrong." in said(by_ref(found)["1:revision:author"])


def test_an_author_whom_nobody_judges_would_never_answer_again(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nobody critiques lone"):
        filtered(tmp_path, {**AUTHOR, "id": "lone"}, topology={"edges": ["lone -> author"]})


def test_an_author_who_cannot_read_verdicts_is_not_left_to_hear_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"states no answer.*protocol: filter"):
        run(
            tmp_path,
            [{**AUTHOR, "prompts": "compact"}, CHECKER],
            topology=EDGE,
            protocol="critique",
        )


def _write_task(folder: Path) -> dict[str, Any]:
    path = folder / "q.csv"
    path.write_text("id,question,answer\nq0,What is meant?,98765\n")
    return {"path": str(path), "kind": "number"}


def _find(turns: list[Turn], ref: str) -> Turn:
    return next(turn for turn in turns if turn.ref == ref)
