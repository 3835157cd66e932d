"""A data file tells by its columns and cells which task reads it, or what its user must say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from debate.errors import TaskError, Undecided
from debate.tasks.recognition import RecognisedFile, Told, describe_targets, recognise_file
from tests.tasks.test_task_loading import jsonl

FOUR = ["w", "x", "y", "z"]


def recognise(folder: Path, *rows: dict[str, Any], **told: Any) -> RecognisedFile:
    return recognise_file(jsonl(folder, *rows), Told(**told))


def recognise_csv(folder: Path, text: str, **told: Any) -> RecognisedFile:
    (folder / "data.csv").write_text(text)
    return recognise_file(str(folder / "data.csv"), Told(**told))


def get_task(file: RecognisedFile) -> dict[str, Any]:
    return {key: value for key, value in file.task.items() if key != "path"}


@pytest.mark.parametrize(
    ("text", "task", "targets"),
    [
        (
            "question,A,B,C,D,answer\nq,1,2,3,4,B\nr,5,6,7,8,c\n",
            {"kind": "choice", "columns": {"options": list("ABCD")}, "target_as": "letter"},
            "BC",
        ),
        (
            "Question Text,Option 1,Option 2,Correct Option\nq,p,q,1\nr,p,q,2\n",
            {
                "kind": "choice",
                "columns": {
                    "question": "Question Text",
                    "target": "Correct Option",
                    "options": ["Option 1", "Option 2"],
                },
                "target_as": "number",
            },
            "AB",
        ),
        (
            "question,opa,opb,gold\nq,p,q,opb\nr,p,q,opa\n",
            {
                "kind": "choice",
                "columns": {"target": "gold", "options": ["opa", "opb"]},
                "target_as": "label",
            },
            "BA",
        ),
        (
            "question,options,answer\nq,\"['Rome', 'Oslo']\",Oslo\nr,\"['Ulm', 'Bern']\",Ulm\n",
            {"kind": "choice", "target_as": "text"},
            "BA",
        ),
        ("question,answer\nq,True\nr,False\n", {"kind": "choice"}, "AB"),
        ('Problem,Gold answer\nq,"1,000"\nr,$5\n', None, ["1000", "5"]),
        ("question,a,b,answer\n1+2,1,2,3\n4+5,4,5,9\n", {"kind": "number"}, "39"),
        ("question,answer\nq,Rome\nr,7\n", {"kind": "text"}, ["Rome", "7"]),
        ("q,1,2,3,4,B\nr,1,2,3,4,A\n", {"dataset": "mmlu"}, "BA"),
    ],
)
def test_a_table_tells_its_columns_kind_and_targets(
    tmp_path: Path, text: str, task: dict[str, Any] | None, targets: Any
) -> None:
    found = recognise_csv(tmp_path, text)
    assert [question.target for question in found.questions] == list(targets)
    named = {"question": "Problem", "target": "Gold answer"}
    assert get_task(found) == (task or {"kind": "number", "columns": named})


@pytest.mark.parametrize(
    ("row", "dataset"),
    [
        ({"question": "q", "answer": "It is 4.\n#### 4"}, "gsm8k"),
        (
            {
                "id": "m",
                "question": "q",
                "choices": {"text": FOUR, "label": list("1234")},
                "answerKey": "3",
            },
            "arc",
        ),
        ({"question": "is it", "passage": "It is.", "answer": True}, "boolq"),
    ],
)
def test_a_known_data_set_is_recognised(tmp_path: Path, row: dict[str, Any], dataset: str) -> None:
    found = recognise(tmp_path, row)
    assert get_task(found) == {"dataset": dataset}
    assert found.columns == tuple(row)
    assert get_task(recognise(tmp_path, row, kind="text", columns={"target": "question"}))["kind"]


def test_places_that_no_row_decides_are_asked_with_both_readings(tmp_path: Path) -> None:
    rows = [{"question": str(n), "choices": FOUR, "answer": n} for n in (2, 3)]
    with pytest.raises(Undecided) as caught:
        recognise(tmp_path, *rows)
    assert caught.value.field == "target_as"
    assert set(caught.value.choices) == {"index", "number"}
    found = recognise(tmp_path, *rows, target_as="number")
    assert [question.target for question in found.questions] == ["B", "C"]


@pytest.mark.parametrize(
    ("header", "told", "field"),
    [
        ("frage,antwort", {}, "question"),
        ("frage,antwort", {"columns": {"question": "frage"}}, "target"),
    ],
)
def test_a_column_that_no_name_tells_is_asked(
    tmp_path: Path, header: str, told: dict[str, Any], field: str
) -> None:
    with pytest.raises(Undecided, match="frage, antwort") as caught:
        recognise_csv(tmp_path, f"{header}\nq,7\n", **told)
    assert (caught.value.field, list(caught.value.choices)) == (field, ["frage", "antwort"])
    columns = {"question": "frage", "target": "antwort"}
    assert recognise_csv(tmp_path, f"{header}\nq,7\n", columns=columns).questions[0].target == "7"


def test_a_table_without_a_header_is_read_by_places(tmp_path: Path) -> None:
    columns = {"question": "1", "target": "2"}
    found = recognise_csv(tmp_path, "2+2?,4\n3+3?,6\n", header=False, columns=columns)
    assert get_task(found) == {"kind": "number", "columns": columns, "header": False}
    assert [question.target for question in found.questions] == ["4", "6"]


def test_the_right_answer_beside_wrong_ones_is_shuffled(tmp_path: Path) -> None:
    wrong = {"distractor1": "x", "distractor2": "y"}
    rows = [{"question": str(n), "correct_answer": "r", **wrong} for n in range(30)]
    found = recognise(tmp_path, *rows)
    assert found.task["shuffle_options"]
    assert {question.target for question in found.questions} == set("ABC")


def test_questions_without_targets_are_not_scored(tmp_path: Path) -> None:
    rows = [{"question": "q", "answer": 1}, {"question": "r", "answer": None}]
    found = recognise(tmp_path, *rows)
    assert get_task(found) == {"kind": "number", "scored": False}
    assert found.remarks == ("rows without a target, which are asked and not scored: 1",)
    assert describe_targets(found.questions) == "1 in 50 %, none in 50 %"
    bare = recognise(tmp_path, {"question": "q"}, scored=False)
    assert get_task(bare) == {"kind": "text", "scored": False}


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([*"12345678", "about 9"], "all targets but 1 are numbers"),
        ("ABCAB", "no column is known to hold options"),
        ([r"\frac{x}{2}", "x"], "`kind: math`"),
    ],
)
def test_what_else_texts_may_be_is_told(tmp_path: Path, targets: list[str], said: str) -> None:
    rows = [{"question": str(n), "answer": target} for n, target in enumerate(targets)]
    (remark,) = recognise(tmp_path, *rows).remarks
    assert said in remark


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"kind": "chioce"}, 'did you mean "choice"'),
        ({"target_as": "index"}, "is for choices"),
        ({"dataset": "gsm8k", "kind": "text"}, "knows its columns"),
        ({"columns": {"target": "antwort"}}, 'no column "antwort"'),
    ],
)
def test_what_is_told_wrongly_is_refused(tmp_path: Path, told: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError, match=said):
        recognise(tmp_path, {"question": "q", "answer": 1}, **told)
