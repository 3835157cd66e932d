"""Nothing acknowledged is lost, whatever happens to the process or the disk."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from debate.errors import LogError
from debate.log import Run, check_log
from debate.log.codec import decode_line
from debate.log.committer import Committer
from debate.log.index import TurnKey
from debate.log.repair import repair_folder
from debate.types import Turn

from .builders import DEBATE, append_turn, open_log, turn, turn_lines, without_checksums, write
from .writer import all_turns, questions

WRITER = Path(__file__).with_name("writer.py")
NUM_DEBATES = 250


def start(directory: Path, *more: object) -> subprocess.Popen[bytes]:
    """A process that writes the run; its stdout names what was acknowledged."""
    command = [sys.executable, WRITER, directory, NUM_DEBATES, *more]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def kill_after(process: subprocess.Popen[bytes], num_turns: int) -> set[str]:
    """SIGKILL once so many turns are acknowledged; all that were acknowledged by then."""
    assert process.stdout is not None
    lines = [line for _, line in zip(range(num_turns), process.stdout, strict=False)]
    process.kill()
    rest = process.stdout.read()  # not communicate(), which passes over what is buffered
    process.communicate()
    whole = b"".join(lines) + rest
    return set(whole[: whole.rfind(b"\n") + 1].decode().splitlines())


def recorded(directory: Path) -> list[str]:
    """The refs of all whole lines on disk, repeats included."""
    lines = [line for line in turn_lines(directory) if line.endswith(b"\n")]
    made = [decode_line(line, Turn) for line in lines]
    return [f"{each.question} {each.ref}" for each in made]


@pytest.mark.system
def test_kills_at_random_points_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    chance = random.Random("kills")
    acknowledged: set[str] = set()
    for _ in range(6):
        acknowledged |= kill_after(start(tmp_path), chance.randrange(1, 200))
        on_disk = recorded(tmp_path)
        assert acknowledged <= set(on_disk)
        assert len(on_disk) == len(set(on_disk))
        acknowledged |= set(on_disk)
    assert len(acknowledged) < len(all_turns(NUM_DEBATES))
    process = start(tmp_path)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert not acknowledged & set(out.decode().splitlines())
    wanted = all_turns(NUM_DEBATES)
    found = [decode_line(line, Turn) for line in turn_lines(tmp_path)]
    assert sorted(found, key=str) == sorted(wanted, key=str)
    assert Run(tmp_path).verdicts().height == NUM_DEBATES * 3
    assert check_log(tmp_path) == []


def test_a_full_disk_stops_the_run_in_words_and_keeps_what_was_acknowledged(
    tmp_path: Path,
) -> None:
    process = start(tmp_path, 60_000)
    out, err = process.communicate()
    acknowledged = set(out.decode().splitlines())
    assert process.returncode == 3
    assert b"turns/0.jsonl: cannot append: File too large" in err
    assert acknowledged
    assert acknowledged <= set(recorded(tmp_path))
    with open_log(tmp_path, questions=questions(NUM_DEBATES)) as log:
        assert log.num_turns >= len(acknowledged)
    assert [problem for problem in check_log(tmp_path) if "totals" in problem.what] == []


async def test_everyone_who_waits_is_told_that_the_disk_is_full() -> None:
    committer = Committer([Path("/dev/full")])
    for _ in range(100):
        committer.append(0, b"line\n")
    outcomes = await asyncio.gather(
        *(committer.wait_until_written() for _ in range(100)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LogError] * 100
    with pytest.raises(LogError, match="No space left on device; free some space and run again"):
        committer.append(0, b"line\n")
    committer.close()


async def test_nothing_is_written_after_what_could_not_be_written_before_it(tmp_path: Path) -> None:
    later = tmp_path / "later.jsonl"

    async def write(committer: Committer) -> None:
        for file in (0, 1):
            committer.append(file, b"line\n")
        await committer.wait_until_written()

    for _ in range(20):
        committer = Committer([Path("/dev/full"), later])
        with pytest.raises(LogError, match="No space left on device"):
            await write(committer)
        committer.close()
    assert later.read_bytes() == b""


async def test_a_write_that_fails_in_mid_run_refuses_all_later_ones(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    await append_turn(log, turn("a"))
    size = (tmp_path / "turns" / "0.jsonl").stat().st_size
    with file_size_limit(size + 100), pytest.raises(LogError, match="File too large"):
        await append_turn(log, turn("b"))
    with pytest.raises(LogError, match="File too large"):
        await append_turn(log, turn("c"))
    log.close("complete")
    with open_log(tmp_path) as log:
        assert set(log.recorded(DEBATE)) == {"0:opening:a"}
        assert [problem.place for problem in log.problems] == ["turns/0.jsonl:2"]


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """While inside, no file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_directory_that_may_not_be_written_is_refused_in_words() -> None:
    with tempfile.TemporaryDirectory() as folder, as_nobody():
        with pytest.raises(LogError, match="Permission denied; make the folder writable"):
            open_log(Path(folder))
        with pytest.raises(LogError, match="cannot create: Permission denied"):
            open_log(Path(folder) / "run")


