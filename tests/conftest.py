"""What all tests share."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings

LONG_TIMEOUT_S = 1800.0

settings.register_profile("debate", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=5_000)
settings.load_profile("debate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that may take minutes a longer time limit than pyproject.toml gives the others."""
    for item in items:
        if any(item.get_closest_marker(name) for name in ("slow", "system", "vllm", "gpu", "chat")):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S), append=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n`, give each file to one process, so that what its tests share is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None
