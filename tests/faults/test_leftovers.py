"""A run that is over leaves nothing in the process: no object of its own, no open file."""

from __future__ import annotations

import gc
import os
from collections import Counter
from pathlib import Path

import pytest

from debate.runner.verify_run import verify_run
from tests.faults.damage import CONFIG
from tests.faults.driver import undisturbed

FILES = Path("/proc/self/fd")


def kept() -> Counter[type]:
    """Our objects and graphs that somebody still holds, by their class."""
    gc.collect()
    return Counter(
        kind
        for kind in map(type, gc.get_objects())
        if str(kind.__module__).startswith(("debate.", "networkx.classes"))
    )


def run_and_check(directory: Path) -> None:
    undisturbed(CONFIG, directory)
    assert verify_run(directory).problems == ()


def test_runs_that_are_over_are_forgotten(tmp_path: Path) -> None:
    run_and_check(tmp_path / "first")  # fills what is kept for good, such as readers of a format
    before = kept()
    for number in range(3):
        run_and_check(tmp_path / str(number))
    assert kept() - before == Counter()


@pytest.mark.skipif(not FILES.is_dir(), reason="needs Linux's list of open files")
def test_runs_that_are_over_have_closed_their_files(tmp_path: Path) -> None:
    run_and_check(tmp_path / "first")
    before = len(os.listdir(FILES))
    for number in range(3):
        run_and_check(tmp_path / str(number))
    assert len(os.listdir(FILES)) == before
