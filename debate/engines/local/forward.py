"""Batches of rows with a key-value cache: one pass over prompts, then further tokens."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from debate.engines.local.encoding import Ids
from debate.engines.local.padding import canonical_width
from debate.engines.local.weights import Weights


class Context:
    """What the model has read: left-padded prompts, mask, positions and the key-value cache."""

    def __init__(self, weights: Weights, prompts: Sequence[Ids]) -> None:
        """Read the prompts, which share one canonical width; `logits` are those at their ends."""
        width = canonical_width(max(map(len, prompts)))
        ids = [[weights.pad_id] * (width - len(prompt)) + [*prompt] for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self.weights = weights
        self.mask = torch.tensor(mask, device=weights.device)
        self.lengths = self.mask.sum(-1)
        self.cache = _new_cache(weights.model)
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.logits = self._forward(
            torch.tensor(ids, device=weights.device), positions, logits_to_keep=1
        )[:, -1]

    def select(self, rows: Sequence[int]) -> Context:
        """A context of these rows, in this order, with repetitions; this one stays as it is."""
        chosen = copy.copy(self)
        places = torch.tensor(rows, device=self.weights.device)
        chosen.mask, chosen.lengths = self.mask[places], self.lengths[places]
        chosen.logits = self.logits[places]
        chosen.cache = copy.copy(self.cache)
        chosen.cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        chosen.cache.batch_select_indices(places)
        return chosen

    def step(self, ids: torch.Tensor) -> None:
        """Read one further token per row, ids of shape (rows,)."""
        self.logits = self.read(ids[:, None], torch.ones_like(ids[:, None]))[:, -1]

    def read(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Read right-padded tokens, shape (rows, n); their logits, shape (rows, n, vocabulary)."""
        positions = self.lengths[:, None] + (mask.cumsum(-1) - 1).clamp(min=0)
        self.mask = torch.cat([self.mask, mask], dim=-1)
        self.lengths = self.lengths + mask.sum(-1)
        return self._forward(ids, positions)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, **options: int) -> torch.Tensor:
        output = self.weights.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            **options,
        )
        logits: torch.Tensor = output.logits.float()
        return logits


def _new_cache(model: Any) -> Any:
    from transformers import DynamicCache

    return DynamicCache(config=model.config)
