"""Real turns, questions and runs to test with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from debate.log import RunLog
from debate.types import Answer, Belief, Confidence, DebateKey, Kind, Question, Turn, Usage, Verdict

SPEC = {"rounds": 3, "agents": ["a", "b", "c"], "task": {"limit": 2}}
QUESTIONS = (
    Question(id="q1", text="2+2?", kind="number", category="sums", target="4"),
    Question(id="q2", text="3*3?", kind="number", category="products", target="9"),
)
DEBATE = DebateKey(cell="ring", question="q1", seed=0)


def turn(
    agent: str = "a", round: int = 0, *, question: str = "q1", value: str | None = "4", **more: Any
) -> Turn:
    """A turn of agent `agent`: an opening in round 0, a revision later."""
    kind: Kind = "opening" if round == 0 else "revision"
    fields: dict[str, Any] = {
        "cell": "ring",
        "seed": 0,
        "kind": kind,
        "model": f"model-{agent}",
        "text": f"I say {value}",
        "answer": Answer(value=value),
        "correct": value == "4",
        "usage": Usage(prompt_tokens=10, cached_tokens=2, generated_tokens=3),
    }
    return Turn(agent=agent, round=round, question=question, **{**fields, **more})


def verdict(
    round: int = 0, *, question: str = "q1", value: str | None = "4", **more: Any
) -> Verdict:
    """A majority verdict."""
    fields = {"cell": "ring", "seed": 0, "method": "majority", "outcome": "correct"}
    return Verdict(round=round, question=question, value=value, **{**fields, **more})


def confident(value: float) -> tuple[Confidence, ...]:
    """One stated confidence."""
    return (Confidence(source="verbal", value=value),)


def belief(**log_p: float) -> Belief:
    """Log-probabilities of candidates named `n4` for "4"."""
    return Belief(log_p={name.removeprefix("n"): p for name, p in log_p.items()})


def open_log(directory: Path, **more: Any) -> RunLog:
    """The run that these tests are about."""
    return RunLog.open(directory, **{"spec": SPEC, "questions": QUESTIONS, **more})


async def append_turn(log: RunLog, turn: Turn) -> None:
    """Record a turn and wait until it is on disk."""
    log.queue(turn)
    await log.append_verdicts([])


def write(
    directory: Path, turns: Iterable[Turn], verdicts: Sequence[Verdict] = (), **more: Any
) -> None:
    """A run with these turns and verdicts, closed as complete."""

    async def append_all() -> None:
        with open_log(directory, **more) as log:
            for each in turns:
                await append_turn(log, each)
            for each in verdicts:
                await log.append_verdicts([each])

    asyncio.run(append_all())


def turn_lines(directory: Path) -> list[bytes]:
    """The lines of the first shard."""
    return (directory / "turns" / "0.jsonl").read_bytes().splitlines(keepends=True)


def without_checksums(lines: bytes) -> bytes:
    """The lines as somebody leaves them who edits them on purpose, and as older versions wrote."""
    return re.sub(rb',"crc32":"[0-9a-f]{8}"}\n', b"}\n", lines)
