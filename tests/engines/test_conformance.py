"""What every engine keeps to, whatever is behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

import debate.engines
from debate.config.models import (
    CalculatorModel,
    CheckerModel,
    ModelSpec,
    OpenaiModel,
    OracleModel,
    ReplayModel,
    ScriptedModel,
    SimulatedModel,
    TransformersModel,
)
from debate.engines.base import Engine, Guided, Request, Sampling
from debate.engines.registry import build_engine, get_capabilities
from debate.types import Turn
from tests.engines.builders import complete_one, completions, debate_state, request, save_model

ENGINES = [
    "calculator",
    "checker",
    "openai",
    "oracle",
    "replay",
    "scripted",
    "simulated",
    "transformers",
]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def handle(_: web.Request) -> web.StreamResponse:
        said = {"message": {"content": "936"}, "finish_reason": "stop"}
        return web.json_response({"choices": [said]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


def run_directory(folder: Path) -> Path:
    """A run in which agent a opened with 936."""
    place: dict[str, Any] = {"question": "q", "seed": 0, "round": 0, "kind": "opening"}
    turn = Turn(cell="main", agent="a", model="m", text="936", **place)
    (folder / "turns").mkdir()
    (folder / "turns" / "0.jsonl").write_bytes(msgspec.json.encode(turn) + b"\n")
    return folder


@pytest.fixture(params=ENGINES)
def spec(request: pytest.FixtureRequest, tmp_path: Path, model_folder: Path, url: str) -> ModelSpec:
    every: dict[str, ModelSpec] = {
        "calculator": CalculatorModel(engine="calculator"),
        "checker": CheckerModel(engine="checker"),
        "oracle": OracleModel(engine="oracle", states_answer=True),
        "openai": OpenaiModel(engine="openai", model="m", url=url, retries=0),
        "replay": ReplayModel(engine="replay", path=str(run_directory(tmp_path))),
        "scripted": ScriptedModel(engine="scripted", replies={"*": "936"}),
        "simulated": SimulatedModel(engine="simulated"),
        "transformers": TransformersModel(
            engine="transformers", path=str(model_folder), device="cpu"
        ),
    }
    return every[request.param]


@pytest.fixture
async def engine(spec: ModelSpec) -> AsyncIterator[Engine]:
    built = build_engine(spec)
    await built.start()
    yield built
    await built.close()


def many(count: int = 30, **fields: Any) -> list[Request]:
    short = Sampling(max_tokens=4)
    return [
        request("Q347+589", id=str(n), debate_state=debate_state(), sampling=short, **fields)
        for n in range(count)
    ]


def test_it_is_an_engine_that_can_do_what_the_registry_says(spec: ModelSpec) -> None:
    built = build_engine(spec)
    assert isinstance(built, Engine)
    assert built.capabilities == get_capabilities(spec)


async def test_each_request_is_completed_exactly_once(engine: Engine) -> None:
    found = await completions(engine, many(300))
    assert found.keys() == {str(number) for number in range(300)}
    assert not any(completion.failure for completion in found.values())


async def test_overlapping_calls_get_their_own(engine: Engine) -> None:
    halves = await asyncio.gather(
        completions(engine, many()[:10]), completions(engine, many()[10:])
    )
    assert [len(half) for half in halves] == [10, 20]


async def test_no_requests_are_no_completions(engine: Engine) -> None:
    assert await completions(engine, []) == {}


async def test_tokens_spell_the_text_where_they_are_given(engine: Engine) -> None:
    for completion in (await completions(engine, many())).values():
        if completion.tokens is not None:
            assert "".join(token.text for token in completion.tokens) == completion.text
            assert all(token.log_p <= 1e-6 for token in completion.tokens)


async def test_candidates_are_scored_or_refused_as_it_said(engine: Engine) -> None:
    found = await complete_one(engine, many(1, candidates=("936", "926"))[0])
    if engine.capabilities.scores:
        assert found.candidate_log_p is not None
        assert len(found.candidate_log_p) == 2
    else:
        assert found.failure is not None


async def test_constraints_are_kept_or_refused_as_it_said(engine: Engine) -> None:
    found = await complete_one(engine, many(1, guided=Guided(choice=("936",)))[0])
    assert (found.failure is None) == engine.capabilities.guided


async def test_a_missing_debate_state_is_a_failure_where_one_is_needed(engine: Engine) -> None:
    found = await complete_one(engine, request("Q1+1", sampling=Sampling(max_tokens=2)))
    assert (found.failure is not None) == engine.capabilities.needs_debate_state


async def test_a_call_can_be_left_and_the_engine_goes_on(engine: Engine) -> None:
    stream = engine.complete(many(600))
    await anext(aiter(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    assert len(await completions(engine, many())) == 30


async def test_a_cancelled_call_leaves_no_task_behind(engine: Engine) -> None:
    before = asyncio.all_tasks()
    call = asyncio.create_task(completions(engine, many(600)))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    ours = str(Path(debate.engines.__file__).parent)
    assert not any(ours in repr(task) for task in asyncio.all_tasks() - before)


async def test_it_can_be_closed_twice(engine: Engine) -> None:
    await engine.close()
    await engine.close()
