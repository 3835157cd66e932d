"""Appending, resuming, superseding, refusing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from debate.errors import InputError, LogError, RunConflict, TaskError
from debate.log import Run, RunLog, read_manifest, read_questions
from debate.log.files import read_values
from debate.types import Failure, Turn

from .builders import (
    DEBATE,
    QUESTIONS,
    SPEC,
    append_turn,
    open_log,
    turn,
    turn_lines,
    verdict,
    without_checksums,
    write,
)

WRITER = Path(__file__).with_name("writer.py")
FAILED = Failure(boundary="engine", message="out of memory")


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    turns = [turn("a"), turn("b"), turn("a", 1, heard=("0:opening:b",))]
    write(tmp_path, turns, [verdict(0), verdict(1)])
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE) == {each.ref: each for each in turns}
        assert log.verdicts(DEBATE) == (verdict(0), verdict(1))
        assert log.num_turns == 3
        assert log.problems == ()


def test_debates_are_kept_apart(tmp_path: Path) -> None:
    others = [turn(question="q2"), turn(seed=1), turn(cell="self")]
    write(tmp_path, [turn(), *others])
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE) == {turn().ref: turn()}
        for other in others:
            assert log.recorded(other.debate) == {other.ref: other}


async def test_a_turn_counts_as_recorded_once_append_returns(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE) == {}
        await append_turn(log, turn())
        assert len(turn_lines(tmp_path)) == 1
        assert log.recorded(DEBATE) == {turn().ref: turn()}


async def test_thousands_append_at_once(tmp_path: Path) -> None:
    turns = [turn(f"a{number}") for number in range(3000)]
    with open_log(tmp_path) as log:
        await asyncio.gather(*(append_turn(log, each) for each in turns))
        assert log.recorded(DEBATE) == {each.ref: each for each in turns}
    assert len(turn_lines(tmp_path)) == 3000


def test_what_is_queued_can_be_read_back_at_once(tmp_path: Path) -> None:
    turns = [turn(f"a{number}") for number in range(100)]
    with open_log(tmp_path) as log:
        for number, each in enumerate(turns, start=1):
            log.queue(each)
            assert len(log.recorded(DEBATE)) == number


async def test_verdicts_reach_the_disk_after_the_turns_queued_before_them(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for number in range(100):
            log.queue(turn(f"a{number}"))
        await log.append_verdicts([verdict(0)])
        assert len(turn_lines(tmp_path)) == 100


async def test_verdicts_that_are_on_record_still_wait_for_the_turns(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await log.append_verdicts([verdict(0)])
        log.queue(turn())
        await log.append_verdicts([verdict(0)])
        assert len(turn_lines(tmp_path)) == 1


async def test_a_cancelled_appender_disturbs_no_other(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(append_turn(log, turn(f"a{n}"))) for n in range(50)]
            await asyncio.sleep(0)
            tasks[7].cancel()
        kept = {each.agent for each in log.recorded(DEBATE).values()}
    assert kept >= {f"a{n}" for n in range(50) if n != 7}


async def test_what_a_settled_debate_recorded_is_on_disk_and_no_longer_in_memory(
    tmp_path: Path,
) -> None:
    other = turn("a", question="q2")
    with open_log(tmp_path) as log:
        await append_turn(log, turn("a"))
        await append_turn(log, other)
        await log.append_verdicts([verdict(0)])
        log.prune(DEBATE, turns=[turn("a").ref], rounds=[0])
        assert (log.recorded(DEBATE), log.verdicts(DEBATE)) == ({}, ())
        assert log.recorded(other.debate) == {other.ref: other}
        assert log.num_turns == 2
    with open_log(tmp_path) as log:
        log.prune(DEBATE, turns=[turn("a").ref], rounds=[0])
        assert log.recorded(DEBATE) == {turn("a").ref: turn("a")}
        assert log.verdicts(DEBATE) == (verdict(0),)


@pytest.mark.parametrize("other", [{"question": "q2"}, {"cell": "self"}, {"seed": 1}])
async def test_settling_a_debate_settles_no_other(tmp_path: Path, other: dict[str, Any]) -> None:
    beside = turn("a", **other)
    with open_log(tmp_path) as log:
        await append_turn(log, turn("a"))
        await append_turn(log, beside)
        log.prune(DEBATE, turns=[turn("a").ref], rounds=[0])
        assert log.recorded(beside.debate) == {beside.ref: beside}


async def test_a_key_that_comes_again_after_its_debate_was_settled_gives_way(
    tmp_path: Path,
) -> None:
    with open_log(tmp_path) as log:
        await append_turn(log, turn("a", value="3"))
        log.prune(DEBATE, turns=[turn("a").ref], rounds=[])
        await append_turn(log, turn("a", value="4"))
    assert len(turn_lines(tmp_path)) == 1
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE)["0:opening:a"].value == "4"


def test_one_log_serves_several_event_loops(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        for agent in "abc":
            asyncio.run(append_turn(log, turn(agent)))
        assert len(log.recorded(DEBATE)) == 3


def test_a_failed_turn_is_not_done_and_gives_way(tmp_path: Path) -> None:
    write(tmp_path, [turn("a", failure=FAILED, answer=None), turn("b")])
    with open_log(tmp_path) as log:
        assert set(log.recorded(DEBATE)) == {"0:opening:b"}
    write(tmp_path, [turn("a")])
    assert len(turn_lines(tmp_path)) == 2
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE)["0:opening:a"] == turn("a")


def test_the_later_turn_of_a_key_wins_and_the_earlier_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, [turn("a", value="3"), turn("b"), turn("a", value="4"), turn("a", value="5")])
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE)["0:opening:a"].value == "5"
    assert len(turn_lines(tmp_path)) == 2
    aside = (tmp_path / "superseded" / "turns-0.jsonl").read_text().splitlines()
    assert [json.loads(line)["answer"]["value"] for line in aside] == ["3", "4"]


def test_compaction_of_a_large_file_keeps_every_line_once(tmp_path: Path) -> None:
    texts = [number * 400_000 * "x" for number in range(6)]
    turns = [turn(f"a{number}", text=text) for number, text in enumerate(texts)]
    write(tmp_path, [turn("a", value="3"), *turns, turn("a", value="4")])
    with open_log(tmp_path) as log:
        recorded = log.recorded(DEBATE)
    assert len(turn_lines(tmp_path)) == 7
    assert [recorded[each.ref].text for each in turns] == texts


def test_a_crash_before_compaction_is_made_good_on_opening(tmp_path: Path) -> None:
    write(tmp_path, [turn("a", value="3")])
    line = without_checksums(turn_lines(tmp_path)[0])
    again = line.replace(b'"value":"3"', b'"value":"4"')
    with (tmp_path / "turns" / "0.jsonl").open("ab") as file:
        file.write(again)
    with open_log(tmp_path):
        assert turn_lines(tmp_path) == [again]


def test_compaction_that_cannot_finish_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, [turn("a", value="3"), turn("b")])
    with (tmp_path / "turns" / "0.jsonl").open("ab") as file:
        file.write(turn_lines(tmp_path)[0])
    before = turn_lines(tmp_path)
    (tmp_path / "turns" / "0.jsonl.tmp").mkdir()  # where the rewritten file would be drafted
    with pytest.raises(LogError, match=r"turns/0\.jsonl: cannot replace"):
        open_log(tmp_path)
    assert turn_lines(tmp_path) == before
    (tmp_path / "turns" / "0.jsonl.tmp").rmdir()
    with open_log(tmp_path) as log:
        assert log.recorded(DEBATE)["0:opening:a"].value == "3"
    assert len(turn_lines(tmp_path)) == 2


async def test_an_equal_verdict_is_not_written_twice(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        await log.append_verdicts([verdict(0)])
        await log.append_verdicts([verdict(0)])
        await log.append_verdicts([verdict(0, value="5")])
        assert log.verdicts(DEBATE) == (verdict(0, value="5"),)
        assert len((tmp_path / "verdicts/0.jsonl").read_text().splitlines()) == 2
    assert len((tmp_path / "verdicts/0.jsonl").read_text().splitlines()) == 1


def test_a_different_configuration_is_refused_with_the_difference(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    other = {**SPEC, "rounds": 4, "task": {"limit": 2, "seed": 1}}
    with pytest.raises(RunConflict) as refusal:
        open_log(tmp_path, spec=other)
    assert "rounds: 3 → 4" in str(refusal.value)
    assert "task.seed: (absent) → 1" in str(refusal.value)
    assert "agents" not in str(refusal.value)


def test_where_a_run_lies_is_not_part_of_what_it_is(tmp_path: Path) -> None:
    write(tmp_path, [turn()], spec={**SPEC, "output": "here", "cluster": {"address": None}})
    with open_log(tmp_path, spec={**SPEC, "cluster": {"address": "auto"}}) as log:
        assert log.num_turns == 1


def test_other_questions_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    with pytest.raises(RunConflict, match=r'q2: \{"id": "q2".* → \(absent\)'):
        open_log(tmp_path, questions=QUESTIONS[:1])


def test_clusters_may_be_told_later_but_not_changed(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    path = tmp_path / "questions.jsonl"
    path.write_bytes(path.read_bytes().replace(b',"cluster":null', b""))  # as they were written
    write(tmp_path, [])
    assert read_questions(tmp_path) == QUESTIONS
    clustered = [replace(question, cluster="p1") for question in QUESTIONS]
    write(tmp_path, [], questions=clustered)
    assert list(read_questions(tmp_path)) == clustered
    run = Run(tmp_path)
    assert run.trajectories()["cluster"].to_list() == ["p1"]
    assert run.questions()["cluster"].to_list() == ["p1", "p1"]
    with pytest.raises(RunConflict, match=r'q1.cluster: "p1" → "p2"'):
        open_log(tmp_path, questions=[replace(q, cluster="p2") for q in QUESTIONS])


def test_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match='"q1" occurs twice'):
        open_log(tmp_path, questions=[QUESTIONS[0], QUESTIONS[0]])


def test_the_run_keeps_its_own_questions(tmp_path: Path) -> None:
    write(tmp_path, [])
    assert read_questions(tmp_path) == QUESTIONS


def test_no_secret_reaches_the_manifest_or_a_refusal(tmp_path: Path) -> None:
    def spec(rounds: int, key: str) -> dict[str, object]:
        body = {"api_key": key, "headers": {"Authorization": f"Bearer {key}"}}
        url = f"https://me:{key}@host/v1?api_key={key}"
        return {"rounds": rounds, "models": {"a": {"extra_body": body, "url": url}}}

    write(tmp_path, [], spec=spec(1, "PLANTED"), extra={"token": "PLANTED"})
    for path in tmp_path.rglob("*.*"):
        assert path.is_dir() or "PLANTED" not in path.read_text()
    with pytest.raises(RunConflict) as refusal:
        open_log(tmp_path, spec=spec(2, "OTHER"))
    assert "OTHER" not in str(refusal.value)
    assert str(refusal.value).count("→") == 2


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))
    before = path.read_bytes()
    with pytest.raises(InputError, match="format version 2 is newer"):
        open_log(tmp_path)
    assert path.read_bytes() == before


def test_turns_without_a_manifest_are_nobodys(tmp_path: Path) -> None:
    write(tmp_path, [turn()])
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(RunConflict, match=r"turns \(turns/0\.jsonl\) but no manifest"):
        open_log(tmp_path)


def test_a_start_that_died_before_its_manifest_begins_anew(tmp_path: Path) -> None:
    write(tmp_path, [])
    (tmp_path / "manifest.json").unlink()
    with open_log(tmp_path) as log:
        assert log.num_turns == 0


def test_the_manifest_tells_how_the_run_ended(tmp_path: Path) -> None:
    log = open_log(tmp_path, seeds=[0, 1], agents=["a", "b"])
    assert read_manifest(tmp_path).status == "running"
    asyncio.run(append_turn(log, turn("a", failure=FAILED)))
    asyncio.run(append_turn(log, turn("b", shared_with="self:0:opening:b")))
    asyncio.run(append_turn(log, turn("a", 1)))
    log.close("complete")
    manifest = read_manifest(tmp_path)
    assert (manifest.status, manifest.seeds, manifest.agents) == ("complete", (0, 1), ("a", "b"))
    assert manifest.totals is not None
    assert (manifest.totals.turns, manifest.totals.failed) == (3, 1)
    assert manifest.totals.generated_tokens == 6  # the shared call costs nothing
    assert manifest.starts[0].environment.packages["msgspec"]


def test_an_error_closes_the_run_as_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_log(tmp_path):
        raise KeyboardInterrupt
    manifest = read_manifest(tmp_path)
    assert (manifest.status, manifest.totals) == ("interrupted", None)
    open_log(tmp_path).close()
    assert len(read_manifest(tmp_path).starts) == 2


def test_a_second_log_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with (
        open_log(tmp_path),
        pytest.raises(RunConflict, match=rf"in use by process {os.getpid()} on "),
    ):
        open_log(tmp_path)
    open_log(tmp_path).close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with open_log(tmp_path):
        other = subprocess.run(
            [sys.executable, WRITER, tmp_path, "5"], capture_output=True, text=True
        )
    assert other.returncode == 1
    assert f"RunConflict: {tmp_path} is in use by process {os.getpid()}" in other.stderr


async def test_shards_write_side_by_side_and_become_one(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await append_turn(log, turn("a"))
    with RunLog.join(tmp_path, shard="1") as shard:
        assert shard.recorded(DEBATE) == {turn("a").ref: turn("a")}
        await append_turn(shard, turn("b"))
        with pytest.raises(RunConflict, match="in use"):
            RunLog.join(tmp_path, shard="1")
    log.close()
    assert sorted(path.name for path in (tmp_path / "turns").iterdir()) == ["0.jsonl"]
    with open_log(tmp_path) as log:
        assert set(log.recorded(DEBATE)) == {"0:opening:a", "0:opening:b"}


def test_a_run_is_not_opened_while_a_shard_is_still_writing(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    with RunLog.join(tmp_path, shard="1"), pytest.raises(RunConflict, match="in use"):
        open_log(tmp_path)


async def test_a_closed_log_takes_nothing_more(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()
    log.close()
    with pytest.raises(LogError, match="closed"):
        await append_turn(log, turn())


@pytest.mark.parametrize("part", [{"cell": "star"}, {"question": "q2"}, {"seed": 1}])
async def test_pruning_a_debate_forgets_no_other_one(tmp_path: Path, part: dict[str, Any]) -> None:
    with open_log(tmp_path) as log:
        await append_turn(log, turn("a"))
        await append_turn(log, turn("a", **part))
        log.prune(DEBATE, turns=[], rounds=[])
        assert log.recorded(DEBATE) == {}
        assert set(log.recorded(replace(DEBATE, **part))) == {"0:opening:a"}


def test_the_lines_of_another_shard_alone_become_those_of_the_first(tmp_path: Path) -> None:
    write(tmp_path, [turn("a")])
    (tmp_path / "turns" / "0.jsonl").rename(tmp_path / "turns" / "1.jsonl")
    with open_log(tmp_path) as log:
        assert sorted(path.name for path in (tmp_path / "turns").iterdir()) == ["0.jsonl"]
        assert set(log.recorded(DEBATE)) == {"0:opening:a"}


def test_values_are_read_up_to_the_line_that_begins_at_the_end(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    path, lines = tmp_path / "turns" / "0.jsonl", turn_lines(tmp_path)
    for end, agents in ((len(lines[0]), ["a"]), (len(lines[0]) + 1, ["a", "b"]), (0, [])):
        assert [value.agent for value in read_values(path, Turn, end=end)] == agents


def test_a_run_makes_the_folders_above_its_own(tmp_path: Path) -> None:
    write(tmp_path / "runs" / "of" / "today", [turn("a")])
    assert Run(tmp_path / "runs" / "of" / "today").turns().height == 1
