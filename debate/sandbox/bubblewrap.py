"""The sandbox `bubblewrap`: this Python in Linux namespaces, with limits that it cannot raise.

The program sees the standard library and a small folder of its own in memory. It has no network,
no other process, no variable of the environment, and a filter of system calls refuses it new
processes, threads, sockets and memory that no limit counts.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from debate.errors import EngineError
from debate.sandbox.system_calls import make_filter
from debate.sandbox.values import Limits, RawRun, RunOutcome

BASE_MB: Final = 96
"""Address space of the interpreter itself, besides what a program may take."""
DISK_MB: Final = 16
"""The size of the folder in memory that a program may write to."""
START_S: Final = 10.0
"""Seconds in which a sandbox must have begun its program."""
MAX_ERROR_BYTES: Final = 8192

_BEGUN: Final = b"\x01"
_SERVE: Final = """
import os, resource, sys
cpu, memory, disk = map(int, sys.argv[1:4])
source = sys.stdin.buffer.read().decode()
said = os.dup(2)
os.dup2(1, 2)
for name, most in (("CPU", cpu), ("AS", memory), ("FSIZE", disk), ("CORE", 0), ("NOFILE", 64)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (most, most))
os.write(said, b"\\x01")
try:
    exec(compile(source, "main.py", "exec"), {"__name__": "__main__"})
    sys.stdout.flush()
    os._exit(0)
except BaseException as raised:
    try:
        sys.stdout.flush()
    except BaseException:
        pass
    if isinstance(raised, MemoryError):
        os._exit(3)
    line, frame = None, raised.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "main.py":
            line = frame.tb_lineno
        frame = frame.tb_next
    line = line or getattr(raised, "lineno", None)
    told = f"{type(raised).__name__}: {raised}".rstrip(": ")[:2000]
    told += f" (line {line})" if line else ""
    os.write(said, told.encode("utf-8", "replace"))
    os._exit(2)
"""
_TRIAL: Final = """
import os, socket
reached = []
for what, attempt in (
    ("a socket", lambda: socket.socket()),
    ("a child process", lambda: os.fork()),
    ("accounts of the host", lambda: open("/etc/passwd")),
    ("a file of the host", lambda: open({file!r})),
    ("a folder of the host", lambda: open({folder!r} + "/trial-of-a-sandbox", "w")),
    ("other processes", lambda: os.listdir("/proc")),
):
    try:
        attempt()
        reached.append(what)
    except OSError:
        pass
reached += ["variables"] if set(os.environ) - {{"PWD", "LC_CTYPE"}} else []
print("it reaches " + ", ".join(reached) if reached else "isolated")
"""

_SLOTS = threading.BoundedSemaphore(os.cpu_count() or 1)


def explain_lack() -> str | None:
    """Say why bubblewrap cannot be used here, by a real trial; None where it isolates.

    The trial is made once in a process.
    """
    return _explain_lack(shutil.which("bwrap"))


@lru_cache
def _explain_lack(program: str | None) -> str | None:
    name = "the sandbox bubblewrap"
    if not sys.platform.startswith("linux"):
        return f"{name} works on Linux alone"
    if program is None:
        return f"{name} is not installed: the program bwrap is not on the PATH"
    if make_filter() is None:
        return f"{name} has no filter of system calls for this kind of processor"
    try:
        trial = _TRIAL.format(file=__file__, folder=sysconfig.get_path("stdlib"))
        tried = run(trial, Limits(time_s=START_S))
    except EngineError as error:
        return f"{name} does not work here: {error}"
    said = tried.output.strip()
    if tried.outcome == "done" and said == "isolated":
        return None
    return f"{name} does not isolate here: {said or tried.error or tried.outcome}"


def run(code: str, limits: Limits) -> RawRun:
    """Run a program in namespaces of its own. Raises EngineError where they cannot be made."""
    with _SLOTS, _open_pipe(code.encode()) as source, _open_filter() as rules:
        process = subprocess.Popen(
            _make_command(limits, rules),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(rules,),
            env={},
            start_new_session=True,
        )
        try:
            return _watch(process, limits)
        finally:
            _end(process)


def _make_command(limits: Limits, rules: int) -> list[str]:
    """Return the command line: what is shown of the host, and what of its namespaces is parted."""
    python = Path(os.path.realpath(sys.executable))
    library = sysconfig.get_path("stdlib")
    shown = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache"]
    shown += [str(python), library, *map(str, _list_shared_libraries())]
    numbers = (int(limits.time_s) + 1, (BASE_MB + limits.memory_mb) * 2**20, DISK_MB * 2**20)
    return [
        *(
            shutil.which("bwrap") or "bwrap",
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--clearenv",
        ),
        *("--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--hostname", "sandbox"),
        *(word for path in shown for word in _show(path)),
        *(word for path in _list_packages(library) for word in ("--tmpfs", path, *_lock(path))),
        *("--dev", "/dev", *_lock("/dev"), "--size", str(DISK_MB * 2**20), "--tmpfs", "/tmp"),
        *("--chdir", "/tmp", *_lock("/"), "--seccomp", str(rules)),
        *(str(python), "-I", "-S", "-B", "-X", "utf8", "-c", _SERVE, *map(str, numbers)),
    ]


def _show(path: str) -> tuple[str, ...]:
    """Return the words that show a file or folder of the host, which cannot be written to."""
    if os.path.islink(path):
        return ("--symlink", os.readlink(path), path)
    return ("--ro-bind-try", path, path)


def _lock(path: str) -> tuple[str, str]:
    return ("--remount-ro", path)


def _list_packages(library: str) -> list[str]:
    """List the folders of installed packages in the standard library's; they are shown empty."""
    found = (os.path.join(library, name) for name in ("site-packages", "dist-packages"))
    return [path for path in found if os.path.isdir(path)]


