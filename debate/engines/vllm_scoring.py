"""Log-probabilities of candidates with vLLM, by whichever of its ways works and reuses most.

A candidate of one token takes one call for all such: `logprob_token_ids` on one generated token,
which reads the prompt from the prefix cache as any generation does. One of several tokens is asked
for by what the engine that runs can do:

1. The newer model runner (GPUs): `prompt_logprob_token_ids` from `prompt_logprob_start` on gives
   the candidate's rows alone.
2. The older one (CPUs): `prompt_logprobs` gives all rows. vLLM 0.32 reads no cached prefix for such
   a call by itself; `skip_reading_prefix_cache=False` makes it, and leaves the rows of the cached
   part empty.
3. One call for each token, as in the first paragraph: where the cached part reaches into the
   candidate, because this very candidate was scored there before; and in an engine with adapters
   under the older runner, where vLLM 0.32 dies of `prompt_logprobs`: it gives the adapters' last
   layer all rows of the prompt, and the adapter's number for one row only.

What is reused, measured under the older runner in blocks of 32: of a prompt of 219 tokens 192, all
its whole blocks, by 2 and by 3 alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from debate.engines import vllm_calls as calls
from debate.engines.base import Completion
from debate.engines.local.encoding import Ids, Prompt

Call = Callable[[Ids, Any], Awaitable[Any]]
"""Token ids and sampling parameters to vLLM's final output."""


class Scorer:
    """Scores the candidates of a prompt; the way is chosen once, from the engine that runs."""

    def __init__(self, call: Call, *, by_row: bool, has_adapters: bool) -> None:
        self._call = call
        self._by_row = by_row
        self._long = self._steps if has_adapters and not by_row else self._suffix

    async def score(self, prompt: Prompt) -> Completion:
        """One call for all candidates of one token; one or more for each of the others."""
        short = {i: ids[0] for i, ids in enumerate(prompt.candidates) if len(ids) == 1}
        long = {i: ids for i, ids in enumerate(prompt.candidates) if len(ids) > 1}
        parts = await asyncio.gather(
            *(self._short(prompt.ids, part) for part in in_parts(short, calls.MAX_FIXED_TOKENS)),
            *(self._long(prompt.ids, index, ids) for index, ids in long.items()),
        )
        return calls.scores(prompt.request, parts)

    async def _short(self, prompt: Ids, tokens: dict[int, int]) -> calls.Scored:
        ids = sorted(set(tokens.values()))
        return calls.fixed_scores(await self._call(prompt, calls.fixed_tokens(ids)), tokens)

    async def _suffix(self, prompt: Ids, index: int, candidate: Ids) -> calls.Scored:
        """One call; in steps where what is cached reaches into the candidate itself."""
        asked = calls.suffix(prompt, candidate, by_row=self._by_row)
        output = await self._call((*prompt, *candidate), asked)
        scored = calls.suffix_score(output, index, candidate, by_row=self._by_row)
        return scored or await self._steps(prompt, index, candidate)

    async def _steps(self, prompt: Ids, index: int, candidate: Ids) -> calls.Scored:
        """One call for each token after those before it."""
        steps = await asyncio.gather(
            *(
                self._short((*prompt, *candidate[:end]), {0: token})
                for end, token in enumerate(candidate)
            )
        )
        return calls.joined(index, steps)


def in_parts(items: dict[int, int], size: int) -> list[dict[int, int]]:
    """The same items in dictionaries of at most `size`.

    >>> in_parts({0: 7, 1: 8, 2: 9}, 2)
    [{0: 7, 1: 8}, {2: 9}]
    """
    pairs = list(items.items())
    return [dict(pairs[start : start + size]) for start in range(0, len(pairs), size)]
