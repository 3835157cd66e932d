"""Part d: prompt tokens served from the prefix cache, by what an ideal cache would serve."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from debate.bench.measure import Measure, Result, Skipped
from debate.types import Message, Turn

BLOCK = 16
"""Tokens of a block of vLLM's cache, which serves whole blocks only."""

Prompt = tuple[Message, ...]


def measure_prefixes(turns: Sequence[Turn], engines: str, *, block: int = BLOCK) -> Result:
    """The share of the ideal that was served; skipped where the engine does not tell.

    The turns must have kept their prompts.
    """
    what = f"{engines}: prompt tokens from the prefix cache"
    served = [turn.usage.cached_tokens for turn in turns]
    known = [tokens for tokens in served if tokens is not None]
    if len(known) < len(served) or not known:
        return Skipped(part="d", what=what, reason="the engine does not tell; vLLM does")
    ideal = sum(ideal_tokens(turns, block=block))
    if not ideal:
        return Skipped(part="d", what=what, reason="no prompt begins like an earlier one")
    return Measure(
        part="d",
        what=what,
        value=sum(known),
        unit="tokens",
        against=ideal,
        against_what="an ideal cache",
        note=f"whole blocks of {block}, of {sum(map(_prompt_tokens, turns)):,} prompt tokens",
    )


def ideal_tokens(turns: Sequence[Turn], *, block: int = BLOCK) -> list[int]:
    """For each turn, the tokens of its prompt that a cache which never forgets has seen before.

    Those are the tokens of the longest prompt, or prompt with its reply, that the same model had
    seen by then and that this prompt begins with, message by message, in whole blocks.
    """
    ends = [(turn.finished_at, 0, number) for number, turn in enumerate(turns)]
    begins = [(turn.started_at, 1, number) for number, turn in enumerate(turns)]
    seen: dict[str, dict[Prompt, int]] = defaultdict(dict)
    ideal = [0] * len(turns)
    for _, is_begin, number in sorted(ends + begins):
        turn = turns[number]
        if is_begin:
            ideal[number] = _served(turn, seen[turn.model], block)
        else:
            seen[turn.model] |= _leaves(turn)
    return ideal


def _leaves(turn: Turn) -> dict[Prompt, int]:
    """What a turn leaves in the cache: its prompt, and its prompt with the reply."""
    prompt, tokens = turn.prompt or (), _prompt_tokens(turn)
    reply = Message(role="assistant", content=turn.text)
    return {prompt: tokens, (*prompt, reply): tokens + (turn.usage.generated_tokens or 0)}


def _served(turn: Turn, seen: Mapping[Prompt, int], block: int) -> int:
    """Of a prompt that was seen before in full, the last token is computed all the same."""
    prompt = turn.prompt or ()
    lengths = (seen.get(prompt[:length], 0) for length in range(len(prompt), 0, -1))
    longest = next((tokens for tokens in lengths if tokens), 0)
    return block * (min(longest, max(0, _prompt_tokens(turn) - 1)) // block)


def _prompt_tokens(turn: Turn) -> int:
    return turn.usage.prompt_tokens or 0
