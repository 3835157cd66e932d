"""From data files to questions, and what is said about files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars
import pytest
from pydantic import TypeAdapter, ValidationError

from debate.config.task import GeneratorTask, TaskSpec
from debate.errors import TaskError
from debate.tasks import load_questions
from debate.tasks.arithmetic import compute_answer
from debate.types import Question

SPEC: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)
ROWS: list[dict[str, Any]] = [
    {"question": "1+1?", "answer": 2, "level": "easy"},
    {"question": "10*10?", "answer": 100, "level": "hard"},
    {"question": "2/3?", "answer": "2/3", "level": "hard"},
]
CHOICES: list[dict[str, Any]] = [
    {"question": "Capital?", "choices": ["Rome", "Paris"], "answer": 1, "subject": "geography"},
    {"question": "River?", "choices": ["Seine", "Tiber", "Rhine"], "answer": 0, "subject": "water"},
]


def jsonl(folder: Path, *rows: object, name: str = "data.jsonl") -> str:
    """The rows as a JSONL file; a string stands as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(folder / name)


def load(**task: Any) -> list[Question]:
    return list(load_questions(SPEC.validate_python(task)))


def message(**task: Any) -> str:
    with pytest.raises(TaskError) as caught:
        load(**task)
    return str(caught.value)


