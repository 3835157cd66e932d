"""An OpenAI-compatible endpoint of known latency, in a process of its own.

    python -m debate.bench.endpoint

prints its port and serves until its standard input ends. The model's name sets how long a reply
takes: `fixed-500` 500 ms, `tail-500` 500 ms at the median with a heavy tail. Each reply states how
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

TAIL_SIGMA, MAX_MEDIANS = 0.6, 5.0
"""Standard deviation of the tail's logarithm, and the longest delay as a multiple of the median."""

_MODEL = re.compile(r"(fixed|tail)-(\d{1,6})")
_HELD = re.compile(r"^Held back: ([0-9.]+) s$", re.MULTILINE)
_CLOSE_TIMEOUT_S = 60.0


def compute_delay_s(model: str, content: str) -> float:
    """Return the seconds that the model takes for a request: the same for the same content.

    >>> compute_delay_s("fixed-500", "")
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
    return median * min(MAX_MEDIANS, math.exp(TAIL_SIGMA * NormalDist().inv_cdf(uniform)))


def parse_delay_s(text: str) -> float:
    """Return how long a reply states that it was held back, in seconds. Raises ValueError."""
    match = _HELD.search(text)
    if match is None:
        raise ValueError(f"not a reply of the benchmark's endpoint: {text[:80]!r}")
    return float(match[1])


def make_reply(body: dict[str, Any], held_s: float) -> dict[str, Any]:
    """Return a chat completion that states `held_s`."""
    text = f"Answer: 7\nHeld back: {held_s:.6f} s"
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
        held_s = compute_delay_s(body["model"], raw.decode())
        await asyncio.sleep(held_s)
        return web.json_response(make_reply(body, held_s))

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
def run_endpoint() -> Iterator[str]:
    """Run an endpoint in a process until the context ends; gives its URL. Raises EngineError."""
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
            process.wait(_CLOSE_TIMEOUT_S)


if __name__ == "__main__":
    asyncio.run(serve())
