"""Small real debates for tests: scripted or simulated agents, run to the end in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import debate
from debate.config.fetchable import FETCHABLE, get_models_folder
from debate.errors import InputError
from debate.fetching.fetch import fetch_model
from debate.log import Run
from debate.types import DebateKey, Turn

GSM8K = Path(__file__).parents[2] / "shared" / "data" / "gsm8k"


def scripted(name: str, replies: Any, **fields: Any) -> dict[str, Any]:
    """A seat whose model says what is written."""
    model = {"engine": "scripted", "replies": replies}
    model |= {key: fields.pop(key) for key in ("latency_s", "timeout_s") if key in fields}
    return {"id": name, "model": model, **fields}


def simulated(name: str, **model: Any) -> dict[str, Any]:
    """A seat with simulated opinions."""
    return {"id": name, "model": {"engine": "simulated", **model}}


def write_questions(folder: Path, num: int = 1, *, target: str = "4") -> dict[str, Any]:
    """A task of `num` number questions with one target, in a file of the folder."""
    path = folder / "questions.jsonl"
    rows = [{"id": f"q{n}", "question": f"What is {n}?", "answer": target} for n in range(num)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"path": str(path), "kind": "number"}


def run(
    folder: Path,
    agents: Sequence[Mapping[str, Any]],
    *,
    topology: Any = "complete",
    num_questions: int = 1,
    name: str = "run",
    preflight: bool = True,
    **fields: Any,
) -> Run:
    """Run (or resume) a small debate in `folder`."""
    config = {
        "agents": list(agents),
        "topology": topology,
        "task": fields.pop("task", None) or write_questions(folder, num_questions),
        **fields,
    }
    return debate.run(config, out=folder / name, quiet=True, preflight=preflight)


def turns_of(run: Run, question: str = "q0", *, cell: str = "main", seed: int = 0) -> list[Turn]:
    """The turns of one debate, in order."""
    return list(run.debate(DebateKey(cell=cell, question=question, seed=seed)).turns)


def by_ref(run: Run, question: str = "q0", *, cell: str = "main") -> dict[str, Turn]:
    """The turns of one debate by their refs."""
    return {turn.ref: turn for turn in turns_of(run, question, cell=cell)}


def said(turn: Turn) -> str:
    """Everything that the turn's prompt showed; the run must have kept prompts."""
    assert turn.prompt is not None
    return "\n".join(message.content for message in turn.prompt)


def fetch_smollm2() -> Path:
    """The folder of the model; where it cannot be fetched, tests fail in CI and skip elsewhere."""
    try:
        return fetch_model(FETCHABLE["smollm2"], get_models_folder(), tell=print)
    except InputError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"smollm2 cannot be fetched here: {error}")
