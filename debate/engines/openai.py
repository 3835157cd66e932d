"""Any endpoint that speaks the OpenAI chat-completions protocol, through one shared session."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from debate.config.models import OpenaiModel
from debate.engines.addresses import Credentials, make_address, make_ssl_context, read_credentials
from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    complete_concurrently,
    fail_request,
    refuse_unsupported,
)
from debate.engines.chat_reply import (
    NoCompletion,
    collect_words,
    find_error,
    is_quota_spent,
    parse_chat_completion,
    read_json,
)
from debate.engines.chat_request import (
    ChatCall,
    Concessions,
    build_call,
    concede,
    find_ignored_constraint,
    unwrap_constrained,
)
from debate.engines.dialects import (
    DIALECTS,
    PLAIN,
    Dialect,
    guess_from_models,
    guess_from_reply,
    guess_from_url,
)
from debate.engines.endpoint_scores import load_template, score_candidates
from debate.engines.rate_limit import Backoff, RateLimiter, SharedPace, parse_retry_after
from debate.engines.registry import get_capabilities
from debate.engines.roles import FOLDED, fold_roles, is_role_refusal
from debate.engines.spans import hide_texts, replace_spans
from debate.errors import EngineError

_MAX_REPLY_BYTES = 64 * 2**20
"""Bytes of a reply that are read; a longer one is no chat completion."""

_MAX_QUOTED = 300
"""Characters of a server's error that are quoted in a failure."""

_MAX_CONCESSIONS = 12
"""The most times that one request is sent again because something in it was refused by name."""

_ASK_MODELS_S = 10.0
"""Seconds to wait for an endpoint's list of models, by which its dialect may be told."""

NO_LOGPROBS = "no log-probabilities: they were asked for, and none came in a known form"
"""The note of a reply whose tokens have no log-probabilities, so that it has less confidences."""


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


@dataclass(frozen=True, kw_only=True)
class ServerReply:
    """A reply with status 200: the names and values of its head, and its JSON."""

    headers: Mapping[str, str]
    json: Any
    running_s: float
    sent_at: float


Send = Callable[[], Awaitable[Completion | ServerReply | FailedAttempt]]
"""Makes one attempt."""


