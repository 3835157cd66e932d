"""A turn that others of its debate had is lost; silence and an early stop are not."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from debate.log import read_table

Said = tuple[str, int, str]
"""Question, round, agent."""


def table(said: Iterable[Said], **columns: object) -> pl.DataFrame:
    rows = [
        {"question_id": q, "round": r, "agent": a, "answer": "1", "target": "1", "confidence": 0.9}
        for q, r, a in said
    ]
    return pl.DataFrame(rows).with_columns(**{n: pl.lit(v) for n, v in columns.items()})


def everybody(num: int = 6, *, rounds: int = 2, agents: str = "ab") -> list[Said]:
    return [(f"q{n}", r, a) for n in range(num) for r in range(rounds) for a in agents]


def lost(frame: pl.DataFrame) -> list[Said]:
    return frame.filter("lost").select("question", "round", "agent").rows()


def test_nothing_is_lost_where_every_turn_is_there() -> None:
    assert lost(read_table(table(everybody()))) == []


def test_a_turn_that_another_had_in_its_debate_was_lost() -> None:
    said = [s for s in everybody(rounds=3) if s not in (("q1", 1, "b"), ("q2", 2, "a"))]
    given = table(said, cluster="passage", category="sums", model="m")
    frame = read_table(given)
    assert lost(frame) == [("q1", 1, "b"), ("q2", 2, "a")]
    row = frame.filter("lost").row(0, named=True)
    assert row["outcome"] == "failed"
    assert row["failed"]
    assert not row["abstained"]
    assert (row["model"], row["target"], row["category"]) == ("m", "1", "sums")
    assert (row["cluster"], row["kind"]) == ("passage", "revision")
    assert row["answer"] is row["confidence"] is row["correct"] is None
    assert frame.filter(~pl.col("lost")).height == given.height
    ordered = frame.sort("cell", "question", "seed", "agent", "round", maintain_order=True)
    assert frame.equals(ordered)


def test_who_spoke_in_half_of_its_other_debates_was_lost_in_the_rest() -> None:
    def told(num: int) -> list[Said]:
        return [s for s in everybody(num) if s[1:] != (1, "b") or s[0] == "q0"]

    assert lost(read_table(table(told(3)))) == [("q1", 1, "b"), ("q2", 1, "b")]
    assert lost(read_table(table(told(4)))) == []


def test_a_debate_that_stopped_as_a_whole_lost_nothing() -> None:
    assert lost(read_table(table([s for s in everybody() if s[:2] != ("q1", 1)]))) == []


def test_who_never_spoke_in_a_debate_lost_nothing_in_it() -> None:
    rotating = [(q, r, a) for q, r, a in everybody(agents="abcd") if (a in "ab") == (q < "q3")]
    assert lost(read_table(table(rotating))) == []


def test_a_later_start_is_no_loss() -> None:
    assert lost(read_table(table([s for s in everybody(rounds=3) if s != ("q1", 0, "b")]))) == []


def test_who_is_mostly_silent_in_a_round_lost_nothing_there() -> None:
    speaks = {"q0", "q1"}
    said = [s for s in everybody() if s[1] == 0 or s[2] == "a" or s[0] in speaks]
    assert lost(read_table(table(said))) == []


def test_speaking_in_half_of_the_other_debates_is_usual() -> None:
    said = [s for s in everybody(5) if s[1] == 0 or s[2] == "a" or s[0] in ("q0", "q1")]
    assert lost(read_table(table(said))) == [("q2", 1, "b"), ("q3", 1, "b"), ("q4", 1, "b")]


def test_debates_that_stopped_earlier_say_nothing_of_later_rounds() -> None:
    early = {"q3", "q4", "q5", "q6", "q7"}
    said = [s for s in everybody(8) if s[1] == 0 or s[0] not in early]
    assert lost(read_table(table([s for s in said if s != ("q0", 1, "b")]))) == [("q0", 1, "b")]


def test_one_debate_alone_shows_no_habit() -> None:
    assert lost(read_table(table([("q0", 0, "a"), ("q0", 0, "b"), ("q0", 1, "a")]))) == []


def test_arms_have_habits_of_their_own() -> None:
    alone = table([s for s in everybody() if s[1] == 0 or s[2] == "a"], arm="alone")
    both = table([s for s in everybody() if s != ("q1", 1, "b")], arm="both")
    frame = read_table(pl.concat([alone, both]))
    assert frame.filter("lost").select("cell", "question").rows() == [("both", "q1")]


def test_a_turn_that_the_table_calls_failed_is_not_added_again() -> None:
    given = table(everybody()).with_columns(
        failed=(pl.col("question_id") == "q1") & (pl.col("round") == 1) & (pl.col("agent") == "b")
    )
    frame = read_table(given.with_columns(answer=pl.when(~pl.col("failed")).then("answer")))
    assert lost(frame) == []
    assert frame["outcome"].value_counts().sort("outcome").rows() == [
        ("correct", 23),
        ("failed", 1),
    ]


def test_a_loss_on_a_question_without_truth_has_no_outcome() -> None:
    said = table([s for s in everybody() if s != ("q1", 1, "b")])
    unscored = said.with_columns(target=pl.when(pl.col("question_id") != "q1").then("target"))
    row = read_table(unscored).filter("lost").row(0, named=True)
    assert row["outcome"] is None
    assert row["failed"]
