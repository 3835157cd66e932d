"""Which tests execute which lines, recorded once and kept in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import coverage
import pytest

FAR = 3.0
"""As how many times slower a test counts that is in no file near to the module."""
MAX_OF_FUNCTION = 2
"""How many cases of one parametrised test are chosen."""


@dataclass(frozen=True, kw_only=True)
class Executed:
    """The tests by file and line, the seconds that each took, and those that failed.

    `digest` is of the files; what is recorded holds for these alone.
    """

    digest: str
    tests: Mapping[str, Mapping[str, Sequence[str]]]
    seconds: Mapping[str, float]
    failed: Sequence[str]

    def choose(
        self, file: str, lines: Iterable[int], near: Sequence[str], *, num: int, limit_s: float
    ) -> list[str]:
        """Tests that execute one of the lines: at most `num`, in `limit_s` seconds.

        The quickest come first, where those whose names begin with one of `near` count as quicker.
        """
        by_line = self.tests.get(file, {})
        found = {test for line in lines for test in by_line.get(str(line), ())}

        def order(test: str) -> tuple[float, str]:
            weight = 1.0 if test.startswith(tuple(near)) else FAR
            return weight * self.seconds[test], test

        chosen, functions, total_s = list[str](), list[str](), 0.0
        for test in sorted((found & self.seconds.keys()) - set(self.failed), key=order):
            function, total_s = test.partition("[")[0], total_s + self.seconds[test]
            if len(chosen) == num or (chosen and total_s > limit_s):
                break
            if functions.count(function) < MAX_OF_FUNCTION:
                chosen.append(test)
                functions.append(function)
        return chosen

    def sum_seconds(self, names: Iterable[str]) -> float:
        """The seconds of the tests whose names begin with one of these."""
        prefixes = tuple(names)
        return sum(took_s for test, took_s in self.seconds.items() if test.startswith(prefixes))


class Recorder:
    """A plugin of pytest that records which test executes which lines of some files."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._folder = folder
        self._files = files
        self._seconds: dict[str, float] = {}
        self._failed: dict[str, None] = {}
        self._coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[str(folder / file) for file in files]
        )
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Record lines and seconds of one test, with what it shares with later ones."""
        self._coverage.switch_context(item.nodeid)
        started = time.monotonic()
        result = yield
        self._seconds[item.nodeid] = round(time.monotonic() - started, 3)
        self._coverage.switch_context("")
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that fails."""
        if report.failed:
            self._failed[report.nodeid] = None

    def write(self, path: Path, digest: str) -> None:
        """End the recording and write it as JSON."""
        self._coverage.stop()
        data = self._coverage.get_data()
        tests = {
            file: {
                str(line): [name for name in names if name]
                for line, names in data.contexts_by_lineno(str(self._folder / file)).items()
            }
            for file in self._files
        }
        executed = Executed(
            digest=digest, tests=tests, seconds=self._seconds, failed=list(self._failed)
        )
        path.write_text(json.dumps(asdict(executed)))


def read_executed(path: Path, digest: str) -> Executed | None:
    """What was recorded of these files, or None where it was nothing or of other files."""
    fields = json.loads(path.read_text()) if path.exists() else {"digest": None}
    return Executed(**fields) if fields["digest"] == digest else None
