"""The connection to one endpoint: attempts until there is a reply, and what went wrong in words."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp

from debate.config.models import OpenaiModel
from debate.engines.addresses import Credentials, make_ssl_context
from debate.engines.chat_reply import read_json
from debate.engines.rate_limit import Backoff, RateLimiter, SharedPace, parse_retry_after
from debate.engines.server_errors import collect_words, find_error, is_quota_spent

T = TypeVar("T")

_MAX_REPLY_BYTES = 64 * 2**20
"""Bytes of a reply that are read; a longer one is no chat completion."""

_MAX_QUOTED = 300
"""Characters of a server's error that are quoted in a failure."""

_MAX_CONCESSIONS = 12
"""The most times that one request is sent again because something in it was refused by name."""

PREFLIGHT_CONNECT_S = 5.0
"""Seconds for the connection of a trial call: names, addresses and certificates are told early."""
PREFLIGHT_REPLY_S = 30.0
"""Seconds for the reply to a trial call."""
PREFLIGHT_RETRIES = 1

PACED = "the server asked to wait (429); requests_per_minute keeps calls below its limit"
"""The note of a reply that had to be waited for because of a rate limit."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a call is tried again, and for how long each attempt is waited for."""

    retries: int
    reply_s: float
    connect_s: float | None = None
    waits_for_limits: bool = True
    """Whether it is tried again after a rate limit."""


@dataclass(kw_only=True)
class CallHistory:
    """What has happened to one request so far."""

    attempts: int = 0
    concessions: int = 0
    was_paced: bool = False


@dataclass(frozen=True, kw_only=True)
class FailedAttempt:
    """An attempt that failed, and whether another one may help."""

    message: str
    is_final: bool = False
    wait_s: float | None = None
    """Seconds that the server asks to wait; None where it does not say."""
    is_rate_limit: bool = False
    is_conceded: bool = False
    """Whether what was refused is left out from now on, so that another attempt differs."""
    is_free: bool = False
    """Whether it has surely taken no tokens: no connection was made, or the rate was too high."""


@dataclass(frozen=True, kw_only=True)
class ServerReply:
    """A reply with status 200: the names and values of its head, and its JSON."""

    headers: Mapping[str, str]
    json: Any
    running_s: float
    sent_at: float


AskLeave = Callable[[FailedAttempt | None], Awaitable[None]]
"""Waits until another attempt may be made; it is told of the one before, if there was one."""

Concede = Callable[[str, Any, int], bool]
"""Whether something is left out from now on: by the words of a refusal, its JSON, its status."""


def concede_nothing(words: str, error: Any, status: int) -> bool:
    """Leave nothing out, whatever was refused."""
    return False


