"""Data sets are read from rows in the layout that their authors, or the usual copies, have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest

from debate.types import Question
from tests.tasks.test_task_loading import jsonl, load, message

LABELLED = {"text": ["one", "two", "three"], "label": ["A", "B", "C"]}
LISTED = [{"text": "one", "label": "1"}, {"text": "two", "label": "2"}]
MC1 = {"choices": ["right", "wrong", "worse"], "labels": [1, 0, 0]}
HELLASWAG = {
    "ind": 24,
    "activity_label": "Roof shingle removal",
    "ctx": "A man is sitting on a roof. he",
    "endings": ["flies.", "sings.", "starts pulling up roofing.", "sleeps."],
    "source_id": "activitynet~v_1",
    "label": "2",
}
ROWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "ARC in a table": (
        "arc",
        {"id": "Mercury_1", "question": "How many?", "choices": LABELLED, "answerKey": "B"},
        "two",
    ),
    "ARC as published, labels from 1": (
        "arc",
        {"id": "NYS_1", "question": {"stem": "How many?", "choices": LISTED}, "answerKey": "2"},
        "two",
    ),
    "OpenBookQA in a table": (
        "openbookqa",
        {"id": "7-980", "question_stem": "How many?", "choices": LABELLED, "answerKey": "C"},
        "three",
    ),
    "CommonsenseQA as published": (
        "commonsenseqa",
        {
            "id": "1afa",
            "answerKey": "1",
            "question": {"question_concept": "sum", "stem": "How many?", "choices": LISTED},
        },
        "one",
    ),
    "BoolQ": ("boolq", {"question": "is it", "passage": "It is.", "answer": True}, "yes"),
    "StrategyQA": ("strategyqa", {"qid": "e0", "question": "Can it?", "answer": False}, "no"),
    "TruthfulQA mc1": ("truthfulqa_mc1", {"question": "Why?", "mc1_targets": MC1}, "right"),
    "TruthfulQA mc1 as published": (
        "truthfulqa_mc1",
        {"question": "Why?", "mc1_targets": {"wrong": 0, "right": 1}, "mc2_targets": {}},
        "right",
    ),
    "TruthfulQA in the authors' CSV": (
        "truthfulqa_mc1",
        {
            "Category": "Myths",
            "Question": "Why?",
            "Best Answer": "right",
            "Correct Answers": "right; also right",
            "Incorrect Answers": "wrong; worse",
        },
        "right",
    ),
    "TruthfulQA mc2": (
        "truthfulqa_mc2",
        {"question": "Why?", "mc2_targets": {"choices": ["so", "thus", "no"], "labels": [1, 1, 0]}},
        "so",
    ),
    "MMLU in a table": (
        "mmlu",
        {"question": "2+2?", "subject": "sums", "choices": ["1", "2", "3", "4"], "answer": 3},
        "4",
    ),
    "MMLU-Pro": (
        "mmlu_pro",
        {
            "question_id": 70,
            "question": "Which?",
            "options": ["p", "q", "r", "N/A", "N/A"],
            "answer": "C",
            "answer_index": 2,
            "category": "business",
        },
        "r",
    ),
    "GPQA": (
        "gpqa",
        {
            "Record ID": "rec0",
            "Question": "Which?\n",
            "Correct Answer": "right\n",
            "Incorrect Answer 1": "a",
            "Incorrect Answer 2": "b",
            "Incorrect Answer 3": "c",
            "High-level domain": "Physics",
        },
        "right",
    ),
    "HellaSwag": ("hellaswag", HELLASWAG, "starts pulling up roofing."),
}


def get_right(question: Question) -> str:
    """The text of the right option."""
    return question.options["ABCDEFGHIJ".index(question.target or "")]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_a_question_with_its_right_option(tmp_path: Path, name: str) -> None:
    dataset, row, right = ROWS[name]
    (question,) = load(dataset=dataset, path=jsonl(tmp_path, row))
    assert question.kind == "choice"
    assert get_right(question) == right


@pytest.mark.parametrize("name", [name for name in ROWS if "as published" not in name])
def test_a_copy_in_parquet_gives_the_same_questions(tmp_path: Path, name: str) -> None:
    dataset, row, _ = ROWS[name]
    polars.DataFrame([row], strict=False).write_parquet(tmp_path / "copy.parquet")
    listed = load(dataset=dataset, path=jsonl(tmp_path, row))
    assert load(dataset=dataset, path=str(tmp_path / "copy.parquet")) == listed


@pytest.mark.parametrize("name", ["ARC in a table", "OpenBookQA in a table", "MMLU in a table"])
def test_lists_that_pandas_wrote_as_texts_are_read(tmp_path: Path, name: str) -> None:
    dataset, row, right = ROWS[name]
    texts = {column: str(cell) for column, cell in row.items()}
    polars.DataFrame([texts]).write_csv(tmp_path / "copy.csv")
    (question,) = load(dataset=dataset, path=str(tmp_path / "copy.csv"))
    assert get_right(question) == right


def test_mmlu_is_read_from_csv_with_and_without_a_header(tmp_path: Path) -> None:
    rows = '"Is 1, 2?",no,yes,both,neither,B\nIs it?,a,b,c,d,A\n'
    (tmp_path / "bare.csv").write_text(rows)
    (tmp_path / "named.csv").write_text("question,A,B,C,D,answer\n" + rows)
    bare = load(dataset="mmlu", path=str(tmp_path / "bare.csv"))
    assert bare == load(dataset="mmlu", path=str(tmp_path / "named.csv"))
    assert [(question.text, question.target) for question in bare] == [
        ("Is 1, 2?", "B"),
        ("Is it?", "A"),
    ]
    columns = {"question": "1", "options": ["2", "3", "4", "5"], "target": "6"}
    plain = load(path=str(tmp_path / "bare.csv"), kind="choice", header=False, columns=columns)
    assert plain == bare


def test_mmlu_without_a_header_must_have_its_six_columns(tmp_path: Path) -> None:
    (tmp_path / "five.csv").write_text("Is it?,a,b,c,A\n")
    said = message(dataset="mmlu", path=str(tmp_path / "five.csv"))
    assert "five.csv:1: a row holds 5 cells; there must be 6: question, A, B, C, D, answer" in said


@pytest.mark.parametrize("name", ["GPQA", "TruthfulQA mc1"])
def test_where_the_right_option_is_first_options_are_shuffled(tmp_path: Path, name: str) -> None:
    dataset, row, right = ROWS[name]
    key = "Question" if "Question" in row else "question"
    rows = [{**row, key: f"Which of {n}?", "Record ID": f"rec{n}"} for n in range(30)]
    path = jsonl(tmp_path, *rows)
    questions = load(dataset=dataset, path=path)
    assert len({question.target for question in questions}) > 2
    assert {get_right(question) for question in questions} == {right}
    kept = load(dataset=dataset, path=path, shuffle_options=False)
    assert {question.target for question in kept} == {"A"}


def test_questions_on_one_passage_are_one_cluster(tmp_path: Path) -> None:
    rows = [
        {"question": f"is it {n}", "passage": "It.", "title": "It", "answer": n > 0}
        for n in range(2)
    ]
    questions = load(dataset="boolq", path=jsonl(tmp_path, *rows))
    assert {question.cluster for question in questions} == {"It"}
    assert questions[0].text == "It.\n\nis it 0?"


@pytest.mark.parametrize(
    ("row", "kind", "target"),
    [
        ({"solution": r"So $\boxed{1} \to \boxed{\frac{3}{2}}$."}, "number", "1.5"),
        ({"solution": r"It is $\boxed{(1, \sqrt{2})}$"}, "text", r"(1, \sqrt{2})"),
        ({"solution": r"It is $\fbox{7}$"}, "number", "7"),
        ({"solution": "worked", "answer": "12", "subject": "Algebra"}, "number", "12"),
    ],
)
def test_a_problem_of_math_has_its_last_box_as_target(
    tmp_path: Path, row: dict[str, Any], kind: str, target: str
) -> None:
    path = jsonl(tmp_path, {"problem": "?", "level": "Level 5", "type": "Algebra", **row})
    (question,) = load(dataset="math", path=path)
    assert (question.kind, question.target, question.category) == (kind, target, "Algebra")


def test_a_file_of_one_list_or_of_one_object_is_read(tmp_path: Path) -> None:
    rows = [{"qid": f"{n}", "question": f"Is {n}?", "answer": n > 0} for n in range(2)]
    (tmp_path / "list.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "one.json").write_text(json.dumps(rows[0], indent=1))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    listed = load(dataset="strategyqa", path=str(tmp_path / "list.json"))
    assert [question.target for question in listed] == ["B", "A"]
    assert load(dataset="strategyqa", path=str(tmp_path / "lines.json")) == listed
    assert load(dataset="strategyqa", path=str(tmp_path / "one.json")) == listed[:1]


@pytest.mark.parametrize(
    ("dataset", "row", "said"),
    [
        ("arc", {"id": "q", "question": "?", "choices": LABELLED, "answerKey": ""}, "no targets"),
        ("arc", {"id": "q", "question": "?", "choices": LABELLED, "answerKey": "E"}, "none of the"),
        ("arc", {"id": "q", "question": "?", "answerKey": "E"}, "no column 'choices'"),
        ("arc", {"id": "q", "question": None, "choices": LABELLED, "answerKey": "A"}, "is empty"),
        ("boolq", {"question": "?", "passage": "p", "answer": "maybe"}, "must be true or false"),
        ("hellaswag", {**HELLASWAG, "label": ""}, "no targets"),
        ("hellaswag", {**HELLASWAG, "label": 4}, "none of the options A to D"),
        ("math", {"problem": "?", "solution": "none"}, "must hold its answer in"),
        ("math", {"problem": "?", "solution": r"\boxed{1"}, "must hold its answer in"),
        ("truthfulqa_mc1", {"question": "?", "mc1_targets": {"a": 0, "b": 0}}, "0 of 2 options"),
        ("truthfulqa_mc1", {"question": "?", "mc1_targets": "x"}, "must be choices and labels"),
        (
            "mmlu_pro",
            {**ROWS["MMLU-Pro"][1], "answer_index": 0},
            "the answer is C, but answer_index is 0",
        ),
    ],
)
def test_a_row_of_another_layout_is_refused_with_its_place(
    tmp_path: Path, dataset: str, row: dict[str, Any], said: str
) -> None:
    path = jsonl(tmp_path, row)
    found = message(dataset=dataset, path=path)
    assert found.startswith(f"{path}:1: ")
    assert said in found
