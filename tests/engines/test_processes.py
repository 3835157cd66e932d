"""Processes of engines: found below the one that started them, and ended with it."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from debate.engines.processes import find_descendants, find_vllm_processes

PROGRAM = """
import os, signal, subprocess, sys
from debate.engines.processes import ParentDeathWatchdog
watchdog = ParentDeathWatchdog()
if sys.argv[1] == "group":
    os.setpgid(0, 0)
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=())
keeper = os.dup(child.stdin.fileno())
watchdog.start()
watchdog.watch_group(os.getpid()) if sys.argv[1] == "group" else watchdog.watch([child.pid])
print(child.pid, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""

CHILD = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"VLLM::EngineCore")
print(flush=True)
sys.stdin.read()
"""
"""Takes a name as vLLM gives its processes, by PR_SET_NAME."""

PARENT = """
import subprocess, sys, threading
threading.Thread(target=subprocess.Popen, args=([sys.executable, "-c", sys.argv[1]],)).start()
sys.stdin.read()
"""
"""Starts a process from a thread that ends at once."""

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


def test_the_processes_below_one_are_found_until_it_is_gone() -> None:
    pytest.importorskip("psutil")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = find_descendants(parent.pid)
        assert find_vllm_processes([parent.pid, child]) == [child]
        parent.communicate()
    assert find_descendants(parent.pid) == []
    assert find_vllm_processes([parent.pid]) == []