class EndpointSession:
    """The HTTP session of one endpoint. All of its requests keep one pace."""

    def __init__(self, spec: OpenaiModel, backoff: Backoff) -> None:
        self.spec = spec
        self._backoff = backoff
        self._rate_limit = RateLimiter(spec.requests_per_minute)
        self._pace = SharedPace()
        self._session: aiohttp.ClientSession | None = None
        self._credentials = Credentials(headers={}, proxy=None, secrets=())

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys that no text may show."""
        return self._credentials.secrets

    def get_patience(self, *, is_preflight: bool) -> Patience:
        """Return the patience of the run's calls, or that of the trial call before it."""
        if not is_preflight:
            return Patience(retries=self.spec.retries, reply_s=self.spec.timeout_s)
        return Patience(
            retries=min(PREFLIGHT_RETRIES, self.spec.retries),
            reply_s=min(PREFLIGHT_REPLY_S, self.spec.timeout_s),
            connect_s=min(PREFLIGHT_CONNECT_S, self.spec.timeout_s),
            waits_for_limits=False,
        )

    def open(self, credentials: Credentials) -> None:
        """Open the session. Raises EngineError for certificates that cannot be used."""
        trusted = make_ssl_context(self.spec.ca_file)
        self._credentials = credentials
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.spec.timeout_s),
            headers=credentials.headers,
        )

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def retry(
        self,
        request_id: str,
        send: Callable[[], Awaitable[T | FailedAttempt]],
        patience: Patience | None = None,
        history: CallHistory | None = None,
        ask: AskLeave | None = None,
    ) -> T | FailedAttempt:
        """Send until there is a reply, a final refusal, or no attempt left.

        What happened on the way is noted in `history`. `ask` is awaited before each attempt, and
        told of the one before. Raises what it raises.
        """
        patience = patience or self.get_patience(is_preflight=False)
        history = history or CallHistory()
        before: FailedAttempt | None = None
        while True:
            if ask is not None:
                await ask(before)
            await self._rate_limit.acquire()
            await self._pace.wait()
            result = await send()
            if not isinstance(result, FailedAttempt):
                self._pace.ease()
                return result
            before = result
            if result.is_conceded and history.concessions < _MAX_CONCESSIONS:
                history.concessions += 1
                continue
            delay = self._choose_delay(request_id, result, history)
            if not _may_try_again(result, history, patience):
                return replace(result, message=self._tell_attempts(result, history, patience))
            history.attempts += 1
            if not result.is_rate_limit:
                await asyncio.sleep(delay)

    def _choose_delay(self, request_id: str, result: FailedAttempt, history: CallHistory) -> float:
        """Return the wait before another attempt (s); one for a rate limit holds back all calls."""
        delay = result.wait_s
        if delay is None:
            delay = self._backoff.compute_delay_s(request_id, history.attempts)
        if result.is_rate_limit and not result.is_final:
            history.was_paced = True
            self._pace.hold(delay, time.monotonic())
        return delay

    def _tell_attempts(
        self, result: FailedAttempt, history: CallHistory, patience: Patience
    ) -> str:
        told = self._hide(result.message)
        if history.attempts:
            told += f" (attempt {history.attempts + 1} of {patience.retries + 1})"
        if history.was_paced:
            told += "; requests_per_minute keeps calls below a rate limit"
        return told

    async def post(
        self,
        url: str,
        body: Mapping[str, Any],
        concede: Concede = concede_nothing,
        patience: Patience | None = None,
    ) -> ServerReply | FailedAttempt:
        """Send a body once; return the reply's JSON, or what went wrong."""
        assert self._session is not None, "a request before the session is open"
        sent = time.monotonic()
        content = b""
        patience = patience or self.get_patience(is_preflight=False)
        limits = aiohttp.ClientTimeout(total=patience.reply_s, connect=patience.connect_s)
        proxy = self._credentials.proxy
        try:
            async with self._session.post(
                url, json=body, allow_redirects=False, proxy=proxy, timeout=limits
            ) as response:
                content = await _read_body(response)
            if response.status not in (200, 201):
                return self._explain_refusal(response, content, concede)
            read = read_json(content)
        except aiohttp.ConnectionTimeoutError:
            limit = patience.connect_s or patience.reply_s
            return FailedAttempt(message=f"no connection within {limit:g} s", is_free=True)
        except TimeoutError:
            return FailedAttempt(message=f"no reply within {patience.reply_s:g} s")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as cause:
            return FailedAttempt(message=_explain_certificate(cause), is_final=True)
        except aiohttp.InvalidURL as cause:
            return FailedAttempt(message=f"the url cannot be asked: {cause}", is_final=True)
        except aiohttp.ClientConnectorError as cause:
            return FailedAttempt(message=_explain_connection(cause), is_free=True)
        except (aiohttp.ClientError, OSError) as cause:
            return FailedAttempt(message=f"{type(cause).__name__}: {cause}")
        except _ReplyTooLong as cause:
            return FailedAttempt(message=str(cause), is_final=True)
        except RecursionError:
            return FailedAttempt(message="broken JSON (nested too deeply)")
        except ValueError as cause:
            if content.lstrip().startswith((b"data:", b"event:")):
                told = "it streams its reply although that was not asked for"
                return FailedAttempt(message=f"{told}: {self._quote_bytes(content)}", is_final=True)
            return FailedAttempt(message=f"broken JSON ({cause}): {self._quote_bytes(content)}")
        headers = dict(response.headers)
        if (failed := self._find_failure(read, content, headers, concede)) is not None:
            return failed
        return ServerReply(
            headers=headers, json=read, running_s=time.monotonic() - sent, sent_at=sent
        )

    async def get(self, url: str, *, limit_s: float) -> tuple[Mapping[str, str], Any] | None:
        """Return the head and the JSON at a URL; None where there is none within `limit_s`."""
        assert self._session is not None, "a request before the session is open"
        limit = aiohttp.ClientTimeout(total=min(limit_s, self.spec.timeout_s))
        with suppress(aiohttp.ClientError, OSError, ValueError, RecursionError, _ReplyTooLong):
            async with self._session.get(
                url, timeout=limit, allow_redirects=False, proxy=self._credentials.proxy
            ) as response:
                return response.headers, read_json(await _read_body(response))
        return None

    def quote(self, text: str) -> str:
        """Quote the beginning of a server's reply in one line, without the key."""
        text = text.encode(errors="replace").decode()  # no file holds half a surrogate pair
        return " ".join(self._hide(text)[: 4 * _MAX_QUOTED].split())[:_MAX_QUOTED]

    def _find_failure(
        self, read: Any, content: bytes, headers: Mapping[str, str], concede: Concede
    ) -> FailedAttempt | None:
        """Find the error that a reply with status 200 holds; None where it holds none."""
        error = find_error(read)
        if error is None:
            return None
        message = self.quote(str(error))
        text = content.decode(errors="replace")
        if concede(collect_words(read.get("error", read)), read, 400):
            return FailedAttempt(message=message, is_conceded=True)
        is_limit = "429" in message or "rate limit" in message.lower()
        return FailedAttempt(
            message=message,
            is_final=error.is_final or is_quota_spent(read),
            wait_s=self._find_wait(headers, text),
            is_rate_limit=is_limit,
        )

    def _explain_refusal(
        self, response: aiohttp.ClientResponse, content: bytes, concede: Concede
    ) -> FailedAttempt:
        """Explain a status other than 200. Time-outs, server errors and rate limits may pass."""
        status = response.status
        message = f"HTTP {status}: {self._quote_bytes(content)}"
        error: Any = None
        with suppress(ValueError, RecursionError):
            error = read_json(content)
        text = content.decode(errors="replace")
        words = collect_words(error) if isinstance(error, Mapping | list) else text
        if status in (400, 404, 422, 500) and concede(words, error, status):
            return FailedAttempt(message=message, is_conceded=True)
        if 300 <= status < 400:
            message = f"HTTP {status}: redirects are not followed; name the address itself as url"
        return FailedAttempt(
            message=message,
            is_final=_is_final(status) or is_quota_spent(error),
            wait_s=self._find_wait(response.headers, text),
            is_rate_limit=status == 429,
            is_free=status == 429,
        )

    def _find_wait(self, headers: Mapping[str, str], text: str) -> float | None:
        asked = parse_retry_after(headers, text[:10_000])
        return None if asked is None else min(asked, self.spec.timeout_s)

    def _quote_bytes(self, content: bytes) -> str:
        return self.quote(content.decode(errors="replace"))

    def _hide(self, message: str) -> str:
        for secret in self.secrets:
            message = message.replace(secret, "[key]")
        return message


