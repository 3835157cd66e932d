"""Part d: prompt tokens served from the prefix cache, by what an ideal cache would serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from debate.bench.measure import Measure, Result, Skipped
from debate.config.models import LocalWeights, ModelSpec
from debate.engines.base import Request
from debate.types import Message, Turn

BLOCK = 16
"""Tokens of a block of vLLM's cache, which serves whole blocks only."""

CPU_BLOCK = 128
"""The same in vLLM's build for CPUs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A prompt, and the same with its reply, as a tokenizer reads them."""

    prompt: Sequence[int]
    with_reply: Sequence[int]


Reader = Callable[[Sequence[Turn]], list[Sent]]


def measure_prefixes(turns: Sequence[Turn], models: Mapping[str, ModelSpec]) -> Result:
    """The share of the ideal that was served; skipped where the engine does not tell.

    The turns must have kept their prompts.
    """
    engines = ", ".join(sorted({spec.engine for spec in models.values()}))
    what = f"{engines}: prompt tokens from the prefix cache"
    served = [turn.usage.cached_tokens for turn in turns]
    known = [tokens for tokens in served if tokens is not None]
    if len(known) < len(served) or not known:
        return Skipped(part="d", what=what, reason="the engine does not tell; vLLM does")
    ideals = {name: ideal_of(turns, name, spec) for name, spec in models.items()}
    if not sum(ideals.values()):
        return Skipped(part="d", what=what, reason="no prompt begins like an earlier one")
    blocks = sorted({block_of(spec) for spec in models.values()})
    return Measure(
        part="d",
        what=what,
        value=sum(known),
        unit="tokens",
        against=sum(ideals.values()),
        against_what="an ideal cache",
        note=f"whole blocks of {', '.join(map(str, blocks))}, of "
        f"{sum(turn.usage.prompt_tokens or 0 for turn in turns):,} prompt tokens in "
        f"{len(turns):,} calls",
    )


def ideal_of(turns: Sequence[Turn], model: str, spec: ModelSpec) -> int:
    """Tokens that an ideal cache would have served to one model."""
    own = [turn for turn in turns if turn.model == model]
    reader = tokens_of(spec.weights) if isinstance(spec, LocalWeights) else characters
    return sum(ideal_tokens(own, reader, block=block_of(spec)))


def ideal_tokens(turns: Sequence[Turn], read: Reader, *, block: int) -> list[int]:
    """For each turn of a model, the tokens of its prompt that an ideal cache would serve.

    Such a cache never forgets, and one that all replicas share: it serves each whole block of a
    prompt that begins like any prompt sent before, or like one with its reply where that has
    ended. The last token of a prompt is computed all the same.
    """
    sent = read(turns)
    seen: set[int] = set()
    ideal = [0] * len(turns)
    for number, is_begin in in_time(turns):
        if not is_begin:
            seen.update(chain(sent[number].with_reply, block))
            continue
        prompt = sent[number].prompt
        found = sum(1 for _ in takewhile(seen.__contains__, chain(prompt, block)))
        ideal[number] = block * min(found, max(0, len(prompt) - 1) // block)
        seen.update(chain(prompt, block))
    return ideal


def in_time(turns: Sequence[Turn]) -> Iterator[tuple[int, bool]]:
    """The beginning (True) and the end of each turn by its number, in the order of time."""
    ends = [(turn.finished_at, False, number) for number, turn in enumerate(turns)]
    begins = [(turn.started_at, True, number) for number, turn in enumerate(turns)]
    for _, is_begin, number in sorted(ends + begins):
        yield number, is_begin


def chain(ids: Sequence[int], block: int) -> Iterator[int]:
    """A key for each whole block, which stands for all that comes before it too.

    >>> first, second = chain((1, 2, 3, 4, 5), 2)
    >>> first == next(chain((1, 2, 9), 2)), second in set(chain((7, 7, 3, 4), 2))
    (True, False)
    """
    key = 0
    for start in range(0, len(ids) - block + 1, block):
        key = hash((key, tuple(ids[start : start + block])))
        yield key


def tokens_of(weights: str) -> Reader:
    """Reads with the tokenizer of a model."""

    def read(turns: Sequence[Turn]) -> list[Sent]:
        from transformers import AutoTokenizer

        from debate.engines.local.encoding import prompt_texts

        tokenizer = AutoTokenizer.from_pretrained(weights)
        asked = [Request(id=turn.ref, messages=turn.prompt or ()) for turn in turns]
        texts = prompt_texts(tokenizer, asked)
        replied = [text + turn.text for text, turn in zip(texts, turns, strict=True)]
        prompts: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
        whole: list[list[int]] = tokenizer(replied, add_special_tokens=False)["input_ids"]
        return [Sent(prompt=p, with_reply=w) for p, w in zip(prompts, whole, strict=True)]

    return read


def characters(turns: Sequence[Turn]) -> list[Sent]:
    """Reads where no tokenizer is at hand: pieces of text as long as a token is on average."""
    texts = ["".join(map(spelled, turn.prompt or ())) for turn in turns]
    num_tokens = sum(turn.usage.prompt_tokens or 0 for turn in turns)
    width = max(1.0, sum(map(len, texts)) / max(1, num_tokens))
    replied = [
        text + spelled(Message(role="assistant", content=turn.text))
        for text, turn in zip(texts, turns, strict=True)
    ]
    return [
        Sent(prompt=pieces(text, width), with_reply=pieces(whole, width))
        for text, whole in zip(texts, replied, strict=True)
    ]


def spelled(message: Message) -> str:
    """A message as text, told apart from its neighbours."""
    return f"{message.role}\n{message.content}\0"


def pieces(text: str, width: float) -> list[int]:
    """A key for each piece of the text, from the front on.

    >>> pieces("abcdefg", 2.5)[:2] == pieces("abcdexy", 2.5)[:2]
    True
    """
    ends = [int(n * width) for n in range(1 + int(len(text) / width))]
    return [hash(text[start:end]) for start, end in pairwise(ends)]


def block_of(spec: ModelSpec) -> int:
    """The size of a block of the prefix cache, in tokens."""
    kwargs = getattr(spec, "engine_kwargs", {})
    return int(kwargs.get("block_size") or (BLOCK if spec.gpus else CPU_BLOCK))
