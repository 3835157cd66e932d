"""An OpenAI-compatible endpoint that answers GSM8K as four published models once did.

    python -m tests.endpoint SOLUTIONS.jsonl

prints its port and serves until it is stopped. A model's opening is its recorded solution; told
others' answers, it takes one of them where a hash says so. Every 17th question, by hash, it forgets
to mark its answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

UNMARKED_EVERY = 17
ANSWER = re.compile(r"^Answer: (.+)$", re.MULTILINE)
MARK = re.compile(r"^A: ", re.MULTILINE)


def draw(*parts: str) -> int:
    """A number that depends on nothing but the parts."""
    digest = hashlib.blake2b("/".join(parts).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def forgets_the_mark(model: str, question: str) -> bool:
    """Whether this model's solution to this question comes without a marked answer."""
    return draw("unmarked", model, question) % UNMARKED_EVERY == 0


def reply(model: str, question: str, told: str, solutions: dict[str, Any]) -> str:
    """What the model says."""
    solution = MARK.sub("Answer: ", solutions[question][model]["solution"])
    if forgets_the_mark(model, question):
        return solution.replace("Answer: ", "It comes to ")
    others = ANSWER.findall(told)
    if others and draw("adopts", model, question, *others) % 3 == 0:
        return f"On reflection, I follow another.\nAnswer: {others[0]}"
    return solution


def app(solutions: dict[str, Any]) -> web.Application:
    """The endpoint."""

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        messages = [message["content"] for message in body["messages"]]
        openings = [message.partition("\n\n")[0] for message in messages]
        question = next((each for each in openings if each in solutions), None)
        if question is None:
            text = "ready"  # to the trial call before a run
        else:
            told = "" if messages[-1].startswith(question) else messages[-1]
            text = reply(body["model"], question, told, solutions)
        tokens = {"prompt_tokens": len(messages[-1]) // 4, "completion_tokens": len(text) // 4}
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return web.json_response({"id": "x", "choices": [choice], "usage": tokens})

    served = web.Application()
    served.router.add_post("/v1/chat/completions", complete)
    return served


def read_solutions(path: Path) -> dict[str, Any]:
    """The recorded solutions by question."""
    return {row["question"].strip(): row for row in map(json.loads, path.open())}


async def main(path: Path) -> None:
    """Serve on a free port."""
    runner = web.AppRunner(app(read_solutions(path)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
