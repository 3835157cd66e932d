"""An OpenAI-compatible endpoint of known latency, in a process of its own.

    python -m debate.bench.endpoint

prints its port and serves until its standard input ends. The model's name says how long a reply
takes: `fixed-500` 500 ms, `tail-500` 500 ms at the median with a heavy tail. Each reply says how
long it was held back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import NormalDist
from typing import Any

from debate.errors import EngineError

SPREAD, MOST = 0.6, 5.0
"""Standard deviation of the tail's logarithm, and the most that a reply takes, in medians."""

_MODEL = re.compile(r"(fixed|tail)-(\d{1,6})")
_HELD = re.compile(r"^Held back: ([0-9.]+) s$", re.MULTILINE)
_FROM_START_S = 60.0


def delay_s(model: str, content: str) -> float:
    """Seconds that the model takes for a request: the same for the same content.

    >>> delay_s("fixed-500", "")
    0.5
    """
    match = _MODEL.fullmatch(model)
    if match is None:
        raise ValueError(f'model "{model}" is not named like fixed-500 or tail-500')
    median = int(match[2]) / 1000
    if match[1] == "fixed":
        return median
    digest = hashlib.blake2b(f"{model}/{content}".encode(), digest_size=6).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2**48
    return median * min(MOST, math.exp(SPREAD * NormalDist().inv_cdf(uniform)))


def held_back_s(text: str) -> float:
    """How long a reply says that it was held back, in seconds."""
    match = _HELD.search(text)
    if match is None:
        raise ValueError(f"not a reply of the benchmark's endpoint: {text[:80]!r}")
    return float(match[1])


def reply(body: dict[str, Any], held: float) -> dict[str, Any]:
    """A chat completion."""
    text = f"Answer: 7\nHeld back: {held:.6f} s"
    asked = sum(len(message["content"]) for message in body["messages"])
    return {
        "id": "reply",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": asked // 4, "completion_tokens": len(text) // 4},
    }


async def serve() -> None:
    """Serve on a free port of this machine until the standard input ends."""
    from aiohttp import web

    async def complete(request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw)
        held = delay_s(body["model"], raw.decode())
        await asyncio.sleep(held)
        return web.json_response(reply(body, held))

    served = web.Application()
    served.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


@contextmanager
def endpoint() -> Iterator[str]:
    """The URL of an endpoint that is up, until the context ends. Raises EngineError."""
    command = [sys.executable, "-m", "debate.bench.endpoint"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise EngineError("it ended before it listened", boundary="benchmark endpoint")
            yield f"http://127.0.0.1:{int(port)}/v1"
        finally:
            process.stdin.close()
            process.wait(_FROM_START_S)


if __name__ == "__main__":
    asyncio.run(serve())
