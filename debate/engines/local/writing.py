"""One reply as it grows: texts of tokens, stop strings, limits."""

from __future__ import annotations

import math
import random
from typing import Any, NamedTuple

from debate.engines.base import Token
from debate.engines.local.encoding import Ids, Prompt
from debate.engines.local.weights import Weights
from debate.engines.pieces import aligned, earliest_stop

_CONTEXT_IDS = 6
"""Prompt tokens that the decoding of a reply's first token needs to see (leading spaces)."""


class Generated(NamedTuple):
    """A reply that has ended: its row, text, tokens, why it ended, how many were generated."""

    row: int
    text: str
    tokens: tuple[Token, ...]
    finish_reason: str
    num_generated: int


class Writer:
    """One row's reply as it grows. The end of the turn and stop strings are not part of it."""

    def __init__(self, weights: Weights, prompt: Prompt, row: int) -> None:
        self.sampling = prompt.request.sampling
        seed = self.sampling.seed
        self.randomness = random.Random(prompt.request.id if seed is None else seed)
        self._row = row
        self._eos_ids = weights.eos_ids
        self._decoder = Decoder(weights.tokenizer, prompt.ids)
        self._limit = min(self.sampling.max_tokens, _room(weights, prompt))
        self._overlap = max(map(len, self.sampling.stop), default=1) - 1
        self._text = ""
        self._texts: list[str] = []
        self._log_p: list[float] = []

    def write(self, token_id: int, log_p: float) -> Generated | None:
        """Take the next token; the whole reply where it ends with this token, else None."""
        if math.isnan(log_p):
            return self._ended(BROKEN)
        if token_id in self._eos_ids:
            return self._ended("stop", num_unseen=1)
        start = max(0, len(self._text) - self._overlap)
        self._texts.append(self._decoder.step(token_id))
        self._log_p.append(log_p)
        self._text += self._texts[-1]
        stop = earliest_stop(self._text, self.sampling.stop, start=start)
        if stop is not None:
            self._text = self._text[:stop]
            return self._ended("stop")
        return self._ended("length") if len(self._log_p) >= self._limit else None

    def _ended(self, reason: str, num_unseen: int = 0) -> Generated:
        tokens = aligned(self._texts, self._log_p, self._text)
        assert tokens is not None, "a reply is spelled by its tokens"
        return Generated(self._row, self._text, tokens, reason, len(self._log_p) + num_unseen)


BROKEN = "broken"
"""Why a reply ended whose logits are not numbers."""


def _room(weights: Weights, prompt: Prompt) -> float:
    """Tokens that fit after the prompt."""
    return math.inf if weights.max_length is None else weights.max_length - len(prompt.ids)


class Decoder:
    """Texts of tokens one after another; a character belongs to the token that completes it."""

    def __init__(self, tokenizer: Any, prompt: Ids) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        self._ids = [*prompt[-_CONTEXT_IDS:]]
        self._stream = DecodeStream(ids=self._ids, skip_special_tokens=True)
        self._said = "" if self._backend else self._decoded()

    def step(self, token_id: int) -> str:
        """The text that this token completes, perhaps none."""
        if self._backend is not None:
            return self._stream.step(self._backend, token_id) or ""
        self._ids.append(token_id)
        text = self._decoded()
        if text.endswith("\ufffd"):
            return ""
        said, self._said = self._said, text
        return text[len(said) :]

    def _decoded(self) -> str:
        text: str = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        return text
