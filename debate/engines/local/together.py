"""Prompts of many requests, encoded some at a time: one by one costs several times as much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from debate.engines.base import Request
from debate.engines.local.encoding import Prompt, encode

AT_ONCE = 64
"""So few that nothing else waits for long while they are encoded."""


class Encoding:
    """The prompts of requests with distinct ids; each is there once somebody asks for it."""

    def __init__(self, tokenizer: Any, requests: Sequence[Request]) -> None:
        self._tokenizer = tokenizer
        groups = [requests[start : start + AT_ONCE] for start in range(0, len(requests), AT_ONCE)]
        self._groups: dict[str, Sequence[Request]] = {
            request.id: group for group in groups for request in group
        }
        self._prompts: dict[str, Prompt] = {}

    def of(self, request: Request) -> Prompt:
        """The prompt of one of the requests, encoded with its neighbours.

        Raises what is wrong with this request alone.
        """
        if request.id not in self._prompts:
            self._encode(self._groups[request.id])
        if request.id in self._prompts:
            return self._prompts.pop(request.id)
        return encode(self._tokenizer, [request])[0]

    def _encode(self, group: Sequence[Request]) -> None:
        """Encode a group; where one of them cannot be, each is left to be encoded alone."""
        if not group:
            return
        try:
            prompts = encode(self._tokenizer, group)
        except Exception:
            self._groups |= {request.id: () for request in group}
        else:
            self._prompts |= {prompt.request.id: prompt for prompt in prompts}
