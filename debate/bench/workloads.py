"""The debates that `debate bench` runs: configurations, questions, timed runs, measurements."""

from __future__ import annotations

import asyncio
import json
import random
import string
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debate.bench import Part
from debate.cluster.resources import count_local_gpus
from debate.config.loader import load_run
from debate.log.files import TURNS, list_shards, read_values
from debate.runner.execute import execute
from debate.runner.plan import make_plan
from debate.terminal import make_console
from debate.types import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One number, and the number that it is compared with: a lower bound, or a bare loop.

    `against` is None where there is nothing to compare with.
    """

    part: Part
    what: str
    value: float
    unit: str
    against: float | None = None
    against_what: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """`value` by `against`."""
        return None if not self.against else self.value / self.against


@dataclass(frozen=True, kw_only=True, slots=True)
class SkippedMeasurement:
    """A measurement that was not made, and the reason."""

    part: Part
    what: str
    reason: str


Result = Measurement | SkippedMeasurement
Results = Iterator[Result]


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

NAMES = "abcdefghijklmnopqrstuvwxyz"

MAX_LENGTH = 4096
LONG_PROMPT_KWARGS = {
    "max_model_len": MAX_LENGTH,
    "block_size": 32,
    "kv_cache_memory_bytes": 512 * 2**20,
}
"""vLLM arguments for long prompts. The cache holds all prompts of the debate, so that none need be
evicted. 32 is the smallest block that every build of vLLM takes."""

LONG_PROMPT_CPU_KWARGS = {"enforce_eager": True, "max_num_seqs": 32}
"""vLLM arguments on CPUs: batches small enough that the debates keep them full."""

WORDS = "apples trains weighs carries each hour twice before remaining costs river seven half"

SPECIAL_TOKENS = ("<pad>", "<|begin|>", "<|end|>", "<unk>")
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{{ message['role'] + '\\n' + message['content'] + eos_token }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}"
)
"""Appends only: a prompt begins with the whole text of the prompts that it continues."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedRun:
    """A run that was made.

    `wall_s` and `cpu_s` (of this process) cover the whole run: opening the directory, starting
    models, debating, closing.
    """

    directory: Path
    num_turns: int
    wall_s: float
    cpu_s: float

    def read_turns(self) -> list[Turn]:
        """Return every turn, as logged."""
        return read_turns(self.directory)


def time_run(
    config: Mapping[str, Any] | str, directory: Path, *, overrides: Sequence[str] = ()
) -> TimedRun:
    """Make the run in this process. Raises InputError and BoundaryError as a run does."""
    plan = make_plan(load_run(config, overrides))
    wall, cpu = time.perf_counter(), time.process_time()
    console = make_console(stderr=True)
    outcome = asyncio.run(execute(plan, directory, console=console, quiet=True, preflight=False))
    return TimedRun(
        directory=directory,
        num_turns=outcome.progress.turns,
        wall_s=time.perf_counter() - wall,
        cpu_s=time.process_time() - cpu,
    )


def read_turns(directory: Path) -> list[Turn]:
    """Return every turn of a run directory."""
    files = list_shards(directory, TURNS)
    return [turn for path in files for turn in read_values(path, Turn)]


def compute_makespan_s(turns: Sequence[Turn]) -> float:
    """Return the seconds from the first call to the last turn's end."""
    return max(turn.finished_at for turn in turns) - min(turn.started_at for turn in turns)


def make_seats(models: Sequence[Mapping[str, Any]], **fields: Any) -> list[dict[str, Any]]:
    """Return one agent per model, named a, b, c, …"""
    return [
        {"id": name, "model": dict(model), **fields}
        for name, model in zip(NAMES, models, strict=False)
    ]


def write_questions(folder: Path, num: int) -> dict[str, Any]:
    """Write `num` short number questions to a file of the folder, and return their task."""
    rows = (
        {"id": f"q{n}", "question": f"What is {n} + {n + 1}?", "answer": str(2 * n + 1)}
        for n in range(num)
    )
    return _write_task(folder / f"questions-{num}.jsonl", rows)


def write_long_questions(folder: Path, num: int) -> dict[str, Any]:
    """Write questions of some 100 words, each different from its first word on."""
    rows = (
        {"id": f"q{n}", "question": f"{_make_long_text(n)}. How many?", "answer": str(n)}
        for n in range(num)
    )
    return _write_task(folder / "long-questions.jsonl", rows)


def _make_long_text(number: int) -> str:
    rng = random.Random(number)
    return " ".join([f"Case {number}.", *rng.choices(WORDS.split(), k=100)])


def _write_task(path: Path, rows: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return {"path": str(path), "kind": "number"}


def make_long_prompt_config(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Return a run whose prompts are as long as real ones, of a model that costs almost nothing.

    The prompts grow to a hundred cache blocks: long questions, replies of a hundred tokens, and
    all agents heard over three rounds. The replies are random text.
    """
    gpus = 0.4 if count_local_gpus() else 0
    kwargs = LONG_PROMPT_KWARGS if gpus else LONG_PROMPT_KWARGS | LONG_PROMPT_CPU_KWARGS
    model = {
        "engine": "vllm",
        "model": str(write_random_model(folder / "model", max_length=MAX_LENGTH)),
        "replicas": 1 if quick else 2,
        "gpus": gpus,
        "engine_kwargs": kwargs,
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


def write_random_model(
    folder: Path,
    *,
    max_length: int,
    seed: int = 0,
    tokenizer: PreTrainedTokenizerFast | None = None,
    **shape: Any,
) -> Path:
    """Write a Llama of random weights; by default one layer, and a token per printable character.

    `shape` overrides fields of its configuration.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = tokenizer or make_character_tokenizer()
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


def make_character_tokenizer(
    characters: str = string.printable, *, template: str = CHAT_TEMPLATE
) -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token for each of the characters; any other is unknown."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: number for number, token in enumerate([*SPECIAL_TOKENS, *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIAL_TOKENS[3]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=SPECIAL_TOKENS[0],
        bos_token=SPECIAL_TOKENS[1],
        eos_token=SPECIAL_TOKENS[2],
        unk_token=SPECIAL_TOKENS[3],
        chat_template=template,
        clean_up_tokenization_spaces=False,
    )
