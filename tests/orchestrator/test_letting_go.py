"""A debate that is over leaves memory at once: nothing in it holds on to itself."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from debate.orchestrator import Debate
from debate.types import Turn
from tests.support import run, simulated

DEBATES: dict[str, dict[str, Any]] = {
    "exchange": {"rounds": 2},
    "critique": {"rounds": 2, "protocol": "critique"},
    "in sequence": {"rounds": 2, "protocol": {"speaking": "sequential"}},
    "until consensus": {"rounds": 3, "protocol": {"stop": "consensus"}},
    "on disagreement": {
        "rounds": 2,
        "topology": {"edges": [{"edge": "a, b <-> c", "when": "disagreement"}]},
    },
    "with a quorum": {"rounds": 2, "protocol": {"quorum": 1}},
    "probed": {"rounds": 1, "probes": ["belief", "consistency"]},
    "judging": {"rounds": 1, "protocol": "cross_critique"},
}


def held() -> list[object]:
    """Every debate and turn in memory. Others are not asked what they are: some warn."""
    return [each for each in gc.get_objects() if type(each) in (Debate, Turn)]


@pytest.mark.parametrize("fields", DEBATES.values(), ids=DEBATES)
def test_a_debate_that_is_over_needs_no_collector(tmp_path: Path, fields: dict[str, Any]) -> None:
    agents = [simulated("a"), simulated("b", world=1), simulated("c", world=2)]
    before = set(map(id, held()))
    gc.disable()
    try:
        run(tmp_path, agents, num_questions=5, **fields)
        left = held()
    finally:
        gc.enable()
    assert [each for each in left if id(each) not in before] == []
