"""Requests that wait for their batch: alike in what is done, and in padded length."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from debate.engines.base import Completion, Request
from debate.engines.local.encoding import Prompt
from debate.engines.local.padding import canonical_width


@dataclass(kw_only=True, eq=False)
class Job:
    """A request under way. `prompt` is set once encoded, `served` once its completion is sent."""

    request: Request
    mailbox: asyncio.Queue[Completion]
    arrived: float
    prompt: Prompt | None = None
    served: bool = False
    abandoned: bool = False
    """Nobody waits for it any more."""

    @property
    def group(self) -> Hashable:
        """What jobs of one batch have in common; it depends on the job alone."""
        assert self.prompt is not None, "a job is encoded before it is batched"
        candidates = self.prompt.candidates
        longest = canonical_width(max(map(len, candidates))) if candidates else None
        return canonical_width(len(self.prompt.ids)), longest


class Waiting:
    """Encoded jobs by group, oldest first."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, deque[Job]] = {}

    def extend(self, jobs: Iterable[Job]) -> None:
        """Let each job wait at the end of its group."""
        for job in jobs:
            self._groups.setdefault(job.group, deque()).append(job)

    def next_batch(self, size: int) -> list[Job]:
        """At most `size` jobs of the group whose first has waited longest; empty if none waits."""
        self._forget_abandoned()
        if not self._groups:
            return []
        group = min(self._groups, key=lambda name: self._groups[name][0].arrived)
        jobs = self._groups[group]
        batch = [jobs.popleft() for _ in range(min(size, len(jobs)))]
        if not jobs:
            del self._groups[group]
        return batch

    def _forget_abandoned(self) -> None:
        for name, jobs in list(self._groups.items()):
            kept = deque(job for job in jobs if not job.abandoned)
            if kept:
                self._groups[name] = kept
            else:
                del self._groups[name]
