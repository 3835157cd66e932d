"""Requests as vLLM's calls, its outputs as completions, and the scores of candidates.

Candidates are scored in the way that works and reuses most of the prefix cache. All candidates of
one token take one call: `logprob_token_ids` on one generated token, which reads the prompt from the
prefix cache as any generation does. For a candidate of several tokens there are three ways:

1. The newer model runner (GPUs): `prompt_logprob_token_ids` from `prompt_logprob_start` on gives
   the candidate's rows alone.
2. The older one (CPUs): `prompt_logprobs` gives all rows. vLLM 0.32 reads no cached prefix for such
   a call by itself; `skip_reading_prefix_cache=False` makes it, and leaves the rows of the cached
   part empty.
3. One call for each token, as in the first paragraph: where the cached part reaches into the
   candidate, because this very candidate was scored there before; and in an engine with adapters
   under the older runner, where vLLM 0.32 dies of `prompt_logprobs`: it gives the adapters' last
   layer all rows of the prompt, and the adapter's number for one row only.

Measured under the older runner in blocks of 32, both 2 and 3 reuse all whole blocks: 192 tokens of
a prompt of 219.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from debate.engines.base import (
    Completion,
    Guided,
    Request,
    Token,
    align_tokens,
    resolve_sampling,
)
from debate.engines.hf.tokenization import EncodedPrompt, TokenIds
from debate.engines.reasoning import split_reasoning
from debate.errors import EngineError
from debate.types import Usage

GenerateCall = Callable[[TokenIds, Any], Awaitable[Any]]
"""Takes token ids and sampling parameters; gives vLLM's final output."""

MAX_FIXED_TOKENS = 128
"""The most tokens whose log-probabilities one call can give."""


def make_generation_params(prompt: EncodedPrompt) -> Any:
    """Make the sampling parameters of a request that generates."""
    sampling = resolve_sampling(prompt.request.sampling)
    return make_sampling_params(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k or 0,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        seed=sampling.seed,
        logprobs=0,
        **make_structured_outputs(prompt.request.guided),
        **dict(sampling.extra),
    )


def make_structured_outputs(guided: Guided | None) -> dict[str, Any]:
    """Make vLLM's parameter for a constrained reply."""
    from vllm.sampling_params import StructuredOutputsParams

    if guided is None:
        return {}
    if guided.choice:
        return {"structured_outputs": StructuredOutputsParams(choice=list(guided.choice))}
    return {"structured_outputs": StructuredOutputsParams(regex=guided.regex)}


def to_completion(prompt: EncodedPrompt, output: Any, texts: Sequence[str]) -> Completion:
    """Return a finished generation as a completion; `texts` are those of its tokens."""
    reply = output.outputs[0]
    completion = Completion(
        id=prompt.request.id,
        text=reply.text,
        tokens=read_reply_tokens(reply, texts),
        finish_reason=reply.finish_reason,
        usage=Usage(
            prompt_tokens=len(output.prompt_token_ids),
            cached_tokens=output.num_cached_tokens,
            generated_tokens=len(reply.token_ids),
        ),
        notes=prompt.notes,
    )
    is_opened = prompt.opens_reasoning
    return split_reasoning(completion, is_opened=True) if is_opened else completion


def read_reply_tokens(reply: Any, texts: Sequence[str]) -> tuple[Token, ...] | None:
    """Read the reply's tokens; the first log-probability of a position is the chosen token's."""
    if reply.logprobs is None:
        return None
    firsts = reply.logprobs.start_indices
    log_p = [reply.logprobs.logprobs[first] for first in firsts][: len(reply.token_ids)]
    return align_tokens(texts, log_p, reply.text)


def make_sampling_params(**parameters: Any) -> Any:
    """Make `SamplingParams` for one output at the end.

    Raises EngineError for a parameter that vLLM does not know.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    try:
        return SamplingParams(
            output_kind=RequestOutputKind.FINAL_ONLY, flat_logprobs=True, **parameters
        )
    except TypeError as error:
        raise EngineError(f"sampling: {error}") from error


class CandidateScores(NamedTuple):
    """Summed log-probability (nats) per candidate index, and the call's token counts."""

    log_p: dict[int, float]
    num_prompt: int
    num_cached: int


