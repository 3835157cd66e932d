"""A chat-completions server on this machine, and an engine that asks it, for the engine's tests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from debate.config.models import OpenaiModel
from debate.engines.base import Completion, Request
from debate.engines.openai import OpenaiEngine
from debate.engines.rate_limit import Backoff
from tests.engines.builders import completions, request

KEY = "sk-planted-secret-0123456789"
Fault = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Endpoint:
    """A chat-completions server that first plays its faults, one per request, then echoes."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.reply: dict[str, Any] | None = None
        self.keys: set[str | None] = set()
        self.connections: set[object] = set()
        self.url = ""
        self.always: Fault | None = None
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.models: dict[str, Any] | None = None

    async def handle(self, asked: web.Request) -> web.StreamResponse:
        """Note the request; answer as planned."""
        if asked.method == "GET":
            return web.json_response(self.models, status=200 if self.models else 404)
        self.paths.append(asked.path_qs)
        self.headers.append(dict(asked.headers))
        body = await asked.json()
        self.bodies.append(body)
        self.keys.add(asked.headers.get("Authorization"))
        self.connections.add(asked.transport)
        if self.always:
            return await self.always(asked)
        if self.faults:
            return await self.faults.pop(0)(asked)
        return web.json_response(self.reply or echo(body["messages"][-1]["content"]))


def echo(text: str | None, **choice: Any) -> dict[str, Any]:
    """A chat completion that says `text`."""
    said = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"} | choice
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    return {"id": "x", "object": "chat.completion", "choices": [said], "usage": usage}


def status(code: int, text: str = "no", **headers: str) -> Fault:
    """Answer with a status other than 200."""

    async def fault(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text=text, headers=headers)

    return fault


def say(reply: Any, code: int = 200, **headers: str) -> Fault:
    """Answer with this JSON."""

    async def fault(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=code,
            text=reply if isinstance(reply, str) else json.dumps(reply),
            content_type="application/json",
            headers=headers,
        )

    return fault


def refuse_all(code: int, message: str) -> Fault:
    """Answer every request with one error."""
    return say({"error": {"message": message}}, code)


def spec(endpoint: Endpoint, **fields: Any) -> OpenaiModel:
    named = {"model": "m", "url": endpoint.url, "api_key_env": "PLANTED_KEY"}
    return OpenaiModel(engine="openai", **named | fields)


async def ask(endpoint: Endpoint, *requests: Request, **fields: Any) -> dict[str, Completion]:
    """The completions of requests by an engine of its own, without waiting between attempts."""
    engine = OpenaiEngine(spec(endpoint, **fields), backoff=Backoff(base_s=0, cap_s=0))
    await engine.start()
    try:
        return await completions(engine, requests)
    finally:
        await engine.close()


async def ask_one(endpoint: Endpoint, asked: Request | None = None, **fields: Any) -> Completion:
    asked = asked or request("hello")
    return (await ask(endpoint, asked, **fields))[asked.id]
