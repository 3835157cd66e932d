"""A run begins in a folder of its own, writes nowhere else, and stands alone in it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from debate.errors import InputError, LogError, RunConflict
from debate.log.committer import Committer
from debate.log.verify import check_log
from tests.log.builders import DEBATE, append_turn, open_log, turn, write

IN_PLACE = ["lock", "manifest.json", "questions.jsonl", "turns", "verdicts", "turns/0.jsonl"]
APPEARING = ["utilisation.jsonl", "quarantine", "superseded", "strays", "report", "lock.1"]


def snapshot(folder: Path) -> dict[str, bytes | str]:
    """Everything below a folder: files with their content, links with their targets."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = os.readlink(path)
        elif path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def make_link(place: Path, target: Path) -> None:
    """Put a link in a place; what was there becomes its target's content."""
    if place.exists():
        place.rename(target)
    place.symlink_to(target)


@pytest.mark.parametrize(
    "name",
    ["questions.jsonl", "report.html", "report/edges.parquet", "lock", "notes.tmp", "turns/x.txt"],
)
def test_a_folder_with_files_of_others_is_refused_and_left_as_it_is(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("somebody's own\n")
    before = snapshot(tmp_path)
    with pytest.raises(RunConflict, match=f"no run's: {name.split('/')[0]}; name another"):
        open_log(tmp_path)
    assert snapshot(tmp_path) == before


def test_a_manifest_of_another_program_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "an extension"}')
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        open_log(tmp_path)
    assert snapshot(tmp_path) == before


def test_many_files_are_counted_and_a_file_is_no_folder(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(RunConflict, match=r"0\.txt, 1\.txt, .* and 4 more;"):
        open_log(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        open_log(tmp_path / "0.txt")


def test_a_run_begins_over_what_a_killed_start_leaves(tmp_path: Path) -> None:
    write(tmp_path / "whole", [])
    left = tmp_path / "left"
    left.mkdir()
    for name in ("lock", "questions.jsonl"):
        shutil.copy(tmp_path / "whole" / name, left / name)
    (left / "manifest.json.tmp").write_text('{"format')
    write(left, [turn("a")])
    assert sorted(p.name for p in left.iterdir()) == [
        *("lock", "manifest.json", "questions.jsonl", "turns", "verdicts")
    ]


@pytest.mark.parametrize("name", [*IN_PLACE, *APPEARING])
def test_a_link_in_the_place_of_what_is_written_is_refused(tmp_path: Path, name: str) -> None:
    run, victim = tmp_path / "run", tmp_path / "victim"
    write(run, [turn("a")])
    make_link(run / name, victim)
    before = snapshot(tmp_path)
    with pytest.raises(RunConflict, match=f"{name} is a link, and nothing is written through it"):
        open_log(run)
    assert snapshot(tmp_path) == before


def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    write(tmp_path, [])
    os.mkfifo(tmp_path / "turns" / "1.jsonl")
    with pytest.raises(RunConflict, match=r"turns/1\.jsonl is no regular file but a named pipe"):
        open_log(tmp_path)


def test_a_link_in_the_place_of_a_draft_is_replaced(tmp_path: Path) -> None:
    run, victim = tmp_path / "run", tmp_path / "victim"
    victim.write_text("precious")
    write(run, [turn("a")])
    for name in ("manifest.json.tmp", "turns/0.jsonl.tmp"):
        (run / name).symlink_to(victim)
    with (run / "turns" / "0.jsonl").open("ab") as file:  # something to tidy
        file.write(b"{\n{\n")
    write(run, [turn("b")])
    assert victim.read_text() == "precious"
    assert check_log(run) == []
    assert not [name for name in snapshot(run) if name.endswith(".tmp")]


def test_a_folder_that_is_named_by_a_link_is_the_folder_itself(tmp_path: Path) -> None:
    write(tmp_path / "run", [turn("a")])
    (tmp_path / "alias").symlink_to("run")
    with open_log(tmp_path / "alias") as log:
        assert log.num_turns == 1
        with pytest.raises(RunConflict, match="in use"):
            open_log(tmp_path / "run")


def remove_lock(run: Path) -> None:
    (run / "lock").unlink()


def replace_lock(run: Path) -> None:
    remove_lock(run)
    (run / "lock").touch()


@pytest.mark.parametrize("spoil", [remove_lock, replace_lock])
def test_a_lock_that_is_deleted_lets_nobody_in(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    with open_log(tmp_path) as log:
        asyncio.run(append_turn(log, turn("a")))
        with pytest.raises(RunConflict, match=r"in use by process \d+ .* the lock, does not free"):
            open_log(tmp_path)
        spoil(tmp_path)
        before = snapshot(tmp_path)
        with pytest.raises(RunConflict, match="in use by another process"):
            open_log(tmp_path)
        assert snapshot(tmp_path) == before
        asyncio.run(append_turn(log, turn("b")))
    assert check_log(tmp_path) == []


def test_what_is_appended_to_is_locked_itself(tmp_path: Path) -> None:
    """Some file systems on a network lock no folders."""
    write(tmp_path, [turn("a")])
    committer = Committer([tmp_path / "turns" / "0.jsonl"])
    remove_lock(tmp_path)
    with pytest.raises(RunConflict, match="in use by another process"):
        open_log(tmp_path)
    committer.close()
    open_log(tmp_path).close()


def delete(run: Path) -> None:
    shutil.rmtree(run)


def delete_turns(run: Path) -> None:
    (run / "turns" / "0.jsonl").unlink()


def move(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def move_and_copy(run: Path) -> None:
    move(run)
    shutil.copytree(run.with_name("elsewhere"), run)


DISPLACED = [
    (delete, "was deleted, with what it held"),
    (delete_turns, "was deleted, with what it held"),
    (move, r"was moved to .*/elsewhere/turns/0\.jsonl .*move it back and run again"),
    (move_and_copy, r"was moved to .*/elsewhere/turns/0\.jsonl"),
]


@pytest.mark.parametrize(("displace", "told"), DISPLACED)
def test_a_run_whose_folder_goes_stops_with_its_next_turn(
    tmp_path: Path, displace: Callable[[Path], None], told: str
) -> None:
    run = tmp_path / "run"
    log = open_log(run)
    asyncio.run(append_turn(log, turn("a")))
    displace(run)
    with pytest.raises(LogError, match=told):
        asyncio.run(append_turn(log, turn("b")))
    with pytest.raises(LogError, match=told):
        log.queue(turn("c"))
    log.close()


def test_a_run_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    log = open_log(tmp_path / "run")
    asyncio.run(append_turn(log, turn("a")))
    move(tmp_path / "run")
    with pytest.raises(LogError, match="was moved to"):
        log.close()
    with open_log(tmp_path / "elsewhere") as log:
        assert log.num_turns == 1


def test_a_manifest_that_is_deleted_is_written_again_at_the_end(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    asyncio.run(append_turn(log, turn("a")))
    (tmp_path / "manifest.json").unlink()
    log.close()
    with open_log(tmp_path) as log:
        assert log.num_turns == 1


def test_a_line_that_changes_while_the_run_is_open_is_told_in_words(tmp_path: Path) -> None:
    write(tmp_path, [turn("a"), turn("b")])
    path = tmp_path / "turns" / "0.jsonl"
    log = open_log(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"I say 4", b"I say 5"))
    with pytest.raises(LogError, match=r"0\.jsonl at byte 0: .*changed while in use; run again"):
        log.prune(DEBATE, turns=[], rounds=[])
    log.close()
