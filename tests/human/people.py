"""People for tests: a front in memory, and a browser's part in HTTP."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import debate
from debate.config.models import HumanModel
from debate.engines.base import Request
from debate.engines.client import ModelClient
from debate.engines.human.human_engine import HumanEngine
from debate.engines.human.human_queue import HumanQueue, HumanTurn
from debate.engines.replica import LocalReplica
from debate.log import Run
from tests.engines.builders import debate_state, request
from tests.support import scripted, write_questions

PERSON = HumanModel(engine="human")


class MemoryFront:
    """A front whose person does nothing unless a test does it for them."""

    place = "in memory"

    def __init__(self, spec: HumanModel, queue: HumanQueue) -> None:
        self.queue = queue

    async def start(self) -> None:
        """Show nothing."""

    async def close(self) -> None:
        """Show nothing any more."""

    async def await_turns(self, num: int) -> Sequence[HumanTurn]:
        """Wait until so many turns wait; return them in the order in which they are asked."""
        while len(self.queue.waiting) < num:
            await self.queue.wait()
        return self.queue.waiting


@asynccontextmanager
async def seated(**fields: Any) -> AsyncIterator[tuple[ModelClient, MemoryFront]]:
    """A client of a person, and the front in memory behind it."""
    fronts: list[MemoryFront] = []

    def make_front(spec: HumanModel, queue: HumanQueue) -> MemoryFront:
        fronts.append(MemoryFront(spec, queue))
        return fronts[-1]

    engine = HumanEngine(PERSON, make_front)
    client = ModelClient("person", [LocalReplica(engine)], max_batch=1, **fields)
    await client.start()
    yield client, fronts[0]
    await client.close()


def asked(id: str = "r", text: str = "What is 347+589?", **state: Any) -> Request:
    """A request for a person's turn."""
    return request(text, id=id, debate_state=debate_state(**state))


def person(name: str = "reviewer", **fields: Any) -> dict[str, Any]:
    """A seat of a person who is asked on a page, at a port that is free."""
    model = {"engine": "human", "via": "web", "port": 0, **fields.pop("model", {})}
    return {"id": name, "model": model, "prompts": "chat_zero", **fields}


CRITIQUED = {
    "topology": {"edges": ["reviewer -> a, b"]},
    "protocol": "critique",
    "rounds": 1,
}
TEAM = [scripted("a", "Answer: 4"), scripted("b", "Answer: 5")]


class Browser:
    """A browser's part in HTTP: cookies, the page that it shows, and the fields of its form."""

    def __init__(self, link: str) -> None:
        self.link = link
        self.page = ""
        self.status = 0
        self.session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def root(self) -> str:
        """The address of the server."""
        return self.link.partition("/?")[0]

    @property
    def text(self) -> str:
        """The page's text without tags."""
        return html.unescape(re.sub(r"<[^>]+>", " ", self.page))

    async def open(self, place: str | None = None, **headers: str) -> int:
        """Open a place of the server, by default its link; return the status."""
        url = self.link if place is None else self.root + place
        async with self.session.get(url, headers=headers) as answer:
            self.page, self.status = await answer.text(), answer.status
        return self.status

    async def await_turn(self) -> str:
        """Load the page until it asks for a turn; return its number."""
        while not (shown := self.find("turn")):
            await asyncio.sleep(0.01)
            await self.open("/")
        return shown

    def find(self, name: str) -> str:
        """Find the value of a hidden field; empty where there is none."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return found[1] if found else ""

    async def hand_in(self, headers: dict[str, str] | None = None, **fields: str) -> int:
        """Send the form with these fields filled in; return the status after redirects."""
        hidden = {name: self.find(name) for name in ("secret", "turn")}
        sent = {**hidden, **fields}
        url = f"{self.root}/answer"
        async with self.session.post(url, data=sent, headers=headers) as answer:
            self.page, self.status = await answer.text(), answer.status
        return self.status


@asynccontextmanager
async def running(
    folder: Path, capsys: pytest.CaptureFixture[str], **fields: Any
) -> AsyncIterator[tuple[asyncio.Task[Run], Browser]]:
    """A run that goes on while the body does, and a browser that has its link."""
    task = write_questions(folder, 1)
    seats = [*TEAM, person(role="critic", **fields.pop("person", {}))]
    config = {"agents": seats, "task": task, **CRITIQUED, **fields}
    out = folder / fields.get("name", "run")
    going = asyncio.create_task(debate.run_async(config, out=out, quiet=True))
    seen = ""
    while (link := re.search(r"http://\S+", seen)) is None:
        await asyncio.sleep(0.01)
        seen += capsys.readouterr().err
        if going.done():
            going.result()
    async with Browser(link[0]) as browser:
        yield going, browser
    if not going.done():
        going.cancel()
    await asyncio.wait([going])
