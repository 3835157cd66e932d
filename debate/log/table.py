"""Foreign tables: answers of debates held elsewhere, read as trajectories.

One row for each answer that an agent stated:

    question_id, round, agent             required; round 0 holds the openings
    answer                                required, except where nothing tells what is right
    target, or correct (true or false)    tells right from wrong; neither is needed where there is
                                          a confidence, as in debates whose sides are assigned
    arm, seed, model                      "main", 0 and the agent's id where absent
    prompt_set                            the wording of the prompts that the turn was asked with
    confidence, confidence_<source>       in [0, 1]; one column per estimator if there are several
    belief_own, belief_target, belief_answer    in [0, 1]: in the opening answer, the target, this
    heard                                 refs such as 0:opening:b, separated by blanks, or a list
    cluster                               a passage or template that several questions share
    log_p_own, log_p_target, log_p_answer, belief_mass    the same in nats; of all candidates, in p
    confidence_source                     the estimator of `confidence`
    category, text, failed                as they are; a failed turn has no answer
    prompt_tokens, cached_tokens, generated_tokens

Other columns are ignored. Columns of other names are mapped: `{"qid": "question_id"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

import polars as pl

from debate.errors import TaskError, suggest
from debate.log.frames import is_estimator
from debate.log.table_answers import read_answers
from debate.log.table_columns import COLUMNS, KEY, TableColumn, cast_column, read_table_file
from debate.log.trajectories import make_trajectory_schema
from debate.types import Kind

_WITHOUT_TRUTH = '. Debates without truth need "confidence" in place of answer and target'
_DEBATE_KEY = ("cell", "question", "seed")
_AGENT_KEY = (*_DEBATE_KEY, "agent")
PROBABILITIES = ("confidence", "belief_own", "belief_target", "belief_answer")
MAX_ROUND = 10_000
"""A later round is refused, because trajectories are carried forward to an arm's last round."""
MAX_CARRIED = 5_000_000
MAX_CARRIED_PER_ROW = 20
"""A table whose trajectories, carried forward, have more rows than both of these is refused."""


