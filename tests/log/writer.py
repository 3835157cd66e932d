"""A process that writes a run and prints each turn that the log acknowledged.

    python writer.py DIRECTORY NUM_DEBATES [FILE_SIZE_LIMIT]

It resumes what it finds. Exit code 3 and the message on stderr where the disk refuses.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from builders import append_turn, open_log, turn, verdict

from debate.errors import LogError
from debate.log import RunLog
from debate.types import Question, Turn

NUM_WORKERS = 3
AGENTS, ROUNDS = ("a", "b", "c"), (0, 1, 2)


def questions(num_debates: int) -> list[Question]:
    """Questions enough for so many debates."""
    return [Question(id=f"q{number}", text="2+2?", target="4") for number in range(num_debates)]


def all_turns(num_debates: int) -> list[Turn]:
    """Every turn of the undisturbed run."""
    return [made for question in questions(num_debates) for made in debate_turns(question.id)]


def debate_turns(question: str) -> list[Turn]:
    """Every turn of one debate, in order, of lengths that differ."""
    return [
        turn(agent, round, question=question, text=f"{question} " * (round + 1) * 7)
        for round in ROUNDS
        for agent in AGENTS
    ]


async def debate(log: RunLog, question: str) -> None:
    """Make what the log has not, round by round, and say what it acknowledged."""
    for round in ROUNDS:
        made = [each for each in debate_turns(question) if each.round == round]
        await asyncio.gather(*(speak(log, each) for each in made))
        await log.append_verdicts([verdict(round, question=question, tally={"4": 3.0})])


async def speak(log: RunLog, made: Turn) -> None:
    if made.ref not in log.recorded(made.debate):
        await append_turn(log, made)
        os.write(1, f"{made.question} {made.ref}\n".encode())


async def main(directory: Path, num_debates: int) -> None:
    asked = questions(num_debates)
    waiting = iter(asked)

    async def work(log: RunLog) -> None:
        for question in waiting:
            await debate(log, question.id)

    with open_log(directory, questions=asked) as log:
        async with asyncio.TaskGroup() as group:
            for _ in range(NUM_WORKERS):
                group.create_task(work(log))


if __name__ == "__main__":
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
    except* LogError as errors:
        print(errors.exceptions[0], file=sys.stderr)
        raise SystemExit(3) from None
