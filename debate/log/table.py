"""Transcripts from elsewhere: a table with documented columns, as trajectories.

One row for each answer that an agent stated:

    question_id, round, agent             required; round 0 holds the openings
    answer                                required but where nothing says what is right
    target, or correct (true or false)    to tell right from wrong; neither is needed where there is
                                          a confidence, as in debates whose sides are assigned
    arm, seed, model                      "main", 0 and the agent's id where absent
    prompt_set                            which wording of the prompts the turn was asked with
    confidence, confidence_<source>       in [0, 1]; by which estimator, if there are several
    belief_own, belief_target, belief_answer    in [0, 1]: in the opening answer, the target, this
    heard                                 refs such as 0:opening:b, parted by blanks, or a list
    cluster                               what several questions share: a passage, a template
    log_p_own, log_p_target, log_p_answer, belief_mass    the same in nats; of all candidates, in p
    confidence_source                     by which estimator `confidence` is
    category, text, failed                as told; a failed turn has no answer
    prompt_tokens, cached_tokens, generated_tokens

Other columns are ignored. Columns of other names are mapped: `{"qid": "question_id"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from debate.errors import TaskError, suggestion
from debate.log.table_answers import read_answers
from debate.log.table_columns import COLUMNS, KEY, Column, cast_column
from debate.log.table_files import read_file
from debate.log.table_lost import with_lost_rows
from debate.log.trajectories import trajectory_schema
from debate.log.turn_frame import is_estimator

_WITHOUT_TRUTH = '. Debates without truth need "confidence" in place of answer and target'
PROBABILITIES = ("confidence", "belief_own", "belief_target", "belief_answer")
MAX_ROUND = 10_000
"""A later round is refused: each trajectory is carried forward to the last round of its arm."""
MAX_CARRIED = 5_000_000
MAX_CARRIED_PER_ROW = 20
"""A table whose trajectories, carried forward, have more rows than both of these is refused."""


def read_table(
    source: Path | str | pl.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> pl.DataFrame:
    """A table of answers as the frame that `Run.trajectories` gives, with `text` and more.

    columns: what the table calls our columns, theirs to ours. kind: of the answers, number, choice
    or text; by default as the targets tell (`table_answers.infer_kind`). `answer` and `target` are
    in canonical form, so that equal ones are equal texts; `text` is the answer as it was written
    where the table has no column text. Where `correct` does not say, an answer is right where it
    equals the target. An empty answer is an abstention. Without target and correct, `outcome` is
    null. Further columns: cluster; prompt_set, where the table has one; lost, true for rows that
    were added (see `with_lost_rows`).
    Raises TaskError saying what is missing or wrong, and where.
    """
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    table = source if isinstance(source, pl.DataFrame) else read_file(Path(source))
    table = _renamed(table, columns or {}, name)
    _require_columns(table, name)
    known = {**COLUMNS, **{c: Column(pl.Float64) for c in table.columns if is_estimator(c)}}
    typed = table.select(cast_column(table, column, known[column], name=name) for column in known)
    typed = typed.with_columns(
        pl.col("model").fill_null(pl.col("agent")),
        text=pl.col("text" if "text" in table.columns else "answer"),
    )
    _require_keys(typed, name)
    _require_rounds(typed, name)
    for column in (*PROBABILITIES, *(c for c in typed.columns if is_estimator(c))):
        _require_probability(typed, column, name)
    read = _with_told_once(read_answers(typed, kind, name=name), name)
    _require_something(read, has_answers="answer" in table.columns, name=name)
    return with_lost_rows(_as_trajectories(read))


def _renamed(table: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    for theirs, ours in columns.items():
        if theirs not in table.columns:
            known = suggestion(theirs, table.columns)
            raise TaskError(f'{name} has no column "{theirs}" to take as {ours}; {known}')
        if ours not in COLUMNS and not is_estimator(ours):
            known = suggestion(ours, COLUMNS)
            raise TaskError(f'"{theirs}" cannot be taken as "{ours}", which means nothing; {known}')
    replaced = [ours for theirs, ours in columns.items() if ours != theirs]
    return table.drop(replaced, strict=False).rename(dict(columns))


def _require_columns(table: pl.DataFrame, name: str) -> None:
    missing = [c for c, known in COLUMNS.items() if known.is_required and c not in table.columns]
    missing += [c for c in ("answer", "target") if _is_needed(c, table.columns, bool(missing))]
    if missing:
        clauses = ", ".join(f'"{column}"{_meant(column, table.columns)}' for column in missing)
        raise TaskError(
            f"{name} lacks the column{'s'[: len(missing) - 1]} {clauses}; it has "
            f"{', '.join(table.columns[:30])}. Map columns of other names, theirs to ours: "
            f'--map "{table.columns[0] if table.columns else "qid"}={missing[0]}"'
            + _WITHOUT_TRUTH
            * ("target" in missing)
        )


def _is_needed(column: str, known: list[str], others_are_missing: bool) -> bool:
    """Whether answer or target is missing: beside a confidence they may be, but not misspelt.

    Where other columns are missing, the table seems to call all of them by other names.
    """
    if column in known or (column == "target" and "correct" in known):
        return False
    may_be_absent = any(_is_confidence(c) for c in known) and not others_are_missing
    return not may_be_absent or bool(get_close_matches(column, known, n=1, cutoff=0.8))


def _is_confidence(column: str) -> bool:
    return column == "confidence" or is_estimator(column)


def _meant(column: str, known: list[str]) -> str:
    close = get_close_matches(column, known, n=1)
    return f' (did you mean "{close[0]}"?)' if close else ""


def _require_keys(table: pl.DataFrame, name: str) -> None:
    if table.is_empty():
        raise TaskError(f"{name} has no rows; at least one answer is needed")
    for column in KEY:
        empty = table[column].is_null().arg_true()
        if len(empty):
            raise TaskError(f"{name}, row {empty[0] + 1}: {column} is empty")
    repeated = table.select(KEY).is_duplicated().arg_true()
    if len(repeated):
        key = ", ".join(f"{c} {table[c][repeated[0]]!r}" for c in KEY)
        raise TaskError(
            f"{name}, row {repeated[0] + 1}: {key} must occur once; columns arm and seed tell "
            "treatments and repetitions apart, agent the sides of a debate"
        )


def _require_rounds(table: pl.DataFrame, name: str) -> None:
    outside = (~table["round"].is_between(0, MAX_ROUND)).arg_true()
    if len(outside):
        row = outside[0]
        raise TaskError(
            f"{name}, row {row + 1}: round is {table['round'][row]}; it must lie in "
            f"0 … {MAX_ROUND}: the openings are round 0, and the next round is 1"
        )
    agent = ("question_id", "seed", "agent")
    by_arm = table.group_by("arm").agg(
        last=pl.col("round").max(), num=pl.struct(agent).n_unique().cast(pl.Int64)
    )
    carried = int((by_arm["num"] * (by_arm["last"] + 1)).sum())
    if carried > max(MAX_CARRIED, MAX_CARRIED_PER_ROW * table.height):
        row = int(table["round"].arg_max() or 0)
        raise TaskError(
            f"{name}, row {row + 1}: round is {table['round'][row]}, so that {table.height} rows, "
            f"each agent carried forward to the last round of its arm, would be {carried}; number "
            "rounds within a debate: 0 for its openings, then 1"
        )


def _require_probability(table: pl.DataFrame, column: str, name: str) -> None:
    outside = (~table[column].is_between(0, 1)).fill_null(False).arg_true()
    if len(outside):
        row = outside[0]
        raise TaskError(
            f"{name}, row {row + 1}: {column} is {table[column][row]}; it must lie in [0, 1] "
            "(divide percentages by 100)"
        )


def _with_told_once(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """The table with the target and the cluster of a question in all its rows.

    A question may have several targets, by row; it belongs to one cluster.
    """
    num = table.group_by("question_id", maintain_order=True).agg(
        pl.col("cluster").drop_nulls().unique(maintain_order=True)
    )
    torn = num.filter(pl.col("cluster").list.len() > 1)
    if torn.height:
        question, clusters = torn.row(0)
        is_other = (table["question_id"] == question) & (table["cluster"] == clusters[1])
        raise TaskError(
            f"{name}, row {int(is_other.arg_max() or 0) + 1}: cluster is {clusters[1]!r}, and "
            f"{clusters[0]!r} in another row of question {question!r}; a question belongs to one"
        )
    one = pl.col("target").drop_nulls().n_unique().over("question_id") == 1
    same = pl.col("target").drop_nulls().first().over("question_id")
    return table.with_columns(
        target=pl.coalesce("target", pl.when(one).then(same)),
        cluster=pl.col("cluster").drop_nulls().first().over("question_id"),
    )


def _require_something(table: pl.DataFrame, *, has_answers: bool, name: str) -> None:
    """Refuse a table that says neither what is right nor how sure anybody is."""
    if table["target"].null_count() + table["correct"].null_count() < 2 * table.height:
        if not has_answers:
            raise TaskError(
                f'{name} lacks the column "answer", without which nothing can be right; it may be '
                "left out where there is no target"
            )
        return
    if all(table[c].null_count() == table.height for c in table.columns if _is_confidence(c)):
        raise TaskError(
            f"{name}: no row has a target, a value of correct or a confidence, so there is nothing "
            "to analyse; say what is right, or how sure each agent is"
        )


def _as_trajectories(table: pl.DataFrame) -> pl.DataFrame:
    answer = pl.when(~pl.col("failed")).then("answer")
    right = pl.when(answer.is_not_null()).then(
        pl.coalesce("correct", pl.col("answer") == pl.col("target"))
    )
    # Where only `correct` tells the truth, a question that nobody answered is none without truth.
    told_alone = (
        table["target"].null_count() == table.height
        and table["correct"].null_count() < table.height
    )
    told = pl.any_horizontal(pl.col("target", "correct").is_not_null()).any().over("question_id")
    judged = table.with_columns(
        cell="arm",
        question="question_id",
        kind=pl.when(pl.col("round") == 0).then(pl.lit("opening")).otherwise(pl.lit("revision")),
        answer=answer,
        abstained=answer.is_null() & ~pl.col("failed"),
        cut=pl.lit(value=False),
        correct=right,
        is_scored=pl.lit(True) if told_alone else told,
    ).with_columns(outcome=_outcome())
    schema = trajectory_schema()
    absent = [
        pl.lit(None, dtype).alias(n) for n, dtype in schema.items() if n not in judged.columns
    ]
    ordered = judged.with_columns(absent).sort("cell", "question", "seed", "agent", "round")
    sources = [c for c in table.columns if is_estimator(c)]
    prompts = [] if ordered["prompt_set"].null_count() == ordered.height else ["prompt_set"]
    return ordered.select(*schema, *sources, "text", *prompts)


def _outcome() -> pl.Expr:
    """Null where nothing says what would be right."""
    return (
        pl.when(~pl.col("is_scored"))
        .then(None)
        .when("failed")
        .then(pl.lit("failed"))
        .when("abstained")
        .then(pl.lit("abstained"))
        .when(pl.col("correct"))
        .then(pl.lit("correct"))
        .when(~pl.col("correct"))
        .then(pl.lit("wrong"))
    )
