"""Any endpoint that speaks the OpenAI chat-completions protocol, through one shared session."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import msgspec

from debate.config.models import OpenaiModel
from debate.engines.base import Capabilities, Completion, Request
from debate.engines.chat_wire import parse_reply, request_body
from debate.engines.outcomes import failed, refusal
from debate.engines.pacing import Backoff, Pacer, retry_after_s
from debate.engines.registry import capabilities
from debate.engines.streaming import as_finished
from debate.errors import EngineError

_MAX_REPLY = 64 * 2**20
"""Bytes of a reply that are read; whatever is longer is no chat completion."""

_MAX_QUOTED = 300
"""Characters of a server's error that are quoted in a failure."""


@dataclass(frozen=True, kw_only=True)
class Setback:
    """An attempt that failed, and whether another one may help."""

    message: str
    is_final: bool = False
    wait_s: float | None = None
    """Seconds that the server asks to wait; None where it does not say."""


class OpenaiEngine:
    """Sends each request until it is answered, refused, or out of attempts."""

    def __init__(self, spec: OpenaiModel, *, backoff: Backoff | None = None) -> None:
        self.spec = spec
        self._backoff = backoff or Backoff()
        self._pacer = Pacer(spec.requests_per_minute)
        self._slots = asyncio.Semaphore(spec.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._key: str | None = None
        self._place = f"openai endpoint, model {spec.model}"
        self._url = f"{spec.url.rstrip('/')}/chat/completions"

    @property
    def capabilities(self) -> Capabilities:
        """What the protocol offers; an endpoint may offer less."""
        return capabilities(self.spec)

    async def start(self) -> None:
        """Open the session. Raises EngineError for a missing key or an impossible URL."""
        self._check_url()
        self._key = self._read_key()
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.spec.timeout_s),
            headers=headers,
        )

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield completions as the endpoint gives them."""
        return as_finished(requests, self._complete)

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check_url(self) -> None:
        parts = urlsplit(self.spec.url)
        if parts.username or parts.password:
            raise self._error("the url must not hold a password; name a variable by api_key_env")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._error(
                f'"{self.spec.url}" is no url; it should look like http://localhost:8000/v1'
            )

    def _read_key(self) -> str | None:
        variable = self.spec.api_key_env
        if variable is None:
            return None
        key = os.environ.get(variable, "").strip()
        if not key:
            raise self._error(
                f"environment variable {variable} is not set; it must hold the key of "
                f"{self.spec.url} (api_key_env names it)"
            )
        if not (key.isascii() and key.isprintable()):
            raise self._error(f"environment variable {variable} holds no key: odd characters")
        return key

    async def _complete(self, request: Request) -> Completion:
        refused = refusal(request, self.capabilities, self._place)
        if refused is not None:
            return refused
        arrived = time.monotonic()
        async with self._slots:
            return await self._insist(request, arrived)

    async def _insist(self, request: Request, arrived: float) -> Completion:
        """Try until there is a reply, a final refusal, or no attempt left."""
        body = request_body(request, self.spec)
        for attempt in range(self.spec.retries + 1):
            await self._pacer.wait()
            outcome = await self._attempt(request.id, body, arrived)
            if isinstance(outcome, Completion):
                return outcome
            setback = outcome
            if setback.is_final or attempt == self.spec.retries:
                break
            delay = self._backoff.delay_s(request.id, attempt)
            await asyncio.sleep(delay if setback.wait_s is None else setback.wait_s)
        tried = f" (attempt {attempt + 1} of {self.spec.retries + 1})" if attempt else ""
        return failed(request, self._place, self._without_key(setback.message) + tried)

    async def _attempt(self, request_id: str, body: bytes, arrived: float) -> Completion | Setback:
        assert self._session is not None, "complete() before start()"
        sent = time.monotonic()
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                content = await _read(response)
            if response.status != 200:
                return self._refused(response, content)
            return parse_reply(
                request_id, content, queued_s=sent - arrived, running_s=time.monotonic() - sent
            )
        except TimeoutError:
            return Setback(message=f"no reply within {self.spec.timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as cause:
            return Setback(message=f"{type(cause).__name__}: {cause}")
        except _TooLong as cause:
            return Setback(message=str(cause), is_final=True)
        except RecursionError:
            return Setback(message="broken JSON (nested too deeply)")
        except msgspec.ValidationError as cause:
            quoted = self._quoted(content)
            return Setback(message=f"no chat completion ({cause}): {quoted}", is_final=True)
        except (msgspec.DecodeError, UnicodeDecodeError) as cause:
            return Setback(message=f"broken JSON ({cause}): {self._quoted(content)}")

    def _refused(self, response: aiohttp.ClientResponse, content: bytes) -> Setback:
        """A status other than 200: too many requests, a time-out and server errors may pass."""
        status = response.status
        asked = retry_after_s(response.headers)
        return Setback(
            message=f"HTTP {status}: {self._quoted(content)}",
            is_final=status not in (408, 425, 429) and status < 500,
            wait_s=None if asked is None else min(asked, self.spec.timeout_s),
        )

    def _quoted(self, content: bytes) -> str:
        """The beginning of a server's reply in one line; a server may quote the key it got."""
        text = self._without_key(content.decode(errors="replace"))
        return " ".join(text[: 4 * _MAX_QUOTED].split())[:_MAX_QUOTED]

    def _without_key(self, message: str) -> str:
        return message.replace(self._key, "[key]") if self._key else message

    def _error(self, message: str) -> EngineError:
        return EngineError(message, boundary=self._place)


class _TooLong(Exception):
    """A reply that does not end."""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The reply's body. Raises _TooLong as soon as it is longer than any completion."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > _MAX_REPLY:
            raise _TooLong(
                f"the reply is longer than {_MAX_REPLY:,} bytes; more than any model says"
            )
    return bytes(content)
