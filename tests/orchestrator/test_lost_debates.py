"""A debate that ends without a result is an error, whatever ended it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from debate.errors import DebateError
from debate.orchestrator import Debate
from debate.types import AgentId, Turn
from tests.support import run, scripted


async def gives_up(debate: Debate, author: AgentId, round: int) -> Turn | None:
    raise asyncio.CancelledError


def test_a_debate_that_gives_itself_up_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    agents = [scripted(name, "Answer: 1") for name in "ab"]
    with pytest.raises(DebateError, match="the debate of question q0 was lost"):
        run(tmp_path, agents, rounds=1, protocol=f"{__name__}.gives_up")
