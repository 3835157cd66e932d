"""A real engine that goes wrong now and then, by seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from debate.engines.base import Capabilities, Completion, Engine, Request, Token
from debate.engines.replica import ReplicaLost
from debate.types import Failure

Spoil = Callable[[Completion, Request], Any]
NAN = float("nan")


def _nan_tokens(good: Completion, request: Request) -> Any:
    """Log-probabilities that are no numbers, of tokens or of candidates."""
    if good.candidate_log_p is not None:
        return replace(good, candidate_log_p=(NAN, *good.candidate_log_p[1:]))
    return replace(good, tokens=(Token(text=good.text, log_p=NAN),))


MALFORMED: dict[str, Spoil] = {
    "no completion at all": lambda good, request: None,
    "a text": lambda good, request: good.text,
    "another's id": lambda good, request: replace(good, id="of nobody"),
    "no id": lambda good, request: replace(good, id=cast(str, None)),
    "text that is none": lambda good, request: replace(good, text=cast(str, None)),
    "text as bytes": lambda good, request: replace(good, text=cast(str, b"Answer: 4")),
    "tokens that are none": lambda good, request: replace(good, tokens=cast(Any, [None])),
    "usage that is none": lambda good, request: replace(good, usage=cast(Any, None)),
    "usage in words": lambda good, request: replace(
        good, usage=replace(good.usage, prompt_tokens=cast(int, "many"))
    ),
    "a failure without a usage": lambda good, request: replace(
        good, failure=Failure(boundary="faulty", message="no"), usage=cast(Any, None)
    ),
    "a failure that is none": lambda good, request: replace(good, failure=cast(Any, "no")),
    "tokens as a number": lambda good, request: replace(good, tokens=cast(Any, 7)),
    "too few scores": lambda good, request: replace(good, candidate_log_p=()),
    "scores that are none": lambda good, request: replace(
        good, candidate_log_p=cast(Any, (None,) * max(1, len(request.candidates)))
    ),
}
EMPTY: dict[str, Spoil] = {
    "nothing": lambda good, request: Completion(id=request.id),
}
NOT_A_NUMBER: dict[str, Spoil] = {"nan": _nan_tokens}


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How often each request or batch is struck, each by a draw of its own."""

    raising: float = 0.0
    raising_midway: float = 0.0
    losing: float = 0.0
    hanging: float = 0.0
    forgetting: float = 0.0
    repeating: float = 0.0
    spoiling: float = 0.0
    spoils: tuple[Spoil, ...] = ()


class FaultyEngine:
    """Passes requests on to an engine, and spoils what comes back as the draws say."""

    def __init__(self, inner: Engine, faults: Faults, seed: str) -> None:
        self._inner = inner
        self._faults = faults
        self._rng = random.Random(seed)
        self.num_struck = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def start(self) -> None:
        await self._inner.start()

    async def close(self) -> None:
        await self._inner.close()

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        if self._strikes(self._faults.raising):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if self._strikes(self._faults.losing):
            raise ReplicaLost("the process was killed", boundary="faulty: actor")
        if self._strikes(self._faults.hanging):
            await asyncio.Event().wait()
        asked = {request.id: request for request in requests}
        async for completions in self._inner.complete(requests):
            yield self._spoiled(completions, asked)
            if self._strikes(self._faults.raising_midway):
                raise ConnectionError("the stream broke off")

    def _spoiled(
        self, completions: Sequence[Completion], asked: dict[str, Request]
    ) -> list[Completion]:
        said: list[Any] = []
        for good in completions:
            if self._strikes(self._faults.forgetting):
                continue
            spoil = self._strikes(self._faults.spoiling)
            said.append(
                self._rng.choice(self._faults.spoils)(good, asked[good.id]) if spoil else good
            )
            if self._strikes(self._faults.repeating):
                said.append(said[-1])
        return said

    def _strikes(self, chance: float) -> bool:
        struck = chance > 0 and self._rng.random() < chance
        self.num_struck += struck
        return struck
