"""The next token of each row, drawn from the row's own randomness only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from debate.engines.base import Sampling


class Chosen(NamedTuple):
    """One token per row: ids and their log-probabilities (nats) at temperature 1."""

    ids: torch.Tensor
    log_p: torch.Tensor


def choose(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]
) -> Chosen:
    """Choose a token for each row of `logits`, shape (rows, vocabulary).

    A row of temperature 0 takes the most likely token. Another takes the token at its uniform
    number in [0, 1) on the cumulative distribution in vocabulary order, so that its draw depends
    on no other row.
    """
    ids = logits.argmax(-1)
    drawn = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
    if drawn:
        places = torch.tensor(drawn, device=logits.device)
        ids[places] = _draw(
            logits[places], [samplings[row] for row in drawn], [uniforms[row] for row in drawn]
        )
    log_p = logits.log_softmax(-1).gather(-1, ids[:, None])[:, 0]
    return Chosen(ids, log_p)


def _draw(
    logits: torch.Tensor, samplings: Sequence[Sampling], uniforms: Sequence[float]
) -> torch.Tensor:
    temperature = _column([sampling.temperature for sampling in samplings], logits)
    probabilities = (logits.double() / temperature).softmax(-1)
    bounded = [row for row, s in enumerate(samplings) if s.top_p < 1 or s.top_k]
    if bounded:
        places = torch.tensor(bounded, device=logits.device)
        probabilities[places] = _bounded(probabilities[places], [samplings[row] for row in bounded])
    cumulative = probabilities.cumsum(-1)
    target = _column(uniforms, logits) * cumulative[:, -1:]
    found = torch.searchsorted(cumulative, target, right=True)[:, 0]
    return found.clamp(max=logits.shape[-1] - 1)


def _bounded(probabilities: torch.Tensor, samplings: Sequence[Sampling]) -> torch.Tensor:
    """Drop all but the top k tokens, then all but the fewest that hold `top_p` of what is left."""
    size = probabilities.shape[-1]
    top_k = _column([sampling.top_k or size for sampling in samplings], probabilities)
    top_p = _column([sampling.top_p for sampling in samplings], probabilities)
    ordered = probabilities.sort(-1, descending=True).values
    within = torch.arange(size, device=probabilities.device) < top_k
    ordered = ordered * within
    ordered_share = ordered / ordered.sum(-1, keepdim=True)
    kept = within & (ordered_share.cumsum(-1) - ordered_share < top_p)
    least = ordered.masked_fill(~kept, torch.inf).amin(-1, keepdim=True)
    return probabilities * (probabilities >= least)


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, device=like.device)[:, None]
