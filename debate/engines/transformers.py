"""Hugging Face transformers in one process: batches of like requests, one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from debate.config.models import TransformersModel
from debate.engines.adapter_files import list_adapters
from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    drain_queue,
    fail_request,
    refuse_unsupported,
)
from debate.engines.hf.batching import Job, JobQueue
from debate.engines.registry import get_capabilities
from debate.errors import EngineError, boundary

if TYPE_CHECKING:
    from debate.engines.hf.runner import BatchRunner


class TransformersEngine:
    """A transformers model, whose batches are shared by overlapping calls.

    A reply depends on its own request only. The model is used in one thread of its own, so that the
    event loop stays free. It answers as its spec says, and by each of `adapters` (folders) where
    one is asked for.
    """

    def __init__(self, spec: TransformersModel, *, adapters: Sequence[str] = ()) -> None:
        self.spec = spec
        self._adapters = list_adapters(spec, adapters)
        self._place = f"transformers: {spec.weights}"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="transformers")
        self._inbox: list[Job] = []
        self._unserved: set[Job] = set()
        self._wake = asyncio.Event()
        self._runner: BatchRunner | None = None
        self._worker: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Log-probabilities of tokens and of candidates; no constraints on what is generated."""
        return get_capabilities(self.spec)

    async def start(self) -> None:
        """Load the model. Raises EngineError for a folder, model or device that cannot be used."""
        loop = asyncio.get_running_loop()
        with boundary(EngineError, self._place):
            self._runner = await loop.run_in_executor(self._thread, self._load, loop)
        self._worker = loop.create_task(self._work(self._runner))
        self._worker.add_done_callback(lambda _: self._fail_unserved())

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield completions as they finish, also from the middle of a batch."""
        return self._complete(requests, self.spec.adapter)

    def complete_with(
        self, adapter: str, requests: Sequence[Request]
    ) -> AsyncIterator[Sequence[Completion]]:
        """Do the same by one of the engine's adapters."""
        return self._complete(requests, adapter)

    async def _complete(
        self, requests: Sequence[Request], adapter: str | None
    ) -> AsyncIterator[Sequence[Completion]]:
        mailbox: asyncio.Queue[Completion] = asyncio.Queue()
        now = time.monotonic()
        jobs = [
            Job(request=request, mailbox=mailbox, arrived=now, adapter=adapter)
            for request in requests
        ]
        for job in jobs:
            self._admit(job)
        self._wake.set()
        num_left = len(jobs)
        try:
            while num_left:
                batch = await drain_queue(mailbox)
                num_left -= len(batch)
                yield batch
        finally:
            for job in jobs:
                job.abandoned = True
                self._unserved.discard(job)

    def describe(self) -> Mapping[str, str]:
        """Return the device, the type of the weights, attention kernels, and switches of torch."""
        assert self._runner is not None, "describe before start"
        return self._runner.describe()

    async def sleep(self) -> None:
        """Move the weights to the machine's memory; on a CPU they are there already."""
        assert self._runner is not None, "sleep before start"
        await self._run_in_thread(self._runner.sleep)

    async def wake(self) -> None:
        """Move the weights back to the device."""
        assert self._runner is not None, "wake before start"
        await self._run_in_thread(self._runner.wake)

    async def _run_in_thread(self, work: Callable[[], None]) -> None:
        with boundary(EngineError, self._place):
            await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        """Free the model. A batch that is running ends first; requests that wait after it fail."""
        if self._worker is not None and self._runner is not None:
            self._worker.cancel()
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._runner.free)
        self._worker = self._runner = None
        self._thread.shutdown()

    def _fail_unserved(self) -> None:
        """Fail all jobs that are not served: no batch runs any more."""
        jobs = [*self._unserved]
        self._deliver(
            [(job, fail_request(job.request, self._place, "the engine stopped")) for job in jobs]
        )

    def _load(self, loop: asyncio.AbstractEventLoop) -> BatchRunner:
        from debate.engines.hf.runner import BatchRunner

        def send(completions: list[tuple[Job, Completion]]) -> None:
            loop.call_soon_threadsafe(self._deliver, completions)

        return BatchRunner(self.spec, send, self._adapters)

    def _admit(self, job: Job) -> None:
        """Queue a job, or fail it where the engine is not running or cannot do what it asks."""
        refused = refuse_unsupported(job.request, self.capabilities, self._place)
        if self._worker is None or self._worker.done():
            refused = fail_request(job.request, self._place, "the engine is not running")
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

    async def _work(self, runner: BatchRunner) -> None:
        """Encode new jobs, run the batch that has waited longest, and so on."""
        loop = asyncio.get_running_loop()
        queue = JobQueue()
        while True:
            await self._wake.wait()
            fresh, self._inbox = [job for job in self._inbox if not job.abandoned], []
            if fresh:
                await loop.run_in_executor(self._thread, runner.encode, fresh)
                queue.extend(job for job in fresh if not job.served)
            batch = queue.take_batch(self.spec.max_batch_size)
            if batch:
                await loop.run_in_executor(self._thread, runner.run, batch)
            elif not self._inbox:
                self._wake.clear()
