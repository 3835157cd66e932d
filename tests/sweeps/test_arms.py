"""The arms: what their author hears, and what nobody but the arm changes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.agents.noise import draw_answer, draw_other_answer, make_noise
from debate.agents.views import ShownTurn
from debate.analysis import analyze_run
from debate.errors import ConfigError
from debate.log import Run, check_log
from debate.runner.prompt_examples import render_examples
from debate.types import Question
from tests.support import by_ref, run, said, scripted, simulated, turns_of

SIX = ["single", "self", "repeat", "restate", "noise", "sibling"]


def arms(folder: Path, *names: str, agents: list[dict[str, Any]], **fields: Any) -> Run:
    options = {"topology": "pairwise", "rounds": 2, "log": {"prompts": True}, **fields}
    sweep = {"arm": list(names), **options.pop("sweep", {})}
    return run(folder, agents, sweep=sweep, **options)


def two() -> list[dict[str, Any]]:
    return [
        scripted("a", ["Because of this and that.\nAnswer: 7", "Answer: 8", "Answer: 9"]),
        scripted("b", "It is plainly so, as everybody knows.\nAnswer: 4"),
    ]


def test_each_arm_shows_its_author_what_it_is_named_after(tmp_path: Path) -> None:
    found = arms(tmp_path, "single", "self", "repeat", "restate", "peer", agents=two())
    assert list(by_ref(found, cell="single")) == ["0:opening:a"]
    seen = {
        arm: said(by_ref(found, cell=arm)["1:revision:a"])
        for arm in ("self", "repeat", "restate", "peer")
    }
    assert "Your own previous answer" in seen["self"]
    assert "this and that" in seen["self"]
    assert "this and that" not in seen["repeat"]
    assert "everybody" not in seen["repeat"]
    assert "this and that" in seen["restate"]
    assert "Your own" not in seen["restate"]
    assert "everybody knows" in seen["peer"]


def test_examples_of_arms_that_differ_later_are_shown_apart(tmp_path: Path) -> None:
    """Without past replies `self` and `restate` are alike in round 1, and not in round 2."""
    agents = [scripted("a", ["7", "7", "7"], prompts="compact")]
    found = arms(tmp_path, "self", "restate", "repeat", agents=agents)
    told = [each for each in render_examples(found.directory) if each.kind == "revision"]
    assert sorted(each.cells for each in told) == [("repeat",), ("restate",), ("self",)]
    assert {each.round for each in told} == {2}
    length = {each.cells[0]: len(each.messages) for each in told}
    assert length == {"self": 3, "restate": 2, "repeat": 1}


def test_noise_is_as_long_as_what_it_stands_for_and_says_nothing_of_it(tmp_path: Path) -> None:
    found = arms(tmp_path, "noise", "peer", agents=two())
    shown, peer = by_ref(found, cell="noise")["1:revision:a"], by_ref(found, cell="peer")
    heard = peer["0:opening:b"].text
    assert "everybody" not in said(shown)
    assert len(said(shown)) == len(said(peer["1:revision:a"]))
    assert "Answer: " in said(shown).split("answers:")[1]
    assert heard not in said(shown)
    assert shown.heard == ()


def test_noise_is_drawn_anew_for_every_author_round_question_seed_and_turn(tmp_path: Path) -> None:
    agents = [{**two()[1], "id": name} for name in "abcd"]
    protocol = {"anonymous": False, "view": {"noise": True}}
    found = run(
        tmp_path,
        agents,
        topology={"edges": ["a, b -> c, d"], "uncritiqued": "allow"},
        rounds=2,
        protocol=protocol,
        log={"prompts": True},
        num_questions=2,
        seeds=[0, 1],
    )
    shown = [
        turn.prompt[-1].content
        for question in ("q0", "q1")
        for seed in (0, 1)
        for turn in turns_of(found, question, seed=seed)
        if turn.prompt and turn.kind == "revision"
    ]
    assert len(set(shown)) == len(shown) == 2 * 2 * 2 * 2
    of_a, of_b = (shown[0].split(f"{name} answers:")[1].split("Answer:")[0] for name in "ab")
    assert (len(of_a), of_a == of_b) == (len(of_b), False)


def test_noise_answers_have_the_form_of_answers() -> None:
    rng, number = random.Random(1), Question(id="q", text="?", kind="number")
    drawn = {draw_answer("936", number, rng) for _ in range(300)}
    assert all(len(answer) == 3 and answer.isdecimal() and answer[0] != "0" for answer in drawn)
    assert len(drawn) > 200
    choice = Question(id="q", text="?", kind="choice", options=("x", "y", "z"))
    assert {draw_answer("A", choice, rng) for _ in range(100)} == {"A", "B", "C"}


@given(st.text("0123456789abcXYZ.,-²é ", max_size=6), st.integers(0, 9))
def test_another_answer_of_the_same_form_is_another(answer: str, seed: int) -> None:
    other = draw_other_answer(answer, Question(id="q", text="?"), random.Random(seed))
    assert len(other) == len(answer)
    assert (other == answer) == (not any(c.isdecimal() or c.isalpha() for c in answer))


def test_another_choice_is_another_option_if_there_is_one() -> None:
    def drawn(*options: str) -> set[str]:
        choice = Question(id="q", text="?", kind="choice", options=options)
        return {draw_other_answer("A", choice, random.Random(seed)) for seed in range(50)}

    assert drawn("x", "y", "z") == {"B", "C"}
    assert drawn("x") == {"A"}


def test_noise_in_place_of_a_bare_answer_is_a_bare_answer() -> None:
    heard = ShownTurn(name="b", own=False, kind="opening", text=None, answer="12", confidence=0.9)
    made = make_noise(heard, Question(id="q", text="?", kind="number"), random.Random(3))
    assert (made.text, len(made.answer or "")) == (None, 2)
    assert made.confidence != 0.9


def test_a_sibling_is_another_sample_of_the_author_s_model(tmp_path: Path) -> None:
    agents = [simulated("a", concentration=2.0), simulated("b")]
    for agent in agents:
        agent["sampling"] = {"temperature": 1.0}
    found = arms(tmp_path, "sibling", agents=agents, num_questions=20)
    openings = found.turns().filter(round=0)
    assert set(openings["model"]) == {"a"}
    assert set(openings["agent"]) == {"a", "a.2"}
    by_question = openings.sort("agent").group_by("question").agg("answer")["answer"].to_list()
    assert any(first != second for first, second in by_question)


def test_confederates_all_state_one_wrong_answer_and_have_no_vote(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", "Answer: 4"), scripted("c", "Answer: 4")]
    found = arms(tmp_path, "scripted", "scripted_right", agents=agents, topology="complete")
    wrong = found.turns().filter(cell="scripted", model="scripted.wrong")
    assert wrong["answer"].n_unique() == 1
    assert wrong["correct"].any() is False
    assert found.turns().filter(model="scripted.right")["correct"].all()
    tally = found.verdicts().filter(cell="scripted")["tally"].to_list()
    assert all(sum(vote["weight"] for vote in votes) == 1 for votes in tally)
    heard = by_ref(found, cell="scripted")["1:revision:a"].heard
    assert heard == ("0:opening:peer.w1", "0:opening:peer.w2")


def test_confederates_are_not_probed(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    found = arms(tmp_path, "scripted", agents=agents, probes=["belief"])
    assert set(found.turns().filter(kind="probe")["agent"]) == {"a"}


def test_a_topology_by_names_holds_for_whoever_sits_in_their_places(tmp_path: Path) -> None:
    star = {"edges": ["b -> a", "c -> b"], "uncritiqued": "allow"}
    agents = [simulated("a"), simulated("b"), simulated("c")]
    found = arms(tmp_path, "sibling", "scripted", "peer", agents=agents, topology=star)
    assert by_ref(found, cell="sibling")["1:revision:a"].heard == ("0:opening:a.2",)
    assert by_ref(found, cell="scripted")["1:revision:a"].heard == ("0:opening:peer.w1",)
    assert by_ref(found, cell="peer")["1:revision:a"].heard == ("0:opening:b",)


def test_the_author_can_be_another_debater(tmp_path: Path) -> None:
    found = arms(tmp_path, "single", "sibling", agents=two(), sweep={"author": ["b"]})
    assert set(found.turns()["cell"]) == {"single-b", "sibling-b"}
    assert set(found.turns()["model"]) == {"b"}


def test_opening_answers_are_shared_by_all_arms_and_made_once(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b")]
    found = arms(tmp_path, *SIX, "peer", "scripted", agents=agents, num_questions=3)
    openings = found.turns().filter(kind="opening", agent="a")
    assert openings["shared_with"].null_count() == 3
    assert openings.group_by("question").agg(n=openings["answer"].n_unique()).height == 3
    assert check_log(found.directory) == []


def test_an_agent_that_resamples_does_not_hear_itself(tmp_path: Path) -> None:
    agents = [simulated("a", self_trust=500.0), simulated("b")]
    for agent in agents:
        agent["sampling"] = {"temperature": 1.0}
    found = arms(tmp_path, "self", "repeat", "noise", agents=agents, num_questions=60, rounds=1)
    rows = found.trajectories().filter(agent="a").sort("round")
    ends = rows.group_by("cell", "question").agg(kept=pl.col("answer").n_unique() == 1)
    changed = dict(ends.group_by("cell").agg((~pl.col("kept")).sum()).iter_rows())
    assert changed["self"] < 3
    assert changed["repeat"] > 10
    assert changed["noise"] == changed["repeat"]


def test_estimates_of_an_arm_are_its_author_s_and_it_finds_its_controls(tmp_path: Path) -> None:
    agents = [simulated("a", competence=0.7), simulated("b", competence=0.4)]
    sweep = {"rounds": [1, 2], "anonymous": [True, False]}
    found = arms(
        tmp_path,
        "single",
        "repeat",
        "peer",
        "scripted",
        agents=agents,
        num_questions=40,
        sweep=sweep,
    )
    analysis = analyze_run(found, resamples=20)
    first = {cell: analysis.find("accuracy", cell=cell, round=0) for cell in analysis.cells}
    assert len({estimate.value for estimate in first.values() if estimate}) == 1
    compared = {c.cell: c.second for c in analysis.comparisons if c.family == "cell - single"}
    assert compared["peer-r2-named"] == "single"
    entrenched = analysis.find("entrenchment", cell="peer-r2-named", round=2)
    assert entrenched is not None
    assert entrenched.missing is None or "control" not in entrenched.missing
    assert any("In arms about an author (a)" in sentence for sentence in analysis.caveats)


def test_an_arm_needs_a_team_that_it_can_be_had_of(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a debater besides"):
        arms(tmp_path, "noise", agents=[simulated("a")], topology="self_loop")