def read_table(
    source: Path | str | pl.DataFrame,
    *,
    columns: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> pl.DataFrame:
    """Read a table of answers as a frame like that of `Run.trajectories`, with `text` and more.

    columns: names of the table's columns, theirs to ours. kind: of the answers, number, choice or
    text; by default inferred from the targets (`table_answers.infer_kind`). `answer` and `target`
    are in canonical form, so that equal ones are equal texts; `text` is the answer as it was
    written where the table has no column text. Where `correct` is null, an answer is right if it
    equals the target. An empty answer is an abstention. Without target and correct, `outcome` is
    null. Further columns: cluster; prompt_set, where the table has one; lost, true for rows that
    were added (see `add_lost_rows`).

    Raises TaskError, which names the column or row that is missing or wrong.
    """
    name = "the table" if isinstance(source, pl.DataFrame) else str(source)
    table = source if isinstance(source, pl.DataFrame) else read_table_file(Path(source))
    table = _rename_columns(table, columns or {}, name)
    _require_columns(table, name)
    known = {**COLUMNS, **{c: TableColumn(pl.Float64) for c in table.columns if is_estimator(c)}}
    typed = table.select(cast_column(table, column, known[column], name=name) for column in known)
    typed = typed.with_columns(
        pl.col("model").fill_null(pl.col("agent")),
        text=pl.col("text" if "text" in table.columns else "answer"),
    )
    _require_keys(typed, name)
    _require_rounds(typed, name)
    _require_refs(typed, name)
    for column in (*PROBABILITIES, *(c for c in typed.columns if is_estimator(c))):
        _require_probability(typed, column, name)
    read = _fill_per_question(read_answers(typed, kind, name=name), name)
    _require_something(read, has_answers="answer" in table.columns, name=name)
    return add_lost_rows(_to_trajectories(read))


def _rename_columns(table: pl.DataFrame, columns: Mapping[str, str], name: str) -> pl.DataFrame:
    for theirs, ours in columns.items():
        if theirs not in table.columns:
            known = suggest(theirs, table.columns)
            raise TaskError(f'{name} has no column "{theirs}" to take as {ours}; {known}')
        if ours not in COLUMNS and not is_estimator(ours):
            known = suggest(ours, COLUMNS)
            raise TaskError(f'"{theirs}" cannot be taken as "{ours}", which means nothing; {known}')
    replaced = [ours for theirs, ours in columns.items() if ours != theirs]
    return table.drop(replaced, strict=False).rename(dict(columns))


def _require_columns(table: pl.DataFrame, name: str) -> None:
    missing = [c for c, known in COLUMNS.items() if known.is_required and c not in table.columns]
    missing += [c for c in ("answer", "target") if _is_needed(c, table.columns, bool(missing))]
    if missing:
        clauses = ", ".join(
            f'"{column}"{_suggest_column(column, table.columns)}' for column in missing
        )
        raise TaskError(
            f"{name} lacks the column{'s'[: len(missing) - 1]} {clauses}; it has "
            f"{', '.join(table.columns[:30])}. Map columns of other names, theirs to ours: "
            f'--map "{table.columns[0] if table.columns else "qid"}={missing[0]}"'
            + _WITHOUT_TRUTH
            * ("target" in missing)
        )


def _is_needed(column: str, known: list[str], others_are_missing: bool) -> bool:
    """Whether answer or target is missing: beside a confidence it may be absent, but not misspelt.

    Where other columns are missing too, the table seems to name all of them differently.
    """
    if column in known or (column == "target" and "correct" in known):
        return False
    may_be_absent = any(_is_confidence(c) for c in known) and not others_are_missing
    return not may_be_absent or bool(get_close_matches(column, known, n=1, cutoff=0.8))


def _is_confidence(column: str) -> bool:
    return column == "confidence" or is_estimator(column)


def _suggest_column(column: str, known: list[str]) -> str:
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


_REF = rf"^[0-9]{{1,5}}:(?:{'|'.join(get_args(Kind))}):[^:]+(?::[^:]+)?$"


def _require_refs(table: pl.DataFrame, name: str) -> None:
    """Refuse a reference to what was heard that names no turn."""
    refs = table.select("heard").with_row_index().explode("heard", empty_as_null=False).drop_nulls()
    wrong = refs.filter(~pl.col("heard").str.contains(_REF))
    if wrong.height:
        row, ref = wrong.row(0)
        raise TaskError(
            f"{name}, row {row + 1}: heard is {ref[:60]!r}, which names no turn; write "
            'round:kind:agent, as "0:opening:b"'
        )


def _require_one_target(table: pl.DataFrame, name: str) -> None:
    """Refuse two targets of one question where they tell right from wrong."""
    read = table.with_row_index().filter(pl.col("correct").is_null()).drop_nulls("target")
    first = pl.col("target").first().over("question_id")
    other = read.with_columns(first=first).filter(pl.col("target") != pl.col("first"))
    if other.height:
        row = other.row(0, named=True)
        raise TaskError(
            f"{name}, row {row['index'] + 1}: target is {row['target'][:60]!r}, and "
            f"{row['first'][:60]!r} in another row of question {row['question_id']!r}; a question "
            "has one: give variants ids of their own, or say what is right in a column correct"
        )


def _fill_per_question(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Fill the cluster of a question into all its rows, and its target if it has only one.

    A question has one target, unless `correct` tells what is right, and belongs to one cluster.
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
    _require_one_target(table, name)
    one = pl.col("target").drop_nulls().n_unique().over("question_id") == 1
    same = pl.col("target").drop_nulls().first().over("question_id")
    return table.with_columns(
        target=pl.coalesce("target", pl.when(one).then(same)),
        cluster=pl.col("cluster").drop_nulls().first().over("question_id"),
    )


def _require_something(table: pl.DataFrame, *, has_answers: bool, name: str) -> None:
    """Refuse a table that holds neither targets, nor values of correct, nor confidences."""
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


def _to_trajectories(table: pl.DataFrame) -> pl.DataFrame:
    answer = pl.when(~pl.col("failed")).then("answer")
    right = pl.when(answer.is_not_null()).then(
        pl.coalesce("correct", pl.col("answer") == pl.col("target"))
    )
    # Where only `correct` tells what is right, a question that nobody answered is scored too.
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
    ).with_columns(outcome=_make_outcome())
    schema = make_trajectory_schema()
    absent = [
        pl.lit(None, dtype).alias(n) for n, dtype in schema.items() if n not in judged.columns
    ]
    ordered = judged.with_columns(absent).sort("cell", "question", "seed", "agent", "round")
    sources = [c for c in table.columns if is_estimator(c)]
    prompts = [] if ordered["prompt_set"].null_count() == ordered.height else ["prompt_set"]
    return ordered.select(*schema, *sources, "text", *prompts)


def _make_outcome() -> pl.Expr:
    """Make the outcome; null where nothing tells what would be right."""
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


def add_lost_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Add a failed row to the frame of a table for each row that was lost; these have `lost` true.

    A row was lost where others of its debate have one in a round and the agent, which has spoken
    before in this debate, has none, although it has one in at least half of the other debates of
    that arm in which the same holds. Silence of an agent that is often silent is no loss, nor is
    the end of a debate that stopped as a whole.
    """
    lost = _find_lost_turns(frame)
    named = ("model", "prompt_set", "target", "category", "cluster")
    told = [c for c in named if c in frame.columns]
    earlier = lost.join(
        frame.select(*_AGENT_KEY, *told, said_in="round"), on=_AGENT_KEY, how="left"
    )
    earlier = earlier.filter(pl.col("said_in") < pl.col("round")).sort("said_in")
    added = earlier.group_by(*_AGENT_KEY, "round").agg(pl.col(c).last() for c in told)
    scored = frame.filter(pl.col("outcome").is_not_null())["question"].unique()
    is_scored = pl.col("question").is_in(scored.implode())
    added = added.with_columns(
        kind=pl.lit("revision"),
        abstained=pl.lit(False),
        failed=pl.lit(True),
        outcome=pl.when(is_scored).then(pl.lit("failed")),
        lost=pl.lit(True),
    )
    whole = pl.concat([frame.with_columns(lost=pl.lit(False)), added], how="diagonal")
    return whole.sort(*_AGENT_KEY, "round", maintain_order=True)


def _find_lost_turns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the agents and rounds of which a row was lost."""
    said = frame.select(*_AGENT_KEY, "round").unique()
    began = said.group_by(_AGENT_KEY).agg(began=pl.col("round").min())
    rounds = said.select(*_DEBATE_KEY, "round").unique()
    due = began.join(rounds, on=_DEBATE_KEY).filter(pl.col("round") > pl.col("began"))
    seen = due.join(said.with_columns(spoke=True), on=[*_AGENT_KEY, "round"], how="left")
    seen = seen.with_columns(pl.col("spoke").fill_null(False))
    others = seen.with_columns(
        num_others=pl.len().over("cell", "agent", "round") - 1,
        num_spoke=pl.col("spoke").sum().over("cell", "agent", "round"),
    )
    is_usual = (pl.col("num_others") > 0) & (2 * pl.col("num_spoke") >= pl.col("num_others"))
    return others.filter(~pl.col("spoke") & is_usual).select(*_AGENT_KEY, "round")
