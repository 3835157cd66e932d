"""Generate and score many replies at once, each as it would come out alone."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch

from debate.engines.base import Sampling, Token, align_tokens, resolve_sampling
from debate.engines.hf.batching import compute_padded_length, pad_rows
from debate.engines.hf.model import BatchContext, LoadedModel
from debate.engines.hf.tokenization import EncodedPrompt, IncrementalDetokenizer, TokenIds

_FILLER = Sampling()


@torch.inference_mode()
def generate_replies(
    loaded: LoadedModel, prompts: Sequence[EncodedPrompt]
) -> Iterator[list[GeneratedReply]]:
    """Reply to prompts of one padded length; yield replies as they finish.

    Rows that have finished leave the batch, down to whole multiples of `row_multiple`.
    """
    builders = [ReplyBuilder(loaded, prompt, row) for row, prompt in enumerate(prompts)]
    start = pad_rows(range(len(builders)), loaded.row_multiple)
    context = BatchContext(loaded, [prompts[row].ids for row in start])
    rows: list[ReplyBuilder | None] = [*builders, *[None] * (len(start) - len(builders))]
    while True:
        chosen = _sample_rows(context, rows)
        finished = _append_tokens(rows, chosen)
        if finished:
            yield finished
        active = [place for place, builder in enumerate(rows) if builder is not None]
        if not active:
            return
        ids, keep = chosen.ids, pad_rows(active, loaded.row_multiple)
        if len(keep) < len(rows):
            context, ids = context.select(keep), ids[keep]
            rows = [*(rows[place] for place in active), *[None] * (len(keep) - len(active))]
        context.step(ids)


def _sample_rows(context: BatchContext, rows: Sequence[ReplyBuilder | None]) -> SampledTokens:
    samplings = [builder.sampling if builder else _FILLER for builder in rows]
    uniforms = [builder.randomness.random() if builder else 0.0 for builder in rows]
    return sample_tokens(context.logits, samplings, uniforms)


def _append_tokens(rows: list[ReplyBuilder | None], chosen: SampledTokens) -> list[GeneratedReply]:
    """Append its token to every row; take out the rows that finish, and return their replies."""
    finished = []
    tokens = zip(chosen.ids.tolist(), chosen.log_p.tolist(), strict=True)
    for place, (token_id, log_p) in enumerate(tokens):
        builder = rows[place]
        reply = builder.append(token_id, log_p) if builder else None
        if reply is not None:
            rows[place] = None
            finished.append(reply)
    return finished


BROKEN = "broken"
"""The finish reason of a reply whose logits are not numbers."""


class GeneratedReply(NamedTuple):
    """A reply that has ended: its row, text, tokens, finish reason, and number of tokens."""

    row: int
    text: str
    tokens: tuple[Token, ...]
    finish_reason: str
    num_generated: int


class ReplyBuilder:
    """One row's reply as it grows. The end of the turn and stop strings are not part of it."""

    def __init__(self, loaded: LoadedModel, prompt: EncodedPrompt, row: int) -> None:
        self.sampling = resolve_sampling(prompt.request.sampling)
        seed = self.sampling.seed
        self.randomness = random.Random(prompt.request.id if seed is None else seed)
        self._row = row
        self._eos_ids = loaded.eos_ids
        self._decoder = IncrementalDetokenizer(loaded.tokenizer, prompt.ids)
        free = _count_free_positions(loaded, prompt)
        self._limit = min(self.sampling.max_tokens or free, free)
        self._overlap = max(map(len, self.sampling.stop), default=1) - 1
        self._text = ""
        self._texts: list[str] = []
        self._log_p: list[float] = []

    def append(self, token_id: int, log_p: float) -> GeneratedReply | None:
        """Append the next token; return the reply if it ends with this token, else None."""
        if math.isnan(log_p):
            return self._end(BROKEN)
        if token_id in self._eos_ids:
            return self._end("stop", num_unseen=1)
        start = max(0, len(self._text) - self._overlap)
        self._texts.append(self._decoder.step(token_id))
        self._log_p.append(log_p)
        self._text += self._texts[-1]
        stop = find_stop(self._text, self.sampling.stop, start=start)
        if stop is not None:
            self._text = self._text[:stop]
            return self._end("stop")
        return self._end("length") if len(self._log_p) >= self._limit else None

    def _end(self, reason: str, num_unseen: int = 0) -> GeneratedReply:
        tokens = align_tokens(self._texts, self._log_p, self._text)
        assert tokens is not None, "a reply is spelled by its tokens"
        return GeneratedReply(self._row, self._text, tokens, reason, len(self._log_p) + num_unseen)


def _count_free_positions(loaded: LoadedModel, prompt: EncodedPrompt) -> float:
    """Count the tokens that fit after the prompt."""
    return math.inf if loaded.max_length is None else loaded.max_length - len(prompt.ids)


def find_stop(text: str, stops: Iterable[str], *, start: int = 0) -> int | None:
    """Find where the first stop string begins in the text from `start` on; None without one.

    >>> find_stop("936\\nV", ["V", "\\n"])
    3
    """
    places = (text.find(stop, start) for stop in stops if stop)
    return min((place for place in places if place >= 0), default=None)


