"""Requests that wait for a batch of like ones, and the lengths that batches are padded to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from debate.engines.base import Completion, Request
from debate.engines.hf.tokenization import EncodedPrompt


@dataclass(kw_only=True, eq=False)
class Job:
    """A request that waits for its batch or is in one.

    `adapter` is the folder of the adapter that answers it, None for the base. `prompt` is set once
    it is encoded, `served` once its completion is sent, `abandoned` once its caller has left.
    """

    request: Request
    mailbox: asyncio.Queue[Completion]
    arrived: float
    adapter: str | None = None
    prompt: EncodedPrompt | None = None
    served: bool = False
    abandoned: bool = False

    @property
    def group(self) -> Hashable:
        """The adapter and padded lengths that all jobs of a batch have; they depend on the job."""
        assert self.prompt is not None, "a job is encoded before it is batched"
        candidates = self.prompt.candidates
        longest = compute_padded_length(max(map(len, candidates))) if candidates else None
        return self.adapter, compute_padded_length(len(self.prompt.ids)), longest


class JobQueue:
    """Encoded jobs by group, oldest first."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, deque[Job]] = {}

    def extend(self, jobs: Iterable[Job]) -> None:
        """Add each job at the end of its group."""
        for job in jobs:
            self._groups.setdefault(job.group, deque()).append(job)

    def take_batch(self, size: int) -> list[Job]:
        """Take at most `size` jobs of the group whose first has waited longest, if any."""
        self._drop_abandoned()
        if not self._groups:
            return []
        group = min(self._groups, key=lambda name: self._groups[name][0].arrived)
        jobs = self._groups[group]
        batch = [jobs.popleft() for _ in range(min(size, len(jobs)))]
        if not jobs:
            del self._groups[group]
        return batch

    def _drop_abandoned(self) -> None:
        for name, jobs in list(self._groups.items()):
            kept = deque(job for job in jobs if not job.abandoned)
            if kept:
                self._groups[name] = kept
            else:
                del self._groups[name]


def compute_padded_length(length: int) -> int:
    """Compute the padded length of a prompt, at most a fifth of which is padding.

    It depends on the prompt's length alone, so that a reply depends on no other in its batch.

    >>> [compute_padded_length(length) for length in (1, 16, 17, 100, 1000)]
    [8, 16, 24, 112, 1024]
    """
    step = max(8, 1 << max(0, (length - 1).bit_length() - 3))
    return -(-length // step) * step


def pad_rows(rows: Sequence[int], multiple: int) -> list[int]:
    """Return row numbers, the first repeated until there are a multiple of `multiple`.

    >>> pad_rows([3, 5, 6], 4)
    [3, 5, 6, 3]
    """
    missing = -len(rows) % multiple
    return [*rows, *[rows[0] for _ in range(missing)]]
