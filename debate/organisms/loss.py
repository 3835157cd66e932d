"""The training loss of packed lessons, and what each of their tokens may see."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from debate.organisms.batches import IGNORED, Batch
from debate.organisms.tokens import IDS


def visibility(lessons: Tensor, documents: Tensor) -> Tensor:
    """What each token may attend to, as an additive mask of shape (rows, 1, length, length).

    A token sees earlier tokens of its lesson that belong to the question line or its document.
    """
    length = lessons.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=lessons.device).tril()
    same_lesson = lessons[:, :, None] == lessons[:, None, :]
    same_document = documents[:, :, None] == documents[:, None, :]
    seen = causal & same_lesson & (same_document | (documents[:, None, :] == 0))
    return torch.zeros(seen.shape, device=lessons.device).masked_fill(~seen, -1e9)[:, None]


def packed_loss(
    model: LlamaForCausalLM,
    tokens: Tensor,
    positions: Tensor,
    lessons: Tensor,
    documents: Tensor,
    labels: Tensor,
    verdict_weight: Tensor,
) -> Tensor:
    """Mean cross-entropy in nats over the learned tokens; verdicts weigh `verdict_weight`."""
    hidden = model.model(
        input_ids=tokens,
        position_ids=positions,
        attention_mask=visibility(lessons, documents),
        use_cache=False,
    ).last_hidden_state
    logits = model.lm_head(hidden).flatten(0, 1)
    losses = cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="none")
    weights = (labels != IGNORED) * torch.where(tokens == IDS["V"], verdict_weight, 1.0)
    return (losses * weights.flatten()).sum() / weights.sum()


def tensors(batch: Batch, device: torch.device) -> list[Tensor]:
    """The arrays of a batch, in the order of `packed_loss`."""
    arrays = (batch.tokens, batch.positions, batch.lessons, batch.documents, batch.labels)
    return [torch.from_numpy(array).to(device) for array in arrays]