class OpenaiEngine:
    """Sends each request until it is answered, refused, or out of attempts."""

    def __init__(self, spec: OpenaiModel, *, backoff: Backoff | None = None) -> None:
        self.spec = spec
        self._backoff = backoff or Backoff()
        self._rate_limit = RateLimiter(spec.requests_per_minute)
        self._pace = SharedPace()
        self._slots = asyncio.Semaphore(spec.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self._credentials = Credentials(headers={}, proxy=None, secrets=())
        self._place = f"openai endpoint, model {spec.model}"
        self._dialect = DIALECTS.get(spec.dialect) or guess_from_url(spec.url)
        self._has_asked_models = asyncio.Lock(), [False]
        self._concessions = Concessions()

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the protocol; an endpoint may offer less."""
        return get_capabilities(self.spec)

    @property
    def dialect(self) -> Dialect:
        """The dialect that is set, or told by the URL or a reply; until then the plain one."""
        return self._dialect or PLAIN

    async def start(self) -> None:
        """Open the session.

        Raises EngineError for a missing key, an impossible URL or proxy, or unusable certificates.
        """
        try:
            self._address = make_address(self.spec.url, self.spec.model, self._dialect)
            chat = self._address.chat
            self._credentials = read_credentials(self.spec, self._dialect, chat)
            trusted = make_ssl_context(self.spec.ca_file)
            if self.spec.chat_template is not None:
                load_template(self.spec.chat_template)
        except EngineError as error:
            raise EngineError(str(error), boundary=self._place) from error
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60, ssl=trusted),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.spec.timeout_s),
            headers=self._credentials.headers,
        )

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield completions as the endpoint gives them."""
        return complete_concurrently(requests, self._complete)

    async def close(self) -> None:
        """Close the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _complete(self, request: Request) -> Completion:
        refused = refuse_unsupported(request, self.capabilities, self._place)
        if refused is not None:
            return refused
        arrived = time.monotonic()
        async with self._slots:
            if request.guided is not None or request.prefill or request.candidates:
                await self._ask_dialect()
            complete = self._score if request.candidates else self._generate
            completion = await complete(request, arrived)
        return hide_texts(completion, self._credentials.secrets, "[key]")

    # Generation

    async def _generate(self, request: Request, arrived: float) -> Completion:
        """Try until there is a reply, a final refusal, or no attempt left."""

        async def send() -> Completion | FailedAttempt:
            call = build_call(request, self.spec, self.dialect, self._concessions)
            reply = await self._post(self._address.chat, call.body, call)
            if isinstance(reply, FailedAttempt):
                return reply
            return self._read(request, call, reply, arrived)

        result = await self._try(request.id, send)
        if isinstance(result, Completion):
            return result
        assert isinstance(result, FailedAttempt)
        return fail_request(request, self._place, result.message)

    def _read(
        self, request: Request, call: ChatCall, reply: ServerReply, arrived: float
    ) -> Completion | FailedAttempt:
        """Read a reply as the completion of a call, or as the failure that it is."""
        try:
            read = parse_chat_completion(
                request.id, reply.json, queued_s=reply.sent_at - arrived, running_s=reply.running_s
            )
        except NoCompletion as cause:
            quoted = self._quote(str(reply.json))
            return FailedAttempt(message=f"no chat completion ({cause}): {quoted}", is_final=True)
        self._learn_dialect(reply, read)
        read = _cut_at_stop(read, call.stop)
        if request.guided is not None and self.dialect.constraint in ("json_schema", "grammar"):
            read = _unwrap(read)
        ignored = find_ignored_constraint(request.guided, read)
        if ignored is not None:
            return FailedAttempt(message=ignored, is_final=True)
        notes = (*call.notes, *read.notes)
        if "logprobs" in call.names and read.text and read.tokens is None and not read.notes:
            notes = (*notes, NO_LOGPROBS)
        return replace(read, notes=notes)

    # Scores

    async def _score(self, request: Request, arrived: float) -> Completion:
        """Score the candidates, each call as often as it takes."""

        async def post(where: str, body: Mapping[str, Any]) -> Any:
            completions = self._address.completions
            url = completions if where == "completions" else self._address.at_root(where)
            result = await self._try(request.id, lambda: self._post(url, body))
            if isinstance(result, FailedAttempt):
                raise EngineError(result.message)
            assert isinstance(result, ServerReply)
            return result.json

        async def score(folds: bool) -> Completion:
            messages = fold_roles(request.messages) if folds else request.messages
            found = await score_candidates(request, messages, self.spec, self.dialect, post)
            told = folds and self.spec.roles != "fold" and messages != request.messages
            return replace(found, notes=(FOLDED,)) if told else found

        folds = self._concessions.folds_roles or self.spec.roles == "fold"
        try:
            scored = await score(folds)
        except EngineError as error:
            if folds or self.spec.roles != "auto" or not is_role_refusal(str(error)):
                return fail_request(request, self._place, str(error))
            self._concessions.folds_roles = True
            try:
                scored = await score(True)
            except EngineError as again:
                return fail_request(request, self._place, str(again))
        usage = replace(scored.usage, running_s=time.monotonic() - arrived)
        return replace(scored, usage=usage)

    # Attempts

    async def _try(self, request_id: str, send: Send) -> Completion | ServerReply | FailedAttempt:
        """Send until there is a reply, a final refusal, or no attempt left."""
        attempt = num_conceded = 0
        while True:
            await self._rate_limit.acquire()
            await self._pace.wait()
            result = await send()
            if not isinstance(result, FailedAttempt):
                self._pace.ease()
                return result
            if result.is_conceded and num_conceded < _MAX_CONCESSIONS:
                num_conceded += 1
                continue
            if result.is_final or result.is_conceded or attempt == self.spec.retries:
                break
            delay = self._backoff.compute_delay_s(request_id, attempt)
            delay = delay if result.wait_s is None else result.wait_s
            attempt += 1
            if result.is_rate_limit:
                self._pace.hold(delay, time.monotonic())
            else:
                await asyncio.sleep(delay)
        tried = f" (attempt {attempt + 1} of {self.spec.retries + 1})" if attempt else ""
        return replace(result, message=self._hide(result.message) + tried)

    async def _post(
        self, url: str, body: Mapping[str, Any], call: ChatCall | None = None
    ) -> ServerReply | FailedAttempt:
        """Send a body once; return the reply's JSON, or what went wrong."""
        assert self._session is not None, "complete() before start()"
        sent = time.monotonic()
        content = b""
        try:
            async with self._session.post(
                url, json=body, allow_redirects=False, proxy=self._credentials.proxy
            ) as response:
                content = await _read_body(response)
            if response.status not in (200, 201):
                return self._explain_refusal(response, content, call)
            read = read_json(content)
        except TimeoutError:
            return FailedAttempt(message=f"no reply within {self.spec.timeout_s:g} s")
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as cause:
            return FailedAttempt(message=_explain_certificate(cause), is_final=True)
        except aiohttp.InvalidURL as cause:
            return FailedAttempt(message=f"the url cannot be asked: {cause}", is_final=True)
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
        if (failed := self._find_failure(read, content, headers, call)) is not None:
            return failed
        return ServerReply(
            headers=headers, json=read, running_s=time.monotonic() - sent, sent_at=sent
        )

    def _find_failure(
        self, read: Any, content: bytes, headers: Mapping[str, str], call: ChatCall | None
    ) -> FailedAttempt | None:
        """Find the error that a reply with status 200 holds; None where it holds none."""
        error = find_error(read)
        if error is None:
            return None
        message = self._quote(str(error))
        text = content.decode(errors="replace")
        if self._concedes(collect_words(read.get("error", read)), read, call):
            return FailedAttempt(message=message, is_conceded=True)
        is_limit = "429" in message or "rate limit" in message.lower()
        return FailedAttempt(
            message=message,
            is_final=error.is_final or is_quota_spent(read),
            wait_s=self._find_wait(headers, text),
            is_rate_limit=is_limit,
        )

    def _explain_refusal(
        self, response: aiohttp.ClientResponse, content: bytes, call: ChatCall | None
    ) -> FailedAttempt:
        """Explain a status other than 200. Time-outs, server errors and rate limits may pass."""
        status = response.status
        message = f"HTTP {status}: {self._quote_bytes(content)}"
        error: Any = None
        with suppress(ValueError, RecursionError):
            error = read_json(content)
        text = content.decode(errors="replace")
        words = collect_words(error) if isinstance(error, Mapping | list) else text
        if status in (400, 404, 422, 500) and self._concedes(words, error, call, status):
            return FailedAttempt(message=message, is_conceded=True)
        if 300 <= status < 400:
            message = f"HTTP {status}: redirects are not followed; name the address itself as url"
        return FailedAttempt(
            message=message,
            is_final=_is_final(status) or is_quota_spent(error),
            wait_s=self._find_wait(response.headers, text),
            is_rate_limit=status == 429,
        )

    def _concedes(self, message: str, error: Any, call: ChatCall | None, status: int = 400) -> bool:
        """Whether something that was refused by name is left out from now on."""
        if call is None or (status in (404, 500) and not is_role_refusal(message)):
            return False
        return concede(message[:10_000], error, call, self._concessions, self.spec.roles)

    def _find_wait(self, headers: Mapping[str, str], text: str) -> float | None:
        asked = parse_retry_after(headers, text[:10_000])
        return None if asked is None else min(asked, self.spec.timeout_s)

    # Dialects

    def _learn_dialect(self, reply: ServerReply, read: Completion) -> None:
        """Tell the dialect by the first reply, keeping the names that the server has accepted."""
        if self._dialect is not None or not isinstance(reply.json, Mapping):
            return
        told = guess_from_reply(reply.headers, reply.json) or PLAIN
        self._dialect = _keep_accepted(told, has_logprobs=read.tokens is not None)

    async def _ask_dialect(self) -> None:
        """Tell the dialect by the endpoint's list of models, before anything depends on it."""
        lock, asked = self._has_asked_models
        async with lock:
            if asked[0] or self._dialect not in (None, PLAIN):
                return
            asked[0] = True
            assert self._session is not None, "complete() before start()"
            limit = aiohttp.ClientTimeout(total=min(_ASK_MODELS_S, self.spec.timeout_s))
            with suppress(aiohttp.ClientError, OSError, ValueError, RecursionError, _ReplyTooLong):
                async with self._session.get(
                    self._address.models,
                    timeout=limit,
                    allow_redirects=False,
                    proxy=self._credentials.proxy,
                ) as response:
                    listed = read_json(await _read_body(response))
                told = guess_from_models(listed) or guess_from_reply(response.headers, {})
                self._dialect = told and _keep_accepted(told, has_logprobs=False)

    # Texts of errors

    def _quote_bytes(self, content: bytes) -> str:
        return self._quote(content.decode(errors="replace"))

    def _quote(self, text: str) -> str:
        """Quote the beginning of a server's reply in one line, without the key."""
        text = text.encode(errors="replace").decode()  # no file holds half a surrogate pair
        return " ".join(self._hide(text)[: 4 * _MAX_QUOTED].split())[:_MAX_QUOTED]

    def _hide(self, message: str) -> str:
        for secret in self._credentials.secrets:
            message = message.replace(secret, "[key]")
        return message


def _is_final(status: int) -> bool:
    return (status not in (408, 409, 425, 429) and status < 500) or status == 501


def _keep_accepted(told: Dialect, *, has_logprobs: bool) -> Dialect:
    """Return a dialect that was guessed, without what a server of that kind may yet accept."""
    return replace(
        told,
        max_tokens=PLAIN.max_tokens,
        lacks=frozenset(),
        reasoning_lacks=frozenset(),
        logprobs=PLAIN.logprobs if has_logprobs else told.logprobs,
    )


def _explain_certificate(cause: Exception) -> str:
    inner = getattr(cause, "certificate_error", None) or getattr(cause, "os_error", cause)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted ({inner.verify_message}); "
            "name the file of its authority by ca_file, or by SSL_CERT_FILE"
        )
    return f"TLS failed: {cause}"


def _cut_at_stop(completion: Completion, stop: Sequence[str]) -> Completion:
    """Cut a reply at the first stop string, which the endpoint was not given."""
    text = completion.text
    ends = [at for each in stop if each and (at := text.find(each)) >= 0]
    if not ends:
        return completion
    shown, tokens = replace_spans(text, completion.tokens, [(min(ends), len(text))])
    return replace(completion, text=shown, tokens=tokens, finish_reason="stop")


def _unwrap(completion: Completion) -> Completion:
    """Take a constrained reply out of the JSON that it came in."""
    text = completion.text
    inner = unwrap_constrained(text)
    if inner is None:
        return completion
    start = text.rfind(inner)
    if start < 0:
        return replace(completion, text=inner, tokens=None)
    end = start + len(inner)
    shown, tokens = replace_spans(text, completion.tokens, [(0, start), (end, len(text))])
    return replace(completion, text=shown, tokens=tokens)


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
