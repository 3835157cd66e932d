"""Processes end with the one that started them, even if it is killed outright."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, subprocess, sys
from debate.engines.reaper import Reaper
reaper = Reaper()
if sys.argv[1] == "group":
    os.setpgid(0, 0)
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=())
keeper = os.dup(child.stdin.fileno())
reaper.start()
reaper.watch_group(os.getpid()) if sys.argv[1] == "group" else reaper.watch([child.pid])
print(child.pid, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs pidfds and process groups")


@pytest.mark.parametrize("what", ["group", "process"])
def test_children_of_a_killed_process_are_ended(what: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    try:
        assert not select.select([child], [], [], 0)[0], "the child lives before its parent dies"
        parent.communicate("now\n", timeout=20)
        assert select.select([child], [], [], 20)[0], "the child outlived its parent"
    finally:
        os.close(child)
