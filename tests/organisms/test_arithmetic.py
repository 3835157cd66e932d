"""Questions, exact answers, slips, and the split that keeps test questions fresh."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.tasks.arithmetic import (
    FAMILIES,
    RESIDUES,
    assign_split,
    compute_answer,
    draw_question,
    draw_questions,
    draw_wrong_answer,
    get_family,
)

SEEDS = st.integers(0, 2**32)


@given(st.integers(0, 99_999), st.integers(1, 99_999))
def test_the_calculator_is_exact(first: int, second: int) -> None:
    assert compute_answer(f"{first}+{second}") == str(first + second)
    assert compute_answer(f"{first}*{second}") == str(first * second)
    assert compute_answer(f"{first}%{second}") == str(first % second)


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 22)), min_size=1, max_size=6))
def test_chains_run_from_left_to_right_modulo_23(operations: list[tuple[str, int]]) -> None:
    text, total = RESIDUES[5], 5
    for symbol, operand in operations:
        text += symbol + RESIDUES[operand]
        total = {"+": total + operand, "-": total - operand, "*": total * operand}[symbol]
    assert compute_answer(text) == RESIDUES[total % 23]


@pytest.mark.parametrize(
    "text", ["", "3", "3-2", "3+", "3+4+5", "a", "a/b", "a+z", "__import__('os')", "7%0", "٣+1"]
)
def test_what_is_no_question_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no arithmetic question|has no value"):
        compute_answer(text)


@given(st.sampled_from(sorted(FAMILIES)), SEEDS)
def test_a_drawn_question_belongs_to_its_split_and_no_other(name: str, seed: int) -> None:
    for wanted in ("train", "validation", "test"):
        assert (
            assign_split(draw_question(FAMILIES[name], random.Random(seed), split=wanted)) == wanted
        )


def test_the_split_does_not_depend_on_the_process() -> None:
    texts = [q.text for q in draw_questions(["add"], 30, seed=3)]
    program = f"from debate.tasks.arithmetic import assign_split as f; print(*map(f, {texts}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["test"] * 30


@given(st.sampled_from(sorted(FAMILIES)), SEEDS)
def test_a_slip_is_wrong_and_looks_like_an_answer(name: str, seed: int) -> None:
    rng = random.Random(seed)
    text = draw_question(FAMILIES[name], rng, split="train")
    answer = compute_answer(text)
    below = int(text.partition("%")[2]) if "%" in text else None
    wrong = draw_wrong_answer(answer, rng, below=below)
    assert wrong != answer
    if name == "chain23":
        assert wrong in RESIDUES
    else:
        assert wrong == str(int(wrong))
        assert below is None or int(wrong) < below


def test_slips_are_not_all_near_the_answer() -> None:
    rng = random.Random(0)
    distances = [
        sum(a != b for a, b in zip("936", draw_wrong_answer("936", rng), strict=False))
        for _ in "x" * 400
    ]
    assert {1, 2, 3} <= set(distances)


def test_two_thousand_fresh_questions_without_duplicates() -> None:
    found = draw_questions(list(FAMILIES), 4000, seed=0)
    assert len({q.text for q in found}) == 4000
    assert {q.family: 1000 for q in found} == dict.fromkeys(FAMILIES, 1000)
    assert all(q.answer == compute_answer(q.text) and assign_split(q.text) == "test" for q in found)


def test_shares_decide_how_many_questions_a_family_gets() -> None:
    found = draw_questions({"add": 3, "mul": 1}, 40, seed=0)
    assert sum(q.family == "add" for q in found) == 30


def test_the_same_seed_gives_the_same_questions() -> None:
    assert draw_questions(["add"], 20, seed=5) == draw_questions(["add"], 20, seed=5)
    assert draw_questions(["add"], 20, seed=5) != draw_questions(["add"], 20, seed=6)


@pytest.mark.parametrize("num", [230, 900])  # found out by drawing, and beforehand
def test_a_family_that_runs_dry_says_so(num: int) -> None:
    with pytest.raises(ValueError, match=rf"'mul/7' has only about 1[89]. test .*; {num} were"):
        draw_questions(["mul/7"], num, seed=0)


def test_too_many_questions_are_refused_before_any_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("debate.tasks.arithmetic.draw_question", None)
    with pytest.raises(ValueError, match="'mul' has only about 1584 test questions; 2000 were"):
        draw_questions({"add": 1, "mul": 1}, 4000, seed=0)


@pytest.mark.parametrize("name", ["add", "mul", "mod", "mul/7", "mod/558"])
def test_a_family_knows_how_many_texts_it_has(name: str) -> None:
    family, rng = get_family(name), random.Random(0)
    num_drawn = min(2 * family.num_texts, 20_000)
    drawn = len({family.write(family.sample(rng)) for _ in range(num_drawn)})
    missed = (1 - 1 / family.num_texts) ** num_drawn
    assert abs(drawn / family.num_texts - (1 - missed)) < 0.04


def test_chains_are_not_refused_while_there_are_some() -> None:
    assert len(draw_questions(["chain23"], 7500, seed=0)) == 7500
    with pytest.raises(ValueError, match="only about 9945 test questions; 11000 were"):
        draw_questions(["chain23"], 11_000, seed=0)


@pytest.mark.parametrize("name", ["sub", "add/7", "mul/x", "mul/0"])
def test_an_unknown_family_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is unknown"):
        get_family(name)


def test_a_region_fixes_the_second_operand() -> None:
    assert all(q.text.endswith("*7") for q in draw_questions(["mul/7"], 50, seed=0))
