"""Part d: prompt tokens served from the prefix cache, by what an ideal cache would serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise, takewhile
from pathlib import Path

from debate.bench.throughput import COMPARABLE, select_calls
from debate.bench.workloads import (
    Measurement,
    Result,
    Results,
    SkippedMeasurement,
    make_long_prompt_config,
    time_run,
)
from debate.config.loader import load_run
from debate.config.models import LocalWeights, ModelSpec
from debate.engines.base import Request
from debate.runner.plan import make_plan
from debate.types import Message, Turn

BLOCK_SIZE = 16
"""Tokens per block of vLLM's cache, which serves whole blocks only."""

CPU_BLOCK_SIZE = 128
"""Tokens per block in vLLM's build for CPUs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentTokens:
    """A prompt, and the same with its reply, as token ids."""

    prompt: Sequence[int]
    with_reply: Sequence[int]


TokenReader = Callable[[Sequence[Turn]], list[SentTokens]]


def measure_prefix_cache(folder: Path, *, quick: bool, config: str | None = None) -> Results:
    """Measure one debate at engines started for it.

    `config` is a run of the user's own; by default a random model debates with long prompts.
    """
    if config is None and find_spec("vllm") is None:
        what = "vllm: prompt tokens from the prefix cache"
        yield SkippedMeasurement(part="d", what=what, reason="vLLM is not installed here")
        return
    wanted = config or make_long_prompt_config(folder, quick=quick)
    overrides = [*COMPARABLE, "log.prompts=true"]
    models = make_plan(load_run(wanted, overrides)).models
    run = time_run(wanted, folder / "reread", overrides=overrides)
    yield compare_with_ideal(select_calls(run.read_turns()), models)


def compare_with_ideal(turns: Sequence[Turn], models: Mapping[str, ModelSpec]) -> Result:
    """Compare the cached tokens with the ideal; skipped where the engine does not tell them.

    The turns must have kept their prompts.
    """
    engines = ", ".join(sorted({spec.engine for spec in models.values()}))
    what = f"{engines}: prompt tokens from the prefix cache"
    served = [turn.usage.cached_tokens for turn in turns]
    known = [tokens for tokens in served if tokens is not None]
    if len(known) < len(served) or not known:
        return SkippedMeasurement(part="d", what=what, reason="the engine does not tell; vLLM does")
    ideal = sum(count_ideal_tokens(turns, name, spec) for name, spec in models.items())
    if not ideal:
        reason = "no prompt begins like an earlier one"
        return SkippedMeasurement(part="d", what=what, reason=reason)
    blocks = sorted({get_block_size(spec) for spec in models.values()})
    return Measurement(
        part="d",
        what=what,
        value=sum(known),
        unit="tokens",
        against=ideal,
        against_what="an ideal cache",
        note=f"whole blocks of {', '.join(map(str, blocks))}, of "
        f"{sum(turn.usage.prompt_tokens or 0 for turn in turns):,} prompt tokens in "
        f"{len(turns):,} calls",
    )


def count_ideal_tokens(turns: Sequence[Turn], model: str, spec: ModelSpec) -> int:
    """Count the tokens that an ideal cache would have served to one model."""
    own = [turn for turn in turns if turn.model == model]
    read: TokenReader = read_as_characters
    if isinstance(spec, LocalWeights):
        read = make_tokenizer_reader(spec.weights)
    return sum(compute_ideal_tokens(own, read, block_size=get_block_size(spec)))


def compute_ideal_tokens(turns: Sequence[Turn], read: TokenReader, *, block_size: int) -> list[int]:
    """Return, for each turn of a model, the prompt tokens that an ideal cache would serve.

    Such a cache never forgets, and all replicas share it. It serves each whole block of a prompt
    that begins like any prompt sent before, or like one with its reply where that has ended. The
    last token of a prompt is always computed.
    """
    sent = read(turns)
    seen: set[int] = set()
    ideal = [0] * len(turns)
    for number, is_start in order_events(turns):
        if not is_start:
            seen.update(hash_blocks(sent[number].with_reply, block_size))
            continue
        prompt = sent[number].prompt
        found = sum(1 for _ in takewhile(seen.__contains__, hash_blocks(prompt, block_size)))
        ideal[number] = block_size * min(found, max(0, len(prompt) - 1) // block_size)
        seen.update(hash_blocks(prompt, block_size))
    return ideal


def order_events(turns: Sequence[Turn]) -> Iterator[tuple[int, bool]]:
    """Yield the start (True) and the end of each turn by its index, in the order of time."""
    ends = [(turn.finished_at, False, number) for number, turn in enumerate(turns)]
    starts = [(turn.started_at, True, number) for number, turn in enumerate(turns)]
    for _, is_start, number in sorted(ends + starts):
        yield number, is_start


def hash_blocks(ids: Sequence[int], block_size: int) -> Iterator[int]:
    """Yield a hash for each whole block, of the block and all that comes before it.

    >>> first, second = hash_blocks((1, 2, 3, 4, 5), 2)
    >>> first == next(hash_blocks((1, 2, 9), 2)), second in set(hash_blocks((7, 7, 3, 4), 2))
    (True, False)
    """
    key = 0
    for start in range(0, len(ids) - block_size + 1, block_size):
        key = hash((key, tuple(ids[start : start + block_size])))
        yield key


def make_tokenizer_reader(weights: str) -> TokenReader:
    """Return a reader that uses the tokenizer of a model."""

    def read(turns: Sequence[Turn]) -> list[SentTokens]:
        from transformers import AutoTokenizer

        from debate.engines.hf.tokenization import render_prompts

        tokenizer = AutoTokenizer.from_pretrained(weights)
        asked = [Request(id=turn.ref, messages=turn.prompt or ()) for turn in turns]
        texts = [prompt.text for prompt in render_prompts(tokenizer, asked)]
        replied = [text + turn.text for text, turn in zip(texts, turns, strict=True)]
        prompts: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
        whole: list[list[int]] = tokenizer(replied, add_special_tokens=False)["input_ids"]
        return [SentTokens(prompt=p, with_reply=w) for p, w in zip(prompts, whole, strict=True)]

    return read


def read_as_characters(turns: Sequence[Turn]) -> list[SentTokens]:
    """Read without a tokenizer: as pieces of text as long as a token is on average."""
    texts = ["".join(map(format_message, turn.prompt or ())) for turn in turns]
    num_tokens = sum(turn.usage.prompt_tokens or 0 for turn in turns)
    width = max(1.0, sum(map(len, texts)) / max(1, num_tokens))
    replied = [
        text + format_message(Message(role="assistant", content=turn.text))
        for text, turn in zip(texts, turns, strict=True)
    ]
    return [
        SentTokens(prompt=hash_pieces(text, width), with_reply=hash_pieces(whole, width))
        for text, whole in zip(texts, replied, strict=True)
    ]


def format_message(message: Message) -> str:
    """Return a message as text, told apart from its neighbours."""
    return f"{message.role}\n{message.content}\0"


def hash_pieces(text: str, width: float) -> list[int]:
    """Return a hash for each piece of the text, from the front on.

    >>> hash_pieces("abcdefg", 2.5)[:2] == hash_pieces("abcdexy", 2.5)[:2]
    True
    """
    ends = [int(n * width) for n in range(1 + int(len(text) / width))]
    return [hash(text[start:end]) for start, end in pairwise(ends)]


def get_block_size(spec: ModelSpec) -> int:
    """Return the size of a block of the prefix cache, in tokens."""
    kwargs = getattr(spec, "engine_kwargs", {})
    return int(kwargs.get("block_size") or (BLOCK_SIZE if spec.gpus else CPU_BLOCK_SIZE))
