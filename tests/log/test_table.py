"""Foreign tables become trajectories, or say what is wrong with them."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.errors import TaskError
from debate.log import read_table
from debate.log.table_columns import COLUMNS
from debate.log.trajectories import make_trajectory_schema

ROWS: list[dict[str, Any]] = [
    {
        "question_id": "1",
        "arm": "self",
        "seed": 0,
        "round": r,
        "agent": "a",
        "model": "m",
        "answer": answer,
        "target": "42",
        "confidence": confidence,
        "text": "…",
    }
    for r, answer, confidence in [(0, "41", 0.5), (1, " 42.0 ", 0.75), (2, "", None)]
]


def test_a_table_has_the_columns_of_trajectories() -> None:
    frame = read_table(pl.DataFrame(ROWS))
    assert dict(frame.drop("text", "lost").schema) == make_trajectory_schema()
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
    assert frame["answer"].to_list() == [None, "42", None]


def test_columns_of_other_names_are_mapped() -> None:
    theirs = pl.DataFrame(ROWS).rename({"question_id": "qid", "answer": "pred"})
    mapping = {"qid": "question_id", "pred": "answer", "seed": "confidence_coin"}
    frame = read_table(theirs, columns=mapping)
    assert frame["answer"].to_list() == ["41", "42", None]
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
        cluster=pl.lit("p1"),
        confidence_source=pl.lit("verbal"),
        log_p_target=pl.lit(-0.5),
    )
    table.write_csv(tmp_path / "t.csv")
    frame = read_table(tmp_path / "t.csv")
    assert frame["heard"].to_list()[1:] == [["0:opening:b"], ["1:revision:b", "1:revision:c"]]
    assert frame["confidence_p_true"].to_list() == [0.25] * 3
    assert frame["category"].unique().to_list() == ["sums"]
    assert frame["cluster"].to_list() == ["p1"] * 3
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
        ({"confidence": "85%"}, "row 1: confidence is '85%', not a number .divide percentages"),
        ({"confidence": float("inf")}, r"row 1: confidence is inf; it must lie in \[0, 1\]"),
        ({"seed": float("inf")}, "row 1: seed is inf, not a whole number"),
        ({"failed": "perhaps"}, "row 1: failed is 'perhaps', not true or false"),
        ({"agent": "nan"}, "row 1: agent is empty"),
        ({"round": "first"}, "row 1: round is 'first', not a whole number"),
        ({"seed": 0.5}, r"row 1: seed is 0\.5, not a whole number"),
        ({"agent": None}, "row 1: agent is empty"),
    ],
)
def test_a_wrong_value_is_named_with_its_row(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        read_table(pl.DataFrame([{**ROWS[0], **change}]))


def test_a_missing_column_is_named_with_what_may_have_been_meant() -> None:
    table = pl.DataFrame(ROWS).rename({"question_id": "questionid"}).drop("target", "confidence")
    with pytest.raises(TaskError) as refusal:
        read_table(table)
    wanted = 'lacks the columns "question_id" (did you mean "questionid"?), "target"'
    assert wanted in str(refusal.value)


def test_a_repeated_row_is_refused() -> None:
    with pytest.raises(TaskError, match=r"row 1: question_id '1', arm 'self', .* must occur once"):
        read_table(pl.DataFrame([ROWS[0], ROWS[0]]))


NUMBERS = ["confidence", "confidence_verbal", "belief_own", "belief_target", "generated_tokens"]


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "null", "None", "", "<NA>", " nan "])
@pytest.mark.parametrize("column", NUMBERS)
def test_words_for_a_missing_number_are_no_number(tmp_path: Path, column: str, word: str) -> None:
    table = pl.DataFrame(ROWS).with_columns(pl.Series(column, [word, "1", "0"]))
    table.write_csv(tmp_path / "t.csv")
    table.write_ndjson(tmp_path / "t.jsonl")
    for source in (table, tmp_path / "t.csv", tmp_path / "t.jsonl"):
        assert read_table(source)[column].to_list() == [None, 1, 0]


@pytest.mark.parametrize("column", NUMBERS)
def test_the_nan_of_a_column_of_numbers_is_missing(tmp_path: Path, column: str) -> None:
    table = pl.DataFrame(ROWS).with_columns(pl.Series(column, [float("nan"), 1.0, 0.0]))
    table.write_parquet(tmp_path / "t.parquet")
    table.write_csv(tmp_path / "t.csv")
    lines = [json.dumps(row) for row in table.to_dicts()]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert "NaN" in lines[0]
    for source in (table, *tmp_path.iterdir()):
        assert read_table(source)[column].to_list() == [None, 1, 0]


def test_a_missing_truth_value_is_neither_true_nor_false() -> None:
    told = pl.DataFrame(ROWS).drop("target").with_columns(correct=pl.Series([0.0, 1.0, None]))
    assert read_table(told)["outcome"].to_list() == ["wrong", "correct", "abstained"]
    words = told.with_columns(correct=pl.Series(["1.0", "NaN", "nan"]), failed=pl.lit("NaN"))
    assert read_table(words)["outcome"].to_list() == ["correct", None, "abstained"]


def test_a_cluster_is_that_of_all_rows_of_its_question() -> None:
    table = pl.DataFrame(ROWS)
    assert read_table(table)["cluster"].to_list() == [None] * 3
    assert read_table(table.with_columns(cluster=pl.lit("nan")))["cluster"].null_count() == 3
    some = table.with_columns(cluster=pl.Series([None, "passage 1", ""]))
    assert read_table(some)["cluster"].to_list() == ["passage 1"] * 3
    with pytest.raises(TaskError, match="row 3: cluster is 'p2', and 'p1' in another row of"):
        read_table(table.with_columns(cluster=pl.Series(["p1", "p1", "p2"])))


def test_a_target_told_once_is_that_of_all_rows_of_its_question() -> None:
    once = pl.DataFrame(ROWS).with_columns(target=pl.Series(["42", "", None]))
    assert read_table(once)["outcome"].to_list() == ["wrong", "correct", "abstained"]


BETS = pl.DataFrame(
    {
        "question_id": ["motion"] * 4,
        "round": [0, 0, 1, 1],
        "agent": ["pro", "con"] * 2,
        "confidence": [0.7, 0.75, 0.8, None],
    }
)


@pytest.mark.parametrize("answer", [{}, {"answer": pl.col("agent")}, {"answer": pl.lit(None)}])
@pytest.mark.parametrize("target", [{}, {"target": pl.lit("")}, {"correct": pl.lit(None)}])
def test_debates_without_truth_need_a_confidence_alone(
    answer: dict[str, pl.Expr], target: dict[str, pl.Expr]
) -> None:
    frame = read_table(BETS.with_columns(**answer, **target))
    assert frame["outcome"].null_count() == 4
    assert frame["correct"].null_count() == 4
    assert frame["confidence"].to_list() == [0.75, None, 0.7, 0.8]
    assert frame["agent"].to_list() == ["con", "con", "pro", "pro"]


def test_a_table_with_neither_truth_nor_confidence_is_refused() -> None:
    with pytest.raises(TaskError, match=r'lacks the columns "answer", "target".* "confidence" in'):
        read_table(BETS.drop("confidence"))
    with pytest.raises(TaskError, match="no row has a target, a value of correct or a confidence"):
        read_table(BETS.with_columns(confidence=pl.lit("nan"), answer=pl.lit("1")))
    with pytest.raises(TaskError, match='lacks the column "answer", without which'):
        read_table(BETS.with_columns(target=pl.lit("1")))
    with pytest.raises(TaskError, match=r'lacks the column "target" .did you mean "targets"'):
        read_table(BETS.with_columns(answer=pl.lit("1"), targets=pl.lit("1")))


@pytest.mark.parametrize("round_", [10_001, 2_000_000_000, -1, 2**62])
def test_a_round_that_cannot_be_one_is_refused(round_: int) -> None:
    rows = [ROWS[0], {**ROWS[1], "round": round_}]
    with pytest.raises(TaskError, match=rf"row 2: round is {round_}; it must lie in 0 … 10000"):
        read_table(pl.DataFrame(rows))


def test_one_late_round_that_all_others_would_be_carried_to_is_refused() -> None:
    many = pl.DataFrame({"question_id": [str(n) for n in range(1_000)], "round": [0] * 1_000})
    late = pl.DataFrame({"question_id": ["0"], "round": [9_999]})
    table = pl.concat([many, late]).with_columns(agent=pl.lit("a"), answer=pl.lit("1"))
    with pytest.raises(TaskError, match=r"row 1001: round is 9999.* would be 10000000; number"):
        read_table(table.with_columns(target=pl.lit("1")))


def test_long_seeds_are_kept_exactly(tmp_path: Path) -> None:
    seeds = [9007199254740992, 9007199254740993]
    pl.DataFrame([{**ROWS[0], "seed": seed} for seed in seeds]).write_csv(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv")["seed"].to_list() == seeds


@pytest.mark.parametrize("value", [["7"], {"value": "7"}, [], [7, 8]])
def test_a_list_is_no_answer(tmp_path: Path, value: object) -> None:
    lines = [json.dumps({**ROWS[0], "question_id": str(n), "answer": "7"}) for n in range(2)]
    lines[1] = json.dumps({**ROWS[0], "answer": value})
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    with pytest.raises(TaskError, match=r"row 2: answer is .*, not a text, a number"):
        read_table(tmp_path / "t.jsonl")
    with pytest.raises(TaskError, match=r"row 1: answer is .*, not a text, a number"):
        read_table(pl.DataFrame([{**ROWS[0], "answer": value}]))


@pytest.mark.parametrize("column", [c for c in COLUMNS if c not in ("text", "heard")])
@pytest.mark.parametrize(
    "values",
    [
        pl.Series([object()], dtype=pl.Object),
        pl.Series([b"1"]),
        pl.Series([timedelta(1)]),
        pl.Series([{"a": 1}]),
        pl.Series([[["a"]]]),
        pl.Series(["\0[1]"]),
    ],
)
def test_values_that_no_column_can_hold_are_refused(column: str, values: pl.Series) -> None:
    table = pl.DataFrame([ROWS[0]]).with_columns(values.alias(column))
    with pytest.raises(TaskError, match=f"row 1: {column} is "):
        read_table(table)


@pytest.mark.parametrize(
    "values", [pl.Series([7]), pl.Series([date(2020, 1, 1)]), pl.Series([b""])]
)
def test_what_was_heard_is_texts(values: pl.Series) -> None:
    with pytest.raises(TaskError, match=r"row 1: heard is .*, not references parted by blanks"):
        read_table(pl.DataFrame([ROWS[0]]).with_columns(heard=values))


def test_categories_and_decimals_are_taken_as_texts() -> None:
    table = pl.DataFrame(ROWS).with_columns(
        pl.col("answer").cast(pl.Categorical),
        target=pl.lit("42.00").cast(pl.Decimal(6, 2)),
        confidence=pl.Series(["0.5", "0.75", None]).cast(pl.Decimal(4, 3)),
    )
    frame = read_table(table)
    assert frame["outcome"].to_list() == ["wrong", "correct", "abstained"]
    assert frame["confidence"].to_list() == [0.5, 0.75, None]


def test_lists_of_what_was_heard_are_kept(tmp_path: Path) -> None:
    heard = [None, ["0:opening:b"], ["1:revision:b", "1:revision:c"]]
    lines = [json.dumps({**row, "heard": refs}) for row, refs in zip(ROWS, heard, strict=True)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    assert read_table(tmp_path / "t.jsonl")["heard"].to_list() == heard
    words = pl.DataFrame(ROWS).with_columns(heard=pl.lit("nan"))
    assert read_table(words)["heard"].null_count() == 3


def test_json_lines_may_begin_with_a_byte_order_mark_and_are_named_where_they_are_wrong(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n\n".join(map(json.dumps, ROWS)), encoding="utf-8-sig")
    assert read_table(path).equals(read_table(pl.DataFrame(ROWS)))
    path.write_text(json.dumps(ROWS[0]) + '\n{"question_id": 1,\n')
    with pytest.raises(TaskError, match=r"t.jsonl:2: this line is not JSON: it ends too"):
        read_table(path)
    path.write_text("[1, 2]\n")
    with pytest.raises(TaskError, match=r"t.jsonl:1: expected an object with columns"):
        read_table(path)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r'ends in \.csv, .*, not "\.xls"'):
        read_table(tmp_path / "t.xls")
    with pytest.raises(TaskError, match=r"absent\.csv: there is no such file"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "t.parquet").write_bytes(b"not parquet")
    with pytest.raises(TaskError, match="cannot be read as a table"):
        read_table(tmp_path / "t.parquet")


HEAD = "question_id,round,agent,answer,target\n"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", HEAD.replace("target", "answer"), '2 columns are called "answer": 4 and 5'),
        (
            "t.csv",
            f"{HEAD}q,0,a,4,4\nq,0,b,4,4,5\n",
            ":3: this row holds 6 cells, and the header 5",
        ),
        ("t.csv", HEAD.replace(",", "|"), "columns of .csv are parted by commas"),
        (
            "t.csv",
            f"{HEAD[:-1]},confidence\nq,0,a,4,4,0;85\n".translate({44: ";", 59: ","}),
            "confidence is '0,85', not a number; a decimal comma is not guessed: write 0.85",
        ),
        ("t.tsv", HEAD, "columns of .tsv are parted by tabs"),
        ("t.csv", HEAD.encode("utf-16"), "holds text in UTF-16"),
        ("t.csv", f"{HEAD}q,0,a,\xe9,4".encode("latin-1"), ":2: the bytes"),
        ("t.jsonl", '{"round": 0, "answer": 1, "answer": 2}', 'the key "answer" stands twice'),
        ("t.json", '[{"round": 0, "answer": 1, "answer": 2}]', 'the key "answer" stands twice'),
        ("t.json", "[1]", "expected a list of objects with columns"),
        ("t.json", '[{"round": 0}] []', "t.json:1: the file is not JSON from its character 16"),
        ("t.json", '{"round": 0} []', "t.json:1: this line is not JSON from its character 14"),
        ("t.json", '{"round": ', "t.json:1: the file is not JSON: it ends too early"),
        ("t.csv.gz", b"none", "cannot be unpacked as gzip"),
    ],
)
def test_a_table_that_contradicts_itself_is_told_with_its_place(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(TaskError) as caught:
        read_table(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_that_looks_like_keys_is_no_key_that_stands_twice(tmp_path: Path) -> None:
    text = 'He said "answer": 4 and "answer": 5.'
    (tmp_path / "t.jsonl").write_text(json.dumps({**ROWS[0], "text": text}))
    assert read_table(tmp_path / "t.jsonl")["text"].to_list() == [text]


def test_a_list_of_objects_and_gzip_are_read(tmp_path: Path) -> None:
    wanted = read_table(pl.DataFrame(ROWS))
    (tmp_path / "t.json").write_text(json.dumps(ROWS))
    assert read_table(tmp_path / "t.json").equals(wanted)
    lines = "\n".join(map(json.dumps, ROWS)).encode()
    (tmp_path / "t.json").write_bytes(lines)
    assert read_table(tmp_path / "t.json").equals(wanted)
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(lines))
    assert read_table(tmp_path / "t.jsonl.gz").equals(wanted)


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{HEAD}q,0,a,4,4\n\nq,0,b,4,4\n\n")
    assert read_table(tmp_path / "t.csv").height == 2


def test_only_a_regular_file_is_a_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(TaskError, match="is no regular file but a named pipe"):
        read_table(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    "ref", ["b", "0:opening", "0:guess:b", "x:opening:b", "99999999999999999999:opening:b"]
)
def test_a_reference_that_names_no_turn_is_refused_with_its_row(ref: str) -> None:
    heard = pl.Series([None, "0:opening:b", f"0:opening:b {ref}"])
    with pytest.raises(TaskError, match=f"row 3: heard is '{ref}', which names no turn"):
        read_table(pl.DataFrame(ROWS).with_columns(heard=heard))


def test_two_targets_of_one_question_are_refused_unless_correct_tells() -> None:
    table = pl.DataFrame(ROWS).with_columns(target=pl.Series(["42", "42.0", "7"]))
    with pytest.raises(TaskError, match="row 3: target is '7', and '42' in another row of"):
        read_table(table)
    told = table.with_columns(correct=pl.lit(value=True))
    assert read_table(told)["correct"].to_list()[:2] == [True, True]
