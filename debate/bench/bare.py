"""The same calls without a debate: a bare aiohttp loop, wave by wave."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, kw_only=True, slots=True)
class Bare:
    """How long a bare loop took, and its CPU time a call."""

    wall_s: float
    cpu_s_per_call: float


def bare_loop(url: str, model: str, *, calls_per_wave: int, waves: int) -> Bare:
    """Send waves of calls to the endpoint; a wave begins when the one before it is answered."""
    return asyncio.run(_bare_loop(url, model, calls_per_wave, waves))


async def _bare_loop(url: str, model: str, num: int, waves: int) -> Bare:
    message = {"role": "user", "content": "What is 1 + 2? End with one line: Answer: <number>."}
    body = json.dumps({"model": model, "messages": [message], "max_tokens": 512}).encode()
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def call() -> None:
            async with session.post(f"{url}/chat/completions", data=body) as response:
                json.loads(await response.read())

        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(waves):
            await asyncio.gather(*(call() for _ in range(num)))
        return Bare(
            wall_s=time.perf_counter() - wall,
            cpu_s_per_call=(time.process_time() - cpu) / (num * waves),
        )