class SampledTokens(NamedTuple):
    """One token per row: ids and their log-probabilities (nats) at temperature 1."""

    ids: torch.Tensor
    log_p: torch.Tensor


def sample_tokens(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]
) -> SampledTokens:
    """Choose a token for each row of `logits`, shape (rows, vocabulary).

    A row of temperature 0 takes the most likely token. Another takes the token at its uniform
    number in [0, 1) on the cumulative distribution in vocabulary order, so that its draw depends
    on no other row.
    """
    ids = logits.argmax(-1)
    drawn = [row for row, sampling in enumerate(samplings) if (sampling.temperature or 0.0) > 0]
    if drawn:
        places = torch.tensor(drawn, device=logits.device)
        ids[places] = _draw_tokens(
            logits[places], [samplings[row] for row in drawn], [uniforms[row] for row in drawn]
        )
    log_p = logits.log_softmax(-1).gather(-1, ids[:, None])[:, 0]
    return SampledTokens(ids, log_p)


def _draw_tokens(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]
) -> torch.Tensor:
    temperature = _to_column([sampling.temperature or 0.0 for sampling in samplings], logits)
    probabilities = (logits.double() / temperature).softmax(-1)
    bounded = [row for row, s in enumerate(samplings) if (s.top_p or 1.0) < 1 or s.top_k]
    if bounded:
        places = torch.tensor(bounded, device=logits.device)
        probabilities[places] = _apply_top_k_top_p(
            probabilities[places], [samplings[row] for row in bounded]
        )
    cumulative = probabilities.cumsum(-1)
    target = _to_column(uniforms, logits) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, target, right=True)[:, 0]
    return found.clamp(max=logits.shape[-1] - 1)


def _apply_top_k_top_p(probabilities: torch.Tensor, samplings: Sequence[Sampling]) -> torch.Tensor:
    """Drop all but the top k tokens, then all but the fewest that hold `top_p` of what is left."""
    size = probabilities.shape[-1]
    top_k = _to_column([sampling.top_k or size for sampling in samplings], probabilities)
    top_p = _to_column([sampling.top_p or 1.0 for sampling in samplings], probabilities)
    ordered = probabilities.sort(-1, descending=True).values
    within = torch.arange(size, device=probabilities.device) < top_k
    ordered = ordered * within
    ordered_share = ordered / ordered.sum(-1, keepdim=True)
    kept = within & (ordered_share.cumsum(-1) - ordered_share < top_p)
    least = ordered.masked_fill(~kept, torch.inf).amin(-1, keepdim=True)
    return probabilities * (probabilities >= least)


def _to_column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, device=like.device)[:, None]


class CandidateRow(NamedTuple):
    """One candidate: the row of its context, and its ids."""

    row: int
    ids: TokenIds


@torch.inference_mode()
def score_candidates(
    loaded: LoadedModel, prompts: Sequence[EncodedPrompt], *, max_rows: int
) -> list[tuple[float, ...]]:
    """Sum log p (nats) over each candidate's tokens given its context, by prompt and candidate.

    The prompts share one padded length, and so do their longest candidates (see `Job.group`).
    An empty candidate has log p 0.
    """
    rows = pad_rows(range(len(prompts)), loaded.row_multiple)
    context = BatchContext(loaded, [prompts[row].ids for row in rows])
    candidates = [
        CandidateRow(row, ids) for row, prompt in enumerate(prompts) for ids in prompt.candidates
    ]
    log_p = iter(_sum_log_p(loaded, context, candidates, max_rows))
    return [tuple(islice(log_p, len(prompt.candidates))) for prompt in prompts]


def _sum_log_p(
    loaded: LoadedModel, context: BatchContext, candidates: Sequence[CandidateRow], max_rows: int
) -> list[float]:
    first = context.logits.log_softmax(-1)
    total = [first[c.row, c.ids[0]].item() if c.ids else 0.0 for c in candidates]
    longer = [place for place, candidate in enumerate(candidates) if len(candidate.ids) > 1]
    for chunk in _split_chunks(longer, max_rows):
        added = _sum_later_log_p(loaded, context, [candidates[place] for place in chunk])
        for place, log_p in zip(chunk, added, strict=True):
            total[place] += log_p
    return total


def _sum_later_log_p(
    loaded: LoadedModel, context: BatchContext, candidates: Sequence[CandidateRow]
) -> list[float]:
    """Sum log p over the second and later tokens of each candidate."""
    chosen = [candidates[i] for i in pad_rows(range(len(candidates)), loaded.row_multiple)]
    width = compute_padded_length(max(len(candidate.ids) for candidate in chosen))
    ids = torch.tensor(
        [[*c.ids, *[loaded.pad_id] * (width - len(c.ids))] for c in chosen],
        device=loaded.device,
    )
    lengths = torch.tensor([[len(c.ids)] for c in chosen], device=loaded.device)
    is_read = torch.arange(width - 1, device=loaded.device) < lengths - 1
    context = context.select([candidate.row for candidate in chosen])
    logits = context.read(ids[:, :-1], is_read.to(ids.dtype))
    log_p = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    summed: list[float] = torch.where(is_read, log_p, 0.0).double().sum(-1).tolist()
    return summed[: len(candidates)]


def _split_chunks(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
