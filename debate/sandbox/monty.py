"""The sandbox `monty`: an interpreter of a subset of Python, in a pool of worker processes.

The interpreter has no way to a file, an environment variable, a socket or a process; its workers
are replaced where they die. Clock and random numbers begin alike in each run.
"""

from __future__ import annotations

import atexit
import os
import threading
from datetime import UTC, datetime
from typing import Any, Final

from debate.errors import EngineError, boundary
from debate.installation import list_missing, make_install_command
from debate.sandbox.values import Limits, RawRun, RunOutcome

MAX_RECURSION: Final = 500
GRACE_S: Final = 0.5
"""Seconds past its limit after which a worker that does not end its program is killed."""
RUNS_PER_WORKER: Final = 200
NOW: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""What every program takes for the present."""

_OUTCOMES: Final[dict[str, RunOutcome]] = {"TimeoutError": "timeout", "MemoryError": "memory"}


def explain_lack() -> str | None:
    """Say which extra is missing; None where the interpreter can be used."""
    if not list_missing("tools"):
        return None
    return f"the sandbox monty is not installed: {make_install_command('tools')}"


class _Flood(Exception):
    """A program printed more than it may."""


class _Printed:
    """What a program prints, up to a limit; more of it raises _Flood."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._pieces: list[str] = []

    def __call__(self, stream: str, text: str) -> None:
        self._pieces.append(text[: self._left])
        self._left -= len(text)
        if self._left < 0:
            raise _Flood

    @property
    def is_flood(self) -> bool:
        return self._left < 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)


class _Pool:
    """The workers of this process, started when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Any = None
        self._owner = 0

    def get(self) -> Any:
        """Return the pool; a fork of the process that started it gets one of its own."""
        from pydantic_monty import Monty

        with self._lock:
            if self._pool is None or self._owner != os.getpid():
                self._pool = Monty(
                    min_processes=1,
                    max_processes=os.cpu_count(),
                    max_checkouts_per_worker=RUNS_PER_WORKER,
                    feed_duration_limit_grace=GRACE_S,
                    turn_duration_limit_grace=GRACE_S,
                ).__enter__()
                self._owner = os.getpid()
            return self._pool

    def stop(self) -> None:
        """End the workers, if this process started them."""
        with self._lock:
            pool, self._pool = self._pool, None
            if pool is not None and self._owner == os.getpid():
                pool.__exit__(None, None, None)


_POOL = _Pool()
atexit.register(_POOL.stop)


def run(code: str, limits: Limits) -> RawRun:
    """Run a program in a worker. Whatever it raises, and however it is ended, is data."""
    from pydantic_monty import MontyCrashedError, MontyError

    printed = _Printed(limits.max_raw)
    with boundary(EngineError, "sandbox monty"):
        pool = _POOL.get()
    session = pool.checkout(
        limits={
            "max_feed_duration_secs": limits.time_s,
            "max_memory": limits.memory_mb * 2**20,
            "max_recursion_depth": MAX_RECURSION,
        },
        os_policy={"sleep": "zero", "datetime": NOW, "random_start": {"seed": 0}},
    )
    outcome: RunOutcome = "done"
    error = None
    try:
        with session as worker:
            worker.feed_run(f"{code}\nNone", print_callback=printed)
    except MontyCrashedError as crash:
        is_late = bool(getattr(crash, "timed_out", False))
        outcome = "timeout" if is_late else "died"
    except MontyError as raised:
        outcome, error = _tell(raised)
    except Exception as cause:
        raise EngineError(f"{type(cause).__name__}: {cause}", boundary="sandbox monty") from cause
    return RawRun("flood" if printed.is_flood else outcome, printed.text, error)


def _tell(raised: Any) -> tuple[RunOutcome, str]:
    """Return how the program ended, and the exception with its line."""
    if not hasattr(raised, "traceback"):  # of the worker, not of the program
        return "died", str(raised)
    told = raised.display("type-msg")
    frames = raised.traceback()
    place = f" (line {frames[-1].line})" if frames else ""
    name = type(raised.exception()).__name__
    is_limit = "limit exceeded" in told
    return (_OUTCOMES.get(name, "error") if is_limit else "error"), f"{told}{place}"
