"""Small real things for the engines' tests: requests, a random Llama, a character tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from debate.engines.base import (
    Completion,
    DebateState,
    Engine,
    Request,
    Sampling,
)
from debate.types import Message, Question, Turn

CHARACTERS = "\nQPCAVy0123456789+-*%abcdefghijklmnopqrstuvw"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}A{% endif %}"
)


def request(*messages: str, id: str = "r", **fields: Any) -> Request:
    """A request whose messages are all the user's."""
    said = tuple(Message(role="user", content=message) for message in messages)
    return Request(id=id, messages=said, **fields)


def sampled(seed: int | None, **fields: Any) -> Sampling:
    """Sampling at temperature 1."""
    return Sampling(temperature=1.0, seed=seed, **fields)


def debate_state(**fields: Any) -> DebateState:
    """An opening on a question with a known answer."""
    question = Question(id="q", text="347+589", kind="number", target="936")
    usual: dict[str, Any] = {"question": question, "seed": 0, "round": 0}
    return DebateState(**usual | {"kind": "opening", "agent": "a"} | fields)


def turn(**fields: Any) -> Turn:
    """A finished opening of agent a on question q."""
    usual: dict[str, Any] = {"cell": "main", "question": "q", "seed": 0, "round": 0}
    return Turn(**usual | {"kind": "opening", "agent": "a", "model": "m"} | fields)


async def completions(engine: Engine, requests: Sequence[Request]) -> dict[str, Completion]:
    """All completions by id; an id given twice is an error."""
    found: dict[str, Completion] = {}
    async for batch in engine.complete(requests):
        for completion in batch:
            assert completion.id not in found, f"{completion.id} was completed twice"
            found[completion.id] = completion
    return found


async def complete_one(engine: Engine, asked: Request) -> Completion:
    """The completion of a single request."""
    return (await completions(engine, [asked]))[asked.id]


def save_model(folder: Path, *, architecture: str = "llama", seed: int = 0, **config: Any) -> Path:
    """A tiny random model with a character tokenizer, as an ordinary Hugging Face folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    kinds: dict[str, Any] = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "mistral": (MistralConfig, MistralForCausalLM),
    }
    make_config, make_model = kinds[architecture]
    sizes = {
        "vocab_size": len(CHARACTERS) + 3,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    torch.manual_seed(seed)
    make_model(make_config(**sizes | config)).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path, *, template: str | None = TEMPLATE) -> None:
    """A tokenizer of which every character is a token."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = ["<pad>", "<bos>", "<eos>", *CHARACTERS]
    ids = {token: number for number, token in enumerate(vocabulary)}
    backend = Tokenizer(models.WordLevel(ids, unk_token="<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        chat_template=template,
    )
    tokenizer.save_pretrained(folder)
