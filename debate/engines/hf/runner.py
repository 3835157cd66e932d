"""The thread beside the event loop: encode, run batches, and turn errors into failures."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence

import torch
import transformers

from debate.config.models import TransformersModel
from debate.engines.base import Completion, fail_request
from debate.engines.hf.batching import Job
from debate.engines.hf.inference import BROKEN, GeneratedReply, generate_replies, score_candidates
from debate.engines.hf.lora import AdapterSwitch
from debate.engines.hf.model import is_out_of_memory, load_model
from debate.engines.hf.tokenization import EncodedPrompt, encode_requests, validate_prompt
from debate.engines.reasoning import split_reasoning
from debate.errors import EngineError
from debate.types import Usage

Send = Callable[[list[tuple[Job, Completion]]], None]


class BatchRunner:
    """A loaded model that works in one thread. It passes completions and failures to `send`.

    `adapters` are the folders of all adapters that jobs name.
    """

    def __init__(self, spec: TransformersModel, send: Send, adapters: Sequence[str] = ()) -> None:
        """Load the model and its adapters. Raises EngineError."""
        torch.set_num_threads(spec.threads or max(1, round(spec.cpus)))
        self.loaded = load_model(spec)
        self._adapters = AdapterSwitch(self.loaded.model, adapters)
        self._spec = spec
        self._place = f"transformers: {spec.weights}"
        self._send = send

    def describe(self) -> dict[str, str]:
        """Return what replies depend on besides the weights and settings."""
        model, device = self.loaded.model, self.loaded.device
        return {
            "attention": str(getattr(model.config, "_attn_implementation", "unknown")),
            "device": torch.cuda.get_device_name(device) if self._is_on_gpu else str(device),
            "deterministic_algorithms": str(torch.are_deterministic_algorithms_enabled()).lower(),
            "dtype": str(model.dtype).removeprefix("torch."),
            "matmul_precision": torch.get_float32_matmul_precision(),
            "max_batch_size": str(self._spec.max_batch_size),
            "threads": str(torch.get_num_threads()),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def sleep(self) -> None:
        """Move the weights off a GPU."""
        if self._is_on_gpu:
            self.loaded.model.to("cpu")
            self._empty_cache()

    def wake(self) -> None:
        """Move the weights back to their device."""
        if self._is_on_gpu:
            self.loaded.model.to(self.loaded.device)

    def free(self) -> None:
        """Free the model and what the device keeps for it."""
        is_on_gpu = self._is_on_gpu
        del self.loaded, self._adapters
        if is_on_gpu:
            self._empty_cache()

    @property
    def _is_on_gpu(self) -> bool:
        return self.loaded.device.type == "cuda"

    def _empty_cache(self) -> None:
        gc.collect()
        torch.cuda.empty_cache()

    def encode(self, jobs: Sequence[Job]) -> None:
        """Set the prompts of jobs; those that cannot be encoded fail, each on its own."""
        try:
            prompts = encode_requests(
                self.loaded.tokenizer,
                [job.request for job in jobs],
                template_options=self._spec.template_options,
            )
        except Exception as cause:
            if len(jobs) == 1:
                self._fail(jobs, f"the prompt cannot be encoded: {_describe_error(cause)}")
                return
            for job in jobs:
                self.encode([job])
            return
        for job, prompt in zip(jobs, prompts, strict=True):
            self._accept(job, prompt)

    def _accept(self, job: Job, prompt: EncodedPrompt) -> None:
        try:
            job.prompt = validate_prompt(prompt, self.loaded.max_length)
        except EngineError as error:
            self._fail([job], str(error))

    def run(self, jobs: Sequence[Job]) -> None:
        """Complete the jobs of one batch. Out of memory, try again in halves."""
        started = time.monotonic()
        try:
            self._run_whole(jobs, started)
        except Exception as cause:
            self._recover([job for job in jobs if not job.served], cause)

    def _recover(self, jobs: Sequence[Job], cause: Exception) -> None:
        if not is_out_of_memory(cause):
            self._fail(jobs, _describe_error(cause))
            return
        del cause  # its traceback holds the tensors of the failed batch
        if self.loaded.device.type == "cuda":
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
        self._adapters.activate(jobs[0].adapter)
        if prompts[0].candidates:
            scores = score_candidates(self.loaded, prompts, max_rows=self._spec.max_batch_size)
            self._serve(
                [
                    (job, _make_scores(job, log_p, started))
                    for job, log_p in zip(jobs, scores, strict=True)
                ]
            )
            return
        for replies in generate_replies(self.loaded, prompts):
            self._serve(
                [
                    (jobs[reply.row], self._make_completion(jobs[reply.row], reply, started))
                    for reply in replies
                ]
            )

    def _make_completion(self, job: Job, reply: GeneratedReply, started: float) -> Completion:
        if reply.finish_reason == BROKEN:
            return fail_request(job.request, self._place, "the model's logits are not numbers")
        assert job.prompt is not None, "a job is encoded before it runs"
        completion = Completion(
            id=job.request.id,
            text=reply.text,
            tokens=reply.tokens,
            finish_reason=reply.finish_reason,
            usage=_make_usage(job, started, num_generated=reply.num_generated),
            notes=job.prompt.notes,
        )
        is_opened = job.prompt.opens_reasoning
        return split_reasoning(completion, is_opened=True) if is_opened else completion

    def _fail(self, jobs: Sequence[Job], message: str) -> None:
        self._serve([(job, fail_request(job.request, self._place, message)) for job in jobs])

    def _serve(self, completions: list[tuple[Job, Completion]]) -> None:
        for job, _ in completions:
            job.served = True
        if completions:
            self._send(completions)


def _make_scores(job: Job, log_p: tuple[float, ...], started: float) -> Completion:
    usage = _make_usage(job, started, num_generated=0)
    return Completion(id=job.request.id, candidate_log_p=log_p, usage=usage)


def _make_usage(job: Job, started: float, *, num_generated: int) -> Usage:
    assert job.prompt is not None, "a job is encoded before it runs"
    return Usage(
        prompt_tokens=len(job.prompt.ids) + sum(map(len, job.prompt.candidates)),
        generated_tokens=num_generated,
        queued_s=started - job.arrived,
        running_s=time.monotonic() - started,
    )


def _describe_error(cause: Exception) -> str:
    return f"{type(cause).__name__}: {cause}"
