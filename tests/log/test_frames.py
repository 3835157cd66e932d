"""Frames say what is in the log, column by column."""

from __future__ import annotations

import math
import random
from dataclasses import fields
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from debate.errors import InputError
from debate.log import Run, RunLog
from debate.log.codec import OMITTED_WHERE_ABSENT
from debate.log.frames import make_turn_schema
from debate.log.run import BATCH_SIZE
from debate.types import Confidence, DebateKey, Failure, Turn, Usage, Verdict

from .builders import (
    DEBATE,
    append_turn,
    belief,
    confident,
    open_log,
    turn,
    turn_lines,
    verdict,
    without_checksums,
    write,
)

FAILED = Failure(boundary="engine", message="out of memory")


def test_turns_are_flat_rows(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            turn("a", confidences=(Confidence(source="verbal", value=0.9),)),
            turn("a", 1, value=None, heard=("0:opening:b",), correct=False),
            turn("b", failure=FAILED, answer=None, correct=None),
            turn("b", 1, value="5", confidences=(Confidence(source="p_true", value=0.2),)),
            turn("c", kind="critique", about="a", answer=None, correct=None, accepts=True),
            turn("c", value="7", correct=None),
        ],
    )
    frame = Run(tmp_path).turns()
    assert frame["outcome"].to_list() == ["correct", "abstained", "failed", "wrong", None, None]
    assert frame["abstained"].to_list() == [False, True, False, False, False, False]
    assert frame["failed"].to_list() == [False, False, True, False, False, False]
    assert frame["answer"].to_list() == ["4", None, None, "5", None, "7"]
    assert frame["confidence"].to_list() == [0.9, None, None, 0.2, None, None]
    assert frame["confidence_verbal"].to_list() == [0.9, None, None, None, None, None]
    assert frame["confidence_p_true"].to_list() == [None, None, None, 0.2, None, None]
    assert frame["heard"].to_list() == [[], ["0:opening:b"], [], [], [], []]
    assert frame["failure"].to_list()[2] == "engine: out of memory"
    assert frame["generated_tokens"].sum() == 18
    assert frame["target"].unique().to_list() == ["4"]
    assert frame["category"].unique().to_list() == ["sums"]
    assert frame["text"][0] == "I say 4"
    assert "prompt" not in frame.columns


def test_the_lazy_frame_is_the_eager_one(tmp_path: Path) -> None:
    write(tmp_path, varied_turns())
    run = Run(tmp_path)
    assert_frame_equal(run.scan_turns().collect(), run.turns())
    assert_frame_equal(run.trajectories(run.scan_turns().collect()), run.trajectories())


def varied_turns() -> list[Turn]:
    turns = [turn("a"), turn("b", value=None), turn("c", failure=FAILED, answer=None)]
    said = Confidence(source="verbal", value=0.5)
    turns += [turn("a", 1, confidences=(said,), belief=belief(n4=-0.1, n5=-2.0))]
    turns += [turn("a", question="q2", value="9", belief=belief()), turn("a", seed=1)]
    return turns


@pytest.mark.parametrize("columns", [["agent"], ["text", "confidence_verbal"], ["belief"]])
def test_a_lazy_query_reads_what_it_asks_for(tmp_path: Path, columns: list[str]) -> None:
    write(tmp_path, varied_turns())
    run = Run(tmp_path)
    where = (pl.col("round") == 0) & (pl.col("question") == "q1")
    lazy = run.scan_turns().filter(where).select(columns).collect()
    assert_frame_equal(lazy, run.turns().filter(where).select(columns))
    assert run.scan_turns().select(pl.len()).collect().item() == 6
    assert run.scan_turns().head(2).select(columns).collect().height == 2


