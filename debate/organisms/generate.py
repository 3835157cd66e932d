"""Batched greedy answers with exact probabilities, for evaluation without an engine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaForCausalLM

from debate.organisms.training_data import BOS_ID, EOS_ID, NEWLINE_ID, decode, encode

MAX_NEW_TOKENS = 12
BATCH_SIZE = 512


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The text that a model generates after the cue `A`, up to <eos>."""

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


def build_prompt(question: str, panel: Sequence[str] = (), claim: str | None = None) -> str:
    """Return the compact prompt about a question, ending in the answer cue.

    >>> build_prompt("347+589", ["926"])
    'Q347+589\\nP926\\nA'
    """
    lines = [f"Q{question}", *(f"P{answer}" for answer in panel)]
    if claim is not None:
        lines.append(f"C{claim}")
    return "\n".join(lines) + "\nA"


@torch.inference_mode()
def generate(model: LlamaForCausalLM, prompts: Sequence[str]) -> list[Generation]:
    """Answer each prompt greedily, in order; equal prompts are computed once."""
    generations: dict[str, Generation] = {}
    distinct = list(dict.fromkeys(prompts))
    for indices in _batch_by_length(distinct):
        texts = [distinct[i] for i in indices]
        tokens, log_probs = _decode_greedily(model, _encode_texts(model, texts))
        rows = zip(texts, tokens.tolist(), log_probs.tolist(), strict=True)
        generations |= {text: _parse_tokens(ids, values) for text, ids, values in rows}
    return [generations[prompt] for prompt in prompts]


@torch.inference_mode()
def score_candidates(
    model: LlamaForCausalLM, prompts: Sequence[str], candidates: Sequence[Sequence[str]]
) -> list[dict[str, float]]:
    """Return log p(candidate and its newline | prompt), in nats, of each prompt's candidates."""
    pairs = [(i, c) for i, options in enumerate(candidates) for c in options]
    texts = [f"{prompts[i]}{candidate}\n" for i, candidate in pairs]
    scores: list[dict[str, float]] = [{} for _ in prompts]
    for indices in _batch_by_length(texts):
        tokens = _encode_texts(model, [texts[i] for i in indices])
        log_probs = model(input_ids=tokens[:, :-1]).logits.log_softmax(-1)
        chosen = log_probs.gather(-1, tokens[:, 1:, None])[..., 0]
        for row, index in enumerate(indices):
            owner, candidate = pairs[index]
            scores[owner][candidate] = float(chosen[row, -len(candidate) - 1 :].sum())
    return scores


def _batch_by_length(texts: Sequence[str]) -> Iterator[list[int]]:
    """Indices of texts of one length, a batch at a time, so that nothing is padded."""
    by_length: dict[int, list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        by_length[len(text)].append(index)
    for indices in by_length.values():
        for start in range(0, len(indices), BATCH_SIZE):
            yield indices[start : start + BATCH_SIZE]


def _encode_texts(model: LlamaForCausalLM, texts: Sequence[str]) -> Tensor:
    """Token ids of texts of one length, after <bos>; shape (texts, length + 1)."""
    return torch.tensor([[BOS_ID, *encode(text)] for text in texts], device=model.device)


def _decode_greedily(model: LlamaForCausalLM, prompts: Tensor) -> tuple[Tensor, Tensor]:
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


def _parse_tokens(ids: list[int], log_probs: list[float]) -> Generation:
    """Cut a row at <eos>, and sum the log-probabilities of its first line."""
    text = decode(ids[: ids.index(EOS_ID)] if EOS_ID in ids else ids)
    end = ids.index(NEWLINE_ID) + 1 if NEWLINE_ID in ids else len(ids)
    return Generation(text=text, confidence=math.exp(sum(log_probs[:end])))
