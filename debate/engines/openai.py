"""Any endpoint that speaks the OpenAI chat-completions protocol, through one shared session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from debate.config.models import OpenaiModel
from debate.engines.addresses import make_address, read_credentials
from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    complete_concurrently,
    fail_request,
    refuse_unsupported,
)
from debate.engines.breaker import fail_ended
from debate.engines.chat_reply import NoCompletion, parse_chat_completion
from debate.engines.chat_request import (
    ChatCall,
    Concessions,
    build_call,
    concede,
    find_ignored_constraint,
    unwrap_constrained,
)
from debate.engines.chat_template import load_template
from debate.engines.dialects import (
    DIALECTS,
    PLAIN,
    Dialect,
    guess_from_models,
    guess_from_reply,
    guess_from_url,
)
from debate.engines.endpoint_scores import score_candidates
from debate.engines.endpoint_session import (
    PACED,
    AskLeave,
    CallHistory,
    EndpointSession,
    FailedAttempt,
    ServerReply,
)
from debate.engines.meter import Meter
from debate.engines.rate_limit import Backoff
from debate.engines.registry import get_capabilities
from debate.engines.roles import FOLDED, fold_roles, is_role_refusal
from debate.engines.spans import hide_texts, replace_spans
from debate.errors import BudgetSpent, EngineError, ModelRefused
from debate.types import Usage

_ASK_MODELS_S = 10.0
"""Seconds to wait for an endpoint's list of models, by which its dialect may be told."""

_MAX_NAME = 200
"""Characters that are kept of what an endpoint calls itself."""

NO_LOGPROBS = "no log-probabilities: they were asked for, and none came in a known form"
"""The note of a reply whose tokens have no log-probabilities, so that it has less confidences."""

NO_BOUND = (
    "the endpoint takes no limit of tokens, so that no budget of tokens or dollars can be kept"
)
"""The failure of a call whose reply nothing would bound."""

NO_TOKENS = Usage(prompt_tokens=0, generated_tokens=0)


