"""Replies that must keep to a form: asked of the engine for turns, not for what is asked beside."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from debate.config.loader import load_run
from debate.engines.base import Guided, Request
from debate.orchestrator.question import debate_question
from debate.runner.plan import make_plan
from tests.hostile.echo import Everything, calls_to


def requests_with(**sampling: Any) -> list[Request]:
    """Every request of a debate between two agents, probes included."""
    seats = [
        {"id": name, "model": "m", "persona": f"an {name}", "sampling": sampling} for name in "ab"
    ]
    config = {
        "models": {"m": {"engine": "vllm", "model": "nobody/nothing"}},
        "agents": seats,
        "topology": "complete",
        "rounds": 1,
        "task": {"generator": "arithmetic", "n": 4},
        "probes": ["verbal", "belief"],
    }
    plan = make_plan(load_run(config))
    client = Everything("Answer: 7")
    asyncio.run(debate_question(plan.questions[0], plan.cells, calls_to(client), seed=0))
    return client.requests


@pytest.mark.parametrize(
    ("sampling", "guided"),
    [
        ({"regex": "Answer: [0-9]+"}, Guided(regex="Answer: [0-9]+")),
        ({"choice": ["Answer: 7", "Answer: 8"]}, Guided(choice=("Answer: 7", "Answer: 8"))),
        ({}, None),
    ],
)
def test_turns_keep_to_the_form_and_probes_do_not(
    sampling: dict[str, Any], guided: Guided | None
) -> None:
    requests = requests_with(**sampling)
    beside = [each for each in requests if each.id.endswith(("/verbal/0", "/belief/0"))]
    assert len(requests) == 4 + len(beside) == 12
    assert {each.guided for each in beside} == {None}
    assert {each.guided for each in requests if each not in beside} == {guided}
