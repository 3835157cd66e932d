"""An OpenAI-compatible endpoint that misbehaves by seed, in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.serving import serve_app

Misdeed = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


def reply_to(body: dict[str, Any]) -> bytes:
    """What a sound endpoint answers: the same to the same request."""
    digest = hashlib.blake2b(json.dumps(body, sort_keys=True).encode(), digest_size=4).hexdigest()
    number = str(int(digest, 16) % 5)
    tokens = [("Answer: ", -0.1), (number, -0.5 - int(digest, 16) % 7)]
    content = [{"token": text, "logprob": log_p} for text, log_p in tokens]
    choice = {
        "message": {"role": "assistant", "content": f"Answer: {number}"},
        "finish_reason": "stop",
        "logprobs": {"content": content},
    }
    usage = {"prompt_tokens": len(body["messages"]), "completion_tokens": 2}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def _json(body: bytes, status: int = 200, **headers: str) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


async def _too_many(request: web.Request, good: bytes) -> web.StreamResponse:
    return _json(b'{"error": "slow down"}', 429, **{"Retry-After": "0.01"})


async def _broken(request: web.Request, good: bytes) -> web.StreamResponse:
    return _json(b"<html>Internal Server Error</html>", 500)


async def _silent(request: web.Request, good: bytes) -> web.StreamResponse:
    await asyncio.sleep(60)
    return _json(good)


async def _reset(request: web.Request, good: bytes) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return _json(good)


async def _cut_off(request: web.Request, good: bytes) -> web.StreamResponse:
    """Fewer bytes than announced, then the connection is closed."""
    response = web.StreamResponse(headers={"Content-Length": str(len(good))})
    await response.prepare(request)
    await response.write(good[: len(good) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def _truncated(request: web.Request, good: bytes) -> web.StreamResponse:
    return _json(good[: len(good) * 2 // 3])


async def _garbage(request: web.Request, good: bytes) -> web.StreamResponse:
    return _json(random.Random(good).choice(GARBAGE))


GARBAGE = (
    b"",
    b"null",
    b"[]",
    b'{"choices": []}',
    b'{"choices": [{"message": {"content": 7}}]}',
    b'{"choices": [{"message": {}}]}',
    b'{"error": {"message": "overloaded"}}',
    b'{"choices":' * 20_000,
    b"[" * 200_000,
    b"\xff\xfe\x00",
)

MISDEEDS: dict[str, Misdeed] = {
    "429": _too_many,
    "500": _broken,
    "time-out": _silent,
    "connection reset": _reset,
    "connection cut": _cut_off,
    "truncated JSON": _truncated,
    "garbage": _garbage,
}


class Endpoint:
    """`chance` of a misdeed on each request; 0 is a sound endpoint.

    The first `num_sound` requests are answered, and so are all after `most` misdeeds.
    """

    def __init__(self) -> None:
        self.chance = 0.0
        self.misdeeds: tuple[Misdeed, ...] = ()
        self.rng = random.Random(0)
        self.num_struck = self.num_asked = self.num_sound = 0
        self.most = math.inf
        self.url = ""

    def strike(self, chance: float, misdeeds: tuple[Misdeed, ...], seed: str) -> None:
        """From now on, misbehave this often."""
        self.chance, self.misdeeds, self.rng = chance, misdeeds, random.Random(seed)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        good = reply_to(await request.json())
        self.num_asked += 1
        is_spared = self.num_asked <= self.num_sound or self.num_struck >= self.most
        if is_spared or self.rng.random() >= self.chance:
            return _json(good)
        self.num_struck += 1
        return await self.rng.choice(self.misdeeds)(request, good)


@contextmanager
def serving() -> Iterator[Endpoint]:
    """An endpoint on a free port of this machine."""
    endpoint = Endpoint()
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/chat/completions", endpoint.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    with serve_app(runner) as port:
        endpoint.url = f"http://127.0.0.1:{port}/v1"
        yield endpoint
