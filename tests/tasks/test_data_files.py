"""What is absent, contradictory or unreadable in a data file is told with its place."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import polars
import pytest

from debate.tasks.data_files import read_rows
from tests.tasks.test_task_loading import jsonl, load, message

NAN = float("nan")


@pytest.mark.parametrize("missing", [None, "", " ", NAN, "nan", "NaN", "<NA>", "#N/A"])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_what_programs_write_for_nothing_is_absent(
    tmp_path: Path, missing: Any, suffix: str
) -> None:
    rows = [
        {"id": "a", "question": "Capital?", "answer": "Rome", "category": "x", "cluster": "p"},
        {"id": missing, "question": "Why?", **dict.fromkeys(("answer", "category", "cluster"))},
    ]
    rows[1] |= dict.fromkeys(("answer", "category", "cluster"), missing)
    path = tmp_path / f"data{suffix}"
    if suffix == ".jsonl":
        jsonl(tmp_path, *rows)
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    elif suffix == ".csv":
        text = [{k: None if v is None else str(v) for k, v in row.items()} for row in rows]
        polars.DataFrame(text).write_csv(path)
    else:
        polars.DataFrame(rows, strict=False).write_parquet(path)
    _, question = load(path=str(path), kind="text", scored=False)
    assert (question.target, question.category, question.cluster) == (None, None, None)
    assert (
        question.id
        == load(path=jsonl(tmp_path, {"question": "Why?", "answer": "x"}), kind="text")[0].id
    )
    assert 'column "answer" is empty' in message(path=str(write_lines(tmp_path, rows)), kind="text")


def write_lines(folder: Path, rows: list[dict[str, Any]]) -> str:
    return jsonl(folder, *rows, name="again.jsonl")


@pytest.mark.parametrize("word", ["NA", "n/a", "None", "null"])
def test_words_for_nothing_are_no_numbers_but_may_be_texts(tmp_path: Path, word: str) -> None:
    path = jsonl(tmp_path, {"question": "How many?", "answer": word})
    assert load(path=path, kind="number", scored=False)[0].target is None
    assert load(path=path, kind="text", scored=False)[0].target == word


def test_whole_numbers_that_became_floats_are_whole(tmp_path: Path) -> None:
    frame = polars.DataFrame({"id": [7.0, 8.0], "question": ["a", "b"], "answer": [1.0, NAN]})
    frame.write_parquet(tmp_path / "data.parquet")
    questions = load(path=str(tmp_path / "data.parquet"), kind="number", scored=False)
    assert [(question.id, question.target) for question in questions] == [("7", "1"), ("8", None)]


CONTRADICTIONS = [
    ("q.csv", "id,question,answer,answer\n1,2+2?,4,5\n", '2 columns are called "answer": 3 and 4'),
    ("q.csv", "question,answer, answer\n2+2?,4,5\n", '2 columns are called "answer": 2 and 3'),
    ("q.tsv", "answer\tquestion\tanswer\n1\t2\t3\n", '"answer": 1 and 3; rename or remove'),
    ("q.jsonl", '{"question": "?", "answer": 1, "answer": 2}', ':1: this line: the key "answer"'),
    ("q.jsonl", '{"question": "?", "o": {"A": 1, "A": 2}}', 'the key "A" stands twice'),
    ("q.json", '[{"question": "?", "answer": 1, "answer": 2}]', 'the key "answer" stands twice'),
    ("q.csv", 'question,answer\n"a\nb",1\nx,2,3\n', ":4: this row holds 3 cells, and the header 2"),
    ("q.csv", 'question,answer\nx,1\n"open,2\ny,3\n', ":3: a quote is opened in this row and ne"),
    ("q.csv", "question|answer\nx|1\n", "columns of .csv are parted by commas"),
    ("q.csv", "question;answer, in m\nx, y;1\n", ":1: the header may be parted by commas (2 col"),
    ("q.csv", "sep=;\nquestion;answer\nx;1\n", ":1: the line 'sep=;' is no header; remove it"),
    ("q.csv", "question;answer\nx;3,5\n", "'3,5' is not a number; a decimal comma is not guessed"),
    ("q.csv", "question,answer\rx,1\r", "its lines end in carriage returns alone"),
    ("q.csv", "", "there is nothing in it"),
    ("q.csv", b"question,answer\nx,\xe9t\xe9\n", ":2: the bytes"),
    ("q.csv", "question,answer\nx,1\n".encode("utf-16"), "holds text in UTF-16"),
    ("q.jsonl", '{"question": "?"}'.encode("utf-16-le"), "holds text in UTF-16"),
    ("q.jsonl", '{"question": "?", oops}', "is not JSON from its character 19 on: oops}"),
    ("q.jsonl", '{"question": "?"', "is not JSON: it ends too early"),
    ("q.json", "[1, 2]", "entry 1: expected an object, found 1"),
    ("q.json", '"text"', "expected a list of JSON objects"),
    ("q.csv.gz", b"no gzip", "cannot be unpacked as gzip"),
    (
        "q.jsonl.gz",
        # A time in the file would give the test another name in each worker.
        gzip.compress(b'{"question": "?", "answer": 1}\n' * 99, mtime=0)[:-9],
        "cannot be unpacked as gzip",
    ),
]


@pytest.mark.parametrize(("name", "content", "said"), CONTRADICTIONS)
def test_a_file_that_contradicts_itself_is_told_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    raw = content.encode() if isinstance(content, str) else content
    (tmp_path / name).write_bytes(raw)
    found = message(path=str(tmp_path / name), kind="number")
    assert found.startswith(str(tmp_path / name))
    assert said in found
    assert "char " not in found


@pytest.mark.parametrize(
    "text",
    [
        "question;answer\nHow many, in all?;4\n",
        "question\tanswer\nHow many, in all?\t4\n",
        'question,answer\n"How many, in all?",4\n',
        'question,"answer;unit"\n"How many, in all?",4\n',
        'question,answer;unit\n"How many, in all?",4\n',
        'question;"answer, in m"\r\n"How many, in all?";4\r\n',
        'id;"question\nasked";answer\n1;How many, in all?;4\n',
    ],
)
def test_columns_are_parted_by_what_parts_the_header(tmp_path: Path, text: str) -> None:
    path = tmp_path / "q.csv"
    path.write_text(text)
    (row,) = read_rows(str(path))
    assert {"How many, in all?", "4"} <= set(row.cells.values())


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.csv.gz", "q.jsonl.gz"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_marks_line_ends_and_gzip_change_no_question(
    tmp_path: Path, name: str, mark: bytes, end: bytes
) -> None:
    lines = [b"question,answer", b"2+2?,4", b"", b"3+3?,6", b""]
    if "jsonl" in name:
        lines = [b'{"question": "2+2?", "answer": 4}', b'{"question": "3+3?", "answer": 6}', b""]
    raw = mark + end.join(lines)
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    questions = load(path=str(tmp_path / name), kind="number")
    assert [(question.text, question.target) for question in questions] == [
        ("2+2?", "4"),
        ("3+3?", "6"),
    ]


def test_columns_without_a_name_may_be_several(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("question,answer,,\n2+2?,4,,\n")
    assert load(path=str(tmp_path / "q.csv"), kind="number")[0].target == "4"


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    for name, said in [
        ("folder.csv", "is no regular file but a folder"),
        ("pipe.csv", "is no regular file but a named pipe"),
        ("device.csv", "is no regular file but a device"),
        ("gone.csv", "leads to no file"),
    ]:
        assert said in message(path=str(tmp_path / name), kind="text")