class CandidateScorer:
    """Scores the candidates of prompts, in the way that the running engine allows."""

    def __init__(self, call: GenerateCall, *, by_row: bool, has_adapters: bool) -> None:
        self._call = call
        self._by_row = by_row
        self._score_long = (
            self._score_in_steps if has_adapters and not by_row else self._score_suffix
        )

    async def score(self, prompt: EncodedPrompt) -> Completion:
        """Score all candidates of a prompt. Raises EngineError for a candidate of no tokens."""
        short = {i: ids[0] for i, ids in enumerate(prompt.candidates) if len(ids) == 1}
        long = {i: ids for i, ids in enumerate(prompt.candidates) if len(ids) > 1}
        parts = await asyncio.gather(
            *(self._score_short(prompt.ids, part) for part in split_items(short, MAX_FIXED_TOKENS)),
            *(self._score_long(prompt.ids, index, ids) for index, ids in long.items()),
        )
        return merge_scores(prompt.request, parts)

    async def _score_short(self, prompt: TokenIds, tokens: dict[int, int]) -> CandidateScores:
        ids = sorted(set(tokens.values()))
        return read_token_scores(await self._call(prompt, make_token_params(ids)), tokens)

    async def _score_suffix(
        self, prompt: TokenIds, index: int, candidate: TokenIds
    ) -> CandidateScores:
        """Score one candidate by one call, or in steps where the cache reaches into it."""
        asked = make_suffix_params(prompt, candidate, by_row=self._by_row)
        output = await self._call((*prompt, *candidate), asked)
        scored = read_suffix_score(output, index, candidate, by_row=self._by_row)
        return scored or await self._score_in_steps(prompt, index, candidate)

    async def _score_in_steps(
        self, prompt: TokenIds, index: int, candidate: TokenIds
    ) -> CandidateScores:
        """Score one candidate by one call for each of its tokens, after those before it."""
        steps = await asyncio.gather(
            *(
                self._score_short((*prompt, *candidate[:end]), {0: token})
                for end, token in enumerate(candidate)
            )
        )
        return add_steps(index, steps)


def split_items(items: dict[int, int], size: int) -> list[dict[int, int]]:
    """Split items into dictionaries of at most `size`.

    >>> split_items({0: 7, 1: 8, 2: 9}, 2)
    [{0: 7, 1: 8}, {2: 9}]
    """
    pairs = list(items.items())
    return [dict(pairs[start : start + size]) for start in range(0, len(pairs), size)]


def make_token_params(ids: Sequence[int]) -> Any:
    """Make parameters that give the log-probabilities of these tokens right after the prompt."""
    return make_sampling_params(
        temperature=0.0, max_tokens=1, logprob_token_ids=list(ids), detokenize=False
    )


def make_suffix_params(prompt: TokenIds, candidate: TokenIds, *, by_row: bool) -> Any:
    """Make parameters that give the log-probabilities of `candidate` at the end of a prompt.

    `by_row` asks the newer model runner for the candidate's rows only. The call starts from a
    cached prefix, which vLLM would not do by itself, since the rows before it stay empty.
    """
    rows: dict[str, Any] = {"prompt_logprobs": 0}
    if by_row:
        ids = [[each] for each in candidate]
        rows = {"prompt_logprob_token_ids": ids, "prompt_logprob_start": len(prompt) - 1}
    return make_sampling_params(
        temperature=0.0,
        max_tokens=1,
        detokenize=False,
        skip_reading_prefix_cache=False,
        **rows,
    )


def read_token_scores(output: Any, wanted: dict[int, int]) -> CandidateScores:
    """Read the scores of one-token candidates: `wanted` maps a candidate's index to its token."""
    flat = output.outputs[0].logprobs
    log_p = dict(zip(flat.token_ids, flat.logprobs, strict=True))
    return CandidateScores(
        {index: log_p[token] for index, token in wanted.items()},
        len(output.prompt_token_ids),
        output.num_cached_tokens or 0,
    )


def read_suffix_score(
    output: Any, index: int, candidate: TokenIds, *, by_row: bool
) -> CandidateScores | None:
    """Read the score of a candidate at the end of the prompt; None where the cache hid its rows."""
    num_prompt = len(output.prompt_token_ids)
    num_cached = output.num_cached_tokens or 0
    if num_cached > num_prompt - len(candidate) - 1:
        return None
    if by_row:
        rows = output.prompt_token_id_logprobs
        if rows is None:
            return None
        return CandidateScores({index: float(rows[:, 0].sum())}, num_prompt, num_cached)
    flat = output.prompt_logprobs
    firsts = flat.start_indices[-len(candidate) :]
    return CandidateScores({index: sum(flat.logprobs[at] for at in firsts)}, num_prompt, num_cached)


def add_steps(index: int, steps: Sequence[CandidateScores]) -> CandidateScores:
    """Add the scores of a candidate whose tokens were scored one by one.

    >>> add_steps(3, [CandidateScores({0: -1.0}, 8, 0), CandidateScores({0: -0.5}, 9, 8)])
    CandidateScores(log_p={3: -1.5}, num_prompt=17, num_cached=8)
    """
    return CandidateScores(
        {index: sum(step.log_p[0] for step in steps)},
        sum(step.num_prompt for step in steps),
        sum(step.num_cached for step in steps),
    )


def merge_scores(request: Request, parts: Sequence[CandidateScores]) -> Completion:
    """Merge all candidates' scores into one completion; its tokens are those of all the calls.

    Raises EngineError for a candidate without a score.
    """
    found = {index: log_p for part in parts for index, log_p in part.log_p.items()}
    for index, candidate in enumerate(request.candidates):
        if index not in found:
            raise EngineError(f'the candidate "{candidate}" has no tokens, so it has no score')
    return Completion(
        id=request.id,
        candidate_log_p=tuple(found[index] for index in range(len(request.candidates))),
        usage=Usage(
            prompt_tokens=sum(part.num_prompt for part in parts),
            cached_tokens=sum(part.num_cached for part in parts),
            generated_tokens=0,
        ),
    )
