"""Llama-shaped models: build one from its spec, write and load folders that any engine loads."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from debate.errors import InputError
from debate.organisms.specs import Architecture
from debate.organisms.training_data import (
    BOS,
    BOS_ID,
    EOS,
    EOS_ID,
    IDS,
    PAD,
    PAD_ID,
    TOKENS,
    UNKNOWN,
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
