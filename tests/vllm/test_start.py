"""Arguments, scores and errors of vLLM engines, as far as they need no vLLM."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from debate.config.models import VllmModel
from debate.engines.base import Request
from debate.engines.hf.tokenization import EncodedPrompt
from debate.engines.vllm_calls import CandidateScorer
from debate.engines.vllm_start import (
    EngineLog,
    explain_start_error,
    find_max_lora_rank,
    make_spec_args,
)
from debate.errors import EngineError, InputError, ModelRefused
from debate.installation import make_install_command


def spec(**fields: object) -> VllmModel:
    return VllmModel(engine="vllm", model="m", **fields)


def test_engine_kwargs_have_the_last_word() -> None:
    chosen = make_spec_args(
        spec(engine_kwargs={"enable_prefix_caching": False, "dtype": "float32"})
    )
    assert (chosen["enable_prefix_caching"], chosen["dtype"]) == (False, "float32")


def test_more_than_one_gpu_means_tensor_parallel_inside_the_actor() -> None:
    chosen = make_spec_args(spec(gpus=4))
    assert chosen["tensor_parallel_size"] == 4
    assert chosen["distributed_executor_backend"] == "mp"
    assert "tensor_parallel_size" not in make_spec_args(spec())


def test_a_part_of_a_gpu_takes_that_part_of_its_memory() -> None:
    assert make_spec_args(spec(gpus=0.5))["gpu_memory_utilization"] == pytest.approx(0.45)
    assert "gpu_memory_utilization" not in make_spec_args(spec(gpus=1))


def test_engines_that_take_turns_leave_room_for_those_asleep() -> None:
    chosen = make_spec_args(spec(), sharing=3)
    assert chosen["enable_sleep_mode"] is True
    assert chosen["gpu_memory_utilization"] == pytest.approx(0.9 - 2 * 0.03)
    own = make_spec_args(spec(engine_kwargs={"gpu_memory_utilization": 0.5}), sharing=3)
    assert own["gpu_memory_utilization"] == 0.5
    assert "enable_sleep_mode" not in make_spec_args(spec())


def test_an_adapter_gets_the_least_room_that_holds_it(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 24}))
    assert make_spec_args(spec(adapter=str(tmp_path)))["max_lora_rank"] == 32
    with pytest.raises(EngineError, match="holds no LoRA adapter"):
        find_max_lora_rank(tmp_path / "elsewhere")


@pytest.mark.parametrize("by_row", [True, False])
async def test_a_candidate_of_no_tokens_has_no_score(by_row: bool) -> None:
    async def call(*_: object) -> object:
        raise AssertionError("vLLM is not asked")

    request = Request(id="1", messages=(), candidates=("",))
    prompt = EncodedPrompt(request=request, ids=(1, 2), candidates=((),))
    scorer = CandidateScorer(call, by_row=by_row, has_adapters=False)
    with pytest.raises(EngineError, match='the candidate "" has no tokens'):
        await scorer.score(prompt)


LOG = """\
2026-01-01 00:00:00,000 EngineCore ERROR EngineCore failed to start.
Traceback (most recent call last):
  File "worker.py", line 1, in load
{root}

The above exception was the direct cause of the following exception:

RuntimeError: worker failed
"""


@pytest.mark.parametrize(
    ("root", "meaning"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20 GiB", "out of memory"),
        ("ValueError: No available memory for the cache blocks", "out of memory"),
        ("OSError: meta/llma is not a valid model identifier", "unknown model"),
        ("RuntimeError: Cannot find any model weights with `m`", "unknown model"),
        ("ImportError: vllm/_C.so: undefined symbol: _ZN3c10", "do not fit together"),
        ("ValueError: Model architectures ['X'] are not supported for now.", "cannot run"),
        ("ValueError: No common block size for 16 (CPU_ATTN: [MultipleOf(32)]).", "block size"),
    ],
)
def test_the_first_error_in_the_log_is_the_one_shown(root: str, meaning: str) -> None:
    log = EngineLog()
    log.path.write_text(LOG.format(root=root))
    said = explain_start_error(RuntimeError("Engine core initialization failed."), log, spec())
    assert isinstance(said, ModelRefused)
    assert meaning in str(said)
    assert root in str(said)
    assert "worker failed" not in str(said)
    assert not log.path.exists()


def test_an_unknown_error_is_shown_with_the_place_of_the_log_which_is_kept() -> None:
    log = EngineLog()
    try:
        log.path.write_text(LOG.format(root="KeyError: 'something else'"))
        said = explain_start_error(RuntimeError("Engine core initialization failed."), log, spec())
        assert not isinstance(said, InputError)
        assert "vLLM did not start: KeyError: 'something else'" in str(said)
        assert str(log.path) in str(said)
    finally:
        log.remove()


def test_a_missing_vllm_says_how_to_install_it() -> None:
    error = ModuleNotFoundError("No module named 'vllm'", name="vllm")
    assert make_install_command("vllm") in str(explain_start_error(error, None, spec()))


def test_a_refusal_is_a_users_error_and_an_engines_also_after_a_journey_between_processes() -> None:
    sent = pickle.loads(pickle.dumps(ModelRefused("out of memory", boundary="vllm: m")))
    assert isinstance(sent, InputError)
    assert isinstance(sent, EngineError)
    assert (str(sent), sent.failure.boundary) == ("out of memory", "vllm: m")
