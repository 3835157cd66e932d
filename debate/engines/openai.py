"""Any endpoint that speaks the OpenAI chat-completions protocol, through one shared session."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from debate.config.models import OpenaiModel
from debate.engines.base import (
    Capabilities,
    Completion,
    Guided,
    Request,
    Token,
    align_tokens,
    complete_concurrently,
    decode_utf8_chunks,
    fail_request,
    refuse_unsupported,
)
from debate.engines.rate_limit import Backoff, RateLimiter, parse_retry_after
from debate.engines.registry import get_capabilities
from debate.errors import EngineError
from debate.types import Usage

_MAX_REPLY_BYTES = 64 * 2**20
"""Bytes of a reply that are read; a longer one is no chat completion."""

_MAX_QUOTED = 300
"""Characters of a server's error that are quoted in a failure."""


@dataclass(frozen=True, kw_only=True)
class FailedAttempt:
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
        self._rate_limit = RateLimiter(spec.requests_per_minute)
        self._slots = asyncio.Semaphore(spec.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._key: str | None = None
        self._place = f"openai endpoint, model {spec.model}"
        self._url = f"{spec.url.rstrip('/')}/chat/completions"

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the protocol; an endpoint may offer less."""
        return get_capabilities(self.spec)

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
        return complete_concurrently(requests, self._complete)

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check_url(self) -> None:
        parts = urlsplit(self.spec.url)
        if parts.username or parts.password:
            raise self._make_error(
                "the url must not hold a password; name a variable by api_key_env"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self._make_error(
                f'"{self.spec.url}" is no url; it should look like http://localhost:8000/v1'
            )

    def _read_key(self) -> str | None:
        variable = self.spec.api_key_env
        if variable is None:
            return None
        key = os.environ.get(variable, "").strip()
        if not key:
            raise self._make_error(
                f"environment variable {variable} is not set; it must hold the key of "
                f"{self.spec.url} (api_key_env names it)"
            )
        if not (key.isascii() and key.isprintable()):
            raise self._make_error(f"environment variable {variable} holds no key: odd characters")
        return key

    async def _complete(self, request: Request) -> Completion:
        refused = refuse_unsupported(request, self.capabilities, self._place)
        if refused is not None:
            return refused
        arrived = time.monotonic()
        async with self._slots:
            return await self._complete_with_retries(request, arrived)

    async def _complete_with_retries(self, request: Request, arrived: float) -> Completion:
        """Try until there is a reply, a final refusal, or no attempt left."""
        body = build_request_body(request, self.spec)
        for attempt in range(self.spec.retries + 1):
            await self._rate_limit.acquire()
            result = await self._attempt(request.id, body, arrived)
            if isinstance(result, Completion):
                return result
            failed = result
            if failed.is_final or attempt == self.spec.retries:
                break
            delay = self._backoff.compute_delay_s(request.id, attempt)
            await asyncio.sleep(delay if failed.wait_s is None else failed.wait_s)
        tried = f" (attempt {attempt + 1} of {self.spec.retries + 1})" if attempt else ""
        return fail_request(request, self._place, self._hide_key(failed.message) + tried)

    async def _attempt(
        self, request_id: str, body: bytes, arrived: float
    ) -> Completion | FailedAttempt:
        assert self._session is not None, "complete() before start()"
        sent = time.monotonic()
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as response:
                content = await _read_body(response)
            if response.status != 200:
                return self._explain_refusal(response, content)
            return parse_chat_completion(
                request_id, content, queued_s=sent - arrived, running_s=time.monotonic() - sent
            )
        except TimeoutError:
            return FailedAttempt(message=f"no reply within {self.spec.timeout_s:g} s")
        except (aiohttp.ClientError, OSError) as cause:
            return FailedAttempt(message=f"{type(cause).__name__}: {cause}")
        except _ReplyTooLong as cause:
            return FailedAttempt(message=str(cause), is_final=True)
        except RecursionError:
            return FailedAttempt(message="broken JSON (nested too deeply)")
        except msgspec.ValidationError as cause:
            quoted = self._quote(content)
            return FailedAttempt(message=f"no chat completion ({cause}): {quoted}", is_final=True)
        except (msgspec.DecodeError, UnicodeDecodeError) as cause:
            return FailedAttempt(message=f"broken JSON ({cause}): {self._quote(content)}")

    def _explain_refusal(self, response: aiohttp.ClientResponse, content: bytes) -> FailedAttempt:
        """Explain a status other than 200. Time-outs, server errors and rate limits may pass."""
        status = response.status
        asked = parse_retry_after(response.headers)
        return FailedAttempt(
            message=f"HTTP {status}: {self._quote(content)}",
            is_final=status not in (408, 425, 429) and status < 500,
            wait_s=None if asked is None else min(asked, self.spec.timeout_s),
        )

    def _quote(self, content: bytes) -> str:
        """Quote the beginning of a server's reply in one line, without the key."""
        text = self._hide_key(content.decode(errors="replace"))
        return " ".join(text[: 4 * _MAX_QUOTED].split())[:_MAX_QUOTED]

    def _hide_key(self, message: str) -> str:
        return message.replace(self._key, "[key]") if self._key else message

    def _make_error(self, message: str) -> EngineError:
        return EngineError(message, boundary=self._place)


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


class TokenLogprob(msgspec.Struct):
    """A generated token; `bytes` are given because a token may end inside a character."""

    token: str
    logprob: float | None = None
    bytes: list[int] | None = None


class ChoiceLogprobs(msgspec.Struct):
    content: list[TokenLogprob] | None = None


class ChoiceMessage(msgspec.Struct):
    content: str | None = None


class CompletionChoice(msgspec.Struct):
    message: ChoiceMessage
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: int | None = None


class CompletionUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None


class ChatCompletion(msgspec.Struct):
    """A server's answer with status 200, as far as it is read."""

    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None


_DECODER = msgspec.json.Decoder(ChatCompletion)


def build_request_body(request: Request, spec: OpenaiModel) -> bytes:
    """Build the JSON of a request. `Sampling.extra` and then `extra_body` have the last word.

    The beginning of the reply and constraints have the names that vLLM's server gives them.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": spec.model,
        "messages": list(request.messages),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    optional = {"top_k": sampling.top_k, "seed": sampling.seed, "stop": sampling.stop or None}
    body |= {name: value for name, value in optional.items() if value is not None}
    if spec.logprobs:
        body["logprobs"] = True
    if request.prefill:
        body["messages"].append({"role": "assistant", "content": request.prefill})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if request.guided is not None:
        body["structured_outputs"] = _to_structured_outputs(request.guided)
    return msgspec.json.encode(body | dict(sampling.extra) | spec.extra_body)


def _to_structured_outputs(guided: Guided) -> dict[str, Any]:
    return {"choice": guided.choice} if guided.choice else {"regex": guided.regex}


def parse_chat_completion(
    request_id: str, body: bytes, *, queued_s: float, running_s: float
) -> Completion:
    """Parse the completion in a server's reply.

    Raises msgspec.DecodeError for broken JSON and its subclass ValidationError for JSON that is
    no chat completion.
    """
    reply = _DECODER.decode(body)
    if not reply.choices:
        raise msgspec.ValidationError("the reply has no choices")
    choice = reply.choices[0]
    text = choice.message.content or ""
    return Completion(
        id=request_id,
        text=text,
        tokens=_parse_tokens(choice.logprobs, text),
        finish_reason=choice.finish_reason,
        usage=_parse_usage(
            reply.usage or CompletionUsage(), queued_s=queued_s, running_s=running_s
        ),
    )


def _parse_usage(usage: CompletionUsage, *, queued_s: float, running_s: float) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=details.cached_tokens if details else None,
        generated_tokens=usage.completion_tokens,
        queued_s=queued_s,
        running_s=running_s,
    )


def _parse_tokens(logprobs: ChoiceLogprobs | None, text: str) -> tuple[Token, ...] | None:
    """Parse the tokens of the text; None where there are none, or where they spell another text."""
    content = logprobs.content if logprobs else None
    if not content:
        return None
    log_p = [entry.logprob for entry in content if entry.logprob is not None]
    if len(log_p) < len(content) or not all(map(math.isfinite, log_p)):
        return None
    return align_tokens(_decode_token_texts(content), log_p, text)


def _decode_token_texts(content: Sequence[TokenLogprob]) -> list[str]:
    """Decode texts that join to the whole, also where a character is spread over tokens."""
    if any(entry.bytes is None for entry in content):
        return [entry.token for entry in content]
    return decode_utf8_chunks(bytes(entry.bytes or ()) for entry in content)
