"""A model behind vLLM, in an actor with a GPU of its own, debates one behind transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import debate
from debate.config.references import get_shipped_folder
from tests.vllm.team import NEEDS_VLLM, SMALL

pytestmark = [pytest.mark.vllm, NEEDS_VLLM, pytest.mark.ray]


def _seat(name: str) -> dict[str, Any]:
    """A shipped organism behind vLLM instead of transformers."""
    weights = str(get_shipped_folder("agents") / "organisms" / name)
    model = {"engine": "vllm", "model": weights, "dtype": "float32", "engine_kwargs": SMALL}
    return {"id": name, "model": model, "prompts": "compact", "sampling": {"max_tokens": 24}}


def test_a_model_debates_through_vllm_as_it_does_through_transformers(tmp_path: Path) -> None:
    task = {"generator": "arithmetic", "families": ["add", "mul"], "n": 84, "seed": 3}
    config = {"topology": "pairwise", "task": task, "rounds": 2, "probes": ["belief"]}
    config |= {"protocol": "exchange", "cluster": {"num_gpus": 1}}
    seats = [_seat("adder"), "multiplier"]
    through_vllm = debate.run({**config, "agents": seats}, out=tmp_path / "vllm", quiet=True)
    both = {**config, "agents": ["adder", "multiplier"]}
    plain = debate.run(both, out=tmp_path / "plain", quiet=True)
    key = ["question", "agent", "round"]
    ours, theirs = (run.trajectories().sort(key) for run in (through_vllm, plain))
    assert ours.height == 84 * 2 * 3
    assert not through_vllm.turns()["failed"].any()
    assert ours["answer"].to_list() == theirs["answer"].to_list()
    for name in ("confidence", "belief_own", "belief_target"):
        assert (ours[name] - theirs[name]).abs().max() < 1e-3, name