def _list_shared_libraries() -> Iterator[Path]:
    """Yield the libraries beside the standard library that the interpreter may be linked to."""
    folder = Path(sys.base_prefix) / "lib"
    if not folder.is_relative_to("/usr/lib"):
        yield from folder.glob("*.so*")


@contextlib.contextmanager
def _open_pipe(content: bytes) -> Iterator[int]:
    """Give the reading end of a pipe that holds the content, which a pipe has room for."""
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(content)
        yield reader
    finally:
        os.close(reader)


@contextlib.contextmanager
def _open_filter() -> Iterator[int]:
    with tempfile.TemporaryFile() as file:
        file.write(make_filter() or b"")
        file.seek(0)
        yield file.fileno()


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> RawRun:
    """Read what a program says until it ends or has taken what it may."""
    assert process.stdout is not None
    assert process.stderr is not None
    said: dict[int, bytearray] = {}
    out, err = process.stdout.fileno(), process.stderr.fileno()
    said[out], said[err] = bytearray(), bytearray()
    ends, has_begun = time.monotonic() + START_S, False
    waiting = selectors.DefaultSelector()
    for end in said:
        waiting.register(end, selectors.EVENT_READ)
    while waiting.get_map():
        ready = waiting.select(max(0.0, ends - time.monotonic()))
        if not ready or time.monotonic() > ends:
            return _describe(said[out], "timeout") if has_begun else _refuse(said[err])
        for end in (key.fd for key, _ in ready):
            piece = os.read(end, 65536)
            said[end] += piece
            if not piece:
                waiting.unregister(end)
        if not has_begun and said[err].startswith(_BEGUN):
            ends, has_begun = time.monotonic() + limits.time_s, True
        if len(said[out]) > limits.max_raw:
            return _describe(said[out][: limits.max_raw], "flood")
        del said[err][MAX_ERROR_BYTES:]
    if not has_begun:
        return _refuse(said[err])
    try:
        status = process.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:  # it has closed its outputs, and goes on
        return _describe(said[out], "timeout")
    return _describe_exit(status, said[out], said[err][1:])


def _describe_exit(status: int, said: bytearray, told: bytearray) -> RawRun:
    if status == 0:
        return _describe(said, "done")
    if status == 3:
        return _describe(said, "memory")
    if status == 2:
        return _describe(said, "error", told.decode("utf-8", "replace"))
    number = status - 128
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return _describe(said, "timeout")
    return _describe(said, "died", f"signal {number}" if number > 0 else f"exit code {status}")


def _describe(said: bytearray, outcome: RunOutcome, error: str | None = None) -> RawRun:
    return RawRun(outcome, said.decode("utf-8", "replace"), error)


def _refuse(told: bytearray) -> RawRun:
    words = " ".join(told.decode("utf-8", "replace").split())[:300]
    raise EngineError(words or "it did not start", boundary="sandbox bubblewrap")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End all processes of a sandbox: the kernel ends what is inside with its first process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
