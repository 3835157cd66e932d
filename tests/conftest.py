"""What all tests share."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings

from debate.vega import keep_drawing

LONG_TIMEOUT_S = 1800.0
LONG_TIERS = frozenset({"slow", "system", "vllm", "gpu", "chat"})
TIERS = LONG_TIERS | {"docs", "browser", "endpoints"}

settings.register_profile("debate", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=5_000)
settings.load_profile("debate")


def get_tier(config: pytest.Config) -> str | None:
    """The one marker that `-m` asks for; None where it asks for none or for more."""
    asked: str = config.getoption("markexpr")
    return asked if re.fullmatch(r"\w+", asked) else None


class Choice:
    """A plugin, so that it is asked about all folders: a conftest is asked about its own alone."""

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        """Leave out, and so do not import, files in which there is nothing of what is asked for.

        These are modules without examples and, where `-m` names one tier, files that do not name
        it.
        """
        if collection_path.suffix != ".py":
            return None
        text = collection_path.read_text(encoding="utf-8")
        tier = get_tier(config)
        is_elsewhere = tier is not None and f"mark.{tier}" not in text
        has_tests = collection_path.name.startswith("test_") or ">>> " in text
        return True if is_elsewhere or not has_tests else None

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(
        self, file_path: Path
    ) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
        """Look for examples in docstrings only where there are any."""
        found = yield
        if ">>> " in file_path.read_text(encoding="utf-8"):
            return found
        return [each for each in found if not isinstance(each, DoctestModule)]


def pytest_configure(config: pytest.Config) -> None:
    """Let the choice of files be made."""
    config.pluginmanager.register(Choice())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that may take minutes a longer time limit than pyproject.toml gives the others.

    Raises UsageError for a tier's test in a file that does not name the tier: `-m` would miss it.
    """
    for item in items:
        named = {each.name for each in item.iter_markers()} & TIERS
        if named & LONG_TIERS:
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S), append=True)
        text = item.path.read_text(encoding="utf-8") if named else ""
        if missing := [name for name in sorted(named) if f"mark.{name}" not in text]:
            raise pytest.UsageError(f"{item.nodeid}: write `pytest.mark.{missing[0]}` in its file")


@pytest.fixture(scope="session", autouse=True)
def _one_drawing_process() -> Iterator[None]:
    """Have the pictures of all tests drawn by one process, which takes a second to start."""
    with keep_drawing():
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, give each file to one process, so that what its tests share is made once.

    Of the other tiers, whose files are few and long, each process takes what is left.
    """
    from xdist.scheduler import LoadFileScheduling, WorkStealingScheduling

    if config.getoption("dist") != "load":
        return None
    by_file = get_tier(config) in (None, "system")
    return (LoadFileScheduling if by_file else WorkStealingScheduling)(config, log)
