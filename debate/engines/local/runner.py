"""What runs beside the event loop: encoding and batches, errors turned into failures."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import torch

from debate.config.models import TransformersModel
from debate.engines.base import Completion
from debate.engines.local.batches import Job
from debate.engines.local.decoding import generate
from debate.engines.local.encoding import Prompt, checked, encode
from debate.engines.local.scoring import score
from debate.engines.local.weights import is_out_of_memory, load
from debate.engines.local.writing import BROKEN, Generated
from debate.engines.outcomes import failed
from debate.errors import EngineError
from debate.types import Usage

Send = Callable[[list[tuple[Job, Completion]]], None]


class Runner:
    """A loaded model at work in one thread. Everything that it finishes or fails goes to `send`."""

    def __init__(self, spec: TransformersModel, send: Send) -> None:
        """Load the model. Raises EngineError."""
        torch.set_num_threads(spec.threads or max(1, round(spec.cpus)))
        self.weights = load(spec)
        self._spec = spec
        self._place = f"transformers: {spec.weights}"
        self._send = send

    def sleep(self) -> None:
        """Move the weights off a GPU."""
        if self._is_on_gpu:
            self.weights.model.to("cpu")
            self._empty_cache()

    def wake(self) -> None:
        """Move the weights back to where they work."""
        if self._is_on_gpu:
            self.weights.model.to(self.weights.device)

    def free(self) -> None:
        """Let go of the model and of what the device keeps for it."""
        is_on_gpu = self._is_on_gpu
        del self.weights
        if is_on_gpu:
            self._empty_cache()

    @property
    def _is_on_gpu(self) -> bool:
        return self.weights.device.type == "cuda"

    def _empty_cache(self) -> None:
        gc.collect()
        torch.cuda.empty_cache()

    def encode(self, jobs: Sequence[Job]) -> None:
        """Set the prompts of jobs; those that cannot be encoded fail, each on its own."""
        try:
            prompts = encode(self.weights.tokenizer, [job.request for job in jobs])
        except Exception as cause:
            if len(jobs) == 1:
                self._fail(jobs, f"the prompt cannot be encoded: {_in_words(cause)}")
                return
            for job in jobs:
                self.encode([job])
            return
        for job, prompt in zip(jobs, prompts, strict=True):
            self._accept(job, prompt)

    def _accept(self, job: Job, prompt: Prompt) -> None:
        try:
            job.prompt = checked(prompt, self.weights.max_length)
        except EngineError as error:
            self._fail([job], str(error))

    def run(self, jobs: Sequence[Job]) -> None:
        """Complete the jobs of one batch. Out of memory, it is tried again in halves."""
        started = time.monotonic()
        late = [job for job in jobs if started - job.arrived > self._spec.timeout_s]
        self._fail(late, f"no place in a batch within {self._spec.timeout_s:g} s")
        jobs = [job for job in jobs if not job.served]
        try:
            self._run_whole(jobs, started)
        except Exception as cause:
            self._recover([job for job in jobs if not job.served], cause)

    def _recover(self, jobs: Sequence[Job], cause: Exception) -> None:
        if not is_out_of_memory(cause):
            self._fail(jobs, _in_words(cause))
            return
        del cause
        if self.weights.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(jobs) == 1:
            self._fail(jobs, "out of memory, even alone in its batch")
            return
        middle = len(jobs) // 2
        self.run(jobs[:middle])
        self.run(jobs[middle:])

    def _run_whole(self, jobs: Sequence[Job], started: float) -> None:
        prompts = [job.prompt for job in jobs if job.prompt is not None]
        if not prompts:
            return
        if prompts[0].candidates:
            scores = score(self.weights, prompts, max_rows=self._spec.max_batch_size)
            self._serve(
                [
                    (job, _scored(job, log_p, started))
                    for job, log_p in zip(jobs, scores, strict=True)
                ]
            )
            return
        for replies in generate(self.weights, prompts):
            self._serve(
                [
                    (jobs[reply.row], self._said(jobs[reply.row], reply, started))
                    for reply in replies
                ]
            )

    def _said(self, job: Job, reply: Generated, started: float) -> Completion:
        if reply.finish_reason == BROKEN:
            return failed(job.request, self._place, "the model's logits are not numbers")
        return Completion(
            id=job.request.id,
            text=reply.text,
            tokens=reply.tokens,
            finish_reason=reply.finish_reason,
            usage=_usage(job, started, num_generated=reply.num_generated),
        )

    def _fail(self, jobs: Sequence[Job], message: str) -> None:
        self._serve([(job, failed(job.request, self._place, message)) for job in jobs])

    def _serve(self, completions: list[tuple[Job, Completion]]) -> None:
        for job, _ in completions:
            job.served = True
        if completions:
            self._send(completions)


def _scored(job: Job, log_p: tuple[float, ...], started: float) -> Completion:
    usage = _usage(job, started, num_generated=0)
    return Completion(id=job.request.id, candidate_log_p=log_p, usage=usage)


def _usage(job: Job, started: float, *, num_generated: int) -> Usage:
    assert job.prompt is not None, "a job is encoded before it runs"
    return Usage(
        prompt_tokens=len(job.prompt.ids) + sum(map(len, job.prompt.candidates)),
        generated_tokens=num_generated,
        queued_s=started - job.arrived,
        running_s=time.monotonic() - started,
    )


def _in_words(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"
