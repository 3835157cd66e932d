"""The page of a person in a real browser: by keyboard, on a phone, in the dark, across a stop."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.human.people import running
from tests.support import by_ref

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
]


class Gone(Exception):
    """The browser could not do what it was asked, as where the page was left meanwhile."""


class Chromium:
    """A page of a headless Chromium, asked over its debugging protocol; `complaints` are its own.

    `evaluate` returns what a line of script comes to.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[Any] = []

    async def call(self, method: str, **fields: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": fields})
        while True:
            told = json.loads((await self._socket.receive()).data)
            if told.get("id") == self._number:
                if "error" in told:
                    raise Gone(told["error"])
                return told["result"]
            if told.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown"):
                self.complaints.append(told["params"])

    async def evaluate(self, script: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until a line of script comes to something true."""
        look = f"const look = () => ({script}) ? done(true) : setTimeout(look, 20)"
        waiting = f"new Promise(done => {{ {look}; look() }})"
        fields = {"expression": waiting, "awaitPromise": True, "returnByValue": True}
        is_so = False
        while not is_so:
            with suppress(Gone):  # the page was left meanwhile
                found = await self.call("Runtime.evaluate", **fields)
                is_so = found["result"].get("value", False)

    async def open(self, link: str) -> None:
        await self.call("Page.navigate", url=link)
        await self.until("!!document.querySelector('form')")

    async def press(self, key: str, times: int = 1) -> None:
        """Press a key."""
        pressed = {"key": key, "windowsVirtualKeyCode": KEYS[key]}
        pressed |= {"text": "\r"} if key == "Enter" else {}
        for _ in range(times):
            await self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def type(self, text: str) -> None:
        """Type a text where the focus is."""
        await self.call("Input.insertText", text=text)


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Chromium]:
    """A headless Chromium with a profile in the folder."""
    assert BROWSER is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    process = await asyncio.create_subprocess_exec(
        BROWSER,
        *options,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"ws://([^/]+)/", line):
            break
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://{found[1].decode()}/json") as listed:
            page = next(each for each in await listed.json() if each["type"] == "page")
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            chromium = Chromium(socket)
            for domain in ("Page", "Runtime", "Log"):
                await chromium.call(f"{domain}.enable")
            yield chromium
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def test_the_form_is_filled_in_by_keyboard_before_and_after_a_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    async with browsing(tmp_path / "profile") as chromium:
        async with running(tmp_path, capsys) as (_, client):
            await chromium.open(client.link)
            assert await chromium.evaluate("location.search") == ""
            assert "Answer: 4" in await chromium.evaluate("document.body.innerText")
            await chromium.press("Tab")
            await chromium.press(" ")
            assert await chromium.evaluate("document.activeElement.value") == "correct"
            await chromium.press("Tab")
            await chromium.type("It holds.")
            await chromium.press("Tab", 2)
            await chromium.type("80")
            await chromium.press("Enter")
            await chromium.until("document.body.innerText.includes('Handed in: verdict correct')")
            assert chromium.complaints == []
            await chromium.evaluate("document.querySelector('#reasoning').value = 'half typed'")
        await chromium.until("document.body.innerText.includes('The run has ended')")
        async with running(tmp_path, capsys) as (going, client):
            await chromium.open(client.link)
            assert "half typed" not in await chromium.evaluate("document.body.innerText")
            assert "Answer: 5" in await chromium.evaluate("document.body.innerText")
            await chromium.evaluate("document.querySelector('[value=incorrect]').click()")
            await chromium.evaluate("document.querySelector('button').click()")
            turns = by_ref(await going)
    first, second = (turns[f"1:critique:reviewer:{name}"] for name in "ab")
    assert first.text == "It holds.\n\nVerdict: correct\nConfidence: 80%"
    assert (first.accepts, second.accepts) == (True, False)


async def test_the_page_fits_a_phone_and_follows_the_dark(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    ground = "getComputedStyle(document.body).backgroundColor"
    async with browsing(tmp_path / "profile") as chromium, running(tmp_path, capsys) as (_, client):
        await chromium.call("Emulation.setDeviceMetricsOverride", **PHONE)
        await chromium.open(client.link)
        assert await chromium.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        smallest = "Math.min(...[...document.querySelectorAll('label, button')]"
        smallest += ".filter(e => e.tagName === 'BUTTON' || e.querySelector('input'))"
        smallest += ".map(e => e.getBoundingClientRect().height))"
        assert await chromium.evaluate(smallest) >= 38
        light = await chromium.evaluate(ground)
        dark = [{"name": "prefers-color-scheme", "value": "dark"}]
        await chromium.call("Emulation.setEmulatedMedia", features=dark)
        assert await chromium.evaluate(ground) != light
