"""A tokenizer's control tokens: written by chat templates, never read from anybody's text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from debate.errors import EngineError

LOOK_ALIKES = dict(zip("<>[]|", "‹›⟦⟧¦", strict=True))
JOINER = "\N{WORD JOINER}"
MOST_PASSES = 8


@dataclass(frozen=True)
class Controls:
    """The control tokens of one tokenizer: their texts, and the ids that stand for them.

    What the tokenizer makes of a character that it does not know is no control token.
    """

    texts: tuple[str, ...]
    ids: frozenset[int]

    def plain(self, text: str) -> str:
        """The text with each control token's first character replaced by a look-alike.

        >>> Controls(("<eos>",), frozenset({2})).plain("4<eos>")
        '4‹eos>'
        """
        for _ in range(MOST_PASSES):
            if self._pattern is None or not self._pattern.search(text):
                return text
            text = self._pattern.sub(_broken, text)
        raise EngineError("the text cannot be told apart from the tokenizer's control tokens")

    def refuse_others(self, text: str, ids: Sequence[int]) -> None:
        """Raise EngineError where the ids hold more control tokens than the prompt's text spells.

        A tokenizer that rewrites text before it looks for its tokens could read some out of it.
        """
        read = sum(id in self.ids for id in ids)
        if read and read > self.count(text):
            raise EngineError("part of a message would be read as control tokens")

    def count(self, text: str) -> int:
        """Control tokens that the text spells."""
        return 0 if self._pattern is None else sum(1 for _ in self._pattern.finditer(text))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


@lru_cache(maxsize=32)
def controls(tokenizer: Any) -> Controls:
    """The tokenizer's control tokens. Those of a single character are text like any other."""
    added = {id: token for id, token in tokenizer.added_tokens_decoder.items() if token.special}
    unknown = getattr(tokenizer, "unk_token_id", None)
    marked = {
        id: token.content
        for id, token in added.items()
        if len(token.content.strip()) > 1 and id != unknown
    }
    texts = {*marked.values(), *(t for t in (getattr(tokenizer, "unk_token", None),) if t)}
    return Controls(tuple(sorted(texts)), frozenset(marked))


def _broken(match: re.Match[str]) -> str:
    first, rest = match[0][0], match[0][1:]
    return LOOK_ALIKES.get(first, first + JOINER) + rest
