"""Coroutines run to their end, and the signals that ask a command to end before.

The first signal cancels what runs, so that models are closed and the log is finished; more of them
are heard only where that takes long. Without a listener, as in a program that imports this package,
signals are that program's own affair.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C; what schedulers send; and what a closed terminal sends."""

BLOCKED_S = 3.0
"""Seconds after which code that keeps the event loop from hearing of a signal is broken off."""
PATIENCE_S = 10.0
"""Seconds that closing may take before a further signal ends the process at once."""


class SignalListener:
    """Hears the signals that ask this process to end. `heard` is the first of them.

    `last_words` returns what is said where a signal ends the process at once.
    """

    def __init__(self, last_words: Callable[[signal.Signals], str]) -> None:
        self.heard: signal.Signals | None = None
        self._last_words = last_words
        self._heard_at = 0.0
        self._has_told = False
        self._main: asyncio.Task[Any] | None = None
        self._before: dict[int, Any] = {}

    def install(self) -> None:
        """Listen, but for signals that this process was started to ignore, as by `nohup`."""
        for number in ENDING_SIGNALS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._hear)

    def uninstall(self) -> None:
        """Give the signals back to whom they were heard by before."""
        for number, before in self._before.items():
            signal.signal(number, before)

    def ignore_at_exit(self) -> None:
        """Ignore the signals once Python ends and takes its handlers away."""
        for number in self._before:
            atexit.register(signal.signal, number, signal.SIG_IGN)

    @contextmanager
    def cancelling(self, main: asyncio.Task[Any]) -> Iterator[None]:
        """Cancel this task where a signal comes during the body."""
        self._main = main
        try:
            yield
        finally:
            self._main = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.heard is None:
            self.heard, self._heard_at = signal.Signals(number), time.monotonic()
            self._stop()
        elif time.monotonic() - self._heard_at >= PATIENCE_S:
            write_to_stderr(self._last_words(self.heard) + "\n")
            os._exit(128 + self.heard)
        elif not self._has_told:
            self._has_told = True
            write_to_stderr(f"closing; a signal after {PATIENCE_S:g} s of this ends it at once\n")

    def _stop(self) -> None:
        """Cancel the main task; break off whatever runs where there is none, or it is blocked."""
        if self._main is None:
            raise KeyboardInterrupt
        self._main.cancel()
        if hasattr(signal, "setitimer"):
            before = signal.signal(signal.SIGALRM, _break_off)

            def unblock() -> None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)

            signal.setitimer(signal.ITIMER_REAL, BLOCKED_S)
            self._main.get_loop().call_soon_threadsafe(unblock)


def _break_off(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


_listener: SignalListener | None = None


@contextmanager
def hear_signals(last_words: Callable[[signal.Signals], str]) -> Iterator[SignalListener]:
    """Listen while the body runs, and for good where a signal was heard: the process is to end.

    Only the main thread hears anything.
    """
    global _listener
    before, listener = _listener, SignalListener(last_words)
    if threading.current_thread() is threading.main_thread():
        listener.install()
    _listener = listener
    try:
        yield listener
    finally:
        _listener = before
        if listener.heard is None:
            listener.uninstall()
        else:
            listener.ignore_at_exit()


@contextmanager
def keep_signal_handlers() -> Iterator[None]:
    """Restore after the body the handlers of ending signals that it has replaced.

    Also those that a library has set below Python, which `signal.getsignal` does not tell.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        yield
    except SystemExit:
        # What Ray's handler of SIGTERM raises.
        if callable(handler := before[signal.SIGTERM]):
            handler(signal.SIGTERM, None)
        raise
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own; beside a running one, in a thread of its own.

    Raises KeyboardInterrupt where a signal has ended it, after all that it has closed.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_here(coroutine)
    return _run_in_thread(coroutine)


def _run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    listener = _listener
    if listener is None or threading.current_thread() is not threading.main_thread():
        return asyncio.run(coroutine)

    async def run_cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None
        with listener.cancelling(task):
            return await coroutine

    try:
        result = asyncio.run(run_cancellable())
    except asyncio.CancelledError:
        if listener.heard is None:
            raise
        raise KeyboardInterrupt from None
    if listener.heard is not None:
        raise KeyboardInterrupt
    return result


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread, and cancel it there where this thread is interrupted."""
    results: list[T] = []
    errors: list[BaseException] = []
    started: list[asyncio.Task[Any]] = []
    is_interrupted, is_over = threading.Event(), threading.Event()

    async def run_known() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.append(task)
        if is_interrupted.is_set():
            task.cancel()
        return await coroutine

    def run() -> None:
        try:
            results.append(asyncio.run(run_known()))
        except BaseException as error:
            errors.append(error)
        finally:
            is_over.set()

    def wait() -> None:
        while not is_over.wait(0.1):  # a signal that another thread was given wakes nobody
            pass

    try:
        threading.Thread(target=contextvars.copy_context().run, args=(run,)).start()
        wait()
    except KeyboardInterrupt:
        is_interrupted.set()
        for task in started:
            with suppress(RuntimeError):  # its loop is closed
                task.get_loop().call_soon_threadsafe(task.cancel)
        wait()
        raise
    if errors:
        raise errors[0]
    return results[0]


def write_to_stderr(text: str) -> None:
    """Write past Python's buffers, which a signal may have come in the middle of."""
    with suppress(OSError):
        os.write(2, text.encode("ascii", "backslashreplace"))
