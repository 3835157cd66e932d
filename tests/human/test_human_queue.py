"""A person as an engine: turns wait in order, can be given up, and fail when nobody answers."""

from __future__ import annotations

import asyncio

import pytest

from debate.engines.registry import compute_identity
from debate.errors import EngineError
from debate.runner.monitoring import describe_waiting
from debate.types import Question
from tests.human.people import PERSON, asked, seated

Q2 = Question(id="q2", text="2+3", kind="number", target="5")


async def test_a_reply_is_what_the_person_hands_in() -> None:
    async with seated() as (client, front):
        call = asyncio.create_task(client.complete(asked()))
        (turn,) = await front.await_turns(1)
        assert front.queue.answer(turn, "It is\r\nAnswer: 936\x07\n")
        completion = await call
    assert completion.text == "It is\nAnswer: 936�"
    assert completion.finish_reason == "stop"
    assert completion.usage.prompt_tokens == completion.usage.generated_tokens == 0


async def test_turns_are_asked_by_question_and_then_by_round() -> None:
    places = [("1", {}), ("2", {"question": Q2}), ("3", {"round": 2}), ("4", {"round": 1})]
    async with seated() as (client, front):
        calls = [asyncio.create_task(client.complete(asked(id, **state))) for id, state in places]
        turns = await front.await_turns(4)
        assert [turn.request.id for turn in turns] == ["1", "4", "3", "2"]
        for call in calls:
            call.cancel()


async def test_a_turn_that_is_given_up_leaves_the_queue_and_no_other_does() -> None:
    async with seated() as (client, front):
        calls = [asyncio.create_task(client.complete(asked(id))) for id in "12"]
        first, second = await front.await_turns(2)
        calls[0].cancel()
        await front.queue.wait()
        assert [turn.request.id for turn in front.queue.waiting] == ["2"]
        assert not front.queue.answer(first, "too late")
        front.queue.answer(second, "Answer: 936")
        assert (await calls[1]).text == "Answer: 936"


async def test_a_person_who_does_not_reply_in_time_fails_the_turn() -> None:
    async with seated(timeout_s=0.02) as (client, front):
        completion = await client.complete(asked())
        assert completion.failure is not None
        assert completion.failure.message == "no reply within 0.02 s"
        assert front.queue.first is None


async def test_a_front_that_is_gone_fails_what_waits_and_what_comes() -> None:
    async with seated() as (client, front):
        waiting = asyncio.create_task(client.complete(asked()))
        await front.await_turns(1)
        front.queue.fail(EngineError("the input of the terminal has ended", boundary="terminal"))
        for completion in (await waiting, await client.complete(asked())):
            assert completion.failure is not None
            assert "the input of the terminal has ended" in completion.failure.message


async def test_progress_says_whom_the_run_waits_for() -> None:
    async with seated() as (client, front):
        calls = [asyncio.create_task(client.complete(asked(id))) for id in "12"]
        first, _ = await front.await_turns(2)
        (line,) = describe_waiting([client.metrics()], first.since + 100)
        for call in calls:
            call.cancel()
    assert line.startswith("waiting for a (a person): opening answer, question q, round 0, since ")
    assert line.endswith(" (1 min 40 s); 1 more turn after it; in memory")


@pytest.mark.parametrize(
    "other", [{"via": "web"}, {"via": "web", "port": 9000, "token_env": "PAGE_TOKEN"}]
)
def test_a_person_is_the_same_wherever_they_are_asked(other: dict[str, object]) -> None:
    assert compute_identity(PERSON.model_copy(update=other)) == compute_identity(PERSON)
