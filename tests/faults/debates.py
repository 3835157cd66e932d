"""Small debates of every shape, drawn by seed: what the faults are injected into."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Config = Mapping[str, Any]
Disturb = Callable[[Config, Path, random.Random], int]
"""Leaves a directory in which the run went wrong; how often a fault struck."""

TOPOLOGIES: tuple[Any, ...] = (
    "ring",
    "complete",
    "star",
    "chain",
    "self_loop",
    {"edges": ["a -> b -> c", {"edge": "c -> a", "when": "disagreement"}]},
    {"rounds": ["ring", "complete"], "cycle": True},
)
JUDGED: tuple[Any, ...] = (
    "judge_panel_feedback",
    {"edges": ["debaters -> debaters", {"edge": "judges -> debaters", "feedback": False}]},
)
POOLS = ("log_opinion_pool", "linear_pool", "approval", {"name": "ranked", "rule": "copeland"})


def draw_debates(rng: random.Random, *, num_questions: int = 8) -> dict[str, Any]:
    """A run's configuration: seats, edges, protocol, stop, probes, decision, cells."""
    has_judge, probes = rng.random() < 0.3, rng.choice([[], ["belief"], ["p_true", "belief"]])
    config = {
        "agents": [_seat(rng, name) for name in "abc"],
        "topology": rng.choice(JUDGED if has_judge else TOPOLOGIES),
        "task": {"generator": "arithmetic", "n": num_questions, "seed": rng.randrange(99)},
        "rounds": rng.randint(1, 3),
        "protocol": _protocol(rng),
        "probes": probes,
        "decision": _decision(rng, has_judge=has_judge, has_beliefs="belief" in probes),
        "seeds": rng.choice([[0], [0, 1]]),
        "max_debates": rng.choice([3, 16]),
    }
    if has_judge:
        config["agents"].append({**_seat(rng, "j"), "role": "judge"})
    if not has_judge and rng.random() < 0.4:
        config["cells"] = {"one": {}, "two": {"topology": "complete"}}
    return config


def _seat(rng: random.Random, name: str) -> dict[str, Any]:
    model = {
        "engine": "simulated",
        "competence": round(rng.uniform(0.3, 0.8), 2),
        "concentration": 2.0,
        "parse_failure": rng.choice([0.0, 0.1]),
    }
    return {"id": name, "model": model, "sampling": {"temperature": 0.7}}


def _protocol(rng: random.Random) -> dict[str, Any]:
    return {
        "name": rng.choice(["exchange", "critique"]),
        "speaking": rng.choice(["simultaneous", "sequential"]),
        "stop": rng.choice(["never", "never", "consensus", "no_change"]),
        "show_confidence": rng.random() < 0.3,
        "debate_if": rng.choice([None, None, "disagreement"]),
        "view": {"max_critics": rng.choice([None, None, 1])},
    }


def _decision(rng: random.Random, *, has_judge: bool, has_beliefs: bool) -> Any:
    rules: list[Any] = ["majority", {"name": "majority", "ties": "random"}, "confidence_weighted"]
    rules += ["judge_majority"] if has_judge else []
    rules += POOLS if has_beliefs else []
    return rng.choice(rules)


def hurry(config: dict[str, Any], **fields: Any) -> None:
    """Set fields of every model."""
    inline = [seat["model"] for seat in config["agents"] if isinstance(seat["model"], dict)]
    for model in (*inline, *config.get("models", {}).values()):
        model |= fields
