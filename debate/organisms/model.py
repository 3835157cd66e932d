"""Llama-shaped models: build one from its spec, write and load its folder, answer in batches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import (
    DynamicCache,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from debate.errors import InputError
from debate.organisms.specs import Architecture
from debate.organisms.training_data import (
    BOS,
    BOS_ID,
    EOS,
    EOS_ID,
    IDS,
    NEWLINE_ID,
    PAD,
    PAD_ID,
    TOKENS,
    UNKNOWN,
    decode,
    encode,
)

CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ 'A' }}{% endif %}"
    "{{ message['content'] + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'A' }}{% endif %}"
)
"""Compact prompts: <bos>, one message a line, `A` before what the assistant says."""


def build_model(architecture: Architecture, seed: int) -> LlamaForCausalLM:
    """Build a model with random weights from the seed alone; no global seed is touched."""
    config = LlamaConfig(
        vocab_size=len(TOKENS),
        hidden_size=architecture.hidden,
        intermediate_size=architecture.intermediate,
        num_hidden_layers=architecture.layers,
        num_attention_heads=architecture.heads,
        num_key_value_heads=architecture.heads,
        head_dim=architecture.hidden // architecture.heads,
        max_position_embeddings=architecture.max_length,
        tie_word_embeddings=True,
        pad_token_id=PAD_ID,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        attn_implementation="sdpa",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Build a tokenizer of single characters; <bos> comes from the chat template only."""
    tokenizer = Tokenizer(models.WordLevel(IDS, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    )


def save_model(model: LlamaForCausalLM, folder: Path) -> None:
    """Write an ordinary Hugging Face folder: config, float32 safetensors, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config = GenerationConfig(
        do_sample=False, bos_token_id=BOS_ID, eos_token_id=EOS_ID, pad_token_id=PAD_ID
    )
    model.save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)


def load_model(folder: Path, device: str = "cpu") -> LlamaForCausalLM:
    """Load the model of a folder for evaluation; raises InputError if it holds none."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no model (no config.json); train it first")
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    return model.to(device).eval()


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