@contextmanager
def as_nobody() -> Iterator[None]:
    """While inside, the super-user's rights are laid down; others lack none to lay down."""
    if os.geteuid() != 0:
        pytest.skip("only the super-user can make a folder that is not its own to write to")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_last_line_torn_at_every_byte_is_mended(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b", text='é\u2028\\n"x')])
    path = tmp_path / "turns" / "0.jsonl"
    first, last = turn_lines(tmp_path)
    for length in range(len(last)):
        path.write_bytes(first + last[:length])
        index, problems = repair_folder(tmp_path, "turns", TurnKey)
        is_whole = length == len(last) - 1  # nothing but the newline is missing
        assert turn_lines(tmp_path) == ([first, last] if is_whole else [first])
        assert len(index) == 1 + is_whole
        assert [p.place for p in problems] == ["turns/0.jsonl:2"] * (length > 0 and not is_whole)
    kept = (tmp_path / "quarantine" / "turns-0.jsonl").read_bytes().splitlines()
    assert len(kept) == len(last) - 2


def test_a_corrupted_line_in_the_middle_is_named_set_aside_and_made_again(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b"), turn("c")])
    first, second, third = turn_lines(tmp_path)
    damaged = second[:20] + b"\xff\0" + second[22:]
    (tmp_path / "turns" / "0.jsonl").write_bytes(first + damaged + third)
    with open_log(tmp_path) as log:
        assert [problem.place for problem in log.problems] == ["turns/0.jsonl:2"]
        assert set(log.recorded(DEBATE)) == {"0:opening:a", "0:opening:c"}
        asyncio.run(append_turn(log, turn("b")))
        assert set(log.recorded(DEBATE)) == {"0:opening:a", "0:opening:b", "0:opening:c"}
    assert turn_lines(tmp_path) == [first, third, second]
    assert b"turns/0.jsonl:2" in (tmp_path / "quarantine" / "turns-0.jsonl").read_bytes()
    assert check_log(tmp_path) == []


def test_a_changed_letter_is_named_set_aside_and_made_again(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b"), turn("c")])
    first, second, third = turn_lines(tmp_path)
    damaged = second.replace(b"I say 4", b"I say 5")
    (tmp_path / "turns" / "0.jsonl").write_bytes(first + damaged + third)
    with pytest.warns(UserWarning, match=r"turns/0\.jsonl:2: corrupted line \(it differs from"):
        assert Run(tmp_path).turns()["agent"].to_list() == ["a", "c"]
    with open_log(tmp_path) as log:
        assert [problem.place for problem in log.problems] == ["turns/0.jsonl:2"]
        assert set(log.recorded(DEBATE)) == {"0:opening:a", "0:opening:c"}
        asyncio.run(append_turn(log, turn("b")))
    assert turn_lines(tmp_path) == [first, third, second]
    assert b"I say 5" in (tmp_path / "quarantine" / "turns-0.jsonl").read_bytes()
    assert check_log(tmp_path) == []


def test_lines_of_older_versions_are_read_and_stay_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    old = without_checksums(b"".join(turn_lines(tmp_path)))
    assert b"crc32" not in old
    (tmp_path / "turns" / "0.jsonl").write_bytes(old)
    with open_log(tmp_path) as log:
        assert (log.problems, set(log.recorded(DEBATE))) == ((), {"0:opening:a", "0:opening:b"})
        asyncio.run(append_turn(log, turn("c")))
    assert turn_lines(tmp_path)[:2] == old.splitlines(keepends=True)
    assert b"crc32" in turn_lines(tmp_path)[2]
    assert check_log(tmp_path) == []


def test_damage_behind_the_key_is_found_when_the_turn_is_wanted(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    path = tmp_path / "turns" / "0.jsonl"
    content = without_checksums(path.read_bytes())
    path.write_bytes(content.replace(b'"I say 4"', b'["I say"]', 1))
    with open_log(tmp_path) as log:
        assert set(log.recorded(DEBATE)) == {"0:opening:b"}
        assert "turns/0.jsonl at byte 0: corrupted line" in str(log.problems[0])
        asyncio.run(append_turn(log, turn("a")))
    assert check_log(tmp_path) == []


def test_mending_twice_changes_nothing_more(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    (tmp_path / "turns" / "1.jsonl").write_bytes(turn_lines(tmp_path)[0] + b"garbage\n{")
    repair_folder(tmp_path, "turns", TurnKey)
    once = turn_lines(tmp_path)
    index, problems = repair_folder(tmp_path, "turns", TurnKey)
    assert (turn_lines(tmp_path), problems, len(index)) == (once, (), 2)