def _is_final(status: int) -> bool:
    return (status not in (408, 409, 425, 429) and status < 500) or status == 501


def _may_try_again(result: FailedAttempt, history: CallHistory, patience: Patience) -> bool:
    if result.is_final or result.is_conceded or history.attempts >= patience.retries:
        return False
    return patience.waits_for_limits or not result.is_rate_limit


def _explain_connection(cause: aiohttp.ClientConnectorError) -> str:
    """Say in words why there is no connection: refused, unreachable, or a name that is unknown."""
    error = cause.os_error
    number = error.errno
    if number is None and (told := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(told[1])  # several addresses were tried, and asyncio has joined their errors
    known = number is not None and number in errno.errorcode
    found = os.strerror(number) if known and number else error.strerror or str(error)
    return f"cannot connect to {cause.host}:{cause.port}: {found}"


_UNKNOWN_ISSUER = range(18, 22)
"""OpenSSL's codes for certificates whose authority is not known; no file mends others."""


def _explain_certificate(cause: Exception) -> str:
    inner = getattr(cause, "certificate_error", None) or getattr(cause, "os_error", cause)
    if isinstance(inner, ssl.SSLCertVerificationError):
        way = "; name the file of its authority by ca_file, or by SSL_CERT_FILE"
        is_unknown = inner.verify_code in _UNKNOWN_ISSUER
        told = f"the server's certificate is not trusted ({inner.verify_message})"
        return f"{told}{way if is_unknown else ''}"
    return f"TLS failed: {cause}"


class _ReplyTooLong(Exception):
    """A reply of more bytes than are read."""


async def _read_body(response: aiohttp.ClientResponse) -> bytes:
    """Read the reply's body. Raises _ReplyTooLong as soon as it is longer than any completion."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > _MAX_REPLY_BYTES:
            raise _ReplyTooLong(
                f"the reply is longer than {_MAX_REPLY_BYTES:,} bytes; more than any model says"
            )
    return bytes(content)
