"""Replies that their token limit cut: no answer, no vote, no opinion for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.log import Run
from debate.log.trajectories import CutReplies, find_cut_replies, format_cut_replies
from debate.runner.verify_run import verify_run
from debate.types import Turn
from tests.cutting import Ended, endpoint, seat
from tests.processes import invoke
from tests.support import by_ref, run, said

RIGHT, HALF = Ended("Answer: 4"), Ended("I think\nAnswer: 1", "length")
KEEP = {"log": {"prompts": True}}


def debated(folder: Path, replies: dict[str, Any], **fields: Any) -> Run:
    with endpoint(replies) as url:
        found = run(folder, [seat(name, url) for name in replies], **{**KEEP, **fields})
    assert verify_run(found.directory).problems == ()
    return found


@pytest.mark.parametrize(
    ("text", "reason", "outcome", "answer"),
    [
        ("Answer: 4", "stop", "correct", "4"),
        ("Answer: 4", "length", "cut", None),
        ("", "length", "cut", None),
        ("Let me think", "length", "cut", None),
        ("Answer: 4\nFor", "length", "correct", "4"),
        ("so \\boxed{4}", "length", "correct", "4"),
        ("Answer: $\\boxed{4", "length", "cut", None),
        ("Answer: 4\nAnswer: 5\nand", "length", "abstained", None),
        ("Answer: 4\nNo.\nAnswer: 5", "length", "cut", None),
        ("Answer: 4\nSo\nAnswer:", "length", "correct", "4"),
        ("<think>Answer: 4\n Or", "length", "cut", None),
        ("Answer: 4", "max_tokens", "cut", None),
        ("Answer: 4", "model_length", "cut", None),
        ("Answer: 4", "content_filter", "abstained", None),
        ("Answer: 4\nand", "content_filter", "correct", "4"),
    ],
)
def test_how_a_reply_ended_decides_what_it_is(
    text: str, reason: str, outcome: str, answer: str | None, tmp_path: Path
) -> None:
    turns = debated(tmp_path, {"a": Ended(text, reason)}, rounds=0, topology="isolated").turns()
    (row,) = turns.iter_rows(named=True)
    assert (row["outcome"], row["answer"]) == (outcome, answer)
    known = {"max_tokens": "length", "model_length": "length", "content_filter": "refusal"}
    assert row["finish_reason"] == known.get(reason, reason)
    assert (row["cut"], row["abstained"]) == (outcome == "cut", outcome == "abstained")


def test_what_was_half_read_stays_on_record(tmp_path: Path) -> None:
    (turn,) = by_ref(debated(tmp_path, {"a": HALF}, rounds=0, topology="isolated")).values()
    assert turn.answer is not None
    assert (turn.is_cut, turn.value, turn.answer.matched) == (True, None, ("1",))
    assert turn.confidences == ()


def test_a_half_stated_confidence_is_none(tmp_path: Path) -> None:
    reply = Ended("Answer: 4\nConfidence: 8", "length")
    alone = {"rounds": 0, "topology": "isolated", "preflight": False}
    (turn,) = by_ref(debated(tmp_path, {"a": reply}, **alone)).values()
    assert (turn.value, turn.confidence("verbal")) == ("4", None)


def test_a_reply_that_the_server_broke_off_has_failed(tmp_path: Path) -> None:
    reply = Ended("Answer: 4", "abort")
    alone = {"rounds": 0, "topology": "isolated", "preflight": False}
    (turn,) = by_ref(debated(tmp_path, {"a": reply}, **alone)).values()
    assert turn.failure is not None
    assert (turn.outcome, turn.finish_reason) == ("failed", "error")


def heard_of_a(folder: Path, **fields: Any) -> tuple[Turn, Turn]:
    """The revisions of a, whose opening was cut, and of b, which would hear it."""
    found = debated(folder, {"a": [HALF, RIGHT], "b": RIGHT}, rounds=1, **fields)
    turns = by_ref(found)
    return turns["1:revision:a"], turns.get("1:revision:b", turns["0:opening:b"])


def test_others_do_not_hear_a_cut_reply_and_its_author_sees_it(tmp_path: Path) -> None:
    author, other = heard_of_a(tmp_path)
    assert other.heard == ()
    assert author.heard == ("0:opening:b",)
    assert "I think" in said(author)


def test_a_run_may_say_that_others_hear_it(tmp_path: Path) -> None:
    _, other = heard_of_a(tmp_path, protocol={"name": "exchange", "hear_cut": True})
    assert other.heard == ("0:opening:a",)
    assert "I think" in said(other)


def test_an_author_may_reread_its_own_cut_reply(tmp_path: Path) -> None:
    replies = {"a": [HALF, RIGHT]}
    turns = by_ref(debated(tmp_path, replies, rounds=1, topology="self_loop"))
    assert turns["1:revision:a"].heard == ("0:opening:a",)


def test_a_cut_reply_does_not_make_a_quorum(tmp_path: Path) -> None:
    replies = {"a": RIGHT, "b": HALF, "c": RIGHT}
    protocol = {"name": "exchange", "quorum": 1}
    turns = by_ref(debated(tmp_path, replies, rounds=1, protocol=protocol))
    assert turns["1:revision:a"].heard == ("0:opening:c",)


def test_a_cut_verdict_is_no_verdict_and_is_not_heard(tmp_path: Path) -> None:
    replies = {"a": RIGHT, "b": [RIGHT, Ended("Verdict: correct", "length")]}
    found = debated(
        tmp_path,
        replies,
        rounds=1,
        protocol="critique",
        topology={"edges": ["b -> a"], "uncritiqued": "allow"},
    )
    turns = by_ref(found)
    critique = turns["1:critique:b:a"]
    assert (critique.accepts, critique.is_cut) == (None, True)
    assert "1:revision:a" not in turns


def test_nobody_criticises_or_judges_a_cut_reply(tmp_path: Path) -> None:
    with endpoint({"a": HALF, "b": RIGHT, "j": RIGHT}) as url:
        agents = [seat("a", url), seat("b", url), seat("j", url, role="judge")]
        edges = {"edges": ["b -> a", "j -> a"], "uncritiqued": "allow"}
        how = {"topology": edges, "protocol": "critique", "decision": "judge_majority"}
        found = run(tmp_path, agents, rounds=1, **how)
    assert sorted(by_ref(found)) == ["0:opening:a", "0:opening:b"]


@pytest.mark.parametrize("decision", ["majority", "unanimity", "last_speaker"])
def test_a_cut_reply_is_no_vote(decision: str, tmp_path: Path) -> None:
    replies = {"a": RIGHT, "b": RIGHT, "c": HALF}
    found = debated(tmp_path, replies, rounds=0, topology="isolated", decision=decision)
    (row,) = found.verdicts().iter_rows(named=True)
    assert row["answer"] == (None if decision == "unanimity" else "4")
    assert [each["value"] for each in row["tally"]] == ["4"]


def test_a_resumed_run_asks_for_no_cut_reply_again(tmp_path: Path) -> None:
    replies = {"a": HALF, "b": RIGHT}
    with endpoint(replies) as url:
        agents = [seat("a", url), seat("b", url)]
        before = run(tmp_path, agents, rounds=1).turns()
        assert run(tmp_path, agents, rounds=1).turns().equals(before)


def test_who_was_cut_is_told_with_what_to_raise(tmp_path: Path) -> None:
    with endpoint({"a": HALF, "b": RIGHT}) as url:
        agents = [seat("a", url, sampling={"max_tokens": 5}), seat("b", url)]
        found = run(tmp_path, agents, rounds=0, num_questions=3)
    spec = found.manifest.spec
    expected = [CutReplies("a", 3, 3, 5)]
    assert (
        find_cut_replies(found.turns(), spec)
        == find_cut_replies(found.trajectories(), spec)
        == expected
    )
    sentence = format_cut_replies(expected)
    assert sentence is not None
    assert "a 3 of 3 (100.0 %; raise its sampling.max_tokens, now 5)" in sentence
    assert format_cut_replies([]) is None


def test_a_table_that_says_nothing_of_cut_replies_has_none() -> None:
    assert find_cut_replies(pl.DataFrame({"agent": ["a"]}), {}) == []


@pytest.mark.system
def test_the_adder_with_two_tokens_is_cut_and_the_run_says_so(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = tmp_path / "run.yaml"
    config.write_text(
        "agents: [adder, multiplier]\ntopology: ring\nrounds: 1\n"
        "task: {generator: arithmetic, families: [add], n: 4}\n"
    )
    names = ("adder", "multiplier")
    here = [word for name in names for word in ("-o", f"models.{name}.host=driver")]
    short = ["-o", "agents.adder.sampling.max_tokens=2"]
    out = tmp_path / "out"
    words = ("run", str(config), *here, *short, "--out", str(out), "--no-report")
    done = invoke(*words, COLUMNS="300")
    assert done.returncode == 0, done.stderr
    assert "WARNING: Replies were cut off" in done.stdout
    assert "adder 8 of 8 (100.0 %; raise its sampling.max_tokens, now 2)" in done.stdout
    rows = Run(out).trajectories().filter(agent="adder")
    assert rows["outcome"].unique().to_list() == ["cut"]
    assert rows["finish_reason"].unique().to_list() == ["length"]
    assert rows["answer"].null_count() == rows.height == 8
    assert verify_run(out).problems == ()
