"""Foreign tables become trajectories, or say what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.errors import TaskError
from debate.log import read_table
from debate.log.trajectories import trajectory_schema

ROWS: list[dict[str, Any]] = [
    {"question_id": "1", "arm": "self", "seed": 0, "round": r, "agent": "a", "model": "m",
     "answer": answer, "target": "42", "confidence": confidence, "text": "…"}
    for r, answer, confidence in [(0, "41", 0.5), (1, " 42.0 ", 0.75), (2, "", None)]
]  # fmt: skip


def test_a_table_has_the_columns_of_trajectories() -> None:
    frame = read_table(pl.DataFrame(ROWS))
    assert dict(frame.drop("text").schema) == trajectory_schema()
    assert frame["outcome"].to_list() == ["wrong", "correct", "abstained"]
    assert frame["correct"].to_list() == [False, True, None]
    assert frame["kind"].to_list() == ["opening", "revision", "revision"]
    assert frame["confidence"].to_list() == [0.5, 0.75, None]
    assert frame["cell"].unique().to_list() == ["self"]


def test_every_format_gives_the_same_frame(tmp_path: Path) -> None:
    table = pl.DataFrame(ROWS)
    table.write_csv(tmp_path / "t.csv")
    table.write_csv(tmp_path / "t.tsv", separator="\t")
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ndjson(tmp_path / "t.jsonl")
    for path in tmp_path.iterdir():
        assert read_table(path).equals(read_table(table)), path


def test_confidence_and_text_may_be_absent() -> None:
    frame = read_table(pl.DataFrame(ROWS).drop("confidence", "text"))
    assert frame["confidence"].null_count() == 3


def test_words_compare_without_case_and_numbers_as_numbers() -> None:
    answers = [("Yes", "yes"), ("1e3", "1000"), ("007", "7"), ("b", "a"), ("x", None)]
    rows = [
        {**ROWS[0], "question_id": str(n), "answer": answer, "target": target}
        for n, (answer, target) in enumerate(answers)
    ]
    frame = read_table(pl.DataFrame(rows))
    assert frame["correct"].to_list() == [True, True, True, False, None]
    assert frame["outcome"].to_list()[-1] is None


def test_five_columns_are_enough() -> None:
    frame = read_table(
        pl.DataFrame(ROWS).select("question_id", "round", "agent", "answer", "target")
    )
    assert frame.select("cell", "seed", "model").row(0) == ("main", 0, "a")
    assert frame["outcome"].to_list() == ["wrong", "correct", "abstained"]


def test_correctness_may_be_told_instead_of_a_target() -> None:
    told = pl.DataFrame(ROWS).drop("target").with_columns(correct=pl.Series(["no", "True", ""]))
    assert read_table(told)["outcome"].to_list() == ["wrong", "correct", "abstained"]
    with pytest.raises(TaskError, match="row 1: correct is 'maybe', not true or false"):
        read_table(told.with_columns(correct=pl.lit("maybe")))


def test_a_failed_turn_is_a_failure_and_no_answer() -> None:
    frame = read_table(pl.DataFrame(ROWS).with_columns(failed=pl.Series(["true", "false", None])))
    assert frame["outcome"].to_list() == ["failed", "correct", "abstained"]
    assert frame["answer"].to_list() == [None, "42.0", None]


def test_columns_of_other_names_are_mapped() -> None:
    theirs = pl.DataFrame(ROWS).rename({"question_id": "qid", "answer": "pred"})
    mapping = {"qid": "question_id", "pred": "answer", "seed": "confidence_coin"}
    frame = read_table(theirs, columns=mapping)
    assert frame["answer"].to_list() == ["41", "42.0", None]
    assert frame["confidence_coin"].to_list() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"agnt": "agent"}, 'no column "agnt" to take as agent; did you mean "agent"'),
        ({"text": "anser"}, 'cannot be taken as "anser".* did you mean "answer"'),
    ],
)
def test_a_mapping_of_what_is_not_there_is_refused(mapping: dict[str, str], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read_table(pl.DataFrame(ROWS), columns=mapping)


def test_what_was_heard_and_further_confidences_are_kept(tmp_path: Path) -> None:
    table = pl.DataFrame(ROWS).with_columns(
        heard=pl.Series(["", "0:opening:b", "1:revision:b  1:revision:c"]),
        confidence_p_true=pl.lit(0.25),
        category=pl.lit("sums"),
        cluster=pl.Series(["p1", "p1", "p2"]),
        confidence_source=pl.lit("verbal"),
        log_p_target=pl.lit(-0.5),
    )
    table.write_csv(tmp_path / "t.csv")
    frame = read_table(tmp_path / "t.csv")
    assert frame["heard"].to_list()[1:] == [["0:opening:b"], ["1:revision:b", "1:revision:c"]]
    assert frame["confidence_p_true"].to_list() == [0.25] * 3
    assert frame["category"].unique().to_list() == ["sums"]
    assert frame["cluster"].to_list() == ["p1", "p1", "p2"]
    assert frame["confidence_source"].unique().to_list() == ["verbal"]
    assert frame["log_p_target"].to_list() == [-0.5] * 3


@pytest.mark.parametrize("name", ["run[1].csv", "all*.parquet", "what?.jsonl"])
def test_a_file_is_opened_by_its_name_as_it_stands(tmp_path: Path, name: str) -> None:
    path, table = tmp_path / name, pl.DataFrame(ROWS)
    with path.open("wb") as file:
        {".csv": table.write_csv, ".parquet": table.write_parquet, ".jsonl": table.write_ndjson}[
            path.suffix
        ](file)
    assert read_table(path).equals(read_table(table))


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(TaskError, match="no rows"):
        read_table(pl.DataFrame(ROWS).clear())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confidence": 75.0}, r"row 1: confidence is 75\.0; it must lie in \[0, 1\]"),
        ({"confidence": "high"}, "row 1: confidence is 'high', not a number"),
        ({"round": "first"}, "row 1: round is 'first', not a whole number"),
        ({"seed": 0.5}, r"row 1: seed is 0\.5, not a whole number"),
        ({"agent": None}, "row 1: agent is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_row(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read_table(pl.DataFrame([{**ROWS[0], **change}]))


def test_a_missing_column_is_named_with_what_may_have_been_meant() -> None:
    table = pl.DataFrame(ROWS).rename({"question_id": "questionid"}).drop("target")
    with pytest.raises(TaskError) as refusal:
        read_table(table)
    wanted = 'lacks the columns "question_id" (did you mean "questionid"?), "target"'
    assert wanted in str(refusal.value)


def test_a_repeated_row_is_refused() -> None:
    with pytest.raises(TaskError, match=r"row 1: question_id '1', arm 'self', .* must occur once"):
        read_table(pl.DataFrame([ROWS[0], ROWS[0]]))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r'ends in \.csv, .*, not "\.xls"'):
        read_table(tmp_path / "t.xls")
    with pytest.raises(TaskError, match="cannot be read as a table"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "t.parquet").write_bytes(b"not parquet")
    with pytest.raises(TaskError, match="cannot be read as a table"):
        read_table(tmp_path / "t.parquet")
