"""vLLM's AsyncLLM: continuous batching, prefix caching, tensor parallel, LoRA, guided replies."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from debate.config.models import VllmModel
from debate.engines.adapter_files import list_adapters
from debate.engines.base import (
    Capabilities,
    Completion,
    Request,
    complete_concurrently,
    fail_request,
)
from debate.engines.hf.tokenization import (
    EncodedPrompt,
    GroupEncoder,
    IncrementalDetokenizer,
    TokenIds,
)
from debate.engines.model_files import refuse_unreadable_files
from debate.engines.processes import (
    ParentDeathWatchdog,
    find_descendants,
    find_vllm_processes,
    kill_processes,
)
from debate.engines.registry import get_capabilities
from debate.engines.replica import ReplicaLost
from debate.engines.vllm_calls import (
    CandidateScorer,
    GenerateCall,
    make_generation_params,
    to_completion,
)
from debate.engines.vllm_start import (
    EngineLog,
    describe_config,
    explain_start_error,
    make_engine_args,
    prepare_environment,
)
from debate.errors import EngineError, ModelRefused, boundary


class VllmEngine:
    """One vLLM engine, whose work is done in processes of its own.

    It answers as its spec says, and by each of `adapters` (folders) where one is asked for.
    A script that hosts it in its own process must guard its main code by
    `if __name__ == "__main__"`, because those processes import it again.
    """

    def __init__(self, spec: VllmModel, *, sharing: int = 1, adapters: Sequence[str] = ()) -> None:
        self.spec = spec
        self._adapters = list_adapters(spec, adapters)
        self._sharing = sharing
        self._place = f"vllm: {spec.weights}"
        self._llm: Any = None
        self._tokenizer: Any = None
        self._scores_by_row = False
        self._log: EngineLog | None = None
        self._watchdog = ParentDeathWatchdog()
        self._processes: list[int] = []
        self._numbers = itertools.count()

    @property
    def capabilities(self) -> Capabilities:
        """Log-probabilities, scores and guided replies."""
        return get_capabilities(self.spec)

    async def start(self) -> None:
        """Load the model. Raises EngineError with vLLM's own reason, from whichever process."""
        refuse_unreadable_files(self.spec, self._adapters)
        try:
            await asyncio.to_thread(self._load)
            for each in self._adapters:
                await self._llm.add_lora(self._make_lora_request(each))
        except EngineError as error:
            error.boundary = error.boundary or self._place
            await self.close()
            raise
        except Exception as error:
            log, self._log = self._log, None
            await self.close()
            raise explain_start_error(error, log, self.spec) from error
        if not self._tokenizer.chat_template:
            await self.close()
            raise ModelRefused(
                f"the tokenizer of {self.spec.weights} has no chat template; "
                "add one as chat_template.jinja beside tokenizer.json",
                boundary=self._place,
            )

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield what has finished. Raises ReplicaLost when the engine's processes have died."""
        return self._complete(requests, self.spec.adapter)

    def complete_with(
        self, adapter: str, requests: Sequence[Request]
    ) -> AsyncIterator[Sequence[Completion]]:
        """Do the same by one of the engine's adapters."""
        return self._complete(requests, adapter)

    async def _complete(
        self, requests: Sequence[Request], adapter: str | None
    ) -> AsyncIterator[Sequence[Completion]]:
        encoder = GroupEncoder(
            self._tokenizer, requests, template_options=self.spec.template_options
        )
        call = partial(self._generate, self._make_lora_request(adapter))

        async def answer(request: Request) -> Completion:
            """Return the completion, or the failure of this request alone."""
            try:
                with boundary(EngineError, self._place):
                    return await self._complete_one(encoder.encode(request), call)
            except EngineError as error:
                return fail_request(request, error.boundary or self._place, str(error))

        async for completions in complete_concurrently(requests, answer):
            if self._llm.errored:
                cause = self._log.find_root_cause() if self._log else None
                raise ReplicaLost(
                    f"vLLM's engine died: {cause or 'it left no reason in its log'}",
                    boundary=self._place,
                )
            yield completions

    def describe(self) -> Mapping[str, str]:
        """Return versions, types, kernels, and whether replies depend on their batch."""
        return describe_config(self._llm.vllm_config)

    async def sleep(self) -> None:
        """Keep the weights in the machine's memory and free the device, if there is one to free.

        A CPU has none, and vLLM's workers there ignore every level of sleep: the engine pauses, and
        keeps its memory and its prefix cache.
        """
        with boundary(EngineError, self._place):
            await self._llm.sleep(level=1 if self._frees_its_device else 0)

    async def wake(self) -> None:
        """Take the device again."""
        with boundary(EngineError, self._place):
            await self._llm.wake_up(tags=None if self._frees_its_device else ["scheduling"])

    async def reset_prefix_cache(self) -> None:
        """Empty the prefix cache. Raises EngineError while requests hold parts of it."""
        with boundary(EngineError, self._place):
            if not await self._llm.reset_prefix_cache():
                raise EngineError("the prefix cache is in use and cannot be emptied")

    @property
    def _frees_its_device(self) -> bool:
        return bool(self._llm.vllm_config.model_config.enable_sleep_mode)

    async def close(self) -> None:
        """End the engine and every process that it started."""
        llm, self._llm = self._llm, None
        if llm is not None:
            await asyncio.to_thread(llm.shutdown)
            kill_processes(find_vllm_processes(self._processes))
        self._watchdog.stop()
        if self._log is not None:
            self._log.remove()
            self._log = None

    def _load(self) -> None:
        from vllm.v1.engine.async_llm import AsyncLLM

        prepare_environment()
        self._log = EngineLog()
        self._llm = AsyncLLM.from_engine_args(
            make_engine_args(
                self.spec, self._log.config, sharing=self._sharing, adapters=self._adapters
            )
        )
        self._tokenizer = self._llm.get_tokenizer()
        self._scores_by_row = self._llm.vllm_config.use_v2_model_runner
        self._processes = find_vllm_processes(find_descendants(os.getpid()))
        self._watchdog.start()
        self._watchdog.watch(self._processes)

    async def _complete_one(self, prompt: EncodedPrompt, call: GenerateCall) -> Completion:
        if prompt.candidates:
            scorer = CandidateScorer(
                call, by_row=self._scores_by_row, has_adapters=bool(self._adapters)
            )
            return await scorer.score(prompt)
        output = await call(prompt.ids, make_generation_params(prompt))
        return to_completion(prompt, output, self._decode_tokens(prompt.ids, output))

    async def _generate(self, lora: Any, ids: TokenIds, parameters: Any) -> Any:
        """Make one call and return its final output. Cancelling it aborts the call."""
        from vllm.inputs.engine import tokens_input

        name = str(next(self._numbers))
        stream = self._llm.generate(tokens_input(list(ids)), parameters, name, lora_request=lora)
        outputs = [output async for output in stream]
        if not outputs or outputs[-1].outputs[0].finish_reason == "error":
            raise EngineError("vLLM gave no output")
        return outputs[-1]

    def _make_lora_request(self, adapter: str | None) -> Any:
        """Make the LoRA request of an adapter. vLLM tells adapters apart by number and name."""
        if adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        number = self._adapters.index(adapter) + 1
        return LoRARequest(lora_name=adapter, lora_int_id=number, lora_path=adapter)

    def _decode_tokens(self, prompt: TokenIds, output: Any) -> list[str]:
        decoder = IncrementalDetokenizer(self._tokenizer, prompt)
        return [decoder.step(each) for each in output.outputs[0].token_ids]
