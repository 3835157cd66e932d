"""Requests as vLLM's calls, and vLLM's outputs as completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from debate.engines.base import Completion, Guided, Request, Token
from debate.engines.local.encoding import Ids, Prompt
from debate.engines.pieces import aligned
from debate.errors import EngineError
from debate.types import Usage

MAX_FIXED_TOKENS = 128
"""How many fixed tokens one call can give the log-probabilities of."""


class Scored(NamedTuple):
    """Summed log-probability (nats) per candidate index, and the call's token counts."""

    log_p: dict[int, float]
    num_prompt: int
    num_cached: int


def generation(prompt: Prompt) -> Any:
    """Sampling parameters of a request that generates."""
    sampling = prompt.request.sampling
    return final_only(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k or 0,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        seed=sampling.seed,
        logprobs=0,
        **constraint(prompt.request.guided),
        **dict(sampling.extra),
    )


def constraint(guided: Guided | None) -> dict[str, Any]:
    """vLLM's parameter for a constrained reply."""
    from vllm.sampling_params import StructuredOutputsParams

    if guided is None:
        return {}
    if guided.choice:
        return {"structured_outputs": StructuredOutputsParams(choice=list(guided.choice))}
    return {"structured_outputs": StructuredOutputsParams(regex=guided.regex)}


def fixed_tokens(ids: Sequence[int]) -> Any:
    """Parameters that give the log-probabilities of these tokens right after the prompt."""
    return final_only(temperature=0.0, max_tokens=1, logprob_token_ids=list(ids), detokenize=False)


def suffix(prompt: Ids, candidate: Ids, *, by_row: bool) -> Any:
    """Parameters that give the log-probabilities of `candidate` at the end of a longer prompt.

    `by_row` asks the newer model runner for the candidate's rows only. The call starts from a
    cached prefix; vLLM would not by itself, for the rows before it stay empty.
    """
    rows: dict[str, Any] = {"prompt_logprobs": 0}
    if by_row:
        ids = [[each] for each in candidate]
        rows = {"prompt_logprob_token_ids": ids, "prompt_logprob_start": len(prompt) - 1}
    return final_only(
        temperature=0.0,
        max_tokens=1,
        detokenize=False,
        skip_reading_prefix_cache=False,
        **rows,
    )


def final_only(**parameters: Any) -> Any:
    """`SamplingParams` for one output at the end."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    try:
        return SamplingParams(
            output_kind=RequestOutputKind.FINAL_ONLY, flat_logprobs=True, **parameters
        )
    except TypeError as error:
        raise EngineError(f"sampling: {error}") from error


def completion(request: Request, output: Any, texts: Sequence[str]) -> Completion:
    """A finished generation; `texts` are those of its tokens."""
    reply = output.outputs[0]
    return Completion(
        id=request.id,
        text=reply.text,
        tokens=reply_tokens(reply, texts),
        finish_reason=reply.finish_reason,
        usage=Usage(
            prompt_tokens=len(output.prompt_token_ids),
            cached_tokens=output.num_cached_tokens,
            generated_tokens=len(reply.token_ids),
        ),
    )


def reply_tokens(reply: Any, texts: Sequence[str]) -> tuple[Token, ...] | None:
    """The reply's tokens, each position's first log-probability being the chosen token's."""
    if reply.logprobs is None:
        return None
    firsts = reply.logprobs.start_indices
    log_p = [reply.logprobs.logprobs[first] for first in firsts][: len(reply.token_ids)]
    return aligned(texts, log_p, reply.text)


def fixed_scores(output: Any, wanted: dict[int, int]) -> Scored:
    """Scores of one-token candidates: `wanted` maps a candidate's index to its token."""
    flat = output.outputs[0].logprobs
    log_p = dict(zip(flat.token_ids, flat.logprobs, strict=True))
    return Scored(
        {index: log_p[token] for index, token in wanted.items()},
        len(output.prompt_token_ids),
        output.num_cached_tokens or 0,
    )


def suffix_score(output: Any, index: int, candidate: Ids, *, by_row: bool) -> Scored | None:
    """The score of a candidate at the end of the prompt; None where the cache hid its rows."""
    num_prompt = len(output.prompt_token_ids)
    num_cached = output.num_cached_tokens or 0
    if num_cached > num_prompt - len(candidate) - 1:
        return None
    if by_row:
        rows = output.prompt_token_id_logprobs
        if rows is None:
            return None
        return Scored({index: float(rows[:, 0].sum())}, num_prompt, num_cached)
    flat = output.prompt_logprobs
    firsts = flat.start_indices[-len(candidate) :]
    return Scored({index: sum(flat.logprobs[at] for at in firsts)}, num_prompt, num_cached)


def joined(index: int, steps: Sequence[Scored]) -> Scored:
    """The score of a candidate whose tokens were scored one by one.

    >>> joined(3, [Scored({0: -1.0}, 8, 0), Scored({0: -0.5}, 9, 8)])
    Scored(log_p={3: -1.5}, num_prompt=17, num_cached=8)
    """
    return Scored(
        {index: sum(step.log_p[0] for step in steps)},
        sum(step.num_prompt for step in steps),
        sum(step.num_cached for step in steps),
    )


def scores(request: Request, parts: Sequence[Scored]) -> Completion:
    """All candidates' scores as one completion; its tokens are those of all the calls."""
    found = {index: log_p for part in parts for index, log_p in part.log_p.items()}
    return Completion(
        id=request.id,
        candidate_log_p=tuple(found.get(i, 0.0) for i in range(len(request.candidates))),
        usage=Usage(
            prompt_tokens=sum(part.num_prompt for part in parts),
            cached_tokens=sum(part.num_cached for part in parts),
            generated_tokens=0,
        ),
    )
