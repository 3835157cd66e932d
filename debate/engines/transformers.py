"""Hugging Face transformers in one process: batches of like requests, one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from debate.config.models import TransformersModel
from debate.engines.base import Capabilities, Completion, Request
from debate.engines.local.batches import Job, Waiting
from debate.engines.outcomes import failed, refusal
from debate.engines.registry import capabilities
from debate.engines.streaming import drained
from debate.errors import EngineError, boundary

if TYPE_CHECKING:
    from debate.engines.local.runner import Runner


class TransformersEngine:
    """Overlapping calls share batches; a reply depends on its own request only.

    All that touches the model runs in one thread of its own, so that the event loop stays free.
    """

    def __init__(self, spec: TransformersModel) -> None:
        self.spec = spec
        self._place = f"transformers: {spec.weights}"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transformers")
        self._inbox: list[Job] = []
        self._unserved: set[Job] = set()
        self._wake = asyncio.Event()
        self._runner: Runner | None = None
        self._worker: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Log-probabilities of tokens and of candidates; no constraints on what is generated."""
        return capabilities(self.spec)

    async def start(self) -> None:
        """Load the model. Raises EngineError for a folder, model or device that cannot be used."""
        loop = asyncio.get_running_loop()
        with boundary(EngineError, self._place):
            self._runner = await loop.run_in_executor(self._thread, self._load, loop)
        self._worker = loop.create_task(self._work(self._runner))
        self._worker.add_done_callback(lambda _: self._give_up())

    async def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield completions as they finish, also from the middle of a batch."""
        mailbox: asyncio.Queue[Completion] = asyncio.Queue()
        now = time.monotonic()
        jobs = [Job(request=request, mailbox=mailbox, arrived=now) for request in requests]
        for job in jobs:
            self._admit(job)
        self._wake.set()
        num_left = len(jobs)
        try:
            while num_left:
                batch = await drained(mailbox)
                num_left -= len(batch)
                yield batch
        finally:
            for job in jobs:
                job.abandoned = True
                self._unserved.discard(job)

    async def sleep(self) -> None:
        """Move the weights to the machine's memory; on a CPU they are there already."""
        assert self._runner is not None, "sleep before start"
        await self._move(self._runner.sleep)

    async def wake(self) -> None:
        """Move the weights back to the device."""
        assert self._runner is not None, "wake before start"
        await self._move(self._runner.wake)

    async def _move(self, move: Callable[[], None]) -> None:
        with boundary(EngineError, self._place):
            await asyncio.get_running_loop().run_in_executor(self._thread, move)

    async def close(self) -> None:
        """Free the model. A batch that is running ends first; what waits after it fails."""
        if self._worker is not None and self._runner is not None:
            self._worker.cancel()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._runner.free)
        self._worker = self._runner = None
        self._thread.shutdown()

    def _give_up(self) -> None:
        """Nothing works here any more: fail all that nobody will serve."""
        jobs = [*self._unserved]
        self._deliver(
            [(job, failed(job.request, self._place, "the engine stopped")) for job in jobs]
        )

    def _load(self, loop: asyncio.AbstractEventLoop) -> Runner:
        from debate.engines.local.runner import Runner

        def send(completions: list[tuple[Job, Completion]]) -> None:
            loop.call_soon_threadsafe(self._deliver, completions)

        return Runner(self.spec, send)

    def _admit(self, job: Job) -> None:
        """Take a job in, unless the engine is not there or cannot do what it asks."""
        refused = refusal(job.request, self.capabilities, self._place)
        if self._worker is None or self._worker.done():
            refused = failed(job.request, self._place, "the engine is not running")
        self._unserved.add(job)
        if refused is not None:
            self._deliver([(job, refused)])
            return
        self._inbox.append(job)

    def _deliver(self, completions: Sequence[tuple[Job, Completion]]) -> None:
        for job, completion in completions:
            if job in self._unserved:
                self._unserved.discard(job)
                job.mailbox.put_nowait(completion)

    async def _work(self, runner: Runner) -> None:
        """Encode what has come in, run the batch that has waited longest, and so on."""
        loop = asyncio.get_running_loop()
        waiting = Waiting()
        while True:
            await self._wake.wait()
            fresh, self._inbox = [job for job in self._inbox if not job.abandoned], []
            if fresh:
                await loop.run_in_executor(self._thread, runner.encode, fresh)
                waiting.extend(job for job in fresh if not job.served)
            batch = waiting.next_batch(self.spec.max_batch_size)
            if batch:
                await loop.run_in_executor(self._thread, runner.run, batch)
            elif not self._inbox:
                self._wake.clear()
