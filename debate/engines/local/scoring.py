"""Log-probabilities of candidate replies: each context is read once, its candidates after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch

from debate.engines.local.encoding import Ids, Prompt
from debate.engines.local.forward import Context
from debate.engines.local.padding import canonical_width, filled_up
from debate.engines.local.weights import Weights


class Continuation(NamedTuple):
    """One candidate: the row of its context, and its ids."""

    row: int
    ids: Ids


@torch.inference_mode()
def score(weights: Weights, prompts: Sequence[Prompt], *, max_rows: int) -> list[tuple[float, ...]]:
    """Σ log p (nats) over each candidate's tokens given its context, by prompt and candidate.

    The prompts share one canonical width, and their longest candidates do (`group` of batches).
    An empty candidate has log p 0.
    """
    rows = filled_up(range(len(prompts)), weights.row_multiple)
    context = Context(weights, [prompts[row].ids for row in rows])
    candidates = [
        Continuation(row, ids) for row, prompt in enumerate(prompts) for ids in prompt.candidates
    ]
    log_p = iter(_log_p(weights, context, candidates, max_rows))
    return [tuple(islice(log_p, len(prompt.candidates))) for prompt in prompts]


def _log_p(
    weights: Weights, context: Context, candidates: Sequence[Continuation], max_rows: int
) -> list[float]:
    first = context.logits.log_softmax(-1)
    total = [first[c.row, c.ids[0]].item() if c.ids else 0.0 for c in candidates]
    longer = [place for place, candidate in enumerate(candidates) if len(candidate.ids) > 1]
    for chunk in _chunks(longer, max_rows):
        added = _continued(weights, context, [candidates[place] for place in chunk])
        for place, log_p in zip(chunk, added, strict=True):
            total[place] += log_p
    return total


def _continued(
    weights: Weights, context: Context, candidates: Sequence[Continuation]
) -> list[float]:
    """Σ log p over the second and later tokens of each candidate."""
    chosen = [candidates[i] for i in filled_up(range(len(candidates)), weights.row_multiple)]
    width = canonical_width(max(len(candidate.ids) for candidate in chosen))
    ids = torch.tensor(
        [[*c.ids, *[weights.pad_id] * (width - len(c.ids))] for c in chosen],
        device=weights.device,
    )
    lengths = torch.tensor([[len(c.ids)] for c in chosen], device=weights.device)
    is_read = torch.arange(width - 1, device=weights.device) < lengths - 1
    context = context.select([candidate.row for candidate in chosen])
    logits = context.read(ids[:, :-1], is_read.to(ids.dtype))
    log_p = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    summed: list[float] = torch.where(is_read, log_p, 0.0).double().sum(-1).tolist()
    return summed[: len(candidates)]


def _chunks(places: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
