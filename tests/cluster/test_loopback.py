"""A machine that cannot reach itself is told so before Ray starts, which would wait for ever."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from debate.cluster.connection import require_loopback

ALONE = ["unshare", "--map-root-user", "--net"]


def can_be_alone() -> bool:
    """Whether a process may have a network of its own here."""
    return bool(shutil.which(ALONE[0])) and not subprocess.run([*ALONE, "true"]).returncode


@pytest.mark.skipif(not can_be_alone(), reason="no network namespaces here")
def test_a_network_without_loopback_is_told_in_words() -> None:
    code = "from debate.cluster.connection import require_loopback; require_loopback()"
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert "ClusterError: 127.0.0.1 cannot be reached (Network is unreachable)" in done.stderr


def test_an_ordinary_machine_reaches_itself() -> None:
    require_loopback()
