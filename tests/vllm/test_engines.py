"""Two vLLM engines in two actors with GPUs of their own: a model, and the same with an adapter.

They differ in a setting of the engine, or else they would share one. One start of both serves all
tests; what is expected comes from transformers, on the same folder and on one with the adapter
merged into the weights.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import VllmModel
from debate.engines.base import Guided, Sampling
from debate.engines.processes import find_vllm_processes
from tests.vllm.team import (
    NEEDS_VLLM,
    SMALL,
    Team,
    answers,
    ask,
    by_transformers,
    describe_descendants,
    engines_of,
    placement,
)
from tests.vllm.tiny import write_adapter, write_model

pytestmark = [
    pytest.mark.vllm,
    NEEDS_VLLM,
    pytest.mark.ray,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    base = write_model(root / "base", seed=0, num_layers=2)
    return {"base": base, "adapter": write_adapter(root / "adapter", base, seed=1)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def team(folders: dict[str, Path]) -> AsyncIterator[Team]:
    specs = {
        name: VllmModel(
            engine="vllm",
            model=str(folders["base"]),
            adapter=adapter,
            dtype="float32",
            gpus=1,
            max_restarts=0,
            engine_kwargs={**SMALL, "max_num_seqs": num_seqs},
        )
        for name, adapter, num_seqs in (("a", None, 32), ("b", str(folders["adapter"]), 31))
    }
    async with launch_models(specs, ClusterSpec(num_gpus=2), run="two-vllm") as models:
        processes = [pid for client in models.values() for pid in engines_of(client)]
        yield models
    assert find_vllm_processes(processes) == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reference(folders: dict[str, Path]) -> AsyncIterator[Team]:
    async with by_transformers(
        {"a": folders["base"], "b": folders["adapter"] / "merged"}
    ) as models:
        yield models


async def test_each_engine_has_a_process_and_a_gpu_of_its_own(team: Team) -> None:
    places = [placement(client) for client in team.values()]
    assert sorted(place.gpus for place in places) == [("0",), ("1",)]
    assert len({place.pid for place in places} | {os.getpid()}) == 3
    for name, client in team.items():
        assert engines_of(client), f"below the actor of {name}: {describe_descendants(client)}"


async def test_greedy_replies_are_those_of_transformers_with_and_without_the_adapter(
    team: Team, reference: Team
) -> None:
    requests = [
        *(ask(number, f"{number}*{number + 7}=? ") for number in range(20)),
        ask(20, "what is 3+4", prefill="7 "),
        ask(21, "tell me more " * 9, sampling=Sampling(max_tokens=20, stop=("a", "7"))),
    ]
    found, expected = await answers(team, requests), await answers(reference, requests)
    for name in team:
        assert [each.text for each in found[name]] == [each.text for each in expected[name]]
        assert [each.finish_reason for each in found[name]] == [
            each.finish_reason for each in expected[name]
        ]
    assert [each.text for each in found["a"]] != [each.text for each in found["b"]]


async def test_tokens_join_to_the_text_with_the_same_log_probabilities(
    team: Team, reference: Team
) -> None:
    requests = [ask(number, f"token test {number}") for number in range(6)]
    found, expected = await answers(team, requests), await answers(reference, requests)
    for name in team:
        for mine, theirs in zip(found[name], expected[name], strict=True):
            assert mine.tokens is not None
            assert theirs.tokens is not None
            assert "".join(token.text for token in mine.tokens) == mine.text
            assert [token.log_p for token in mine.tokens] == pytest.approx(
                [token.log_p for token in theirs.tokens], abs=1e-3
            )


async def test_scores_equal_those_of_transformers_also_from_a_cached_prefix(
    team: Team, reference: Team
) -> None:
    candidates = ("7", "12", "121", "4 or 5")
    requests = [
        ask(0, "3+4=?", candidates=candidates),
        ask(1, "the sum of all of the numbers from one to ninety nine " * 3, candidates=candidates),
        ask(2, "x" * 91, candidates=("12", "12345678")),
    ]
    expected = await answers(reference, requests)
    first, again = await answers(team, requests), await answers(team, requests)
    for name in team:
        for mine, cached, theirs in zip(first[name], again[name], expected[name], strict=True):
            assert mine.candidate_log_p == pytest.approx(theirs.candidate_log_p, abs=1e-3)
            assert cached.candidate_log_p == pytest.approx(theirs.candidate_log_p, abs=1e-3)
        usage = again[name][1].usage
        assert usage.cached_tokens is not None
        assert usage.prompt_tokens is not None
        assert usage.cached_tokens > 0.6 * usage.prompt_tokens


async def test_a_candidate_of_no_tokens_is_a_failure(team: Team) -> None:
    for (reply,) in (await answers(team, [ask(0, "3+4=?", candidates=("7", ""))])).values():
        assert reply.failure is not None
        assert "has no tokens" in reply.failure.message


async def test_guided_replies_keep_to_their_constraint(team: Team) -> None:
    requests = [
        ask(0, "yes or no", guided=Guided(choice=("yes", "no"))),
        ask(1, "a number", guided=Guided(regex="[0-9]{3}")),
    ]
    for yes_or_no, number in (await answers(team, requests)).values():
        assert yes_or_no.text in ("yes", "no")
        assert number.text.isdigit()
        assert len(number.text) == 3


async def test_a_long_prompt_that_shares_a_step_with_others_can_have_a_seed(team: Team) -> None:
    requests = [
        ask(number, f"{number} " * 60, sampling=Sampling(temperature=1.0, seed=number))
        for number in range(24)
    ]
    replies = await answers(team, requests)
    assert [reply.failure for own in replies.values() for reply in own] == [None] * 48


async def test_a_candidate_is_scored_from_the_cached_prefix_and_told_as_such(team: Team) -> None:
    long = "the sum of all of the numbers from one to ninety nine " * 4
    for client in team.values():
        (queue,) = client.replica_queues
        assert await queue.replica.reset_prefix_cache()
    for one_token in (True, False):
        asked = ask(0, f"{one_token} {long}", candidates=("7", "4") if one_token else ("12", "345"))
        cold, warm = await answers(team, [asked]), await answers(team, [asked])
        for name in team:
            assert cold[name][0].candidate_log_p == pytest.approx(
                warm[name][0].candidate_log_p, abs=1e-3
            )
            prompt, cached = (warm[name][0].usage.prompt_tokens, warm[name][0].usage.cached_tokens)
            assert prompt is not None
            assert cached is not None
            assert cached > 0.5 * prompt


async def test_a_seed_makes_a_random_reply_repeatable(team: Team) -> None:
    requests = [
        ask(number, "surprise me", sampling=Sampling(temperature=1.0, seed=seed, max_tokens=20))
        for number, seed in enumerate((1, 1, 2))
    ]
    for first, same, other in (await answers(team, requests)).values():
        assert first.text == same.text
        assert first.text != other.text


async def test_a_prompt_that_is_too_long_fails_alone(team: Team) -> None:
    requests = [ask(0, "z" * 400), ask(1, "short")]
    for too_long, short in (await answers(team, requests)).values():
        assert too_long.failure is not None
        assert "maximum model length of 256" in too_long.failure.message
        assert short.failure is None


async def test_an_engine_that_slept_answers_as_before(team: Team) -> None:
    asked = [ask(number, f"{number}+4=? ") for number in range(4)]
    before = (await answers({"a": team["a"]}, asked))["a"]
    replica = team["a"].replica_queues[0].replica
    for _ in range(2):
        await replica.sleep()
        await replica.wake()
    after = (await answers({"a": team["a"]}, asked))["a"]
    assert [each.failure for each in after] == [None] * 4
    assert [each.text for each in after] == [each.text for each in before]


async def test_a_killed_actor_leaves_no_engine_behind(team: Team) -> None:
    processes = engines_of(team["b"])
    watched = [os.pidfd_open(pid) for pid in processes]
    try:
        os.kill(placement(team["b"]).pid, signal.SIGKILL)
        for each in watched:
            ended = await asyncio.to_thread(select.select, [each], [], [], 30)
            assert ended[0], "a process of the engine outlived its actor"
    finally:
        for each in watched:
            os.close(each)
    lost = await team["b"].complete(ask(0, "anyone there?"))
    assert lost.failure is not None
    assert lost.failure.boundary == "b: actor"
