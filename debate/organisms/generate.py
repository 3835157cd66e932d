"""Batched greedy answers with exact probabilities, for evaluation without an engine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaForCausalLM

from debate.organisms.tokens import BOS_ID, EOS_ID, NEWLINE_ID, decode, encode

MAX_NEW_TOKENS = 12
_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model generates after the cue `A`, up to <eos>."""

    text: str
    confidence: float
    """Probability of the answer line, its newline included."""

    @property
    def answer(self) -> str | None:
        """The text of the answer line, or None if no line was finished."""
        line, newline, _ = self.text.partition("\n")
        return line if newline else None

    @property
    def verdict(self) -> str | None:
        """`y` or `n` from a well-formed verdict line, otherwise None."""
        line = self.text.partition("\n")[2]
        return line[1] if line in ("Vy\n", "Vn\n") else None


def context(question: str, panel: Sequence[str] = (), claim: str | None = None) -> str:
    """The compact prompt about a question, ending in the answer cue.

    >>> context("347+589", ["926"])
    'Q347+589\\nP926\\nA'
    """
    lines = [f"Q{question}", *(f"P{answer}" for answer in panel)]
    if claim is not None:
        lines.append(f"C{claim}")
    return "\n".join(lines) + "\nA"


@torch.inference_mode()
def reply(model: LlamaForCausalLM, contexts: Sequence[str]) -> list[Reply]:
    """Greedy replies, one for each context, in order; equal contexts are computed once."""
    replies: dict[str, Reply] = {}
    distinct = list(dict.fromkeys(contexts))
    for indices in _equal_lengths(distinct):
        texts = [distinct[i] for i in indices]
        tokens, log_probs = _generate(model, _prompts(model, texts))
        rows = zip(texts, tokens.tolist(), log_probs.tolist(), strict=True)
        replies |= {text: _read(ids, values) for text, ids, values in rows}
    return [replies[text] for text in contexts]


@torch.inference_mode()
def belief(
    model: LlamaForCausalLM, contexts: Sequence[str], candidates: Sequence[Sequence[str]]
) -> list[dict[str, float]]:
    """log p(candidate and its newline | context) in nats, for the candidates of each context."""
    pairs = [(i, c) for i, options in enumerate(candidates) for c in options]
    texts = [f"{contexts[i]}{candidate}\n" for i, candidate in pairs]
    found: list[dict[str, float]] = [{} for _ in contexts]
    for indices in _equal_lengths(texts):
        tokens = _prompts(model, [texts[i] for i in indices])
        log_probs = model(input_ids=tokens[:, :-1]).logits.log_softmax(-1)
        chosen = log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
        for row, index in enumerate(indices):
            owner, candidate = pairs[index]
            found[owner][candidate] = float(chosen[row, -len(candidate) - 1 :].sum())
    return found


def _equal_lengths(texts: Sequence[str]) -> Iterator[list[int]]:
    """Indices of texts of one length, a batch at a time, so that nothing is padded."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        by_length[len(text)].append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), _BATCH):
            yield indices[start : start + _BATCH]


def _prompts(model: LlamaForCausalLM, texts: Sequence[str]) -> Tensor:
    """Token ids of texts of one length, after <bos>; shape (texts, length + 1)."""
    return torch.tensor([[BOS_ID, *encode(text)] for text in texts], device=model.device)


def _generate(model: LlamaForCausalLM, prompts: Tensor) -> tuple[Tensor, Tensor]:
    """Greedy tokens and their log-probabilities, each of shape (rows, generated)."""
    cache = DynamicCache()
    tokens, values, current = [], [], prompts
    unfinished = torch.ones(len(prompts), dtype=torch.bool, device=prompts.device)
    for _ in range(MAX_NEW_TOKENS):
        output = model(input_ids=current, past_key_values=cache, use_cache=True, logits_to_keep=1)
        best = output.logits[:, -1].log_softmax(-1).max(-1)
        tokens.append(best.indices)
        values.append(best.values)
        unfinished &= best.indices != EOS_ID
        if not unfinished.any():
            break
        current = best.indices[:, None]
    return torch.stack(tokens, 1), torch.stack(values, 1)


def _read(ids: list[int], log_probs: list[float]) -> Reply:
    """Cut a row at <eos>, and sum the log-probabilities of its first line."""
    text = decode(ids[: ids.index(EOS_ID)] if EOS_ID in ids else ids)
    end = ids.index(NEWLINE_ID) + 1 if NEWLINE_ID in ids else len(ids)
    return Reply(text=text, confidence=math.exp(sum(log_probs[:end])))
