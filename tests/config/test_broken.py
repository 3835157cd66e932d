"""Every broken file gives one clear error, with file and line, and exit code 2."""

from __future__ import annotations

import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from debate.config.loader import load_run
from debate.errors import InputError
from debate.runner.plan import make_plan
from tests.config.broken import BROKEN, GOOD, Broken
from tests.processes import command, invoke


def _written(text: str, folder: Path) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_there_are_at_least_forty_ways_and_each_is_different() -> None:
    assert len(BROKEN) >= 40
    assert len({broken.text for broken in BROKEN}) == len(BROKEN)


def test_the_good_file_is_good(tmp_path: Path) -> None:
    assert make_plan(load_run(_written(GOOD, tmp_path))).num_debates == 4


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what)
def test_a_broken_file_names_its_line_and_what_would_be_right(
    broken: Broken, tmp_path: Path
) -> None:
    path = _written(broken.text, tmp_path)
    with pytest.raises(InputError) as caught:
        make_plan(load_run(path))
    message = str(caught.value)
    assert f"{path}:{broken.line}: " in message
    assert all(word in message for word in broken.words), message
    assert "\n\n" not in message
    assert "Traceback" not in message


def _refused(done: CompletedProcess[str], broken: Broken, out: Path) -> None:
    assert done.returncode == 2
    assert re.search(rf"run\.yaml:{broken.line}: ", done.stderr)
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("broken", BROKEN[::8], ids=lambda broken: broken.what)
def test_the_command_line_says_so_and_exits_with_2(broken: Broken, tmp_path: Path) -> None:
    words = ("run", str(_written(broken.text, tmp_path)), "--out", str(tmp_path / "out"))
    _refused(invoke(*words), broken, tmp_path / "out")


def test_a_process_of_its_own_says_so_and_exits_with_2(tmp_path: Path) -> None:
    words = ("run", str(_written(BROKEN[0].text, tmp_path)), "--out", str(tmp_path / "out"))
    _refused(command(*words), BROKEN[0], tmp_path / "out")


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("pairwise", "rnig").replace("rounds: 2", "rounds: no\nrouds: 2")
    with pytest.raises(InputError) as caught:
        load_run(_written(text.replace("{id: b", "{id: b, rle: judge"), tmp_path))
    lines = str(caught.value).splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [4, 5, 7, 8]
