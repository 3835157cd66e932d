"""Calls that may compute for ever, made in a child process with limits on time and memory."""

from __future__ import annotations

import os
import pickle
import select
import signal
import time
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, TypeVar

from debate.interrupts import ENDING_SIGNALS

T = TypeVar("T")

CPU_S = 3
"""Seconds of processor time that one call may take."""
WALL_S = 60.0
MEMORY_BYTES = 2**30
"""Memory that it may take beyond what the process has."""


class LimitExceeded(Exception):
    """A call took more time or memory than it may; the message says which."""


def call_limited(function: Callable[[], T], *, cpu_s: int = CPU_S) -> T:
    """Call a function in a fork of this process, and return what it returns, which is pickled.

    It is called here where processes cannot be forked. Raises what it raises, and LimitExceeded.
    """
    if not hasattr(os, "fork"):
        return function()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # on forks of processes with threads
        child = os.fork()
    if not child:
        _answer(function, writer, cpu_s)
    os.close(writer)
    try:
        reply = _read_all(reader)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not reply:
        raise LimitExceeded(_describe_end(status, cpu_s))
    is_error, value = pickle.loads(reply)
    if is_error:
        raise value
    return value  # type: ignore[no-any-return]


def _answer(function: Callable[[], Any], writer: int, cpu_s: int) -> NoReturn:
    """Call the function, write its result to the pipe, and end: the child's whole life."""
    try:
        _limit(cpu_s)
        try:
            reply = (False, function())
        except MemoryError:
            reply = (True, LimitExceeded(f"it takes more than {MEMORY_BYTES >> 20:,} MB of memory"))
        except Exception as error:
            reply = (True, error)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(_encode(reply))
    finally:
        os._exit(0)


def _encode(reply: tuple[bool, Any]) -> bytes:
    try:
        encoded = pickle.dumps(reply)
        pickle.loads(encoded)  # some errors can be written and not read
        return encoded
    except Exception:
        return pickle.dumps((True, RuntimeError(f"{type(reply[1]).__name__}: {reply[1]}")))


def _limit(cpu_s: int) -> None:
    """Limit this process; past its time an exception is raised each second, then it is ended."""
    import resource

    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 0)

    def raise_exceeded(number: int, frame: FrameType | None) -> None:
        raise LimitExceeded(_describe_time(cpu_s))

    signal.signal(signal.SIGXCPU, raise_exceeded)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 2))
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # elsewhere than on Linux
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))


def _read_all(reader: int) -> bytes:
    """Return what the child writes until it ends; nothing where that takes too long."""
    pieces: list[bytes] = []
    deadline = time.monotonic() + WALL_S
    while time.monotonic() < deadline:
        ready, _, _ = select.select([reader], [], [], 0.5)
        if not ready:
            continue
        piece = os.read(reader, 1 << 16)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
    return b""


def _describe_end(status: int, cpu_s: int) -> str:
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if number in (signal.SIGKILL, signal.SIGXCPU):
        return _describe_time(cpu_s)
    return f"its process ended with {f'signal {number}' if number else 'no result'}"


def _describe_time(cpu_s: int) -> str:
    return f"it takes more than {cpu_s} s of processor time"