class OpenaiEngine:
    """Sends each request until it is answered, refused, or out of attempts."""

    def __init__(self, spec: OpenaiModel, *, backoff: Backoff | None = None) -> None:
        self.spec = spec
        self._session = EndpointSession(spec, backoff or Backoff())
        self._slots = asyncio.Semaphore(spec.max_in_flight)
        self._place = f"openai endpoint, model {spec.model}"
        self._dialect = DIALECTS.get(spec.dialect) or guess_from_url(spec.url)
        self._has_asked_models = asyncio.Lock(), [False]
        self._concessions = Concessions()
        self._meter: tuple[Meter, str] | None = None

    def use_meter(self, meter: Meter, model: str) -> None:
        """Have further attempts charged to this account."""
        self._meter = meter, model

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

        Raises ModelRefused for a missing key, an impossible URL or proxy, or unusable certificates.
        """
        try:
            self._address = make_address(self.spec.url, self.spec.model, self._dialect)
            if self.spec.chat_template is not None:
                load_template(self.spec.chat_template)
            chat = self._address.chat
            self._session.open(read_credentials(self.spec, self._dialect, chat))
        except EngineError as error:
            raise ModelRefused(str(error), boundary=self._place) from error

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield completions as the endpoint gives them."""
        return complete_concurrently(requests, self._complete)

    async def close(self) -> None:
        """Close the session and its connections."""
        await self._session.close()

    async def _complete(self, request: Request) -> Completion:
        refused = refuse_unsupported(request, self.capabilities, self._place)
        if refused is not None:
            return refused
        arrived = time.monotonic()
        async with self._slots:
            await self._ask_dialect()
            complete = self._score if request.candidates else self._generate
            try:
                completion = await complete(request, arrived)
            except BudgetSpent as error:
                return fail_ended(request, error)
        return hide_texts(completion, self._session.secrets, "[key]")

    # Generation

    async def _generate(self, request: Request, arrived: float) -> Completion:
        """Try until there is a reply, a final refusal, or no attempt left."""

        patience = self._session.get_patience(is_preflight=request.is_preflight)
        history = CallHistory()

        async def send() -> Completion | FailedAttempt:
            call = build_call(request, self.spec, self.dialect, self._concessions)
            if self._lacks_bound(request, call):
                return FailedAttempt(message=NO_BOUND, is_final=True)
            concedes = partial(self._concedes, call)
            reply = await self._session.post(self._address.chat, call.body, concedes, patience)
            if isinstance(reply, FailedAttempt):
                return reply
            return self._read(request, call, reply, arrived)

        ask = self._make_ask(request)
        result = await self._session.retry(request.id, send, patience, history, ask)
        if isinstance(result, Completion):
            return replace(result, notes=(*result.notes, PACED)) if history.was_paced else result
        found = fail_request(request, self._place, result.message)
        if request.is_preflight and result.is_rate_limit and not result.is_final:
            found = Completion(id=request.id, finish_reason="stop", notes=(result.message,))
        is_free = result.is_free and self._meter is not None
        return replace(found, usage=NO_TOKENS) if is_free else found

    def _make_ask(self, request: Request, num_granted: int = 1) -> AskLeave | None:
        """Return what asks the meter before each attempt beyond those that it has granted."""
        if self._meter is None:
            return None
        meter, model = self._meter
        left = num_granted

        async def ask(before: FailedAttempt | None) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                await meter.extend(model, request, free=before is not None and before.is_free)

        return ask

    def _lacks_bound(self, request: Request, call: ChatCall) -> bool:
        """Whether the limit on a reply that a budget counts on would not be sent."""
        if self._meter is None or not self._meter[0].counts_tokens:
            return False
        return request.sampling.max_tokens is not None and "max_tokens" not in call.names

    def _read(
        self, request: Request, call: ChatCall, reply: ServerReply, arrived: float
    ) -> Completion | FailedAttempt:
        """Read a reply as the completion of a call, or as the failure that it is."""
        try:
            read = parse_chat_completion(
                request.id, reply.json, queued_s=reply.sent_at - arrived, running_s=reply.running_s
            )
        except NoCompletion as cause:
            quoted = self._session.quote(str(reply.json))
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
        return replace(read, notes=notes, served_by=_find_served(reply.json))

    # Scores

    async def _score(self, request: Request, arrived: float) -> Completion:
        """Score the candidates, each call as often as it takes."""

        granted = len(request.candidates) if self.spec.chat_template is not None else 1
        ask = self._make_ask(request, granted)

        async def post(where: str, body: Mapping[str, Any]) -> Any:
            is_call = where == "completions"
            url = self._address.completions if is_call else self._address.at_root(where)
            result = await self._session.retry(
                request.id, lambda: self._session.post(url, body), ask=ask if is_call else None
            )
            if isinstance(result, FailedAttempt):
                raise EngineError(result.message)
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

    def _concedes(self, call: ChatCall, words: str, error: Any, status: int) -> bool:
        """Whether something that was refused by name is left out from now on."""
        if status in (404, 500) and not is_role_refusal(words):
            return False
        return concede(words[:10_000], error, call, self._concessions, self.spec.roles)

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
            found = await self._session.get(self._address.models, limit_s=_ASK_MODELS_S)
            if found is not None:
                headers, listed = found
                told = guess_from_models(listed) or guess_from_reply(headers, {})
                self._dialect = told and _keep_accepted(told, has_logprobs=False)


def _find_served(reply: Mapping[str, Any]) -> str | None:
    """Find what the endpoint says its model is, and after a space the fingerprint of its system."""
    found = [reply.get(name) for name in ("model", "system_fingerprint")]
    told = [" ".join(each.split())[:_MAX_NAME] for each in found if isinstance(each, str) and each]
    return " ".join(told).encode(errors="replace").decode() or None


def _keep_accepted(told: Dialect, *, has_logprobs: bool) -> Dialect:
    """Return a dialect that was guessed, without what a server of that kind may yet accept."""
    return replace(
        told,
        max_tokens=PLAIN.max_tokens,
        lacks=frozenset(),
        reasoning_lacks=frozenset(),
        logprobs=PLAIN.logprobs if has_logprobs else told.logprobs,
    )


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
