"""Each kind of damage to a sound run is named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from debate.errors import InputError
from debate.log import check_log
from debate.runner.verify_run import verify_run
from debate.types import Confidence, Usage
from tests.support import run, scripted, simulated

from .builders import append_turn, open_log, turn, turn_lines, verdict, without_checksums, write

SOUND = [turn("a"), turn("b"), turn("a", 1, heard=("0:opening:b",)), turn("b", 1)]


def sound_run(directory: Path) -> None:
    write(directory, SOUND, [verdict(0), verdict(1, final=True)], seeds=[0])


def rewrite(directory: Path, old: bytes, new: bytes, name: str = "turns/0.jsonl") -> None:
    """What somebody does on purpose."""
    path = directory / name
    content = without_checksums(path.read_bytes())
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def spoil(directory: Path, old: bytes, new: bytes, name: str = "turns/0.jsonl") -> None:
    """What a fault of the disk does, which writes no new checksum."""
    path = directory / name
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def append(directory: Path, line: bytes, name: str = "turns/0.jsonl") -> None:
    with (directory / name).open("ab") as file:
        file.write(line)


def test_a_sound_run_has_no_problems(tmp_path: Path) -> None:
    sound_run(tmp_path)
    assert check_log(tmp_path) == []


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a torn last line": (
        lambda d: append(d, b'{"cell":"ring"'),
        r"turns/0\.jsonl:5: torn last line",
    ),
    "a corrupted line": (
        lambda d: rewrite(d, b'{"cell"', b'{"ce\xffl"'),
        r"turns/0\.jsonl:1: corrupted line",
    ),
    "a corrupted verdict": (
        lambda d: rewrite(d, b'{"cell"', b"{{{{{{{", "verdicts/0.jsonl"),
        r"verdicts/0\.jsonl:1: corrupted line",
    ),
    "a line of the wrong types": (
        lambda d: rewrite(d, b'"text":"I say 4"', b'"text":4'),
        r"turns/0\.jsonl at byte 0: corrupted line .*text",
    ),
    "a letter of a text": (
        lambda d: spoil(d, b"I say 4", b"I say 5"),
        r"turns/0\.jsonl:1: corrupted line \(it differs from its checksum\)",
    ),
    "a digit of a time": (
        lambda d: spoil(d, b'"started_at":0.0', b'"started_at":8.0'),
        r"turns/0\.jsonl:1: corrupted line \(it differs from its checksum\)",
    ),
    "a digit of a verdict": (
        lambda d: spoil(d, b'"value":"4"', b'"value":"5"', "verdicts/0.jsonl"),
        r"verdicts/0\.jsonl:1: corrupted line \(it differs from its checksum\)",
    ),
    "a turn twice": (
        lambda d: append(d, turn_lines(d)[0]),
        r"turns/0\.jsonl:1: its key is recorded again",
    ),
    "a turn lost": (
        lambda d: (d / "turns/0.jsonl").write_bytes(b"".join(turn_lines(d)[::2])) and None,
        r"turn 1:revision:a: heard 0:opening:b, which does not exist",
    ),
    "a verdict without turns": (
        lambda d: rewrite(d, b'"round":1', b'"round":7', "verdicts/0.jsonl"),
        r"majority verdict on round 7, which has no turns",
    ),
    "heard from the future": (
        lambda d: rewrite(d, b'"heard":[]', b'"heard":["1:revision:b"]'),
        r"turn 0:opening:a: heard 1:revision:b, which is from a later round",
    ),
    "an opening that heard": (
        lambda d: rewrite(d, b'"heard":[]', b'"heard":["0:opening:b"]'),
        r"turn 0:opening:a: an opening heard 0:opening:b",
    ),
    "negative tokens": (
        lambda d: rewrite(d, b'"generated_tokens":3', b'"generated_tokens":-3'),
        r"turn 0:opening:a: generated_tokens is -3",
    ),
    "tokens that do not add up": (
        lambda d: rewrite(d, b'"generated_tokens":3', b'"generated_tokens":4'),
        r"manifest\.json: totals\.generated_tokens is 12, but the log adds up to 13",
    ),
    "an unknown question": (
        lambda d: rewrite(d, b'"question":"q1"', b'"question":"q9"'),
        r'question "q9" is not among the run\'s questions',
    ),
    "an unknown agent": (
        lambda d: rewrite(d, b'"agent":"b"', b'"agent":"z"'),
        r'agent "z" is not among the manifest\'s agents',
    ),
    "an unknown seed": (
        lambda d: append(d, without_checksums(turn_lines(d)[0]).replace(b'"seed":0', b'"seed":5')),
        r"seed 5 is not among the manifest's seeds",
    ),
    "an impossible confidence": (
        lambda d: rewrite(
            d, b'"confidences":[]', b'"confidences":[{"source":"verbal","value":90.0}]'
        ),
        r"verbal confidence is 90\.0; it must be in \[0, 1\]",
    ),
    "a manifest lost": (
        lambda d: (d / "manifest.json").unlink(),
        r"manifest\.json: .* holds no run",
    ),
    "a manifest cut short": (
        lambda d: (d / "manifest.json").write_text('{"format_version": 1') and None,
        r"manifest\.json: .* cannot be read as a manifest",
    ),
    "a manifest of the future": (
        lambda d: rewrite(d, b'"format_version": 1', b'"format_version": 9', "manifest.json"),
        r"manifest\.json: .*format version 9 is newer",
    ),
    "questions lost": (
        lambda d: (d / "questions.jsonl").unlink(),
        r"questions\.jsonl: .*No such file",
    ),
    "a question twice": (
        lambda d: rewrite(d, b'"id":"q2"', b'"id":"q1"', "questions.jsonl"),
        r'questions\.jsonl: question id "q1" occurs 2 times',
    ),
}


@pytest.mark.parametrize(("damage", "named"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path], None], named: str) -> None:
    sound_run(tmp_path)
    damage(tmp_path)
    problems = "\n".join(map(str, check_log(tmp_path)))
    assert re.search(named, problems), problems


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's list of open files")
def test_checking_leaves_no_file_open(tmp_path: Path) -> None:
    sound_run(tmp_path)
    before = sorted(os.listdir("/proc/self/fd"))
    assert check_log(tmp_path) == []
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_turns_that_were_written_wrong_are_named(tmp_path: Path) -> None:
    wrong = turn(
        "a",
        value=None,
        correct=True,
        usage=Usage(prompt_tokens=1, cached_tokens=2, running_s=-1.0),
        confidences=(Confidence(source="verbal", value=float("nan")),),
    )
    write(tmp_path, [wrong, turn("b", 1, heard=("1:revision:b", "1:revision:b"))])
    found = [problem.what for problem in check_log(tmp_path)]
    assert found == [
        "running_s is -1.0",
        "verbal confidence is nan; it must be in [0, 1]",
        "cached_tokens 2 exceed prompt_tokens 1",
        "counted as correct without an answer",
        "heard 1:revision:b 2 times",
        "heard itself",
    ]


def test_numbers_at_their_limits_are_sound(tmp_path: Path) -> None:
    sure = (Confidence(source="verbal", value=1.0), Confidence(source="sequence", value=0.0))
    usage = Usage(prompt_tokens=2, cached_tokens=2, generated_tokens=0, running_s=0.0)
    write(tmp_path, [turn("a", confidences=sure, usage=usage), turn("b", usage=Usage())])
    assert check_log(tmp_path) == []


def test_one_silent_turn_excuses_a_verdict_on_a_round_without_turns(tmp_path: Path) -> None:
    silent = turn("a", value=None, correct=None, text=" ", answer=None)
    write(tmp_path, [silent, turn("b")], [verdict(0), verdict(1)])
    assert check_log(tmp_path) == []


def test_an_answer_that_was_cut_before_it_was_closed_is_named(tmp_path: Path) -> None:
    cut = turn("a", finish_reason="length", is_cut=True)
    write(tmp_path, [cut, turn("b")])
    found = [problem.what for problem in check_log(tmp_path)]
    assert found == ["cut before its answer was closed, but the answer is '4'"]


def test_agents_that_the_manifest_names_need_not_stand_in_the_spec(tmp_path: Path) -> None:
    write(tmp_path, [turn("d")], agents=["d"])
    assert check_log(tmp_path) == []
    write(tmp_path / "other", [turn("a")], agents=["d"])
    found = [problem.what for problem in check_log(tmp_path / "other")]
    assert found == ['agent "a" is not among the manifest\'s agents']


async def test_a_run_in_progress_may_be_torn_and_uncompacted(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await append_turn(log, turn("a", value="3"))
    await append_turn(log, turn("a"))
    append(tmp_path, b'{"cell":')
    assert check_log(tmp_path) == []
    with pytest.raises(InputError, match="no such folder"):
        check_log(tmp_path / "elsewhere")
    log.close()


@pytest.mark.parametrize("failure", [0.0, 1.0])
def test_a_round_in_which_nobody_speaks_is_no_problem(tmp_path: Path, failure: float) -> None:
    edge = {"edge": "a <-> b", "when": "disagreement"}
    seats = [scripted("a", "Answer: 4"), scripted("b", "Answer: 4")]
    if failure:
        seats = [simulated(name, failure=failure) for name in "ab"]
    made = run(tmp_path, seats, topology={"edges": [edge]}, rounds=2)
    assert set(made.turns()["round"]) == {0}
    assert made.verdicts()["round"].to_list() == [0, 1, 2]
    assert verify_run(made.directory).problems == ()
