"""Options are read as data sets write them, and targets by one reading for a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from debate.errors import TaskError
from debate.tasks.options import (
    Options,
    describe_same_target,
    find_target,
    read_options,
    shuffle_options,
)
from debate.types import Question
from tests.tasks.test_task_loading import jsonl, load, message

CITIES = Options(("Rome", "Paris", "A. Lincoln", "I"))


@pytest.mark.parametrize(
    ("target", "readings", "letter"),
    [
        ("B", ("letter", "text"), "B"),
        ("Paris", ("letter", "text"), "B"),
        (1, ("index",), "B"),
        ("1.0", ("index",), "B"),
        (2, ("number",), "B"),
        ("I", ("text",), "D"),
    ],
)
def test_a_target_is_a_letter_a_place_or_a_text(
    target: object, readings: Sequence[str], letter: str
) -> None:
    assert find_target(target, CITIES, readings) == letter


def test_a_target_with_two_readings_is_refused() -> None:
    options = Options(("2", "3", "4"))
    with pytest.raises(ValueError, match=r"C as index .* or A as text; set `target_as` to index"):
        find_target(2, options, ("index", "text"))
    assert find_target(2, options, ("text",)) == "A"


@pytest.mark.parametrize(("target", "how"), [("E", "letter"), (4, "index"), (0, "number")])
def test_a_target_outside_the_options_is_refused(target: object, how: str) -> None:
    with pytest.raises(ValueError, match="none of the options A to D"):
        find_target(target, CITIES, (how,))


@pytest.mark.parametrize(
    "written",
    [
        ["Rome", "Paris"],
        ["Rome", "Paris", None, ""],
        {"A": "Rome", "B": "Paris"},
        {"text": ["Rome", "Paris"], "label": ["1", "2"]},
        [{"label": "x", "text": "Rome"}, {"label": "y", "text": "Paris"}],
        [{"key": "x", "value": "Rome"}, {"key": "y", "value": "Paris"}],
        [{"id": 7, "content": "Rome"}, {"id": 8, "content": "Paris"}],
        '["Rome", "Paris"]',
        "['Rome', 'Paris']",
        "('Rome', 'Paris')",
        "['Rome', 'Paris', nan]",
        "array(['Rome', 'Paris'], dtype=object)",
        "{'text': array(['Rome', 'Paris'], dtype=object), 'label': array(['A', 'B'])}",
        "{'A': 'Rome', 'B': 'Paris'}",
    ],
)
def test_options_are_read_as_data_sets_write_them(written: object) -> None:
    assert read_options(written).texts == ("Rome", "Paris")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Rome", "a list is needed, or one column for each option"),
        ("['Rome' 'Paris']", "lacks commas between them"),
        ("['Rome']", "2 to 26 non-empty ones"),
        ("['Rome', open('x')]", "no list as JSON or Python writes it"),
        ("[" * 50_000, "no list as JSON or Python writes it"),
        ("[" + "1," * 100_000 + "]", "longer than 100,000 characters"),
        ({"text": ["x", "y"], "label": ["A"]}, "2 texts and 1 labels"),
        ({"text": ["x", "y"], "label": ["A", "A"]}, "each must occur once"),
        ([{"text": "x", "label": "A"}, {"text": "y"}], "some have no label"),
        (["x", True], "the option True is neither a text nor a number"),
        ([{"id": "A", "text": "x"}, {"id": "B", "texts": "y"}], "some have no text"),
        ([["x"], ["y"]], "neither a text nor a number"),
    ],
)
def test_what_states_no_options_is_refused_in_words(written: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"option|labels") as caught:
        read_options(written)
    assert said in str(caught.value)


def ask(folder: Path, *targets: object, options: Any = ("w", "x", "y", "z"), **task: Any) -> str:
    """The letters of questions with these targets."""
    rows = [
        {"question": f"{place}?", "options": options, "answer": target}
        for place, target in enumerate(targets)
    ]
    questions = load(path=jsonl(folder, *rows), kind="choice", **task)
    return "".join(question.target or "-" for question in questions)


@pytest.mark.parametrize(
    ("targets", "letters"),
    [
        ((0, 1, 2), "ABC"),
        ((1, 2, 4), "ABD"),
        ((1.0, 2.0, 4.0), "ABD"),
        (("A", "b", "(C)"), "ABC"),
        (("w", "Z"), "AD"),
        (("A", "z", 0, 1), "ADAB"),
    ],
)
def test_the_whole_file_tells_how_targets_are_written(
    tmp_path: Path, targets: Sequence[object], letters: str
) -> None:
    assert ask(tmp_path, *targets) == letters


def test_places_that_may_count_from_0_or_1_are_refused_unless_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"data.jsonl:1: target 1 may mean B as index .* A as num"):
        ask(tmp_path, 1, 2, 3)
    assert ask(tmp_path, 1, 2, 3, target_as="index") == "BCD"
    assert ask(tmp_path, 1, 2, 3, target_as="number") == "ABC"


def test_a_row_beyond_the_limit_decides_too(tmp_path: Path) -> None:
    assert ask(tmp_path, 1, 2, 4, limit=2) == "AB"


def test_places_that_count_from_0_and_from_1_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r":2: target 0 can only be an index.*jsonl:1 4 only a num"):
        ask(tmp_path, 4, 0)


def test_options_that_are_numbers_are_not_taken_for_places(tmp_path: Path) -> None:
    assert ask(tmp_path, 8, 6, options=[6, 7, 8, 9]) == "CA"
    with pytest.raises(TaskError, match=r"may mean B as number .* or A as text"):
        ask(tmp_path, "2", options=["2", "3"], filter={"question": "0?"})


@pytest.mark.parametrize("name", ["label", "key", "id", "letter"])
def test_a_target_names_the_option_that_has_its_label(tmp_path: Path, name: str) -> None:
    options = [{name: "B", "text": "w"}, {name: "A", "text": "x"}]
    assert ask(tmp_path, "A", options=options) == "B"


def test_labels_of_the_file_win_over_places_and_letters(tmp_path: Path) -> None:
    assert ask(tmp_path, "1", "2", options={"text": ["x", "y"], "label": ["1", "2"]}) == "AB"
    assert ask(tmp_path, "B", "A", options={"text": ["x", "y"], "label": ["B", "A"]}) == "AB"
    labels = {"text": ["x", "y"], "label": ["i", "ii"]}
    assert ask(tmp_path, "ii", options=labels, target_as="label") == "B"


def test_nested_columns_are_named_with_points(tmp_path: Path) -> None:
    stem = {"stem": "Capital?", "choices": [{"text": t, "label": t[0]} for t in ("Rome", "Paris")]}
    path = jsonl(tmp_path, {"id": "q", "question": stem, "answerKey": "P"})
    columns = {"question": "question.stem", "options": "question.choices", "target": "answerKey"}
    (question,) = load(path=path, kind="choice", columns=columns)
    assert (question.text, question.target) == ("Capital?", "B")
    columns["question"] = "question.stam"
    said = message(path=path, kind="choice", columns=columns)
    assert 'no column "question.stam" (question); did you mean "question.stem"?' in said


@pytest.mark.parametrize("answers", [(True, False), ("yes", "No"), ("True", "false")])
def test_true_and_false_without_options_are_yes_and_no(
    tmp_path: Path, answers: tuple[object, object]
) -> None:
    rows = [{"question": f"{n}?", "answer": answer} for n, answer in enumerate(answers)]
    questions = load(path=jsonl(tmp_path, *rows), kind="choice")
    assert [(q.options, q.target) for q in questions] == [(("yes", "no"), a) for a in "AB"]


ROWS = [{"question": f"{n}?", "options": ["yes", "n", "m", "k"], "answer": "A"} for n in range(40)]


def test_options_are_shuffled_by_seed_and_question_and_targets_follow(tmp_path: Path) -> None:
    path = jsonl(tmp_path, *ROWS)
    moved = load(path=path, kind="choice", shuffle_options=True)
    assert all(q.options["ABCD".index(q.target or "")] == "yes" for q in moved)
    assert {question.target for question in moved} == set("ABCD")
    assert moved == load(path=path, kind="choice", shuffle_options=True)
    less = load(path=path, kind="choice", shuffle_options=True, limit=5)
    assert less == moved[:5]
    other = load(path=path, kind="choice", shuffle_options=True, seed=7)
    assert {q.id: q.options for q in moved} != {q.id: q.options for q in other}
    plain = load(path=path, kind="choice")
    assert [question.id for question in plain] == [question.id for question in moved]


def test_a_question_without_options_is_not_shuffled() -> None:
    question = Question(id="q", text="?", kind="text", options=("a", "b"), target="a")
    assert shuffle_options(question, 1) == question


def test_one_letter_for_all_targets_is_told(tmp_path: Path) -> None:
    told = describe_same_target(load(path=jsonl(tmp_path, *ROWS), kind="choice"))
    assert told is not None
    assert "the right option is A in all 40 questions" in told
    assert describe_same_target(load(path=jsonl(tmp_path, *ROWS[:2]), kind="choice")) is None
    moved = load(path=jsonl(tmp_path, *ROWS), kind="choice", shuffle_options=True)
    assert describe_same_target(moved) is None


@pytest.mark.parametrize(
    ("num_first", "options", "is_told"),
    [
        (36, ["p", "q", "r", "s"], True),
        (35, ["p", "q", "r", "s"], False),
        (36, ["yes", "no"], False),
        (40, ["yes", "no"], True),
    ],
)
def test_one_letter_for_nearly_all_targets_is_told_unless_it_is_yes_or_no(
    num_first: int, options: list[str], is_told: bool
) -> None:
    questions = [
        Question(id=str(n), text="?", kind="choice", options=tuple(options), target=target)
        for n, target in enumerate("A" * num_first + "B" * (40 - num_first))
    ]
    told = describe_same_target(questions)
    assert (told is not None) == is_told
    assert told is None or f"{num_first} of 40" in told or "all 40" in told


def test_a_target_may_name_the_column_of_its_option(tmp_path: Path) -> None:
    rows = [{"question": f"{n}?", "opa": "x", "opb": "y", "answer": "opb"} for n in range(2)]
    task = {"path": jsonl(tmp_path, *rows), "kind": "choice"}
    questions = load(**task, columns={"options": ["opa", "opb"]})
    assert [question.target for question in questions] == ["B", "B"]
    assert "`columns: {options: [opa, opb]}`" in message(**task)
