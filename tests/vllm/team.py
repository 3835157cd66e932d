"""What the tests of vLLM engines share: their marks, their room, and how models are asked."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from debate.config.models import TransformersModel
from debate.engines.base import Completion, Request, Sampling
from debate.engines.client import ModelClient
from debate.engines.processes import find_descendants, find_vllm_processes
from debate.engines.registry import build_engine
from debate.engines.replica import LocalReplica, Placement
from debate.types import Message

NEEDS_VLLM = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is None, reason="vLLM is not installed (pip install vllm)"
)

SMALL = {
    "enforce_eager": True,
    "max_model_len": 256,
    "max_num_seqs": 32,
    "block_size": 32,
    "kv_cache_memory_bytes": 32 * 2**20,
}
"""Room for these tests and no more; a block of 32 is the least that the CPU backend takes."""

GREEDY = Sampling(max_tokens=12)
Team = Mapping[str, ModelClient]


@asynccontextmanager
async def by_transformers(folders: Mapping[str, Path]) -> AsyncIterator[Team]:
    """The models in these folders, in this process: what vLLM's are held against."""
    models = {}
    for name, folder in folders.items():
        spec = TransformersModel(
            engine="transformers", model=str(folder), dtype="float32", threads=1, device="cpu"
        )
        models[name] = ModelClient(name, [LocalReplica(build_engine(spec))])
    for client in models.values():
        await client.start()
    yield models
    for client in models.values():
        await client.close()


def placement(client: ModelClient) -> Placement:
    """Where the model's one replica lives."""
    (found,) = client.placements
    assert found is not None
    return found


def engines_of(client: ModelClient) -> list[int]:
    """The processes of the model's engine."""
    return find_vllm_processes(find_descendants(placement(client).pid))


def describe_descendants(client: ModelClient) -> str:
    """The pid, name and status of every process below the model's actor, one on a line."""
    import psutil

    lines = []
    for pid in find_descendants(placement(client).pid):
        with suppress(psutil.NoSuchProcess):
            lines.append(str(psutil.Process(pid).as_dict(["pid", "name", "status"])))
    return "\n".join(lines) or "no process at all"


def ask(number: int, text: str, **fields: object) -> Request:
    """A request for a short greedy reply, unless `fields` say otherwise."""
    fields.setdefault("sampling", GREEDY)
    return Request(id=str(number), messages=(Message(role="user", content=text),), **fields)


async def answers(models: Team, requests: Sequence[Request]) -> dict[str, list[Completion]]:
    """Every model's completions of all requests, asked of all models at once."""
    asking = {
        name: asyncio.gather(*(client.complete(request) for request in requests))
        for name, client in models.items()
    }
    return {name: await pending for name, pending in asking.items()}