def test_batches_do_not_show(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    line = without_checksums(turn_lines(tmp_path)[0])
    path = tmp_path / "turns" / "0.jsonl"
    number = BATCH_SIZE + 5
    more = [line.replace(b'"agent":"a"', b'"agent":"a%d"' % n) for n in range(number)]
    more[-1] = more[-1].replace(
        b'"confidences":[]', b'"confidences":[{"source":"late","value":0.5}]'
    )
    path.write_bytes(b"".join(more))
    frame = Run(tmp_path).turns()
    assert frame.height == number
    assert frame["confidence_late"].drop_nulls().to_list() == [0.5]
    assert_frame_equal(Run(tmp_path).scan_turns().collect(), frame)


def test_the_checksum_is_one_column_more_to_others_and_none_to_us(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")], [verdict(0)])
    for folder, kind in (("turns", Turn), ("verdicts", Verdict)):
        theirs = pl.read_ndjson(tmp_path / folder / "0.jsonl")
        written = [each.name for each in fields(kind) if each.name not in OMITTED_WHERE_ABSENT]
        assert theirs.columns == [*written, "crc32"]
        assert theirs["crc32"].str.contains("^[0-9a-f]{8}$").all()
    run = Run(tmp_path)
    for frame in (run.turns(), run.verdicts(), run.trajectories(), run.scan_turns().collect()):
        assert "crc32" not in frame.columns


def test_an_empty_run_has_empty_frames_of_the_same_columns(tmp_path: Path) -> None:
    write(tmp_path, [])
    run = Run(tmp_path)
    assert dict(run.turns().schema) == make_turn_schema(())
    for frame in (run.turns(), run.verdicts(), run.trajectories(), run.scan_turns().collect()):
        assert frame.height == 0
    assert run.questions()["id"].to_list() == ["q1", "q2"]
    assert run.debates().height == 0


async def test_a_run_in_progress_can_be_read(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await append_turn(log, turn("a", value="3"))
    await append_turn(log, turn("a", value="4"))
    with RunLog.join(tmp_path, shard="1") as shard:
        await append_turn(shard, turn("b"))
        with (tmp_path / "turns" / "1.jsonl").open("ab") as file:
            file.write(turn_lines(tmp_path)[0][:100])
        run = Run(tmp_path)
        assert run.turns()["agent"].to_list() == ["a", "b"]
        assert run.turns()["answer"].to_list() == ["4", "4"]
        assert_frame_equal(run.scan_turns().collect(), run.turns())
        assert run.manifest.status == "running"
        assert {said.agent for said in run.debate(DEBATE).turns} == {"a", "b"}
    log.close()


def test_a_corrupted_line_is_left_out_and_named(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    first, second = turn_lines(tmp_path)
    (tmp_path / "turns" / "0.jsonl").write_bytes(first[:50] + b"\n" + second)
    with pytest.warns(UserWarning, match=r"turns/0\.jsonl:1: corrupted line .* left out"):
        assert Run(tmp_path).turns()["agent"].to_list() == ["b"]


def test_lone_surrogates_do_not_break_a_frame(tmp_path: Path) -> None:
    write(tmp_path, [turn("a", text="x\ud800", belief=belief(**{"\ud800": -1.0}))])
    frame = Run(tmp_path).turns()
    assert frame["text"].to_list() == ["x?"]
    assert frame["belief"].to_list() == [[{"candidate": "?", "log_p": -1.0}]]


def test_verdicts_are_flat_rows(tmp_path: Path) -> None:
    write(
        tmp_path,
        [turn()],
        [
            verdict(0, tally={"4": 2.0, "5": 1.0}, confidence=0.75),
            verdict(1, value=None, outcome="abstained", final=True, stopped_by="consensus"),
            verdict(1, question="q2", value=None, outcome="failed", num_failed=3),
            verdict(2, question="q2", value="8", outcome="wrong"),
        ],
    )
    frame = Run(tmp_path).verdicts()
    assert frame["correct"].to_list() == [True, None, None, False]
    assert frame["score"].to_list() == [1.0, 0.0, None, 0.0]
    assert frame["abstained"].to_list() == [False, True, False, False]
    assert frame["failed"].to_list() == [False, False, True, False]
    assert frame["target"].to_list() == ["4", "4", "9", "9"]
    assert frame["tally"][0].to_list() == [
        {"value": "4", "weight": 2.0},
        {"value": "5", "weight": 1.0},
    ]
    assert frame["final"].to_list() == [False, True, False, False]


def test_trajectories_follow_the_belief_in_the_first_answer(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            turn("a", 1, value="4", belief=belief(n3=math.log(0.1), n4=math.log(0.3))),
            turn("a", 0, value="3", belief=belief(n3=math.log(0.8), n4=math.log(0.15))),
            turn("a", 2, value="7", belief=belief(n3=math.log(0.25), n7=math.log(0.5))),
            turn("b", 0, value=None, belief=belief(n4=-1.0)),
            turn("b", 1, value="4", belief=None),
            turn("b", 1, kind="critique", about="a"),
            turn("a", 0, kind="probe", belief=belief(n3=0.0)),
        ],
    )
    frame = Run(tmp_path).trajectories()
    assert frame.select("agent", "round").rows() == [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 0),
        ("b", 1),
    ]
    third = math.exp(-1)
    assert frame["belief_own"].to_list() == pytest.approx([0.8, 0.1, 0.25, None, None])
    assert frame["belief_target"].to_list() == pytest.approx([0.15, 0.3, None, third, None])
    assert frame["belief_answer"].to_list() == pytest.approx([0.8, 0.3, 0.5, None, None])
    assert frame["belief_mass"].to_list() == pytest.approx([0.95, 0.4, 0.75, third, None])
    for name in ("own", "target", "answer"):
        belief_of, log_p = frame[f"belief_{name}"], frame[f"log_p_{name}"]
        assert log_p.exp().to_list() == pytest.approx(belief_of.to_list())


def test_what_several_probes_scored_of_one_answer_is_one_belief(tmp_path: Path) -> None:
    probed = {"kind": "probe", "answer": None, "correct": None}
    write(
        tmp_path,
        [
            turn("a", value="3"),
            turn("a", about="verbal", confidences=confident(0.9), **probed),
            turn("a", about="belief", belief=belief(n3=math.log(0.5)), **probed),
            turn("a", about="belief/1", belief=belief(n4=math.log(0.25)), **probed),
            turn("a", about="belief/2", belief=belief(n3=math.log(0.5), n9=-3.0), **probed),
            turn(
                "a",
                about="belief/3",
                belief=belief(n8=-1.0),
                failure=Failure(boundary="engine", message="lost"),
                **probed,
            ),
        ],
    )
    (row,) = Run(tmp_path).trajectories().to_dicts()
    assert (row["belief_own"], row["belief_target"]) == pytest.approx((0.5, 0.25))
    assert row["belief_mass"] == pytest.approx(0.75 + math.exp(-3))
    assert (row["confidence"], row["confidence_source"]) == (0.9, "verbal")


def test_the_estimator_of_the_first_confidence_is_named_row_by_row(tmp_path: Path) -> None:
    by_token = (Confidence(source="answer_token", value=0.6),)
    by_belief = (Confidence(source="belief", value=0.99),)
    log_p = belief(n4=math.log(0.5), n5=math.log(0.01))
    probe = {"kind": "probe", "about": "belief", "belief": log_p, "confidences": by_belief}
    write(
        tmp_path,
        [
            turn("a", confidences=(*confident(0.7), *by_token)),
            turn("b", confidences=by_token),
            turn("b", **probe),
            turn("c"),
            turn("c", **probe),
            turn("d"),
        ],
    )
    frame = Run(tmp_path).trajectories()
    assert frame["confidence_source"].to_list() == ["verbal", "answer_token", "belief", None]
    assert frame["confidence"].to_list() == pytest.approx([0.7, 0.6, 0.5, None])
    assert frame["confidence_belief"].to_list() == pytest.approx([None, 0.5, 0.5, None])
    run = Run(tmp_path)
    assert run.trajectories(run.scan_turns().collect()).equals(frame)


def test_the_belief_of_one_call_is_one_number_whatever_else_came_up(tmp_path: Path) -> None:
    few, many = belief(n4=-0.5), belief(n4=-0.5, n3=-1.5, n7=-2.0)
    cells = {"self": few, "peer": many}
    write(tmp_path, [turn("a", cell=cell, belief=scored) for cell, scored in cells.items()])
    frame = Run(tmp_path).trajectories()
    assert frame["belief_target"].to_list() == pytest.approx([math.exp(-0.5)] * 2)
    assert frame["belief_mass"].n_unique() == 2


def test_beliefs_in_impossible_candidates_are_zero_and_undefined_ones_null(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            turn("a", value="4", belief=belief(n4=-math.inf, n5=-3.0)),
            turn("b", value="4", belief=belief(n4=-math.inf, n5=-math.inf)),
            turn("c", value="4", belief=belief(n4=math.nan, n5=-1.0)),
        ],
    )
    with pytest.warns(UserWarning, match="a log-probability of its belief is nan"):
        frame = Run(tmp_path).trajectories()
    assert frame["belief_answer"].to_list() == [0.0, 0.0, None]
    assert frame["log_p_answer"].to_list() == [-math.inf, -math.inf, None]
    assert frame["belief_mass"].to_list() == pytest.approx([math.exp(-3), 0.0, None])


def test_a_count_of_tokens_that_nobody_can_have_used_is_missing(tmp_path: Path) -> None:
    usage = Usage(prompt_tokens=10**12 + 1, cached_tokens=None, generated_tokens=10**12)
    write(tmp_path, [turn("a", usage=usage)])
    columns = ("prompt_tokens", "cached_tokens", "generated_tokens")
    with pytest.warns(UserWarning, match="prompt_tokens is 1000000000001"):
        assert Run(tmp_path).turns().select(columns).row(0) == (None, None, 10**12)


def test_beliefs_are_in_order_of_debate_agent_round_and_candidate(tmp_path: Path) -> None:
    believed = belief(n4=-0.1, n3=-2.0)
    turns = [
        turn(agent, round, question=question, cell=cell, seed=seed, belief=believed)
        for cell in ("ring", "self")
        for question in ("q1", "q2")
        for seed in (0, 1)
        for agent in "ab"
        for round in (0, 1)
    ]
    random.Random(0).shuffle(turns)
    write(tmp_path, turns)
    frame = Run(tmp_path).beliefs()
    rows = frame.select("cell", "question", "seed", "agent", "round", "candidate").rows()
    assert rows == sorted(rows)
    assert len(rows) == 2 * len(turns)


def test_agents_of_different_debates_do_not_share_a_first_answer(tmp_path: Path) -> None:
    odds = belief(n3=math.log(0.75), n4=math.log(0.25))
    write(
        tmp_path,
        [
            turn("a", value="3", belief=odds),
            turn("a", seed=1, value="4", belief=odds),
            turn("a", cell="self", value="4", belief=odds),
        ],
    )
    frame = Run(tmp_path).trajectories().sort("cell", "seed")
    assert frame["belief_own"].to_list() == pytest.approx([0.75, 0.25, 0.25])


def test_a_transcript_is_ordered_by_round_and_kind(tmp_path: Path) -> None:
    said = [
        turn("b", 1, heard=("1:critique:a:b",)),
        turn("a", 1, kind="critique", about="b"),
        turn("b"),
        turn("a"),
        turn("a", question="q2"),
    ]
    write(tmp_path, said)
    transcript = Run(tmp_path).debate(DEBATE)
    assert [t.ref for t in transcript.turns] == [
        "0:opening:a",
        "0:opening:b",
        "1:critique:a:b",
        "1:revision:b",
    ]
    assert transcript.round == 1
    with pytest.raises(InputError, match="no turn of"):
        Run(tmp_path).debate(DebateKey(cell="ring", question="q9", seed=0))


def test_critiques_of_one_critic_stand_in_the_order_of_whom_they_are_about(
    tmp_path: Path,
) -> None:
    about = [turn("k", 1, kind="critique", about=name) for name in "cab"]
    write(tmp_path, [turn("b"), turn("a"), *about])
    turns = Run(tmp_path).debate(DEBATE).turns
    assert [each.agent for each in turns[:2]] == ["a", "b"]
    assert [each.about for each in turns[2:]] == ["a", "b", "c"]


def test_a_lazy_frame_shows_what_was_there_when_it_was_made(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    frame = Run(tmp_path).scan_turns()
    with (tmp_path / "turns" / "0.jsonl").open("ab") as file:
        file.write(turn_lines(tmp_path)[0])
    assert frame.collect()["agent"].to_list() == ["a", "b"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no run: manifest\.json is missing"):
        Run(tmp_path)


def test_frames_leave_for_pandas(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is an extra")
    write(tmp_path, [turn("a", belief=belief(n4=-1.0))])
    assert isinstance(Run(tmp_path).trajectories().to_pandas(), pandas.DataFrame)
