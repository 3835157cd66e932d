"""An engine that counts what it is asked and what it writes, whatever it tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from debate.config.models import SimulatedModel
from debate.engines.base import Capabilities, Completion, Request, fail_request
from debate.engines.simulated import SimulatedEngine
from debate.types import Usage

BYTES_PER_TOKEN = 4


def draw(text: str, num: int) -> int:
    """A number below `num` that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") % num


class Counted:
    """The counts since they were last set to zero: calls begun, tokens taken, by whoever asked."""

    calls = prompt_tokens = generated_tokens = 0

    @classmethod
    def dollars(cls, prompt: float, generated: float) -> float:
        """What the tokens cost, at prices per million."""
        return (cls.prompt_tokens * prompt + cls.generated_tokens * generated) / 1e6

    @classmethod
    def reset(cls) -> None:
        """Set all counts to zero."""
        cls.calls = cls.prompt_tokens = cls.generated_tokens = 0


class CountedEngine:
    """Simulated opinions. By its id, every ninth request fails, every seventh tells no usage."""

    capabilities = Capabilities(logprobs=True, scores=True, needs_debate_state=True, simulated=True)

    def __init__(self, competence: float = 0.6, latency_s: float = 0.0) -> None:
        spec = SimulatedModel(engine="simulated", competence=competence, latency_s=latency_s)
        self._inner = SimulatedEngine(spec)

    async def start(self) -> None:
        """Nothing is to be loaded."""

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Count the requests and answer them."""
        Counted.calls += len(requests)
        by_id = {request.id: request for request in requests}
        async for completions in self._inner.complete(requests):
            yield [self._count(by_id[each.id], each) for each in completions]

    def _count(self, request: Request, completion: Completion) -> Completion:
        said = sum(len(message.content) for message in request.messages)
        prompt = (said * max(1, len(request.candidates))) // BYTES_PER_TOKEN
        generated = 0 if request.candidates else min(512, len(completion.text) // BYTES_PER_TOKEN)
        Counted.prompt_tokens += prompt
        Counted.generated_tokens += generated
        place = request.id.partition("/")[2]  # alike in every cell that may have asked first
        if draw(place, 9) == 0:
            return fail_request(request, "counted", "it fell over")
        told = Usage(prompt_tokens=prompt, generated_tokens=generated)
        return replace(completion, usage=Usage() if draw(place, 7) == 0 else told)

    async def close(self) -> None:
        """Nothing is to be freed."""