def write(folder: Path, suffix: str, rows: list[dict[str, Any]]) -> str:
    path = folder / f"data{suffix}"
    text = [{k: str(v) if not isinstance(v, list) else v for k, v in row.items()} for row in rows]
    if suffix == ".parquet":
        polars.DataFrame(rows, strict=False).write_parquet(path)
    elif suffix == ".jsonl":
        return jsonl(folder, *rows)
    else:
        polars.DataFrame(text).write_csv(path, separator="\t" if suffix == ".tsv" else ",")
    return str(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_every_format_gives_the_same_questions(tmp_path: Path, suffix: str) -> None:
    rows = [dict(row, answer=str(row["answer"])) for row in ROWS]
    questions = load(path=write(tmp_path, suffix, rows), kind="number")
    assert [q.text for q in questions] == ["1+1?", "10*10?", "2/3?"]
    assert [q.target for q in questions] == ["2", "100", "2/3"]
    assert questions == load(path=jsonl(tmp_path, *rows), kind="number")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_multiple_choice_is_read_from_a_list_and_an_index(tmp_path: Path, suffix: str) -> None:
    questions = load(path=write(tmp_path, suffix, CHOICES), kind="choice")
    assert [q.options for q in questions] == [("Rome", "Paris"), ("Seine", "Tiber", "Rhine")]
    assert [q.target for q in questions] == ["B", "A"]
    assert [q.category for q in questions] == ["geography", "water"]


def test_multiple_choice_is_read_from_several_columns_and_a_letter(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(
        "q,a,b,c,right\nCapital?,Rome,Paris,,B\nRiver?,Po,Tiber,Rhine,C\n"
    )
    columns = {"question": "q", "options": ["a", "b", "c"], "target": "right"}
    questions = load(path=str(tmp_path / "q.csv"), kind="choice", columns=columns)
    assert [q.options for q in questions] == [("Rome", "Paris"), ("Po", "Tiber", "Rhine")]
    assert [q.target for q in questions] == ["B", "C"]


@pytest.mark.parametrize("options", ['["Rome", "Paris"]', {"B": "Paris", "A": "Rome"}])
def test_options_may_be_json_or_a_mapping_from_letters(tmp_path: Path, options: object) -> None:
    path = jsonl(tmp_path, {"question": "Capital?", "options": options, "answer": "Paris"})
    (question,) = load(path=path, kind="choice")
    assert (question.options, question.target) == (("Rome", "Paris"), "B")


def test_columns_are_mapped_by_name(tmp_path: Path) -> None:
    row = {"nr": 7, "text": "1+1?", "solution": "2", "topic": "sums", "passage": 3}
    path = jsonl(tmp_path, row)
    columns = {"id": "nr", "question": "text", "target": "solution", "category": "topic"}
    columns["cluster"] = "passage"
    (question,) = load(path=path, kind="number", columns=columns)
    assert (question.id, question.text, question.target) == ("7", "1+1?", "2")
    assert (question.category, question.cluster) == ("sums", "3")


def test_a_column_of_clusters_is_found_under_its_name(tmp_path: Path) -> None:
    rows = [{**row, "cluster": cluster} for row, cluster in zip(ROWS, ("a", "", None), strict=True)]
    questions = load(path=jsonl(tmp_path, *rows), kind="number")
    assert [question.cluster for question in questions] == ["a", None, None]
    assert {question.cluster for question in load(path=jsonl(tmp_path, *ROWS), kind="number")} == {
        None
    }


def test_a_column_of_clusters_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r'no column "passge" .cluster.'):
        load(path=jsonl(tmp_path, *ROWS), kind="number", columns={"cluster": "passge"})


def test_ids_follow_the_content_and_not_the_place(tmp_path: Path) -> None:
    forward = load(path=jsonl(tmp_path, *ROWS), kind="number")
    backward = load(path=jsonl(tmp_path, *ROWS[::-1], name="back.jsonl"), kind="number")
    assert [q.id for q in forward] == [q.id for q in backward][::-1]


def test_a_filter_keeps_one_value_or_several(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", ROWS)
    assert len(load(path=path, kind="number", filter={"level": "hard"})) == 2
    assert len(load(path=path, kind="number", filter={"level": ["hard", "easy"]})) == 3
    assert len(load(path=path, kind="number", filter={"answer": 100})) == 1


def test_a_filter_can_ask_for_truth_and_absence(tmp_path: Path) -> None:
    rows = [dict(ROWS[0], ok=True, note=None), dict(ROWS[1], ok=False, note="x")]
    path = jsonl(tmp_path, *rows)
    assert [q.text for q in load(path=path, kind="number", filter={"ok": True})] == ["1+1?"]
    assert [q.text for q in load(path=path, kind="number", filter={"note": None})] == ["1+1?"]


def test_a_filter_never_runs_code(tmp_path: Path) -> None:
    said = message(path=jsonl(tmp_path, *ROWS), kind="number", filter={"level": "level == level"})
    assert "none of the 3 rows passes" in said


def test_without_a_seed_the_file_gives_the_order_and_with_one_the_seed(tmp_path: Path) -> None:
    rows = [{"question": f"{n}+0?", "answer": n} for n in range(50)]
    path = jsonl(tmp_path, *rows)
    assert [q.target for q in load(path=path, kind="number", limit=3)] == ["0", "1", "2"]
    first = [q.id for q in load(path=path, kind="number", seed=1)]
    assert first == [q.id for q in load(path=path, kind="number", seed=1)]
    assert first != [q.id for q in load(path=path, kind="number", seed=2)]
    assert [q.id for q in load(path=path, kind="number", seed=1, limit=9)] == first[:9]


def test_a_row_without_a_target_is_asked_only_unscored(tmp_path: Path) -> None:
    path = jsonl(tmp_path, ROWS[0], {"question": "Why?", "answer": None})
    said = message(path=path, kind="number")
    assert ':2: column "answer" is empty' in said
    assert "`scored: false`" in said
    assert [q.target for q in load(path=path, kind="number", scored=False)] == ["2", None]


def test_a_file_without_targets_is_asked_only_unscored(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"question": "Why?"})
    assert 'no column "target" or "answer" holds the target' in message(path=path, kind="text")
    assert load(path=path, kind="text", scored=False)[0].target is None


WRONG_ROWS: list[tuple[Any, str, dict[str, Any], str]] = [
    ("{oops", "number", {}, ":1: this line is not JSON"),
    ("[1, 2]", "number", {}, ":1: expected a JSON object"),
    ("[" * 100_000, "number", {}, ":1: this line is not JSON"),
    ({"question": "1+1?", "answer": "two"}, "number", {}, "'two' is not a number"),
    ({"question": "1+1?", "answer": True}, "number", {}, "True is neither a text nor a number"),
    ({"question": "1+1?", "answer": ["2"]}, "number", {}, "['2'] is neither"),
    (dict(CHOICES[0], answer=["B"]), "choice", {}, "['B'] is neither a text nor a number"),
    ({"question": " ", "answer": 2}, "number", {}, 'column "question" is empty'),
    ({"question": 5, "answer": 2}, "number", {}, "the question is 5; it must be a text"),
    ({"query": "1+1?", "answer": 2}, "number", {}, "there are: query, answer"),
    (ROWS[0], "number", {"columns": {"target": "anwser"}}, 'did you mean "answer"?'),
    (ROWS[0], "number", {"columns": {"id": "nr"}}, 'there is no column "nr" (id)'),
    (ROWS[0], "choice", {}, 'no column "options" or "choices" holds the options'),
    (dict(CHOICES[0], answer="E"), "choice", {}, "target 'E' is none of the options A to B"),
    (dict(CHOICES[0], choices=["one"]), "choice", {}, "2 to 26 non-empty ones are needed"),
    (dict(CHOICES[0], choices=["x", "", "y"]), "choice", {}, "2 to 26 non-empty ones"),
    (dict(CHOICES[0], choices="Rome"), "choice", {}, "a list is needed"),
    (dict(CHOICES[0], choices="[Rome"), "choice", {}, "no list as JSON or Python writes it"),
    (ROWS[0], "text", {"scoring": {"match": "regex"}, "filter": {"x": 1}}, 'the column "x"'),
    ({"question": "?", "answer": "("}, "text", {"scoring": {"match": "regex"}}, "unclosed group"),
    ({"question": "?", "answer": "a(?=b)"}, "text", {"scoring": {"match": "regex"}}, "look-around"),
    ({"question": "?", "answer": "**"}, "text", {}, "nothing left to compare with"),
    ('{"question": "\\ud800?", "answer": 1}', "number", {}, "surrogates not allowed"),
    (dict(ROWS[0], id="a\nb"), "number", {}, "must be printable"),
]


@pytest.mark.parametrize(("row", "kind", "more", "said"), WRONG_ROWS)
def test_a_wrong_row_is_named_with_what_would_be_right(
    tmp_path: Path, row: object, kind: str, more: dict[str, Any], said: str
) -> None:
    path = jsonl(tmp_path, row)
    found = message(path=path, kind=kind, **more)
    assert found.startswith(f"{path}:1: ")
    assert said in found


def test_an_id_that_occurs_twice_names_both_rows(tmp_path: Path) -> None:
    path = jsonl(tmp_path, dict(ROWS[0], id="x"), dict(ROWS[1], id="x"))
    assert message(path=path, kind="number") == (
        f'{path}:2: id "x" is also that of {path}:1; ids must be unique'
    )


def test_a_question_that_occurs_twice_names_both_rows(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv", [ROWS[0], ROWS[1], ROWS[0]])
    said = message(path=path, kind="number")
    assert said.startswith(f"{path}, row 3: asks the same as {path}, row 1; ")


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    jsonl(tmp_path, *ROWS)
    said = message(path=str(tmp_path / "dta.jsonl"), kind="number")
    assert 'there is no such file; did you mean "data.jsonl"?' in said


def test_an_unknown_ending_lists_the_known_ones(tmp_path: Path) -> None:
    said = message(path=str(tmp_path / "data.xlsx"), kind="number")
    assert ".csv, .json, .jsonl, .ndjson, .parquet, .tsv" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"no parquet"),
        ("a.csv", b"a,b\n1,2,3\n"),
        ("a.csv", b""),
        ("a.csv", b"a\n\xff\n"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    said = message(path=str(tmp_path / name), kind="number")
    assert said.startswith(str(tmp_path / name))
    assert "\n" not in said


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"question": "1?", "answer": 1}\n\xff\n')
    assert ":2: this line is not JSON" in message(path=str(tmp_path / "a.jsonl"), kind="number")


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    assert "there is no question in it" in message(path=jsonl(tmp_path), kind="number")


def test_an_unknown_data_set_lists_the_known_ones(tmp_path: Path) -> None:
    said = message(dataset="gsm8", path=jsonl(tmp_path, *ROWS))
    assert 'did you mean "gsm8k"?' in said


def test_a_data_set_says_what_its_rows_must_be(tmp_path: Path) -> None:
    path = jsonl(tmp_path, {"question": "1+1?", "answer": "2"})
    assert message(dataset="gsm8k", path=path) == (
        f"{path}:1: the answer must end with one line `#### NUMBER`"
    )
    other = jsonl(tmp_path, {"query": "1+1?", "answer": "#### 2"}, name="other.jsonl")
    assert "there is no column 'question'; there are: query, answer" in message(
        dataset="gsm8k", path=other
    )


def test_generated_questions_have_exact_targets_and_families() -> None:
    questions = load(generator="arithmetic", n=40, seed=3)
    assert len(questions) == 40
    assert {q.category for q in questions} == {"add", "mul", "mod", "chain23"}
    assert all(q.target == compute_answer(q.text) for q in questions)
    assert {q.kind for q in questions if q.category != "chain23"} == {"number"}
    assert {len(q.options) for q in questions if q.category == "chain23"} == {23}


def test_generated_questions_obey_seed_families_filter_and_limit() -> None:
    assert load(generator="arithmetic", n=9) == load(generator="arithmetic", n=9, seed=0)
    assert load(generator="arithmetic", n=9) != load(generator="arithmetic", n=9, seed=1)
    assert {q.category for q in load(generator="arithmetic", n=9, families=["add"])} == {"add"}
    assert len(load(generator="arithmetic", n=9, limit=4)) == 4
    kept = load(generator="arithmetic", n=40, filter={"category": ["add", "mod"]})
    assert {q.category for q in kept} == {"add", "mod"}


def test_an_unknown_family_lists_the_known_ones() -> None:
    said = message(generator="arithmetic", n=9, families=["adding"])
    assert said.startswith("task.families: ")
    assert "chain23" in said


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"path": "a.csv"}, "kind"),
        ({"path": "a.csv", "kind": "number", "scoring": {"match": "regex"}}, "kind: text"),
        ({"path": "a.csv", "kind": "text", "scoring": {"absolute": 1}}, "kind: number"),
        ({"path": "a.csv", "kind": "number", "scoring": {"relative": float("nan")}}, "relative"),
        ({"path": "a.csv", "kind": "number", "target_as": "letter"}, "kind: choice"),
        ({"path": "a.csv", "kind": "number", "limit": 0}, "limit"),
        ({"path": "a.csv", "kind": "number", "filter": {"a": {"b": 1}}}, "`a` must be followed by"),
        ({"path": "a.csv", "kind": "number", "filter": {"a": []}}, "a value or a list of values"),
        ({"generator": "arithmetic"}, "n\n"),
        ({"generator": "algebra", "n": 5}, "arithmetic"),
        ({"generator": "arithmetic", "n": 5, "path": "a.csv"}, "path"),
        ({"dataset": "gsm8k", "path": "a.jsonl", "kind": "number"}, "kind"),
    ],
)
def test_a_task_that_cannot_be_is_refused_before_any_file_is_read(
    task: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        SPEC.validate_python(task)


def test_a_task_survives_being_written_and_read() -> None:
    spec = GeneratorTask(generator="arithmetic", n=5, families={"add": 2.0, "mod": 1.0})
    assert SPEC.validate_python(spec.model_dump(mode="json")) == spec
