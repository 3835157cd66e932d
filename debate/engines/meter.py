"""What one call may take at most, and the account by whose leave every attempt starts."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from debate.config.budget import bound_reply
from debate.config.models import HumanModel, ModelSpec, OpenaiModel
from debate.engines.base import Completion, Request
from debate.log.spend import CallSize

CALL_TOKENS, MESSAGE_TOKENS = 256, 16
"""Tokens that a chat template may add to a prompt, and to each message in it."""


class Meter(Protocol):
    """The account that calls are charged to. No call starts before it has been granted."""

    async def spend(
        self, model: str, request: Request, call: Callable[[], Awaitable[Completion]]
    ) -> Completion:
        """Make a call once its worst case fits, and charge what it took; return the completion.

        Raises BudgetSpent where it does not fit and nothing in flight can change that, and
        Withdrawn, at no charge, where it was taken back before it was sent.
        """

    async def extend(self, model: str, request: Request, *, free: bool = False) -> None:
        """Wait until another attempt at a call that `spend` makes fits too, and charge it.

        free: the attempt before has taken no tokens, so that this one may have those held for it.
        Raises BudgetSpent as `spend` does.
        """

    def withdraw(self, model: str) -> None:
        """Take back the calls of a model that wait to start, but none that goes on."""

    @property
    def counts_tokens(self) -> bool:
        """Whether replies must have a bound."""


@runtime_checkable
class SupportsMeter(Protocol):
    """An engine that tries again by itself, and asks first."""

    def use_meter(self, meter: Meter, model: str) -> None:
        """Have every further attempt charged to this account, under the model's name."""


def bound_call(request: Request, spec: ModelSpec) -> CallSize:
    """Return what a request takes at most. A reply that nothing bounds counts as none.

    No tokenizer makes more tokens of a text than it has bytes, so that a prompt has at most so many
    as bytes, and what the chat template adds: `CALL_TOKENS` and `MESSAGE_TOKENS` for each message.
    A person takes no tokens.

    >>> from debate.config.models import CalculatorModel
    >>> bound_call(Request(id="1", messages=()), CalculatorModel(engine="calculator"))
    CallSize(calls=1, prompt_tokens=256, generated_tokens=512)
    """
    if isinstance(spec, HumanModel):
        return CallSize(calls=1)
    prompt = CALL_TOKENS + sum(
        MESSAGE_TOKENS + _count_bytes(message.content) for message in request.messages
    )
    prompt += _count_bytes(request.prefill) + _count_further_bytes(request, spec)
    if request.candidates:
        num = len(request.candidates)
        calls = num if isinstance(spec, OpenaiModel) and spec.chat_template is not None else 1
        scored = num * prompt + sum(map(_count_bytes, request.candidates))
        return CallSize(calls, scored, num)
    sampling = request.sampling
    return CallSize(1, prompt, bound_reply(sampling.max_tokens, dict(sampling.extra), spec) or 0)


def _count_bytes(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


def _count_further_bytes(request: Request, spec: ModelSpec) -> int:
    """Count what a server may put into the prompt besides the messages, such as a schema."""
    further: list[Any] = []
    if request.guided is not None:
        further += [request.guided.choice, request.guided.regex]
    if request.sampling.extra:
        further.append(request.sampling.extra)
    if isinstance(spec, OpenaiModel) and spec.extra_body:
        further.append(spec.extra_body)
    return _count_bytes(json.dumps(further, default=str)) if further else 0
