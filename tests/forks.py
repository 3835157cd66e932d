"""Judge mutants in forks of one process that has imported and collected everything."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.mutations import Mutant

FORK = multiprocessing.get_context("fork")
LATE, START_S = 3.0, 6.0
"""Tests have this many times the seconds recorded, and these, before they are late."""


class Forks:
    """A plugin of pytest that calls a function in place of running what was collected.

    The function may then call `run` as often as it likes; each call is a fork, and leaves nothing.
    """

    def __init__(self, folder: Path, use: Callable[[Forks], None]) -> None:
        self._folder = folder
        self._use = use
        self._session: pytest.Session | None = None
        self._items: dict[str, pytest.Item] = {}
        self._failed = ""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Call the function, once everything is collected."""
        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        self._use(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first test that fails; this happens in a fork."""
        if report.failed and not self._failed:
            self._failed = report.nodeid

    def run(self, mutant: Mutant, tests: Sequence[str], took_s: float) -> tuple[str, str]:
        """Run tests until one fails on a mutant: the result, and what told it."""
        tests = [test for test in tests if test in self._items]
        if not tests:
            return "survived", "no recorded test executes it"
        receiver, sender = FORK.Pipe(duplex=False)
        with change_file(self._folder / mutant.file, mutant.source):
            process = FORK.Process(target=self._run_and_tell, args=(mutant, tests, sender))
            process.start()
            process.join(START_S + LATE * took_s)
            is_late = process.is_alive()
            if is_late and process.pid:
                os.killpg(process.pid, signal.SIGKILL)
                process.join()
        if is_late:
            return "timed out", f"after {START_S + LATE * took_s:.0f} s"
        if not receiver.poll():
            return "killed", f"the process ended with {process.exitcode}"
        result: tuple[str, str] = receiver.recv()
        return result

    def _run_and_tell(self, mutant: Mutant, tests: Sequence[str], sender: Connection) -> None:
        os.setsid()
        assert self._session is not None
        forbid_compiled_files()
        if not patch(mutant, self._folder):
            sender.send(("survived", "not tried: it is in no function, or changes a closure"))
            os._exit(0)
        try:
            sender.send(self._run_items(tests))
        except Exception as error:
            sender.send(("survived", f"not tried: {error!r}"))
        os._exit(0)

    def _run_items(self, tests: Sequence[str]) -> tuple[str, str]:
        assert self._session is not None
        items = [self._items[test] for test in tests]
        run = self._session.config.hook.pytest_runtest_protocol
        for item, following in zip(items, [*items[1:], None], strict=True):
            run(item=item, nextitem=following)
            if self._failed:
                break
        return "killed" if self._failed else "survived", self._failed or f"{len(tests)} tests"


def patch(mutant: Mutant, folder: Path) -> bool:
    """Give the functions of a module that is imported the code of a mutant.

    False where the mutant is in none of them, or where code cannot be exchanged.
    """
    name = str(folder / mutant.file)
    codes = list(_iter_codes(compile(mutant.source, name, "exec")))
    counts = Counter(code.co_qualname for code in codes)
    by_name = {code.co_qualname: code for code in codes if counts[code.co_qualname] == 1}
    found = False
    for each in gc.get_objects():
        if type(each) is types.FunctionType and each.__code__.co_filename == name:
            code = by_name.get(each.__code__.co_qualname)
            if code and f"{mutant.function}.".startswith(_simplify(code.co_qualname)):
                if code.co_freevars != each.__code__.co_freevars:
                    return False
                each.__code__ = code
                found = True
    return found


def _iter_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a module's functions, classes and what is inside them."""
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            yield each
            yield from _iter_codes(each)


def _simplify(qualified_name: str) -> str:
    """The name of a function as a mutant has it, with a dot behind."""
    return qualified_name.replace(".<locals>", "") + "."


def forbid_compiled_files() -> None:
    """Write none from now on: those of two mutants may agree in second and size."""
    sys.dont_write_bytecode = True
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


@contextmanager
def change_file(path: Path, text: str) -> Iterator[None]:
    """While inside, the file has this text; then what it had, times included."""
    original, times = path.read_bytes(), path.stat()
    path.write_text(text)
    try:
        yield
    finally:
        path.write_bytes(original)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
