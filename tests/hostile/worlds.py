"""The same questions in worlds that differ in nothing but the targets, by way of every loader."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from debate.config.loader import load_run
from debate.runner.plan import make_plan
from debate.types import Question

OPTIONS = ("red", "green", "blue", "grey")
TASKS_OF_ALL = ("numbers", "gsm8k", "arithmetic")
"""Tasks that any prompt set can put; the chat prompts can put texts and choices too."""

Row = dict[str, Any]


def questions(task: str, num: int, folder: Path, *, world: int) -> list[Question]:
    """Questions of one task, with targets that nobody could guess."""
    rng = random.Random(f"targets/{world}")
    if task == "arithmetic":
        drawn = _loaded({"generator": "arithmetic", "n": num, "seed": 1})
        return [replace(question, target=_other_target(question, rng)) for question in drawn]
    path = folder / f"{task}.jsonl"
    rows = [{"id": f"q{n}", **ROWS[task](n, rng)} for n in range(num)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    kind = {"numbers": "number", "texts": "text", "choices": "choice"}.get(task)
    asked = _loaded({"path": str(path), **({"kind": kind} if kind else {"dataset": task})})
    return [replace(question, id=f"{task}{n}") for n, question in enumerate(asked)]


def _loaded(task: Row) -> list[Question]:
    model = {"engine": "simulated"}
    config = {"agents": [{"id": "a", "model": model}], "topology": "isolated", "task": task}
    return list(make_plan(load_run(config)).questions)


def _other_target(question: Question, rng: random.Random) -> str:
    """A target that is none of what the question's text tells."""
    return rng.choice(question.options) if question.options else _number(rng)


def _number(rng: random.Random) -> str:
    return f"{rng.randrange(10**11, 10**12)}"


def _open(n: int, rng: random.Random) -> Row:
    return {"question": f"What is thing number {n}?", "answer": _number(rng)}


def _choice(n: int, rng: random.Random) -> Row:
    asked = {"question": f"Which is thing number {n}?", "options": list(OPTIONS)}
    return {**asked, "answer": rng.choice(OPTIONS)}


def _solved(n: int, rng: random.Random) -> Row:
    target = _number(rng)
    return {"question": f"How much is thing {n}?", "answer": f"It is {target}.\n#### {target}"}


ROWS: dict[str, Callable[[int, random.Random], Row]] = {
    "numbers": _open,
    "texts": _open,
    "choices": _choice,
    "gsm8k": _solved,
}
