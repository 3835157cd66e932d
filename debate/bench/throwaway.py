"""A debate as long as real ones of a model that costs next to nothing: random weights, made on the
spot. What it says means nothing."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debate.cluster.resources import num_local_gpus

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_LENGTH = 4096
SMALL = {"max_model_len": MAX_LENGTH, "block_size": 32, "kv_cache_memory_bytes": 512 * 2**20}
"""Room for all prompts of the debate at once, so that nothing need be forgotten. 32 is the smallest
block that every build of vLLM takes."""

ON_CPU = {"enforce_eager": True, "max_num_seqs": 32}
"""Batches that the debates under way can keep full."""

WORDS = "apples trains weighs carries each hour twice before remaining costs river seven half"

SPECIAL = ("<pad>", "<|begin|>", "<|end|>", "<unk>")
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ message['role'] + '\\n' + message['content'] + eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}"
)
"""Append-only: what a reply follows stays in front of it in every later prompt."""


def long_prompts(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Prompts of up to a hundred blocks: long questions, replies of a hundred tokens, everybody
    heard over three rounds."""
    gpus = 0.4 if num_local_gpus() else 0
    model = {
        "engine": "vllm",
        "model": str(write_model(folder / "model", max_length=MAX_LENGTH)),
        "replicas": 1 if quick else 2,
        "gpus": gpus,
        "engine_kwargs": SMALL if gpus else {**SMALL, **ON_CPU},
    }
    return {
        "models": {"throwaway": model},
        "agents": [
            {"id": seat, "model": "throwaway", "sampling": {"temperature": 1.0, "max_tokens": 100}}
            for seat in "abc"
        ],
        "topology": "complete",
        "rounds": 3,
        "task": write_long_questions(folder, 30 if quick else 100),
    }


def write_long_questions(folder: Path, num: int) -> dict[str, Any]:
    """A task of questions of some 100 words, each of them different from its first word on."""
    path = folder / "long-questions.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n in range(num):
            rng = random.Random(n)
            text = " ".join([f"Case {n}.", *rng.choices(WORDS.split(), k=100)])
            row = {"id": f"q{n}", "question": f"{text}. How many?", "answer": str(n)}
            file.write(json.dumps(row) + "\n")
    return {"path": str(path), "kind": "number"}


def write_model(
    folder: Path,
    *,
    max_length: int,
    seed: int = 0,
    tokenizer: PreTrainedTokenizerFast | None = None,
    **shape: Any,
) -> Path:
    """A Llama of random weights; by default one layer, and a token for each printable character.

    `shape` are fields of its configuration that differ from what is written here.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = tokenizer or character_tokenizer()
    fields = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": max_length,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = LlamaConfig(**(fields | shape))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def character_tokenizer(
    characters: str = string.printable, *, template: str = CHAT_TEMPLATE
) -> PreTrainedTokenizerFast:
    """One token for each of the characters; any other is unknown."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate([*SPECIAL, *characters])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=SPECIAL[3]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        unk_token=SPECIAL[3],
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )
