"""What an agent is shown: bounded where asked, never cut silently, append-only otherwise."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.agents.views import name_speakers
from debate.types import DebateKey, Message, Turn
from tests.support import by_ref, run, said, scripted

CHARS_PER_TOKEN = 4  # of the prompt set that a run has by default
KEEP = {"log": {"prompts": True}}


def _two(**view: Any) -> dict[str, Any]:
    return {"protocol": {"view": view}, **KEEP}


def _prompt(turn: Turn) -> tuple[Message, ...]:
    assert turn.prompt is not None
    return turn.prompt


AGENTS = [
    scripted("a", ["One. Answer: 1\nAnswer: 1", "Two.\nAnswer: 2", "Three.\nAnswer: 3"]),
    scripted("b", ["Why?\nAnswer: 7", "Because.\nAnswer: 8", "Truly.\nAnswer: 9"]),
]


def test_each_rounds_prompt_begins_with_the_last_rounds(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, AGENTS, rounds=3, **KEEP))
    prompts = [_prompt(turns[ref]) for ref in ("0:opening:a", "1:revision:a", "2:revision:a")]
    assert prompts[1][: len(prompts[0])] == prompts[0]
    assert prompts[2][: len(prompts[1])] == prompts[1]


def test_the_last_round_alone_can_be_shown_and_the_rest_is_named(tmp_path: Path) -> None:
    turn = by_ref(run(tmp_path, AGENTS, rounds=3, **_two(rounds="last")))["3:revision:a"]
    assert "Answer: 7" not in said(turn)
    assert "Answer: 9" in said(turn)
    assert turn.dropped == ("round 0: outside the window", "round 1: outside the window")


def test_answers_can_be_shown_without_their_reasoning(tmp_path: Path) -> None:
    turn = by_ref(run(tmp_path, AGENTS, rounds=1, **_two(answers_only=True)))["1:revision:a"]
    assert "Why?" not in said(turn)
    assert "Answer: 7" in said(turn)


def test_at_most_so_many_critics_are_heard_the_same_ones_each_time(tmp_path: Path) -> None:
    agents = [scripted(name, f"Answer: {n}") for n, name in enumerate("abcdefg")]
    first = by_ref(run(tmp_path, agents, rounds=1, name="x", **_two(max_critics=2)))
    second = by_ref(run(tmp_path, agents, rounds=1, name="y", **_two(max_critics=2)))
    heard = {ref: turn.heard for ref, turn in first.items()}
    assert {len(heard[f"1:revision:{name}"]) for name in "abcdefg"} == {2}
    assert heard == {ref: turn.heard for ref, turn in second.items()}
    assert len({heard[f"1:revision:{name}"] for name in "abcdefg"}) > 1


def test_the_critics_are_drawn_anew_for_every_author_round_question_and_seed(
    tmp_path: Path,
) -> None:
    agents = [scripted(name, f"Answer: {n}") for n, name in enumerate("abcdefghxy")]
    topology = {"edges": ["a, b, c, d, e, f, g, h -> x, y"], "uncritiqued": "allow"}
    fields = {"rounds": 3, "num_questions": 2, "seeds": [0, 1], **_two(max_critics=3)}
    found = run(tmp_path, agents, topology=topology, **fields)
    place = ["agent", "question", "seed", "round"]
    turns = found.turns().filter(kind="revision").sort(place)
    heard = turns["heard"].list.eval(pl.element().str.split(":").list.last())
    assert len(set(map(tuple, heard))) == 2 * 2 * 2 * 3


def test_speakers_are_numbered_anew_for_every_question_and_seed_but_not_for_a_cell() -> None:
    def number(question: str, seed: int, cell: str = "ring") -> dict[str, str]:
        debate = DebateKey(cell=cell, question=question, seed=seed)
        return name_speakers(debate, "abcdefgh", anonymous=True)

    drawn = [number(question, seed) for question in ("q0", "q1") for seed in (0, 1)]
    assert len({tuple(sorted(names.items())) for names in drawn}) == 4
    assert number("q0", 0, cell="star") == drawn[0]
    assert sorted(drawn[0].values()) == [f"Agent {place}" for place in range(1, 9)]


def test_a_token_budget_says_what_it_dropped(tmp_path: Path) -> None:
    wordy = "word " * 400
    agents = [
        scripted("a", f"{wordy}\nAnswer: 1"),
        scripted("b", [f"{wordy}\nAnswer: {n}" for n in range(4)]),
    ]
    turn = by_ref(run(tmp_path, agents, rounds=3, **_two(max_tokens=900)))["3:revision:a"]
    assert turn.dropped[0] == "round 0: over the token budget"
    assert "reasoning of Agent" in turn.dropped[-1]
    assert sum(len(message.content) for message in _prompt(turn)) <= 900 * 4


@pytest.mark.parametrize(("spare", "num_dropped"), [(0, 0), (-1, 1)])
def test_a_prompt_that_just_fits_its_budget_loses_nothing(
    tmp_path: Path, spare: int, num_dropped: int
) -> None:
    whole = by_ref(run(tmp_path, AGENTS, rounds=1, name="whole", **KEEP))["1:revision:a"]
    needed = math.ceil(sum(len(message.content) for message in _prompt(whole)) / CHARS_PER_TOKEN)
    view = _two(max_tokens=needed + spare)
    turn = by_ref(run(tmp_path, AGENTS, rounds=1, name="cut", **view))["1:revision:a"]
    assert len(turn.dropped) == num_dropped


def test_a_budget_that_cannot_be_met_is_told_and_nothing_is_cut(tmp_path: Path) -> None:
    turn = by_ref(run(tmp_path, AGENTS, rounds=1, **_two(max_tokens=1)))["1:revision:a"]
    assert "exceeds 1 tokens" in turn.dropped[-1]
    assert "Answer: 7" in said(turn)


def test_personas_dials_and_system_prompts_reach_the_model(tmp_path: Path) -> None:
    agents = [
        scripted(
            "a", "Answer: 1", persona="a careful accountant", agreement=0.25, system="Be terse."
        ),
        scripted("b", "Answer: 2"),
    ]
    turns = by_ref(run(tmp_path, agents, rounds=0, **KEEP))
    system = _prompt(turns["0:opening:a"])[0]
    assert system.role == "system"
    assert system.content.startswith("Be terse.")
    assert "a careful accountant" in system.content
    assert "25%" in system.content
    assert _prompt(turns["0:opening:b"])[0].role == "user"


def test_the_user_s_own_system_prompt_and_persona_stand_as_they_are(tmp_path: Path) -> None:
    own = {"system": "Be terse.\n### Human: is a role.", "persona": "a reader of [/INST]"}
    turn = by_ref(run(tmp_path, [scripted("a", "Answer: 1", **own)], rounds=0, **KEEP))
    system = _prompt(turn["0:opening:a"])[0].content
    assert own["system"] in system
    assert own["persona"] in system


def test_a_count_makes_that_many_seats_of_one_model(tmp_path: Path) -> None:
    agents = [{**scripted("a", "Answer: 4"), "count": 3}]
    turns = by_ref(run(tmp_path, agents, topology="ring", rounds=1))
    assert [turns[f"0:opening:a-{n}"].model for n in (1, 2, 3)] == ["a", "a", "a"]
    assert turns["1:revision:a-1"].heard == ("0:opening:a-3",)
