"""The client of OpenAI-compatible endpoints against a real server with real faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from debate.engines.base import Guided, Sampling
from debate.engines.openai import OpenaiEngine
from debate.errors import EngineError
from tests.engines.builders import complete_one, request
from tests.engines.served import KEY, Endpoint, Fault, ask, ask_one, echo, spec, status


async def reset(asked: web.Request) -> web.StreamResponse:
    """Cut the connection."""
    assert asked.transport is not None
    asked.transport.abort()
    return web.Response()


async def truncated(_: web.Request) -> web.StreamResponse:
    """Send half of the JSON as if it were all."""
    whole = json.dumps(echo("936"))
    return web.Response(text=whole[: len(whole) // 2], content_type="application/json")


async def cut_off(asked: web.Request) -> web.StreamResponse:
    """Announce more bytes than are sent."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(asked)
    await response.write(b'{"choices"')
    assert asked.transport is not None
    asked.transport.abort()
    return response


async def hanging(_: web.Request) -> web.StreamResponse:
    """Say nothing until the client has gone, which cancels this."""
    await asyncio.Event().wait()
    return web.Response()


async def test_each_request_gets_its_own_reply_over_kept_connections(endpoint: Endpoint) -> None:
    asked = [request(f"say {number}", id=str(number)) for number in range(300)]
    found = await ask(endpoint, *asked, max_in_flight=20)
    assert {key: c.text for key, c in found.items()} == {str(n): f"say {n}" for n in range(300)}
    assert len(endpoint.connections) <= 20
    assert endpoint.keys == {f"Bearer {KEY}"}


async def test_sampling_travels_under_its_names(endpoint: Endpoint) -> None:
    sampling = Sampling(
        temperature=0.7,
        top_p=0.9,
        top_k=5,
        max_tokens=9,
        stop=("X",),
        seed=4,
        extra=(("min_p", 0.1),),
    )
    await ask(endpoint, request("hi", sampling=sampling), extra_body={"user": "me"})
    (body,) = endpoint.bodies
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 9,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 4,
        "stop": ["X"],
        "logprobs": True,
        "min_p": 0.1,
        "user": "me",
    }


async def test_prefill_and_constraints_go_by_vllms_names(endpoint: Endpoint) -> None:
    asked = request("hi", prefill="Answer: ", guided=Guided(choice=("1", "2")))
    await ask(endpoint, asked, logprobs=False)
    (body,) = endpoint.bodies
    assert body["messages"][-1] == {"role": "assistant", "content": "Answer: "}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert body["structured_outputs"] == {"choice": ["1", "2"]}
    assert "logprobs" not in body


async def test_tokens_usage_and_reason_are_read(endpoint: Endpoint) -> None:
    entries = [{"token": t, "logprob": p} for t, p in (("93", -0.5), ("6", -0.25), ("<end>", 0.0))]
    endpoint.reply = echo("936", logprobs={"content": entries}, finish_reason="length")
    found = await ask_one(endpoint)
    assert found.tokens is not None
    assert [(token.text, token.log_p) for token in found.tokens] == [("93", -0.5), ("6", -0.25)]
    assert (found.usage.prompt_tokens, found.usage.cached_tokens) == (7, 4)
    assert found.usage.generated_tokens == 3
    assert found.finish_reason == "length"


async def test_a_character_spread_over_tokens_is_joined(endpoint: Endpoint) -> None:
    halves = [{"token": "\\x", "logprob": -1.0, "bytes": [byte]} for byte in "é".encode()]
    endpoint.reply = echo("é", logprobs={"content": halves})
    found = await ask_one(endpoint)
    assert found.tokens is not None
    assert [token.text for token in found.tokens] == ["", "é"]


async def test_tokens_that_spell_another_text_are_not_given(endpoint: Endpoint) -> None:
    endpoint.reply = echo("936", logprobs={"content": [{"token": "42", "logprob": -1.0}]})
    found = await ask_one(endpoint)
    assert (found.text, found.tokens) == ("936", None)


async def test_a_reply_without_content_is_an_empty_text(endpoint: Endpoint) -> None:
    endpoint.reply = echo(None)
    found = await ask_one(endpoint)
    assert (found.text, found.failure) == ("", None)


@pytest.mark.parametrize(
    "fault",
    [
        status(429, **{"Retry-After": "0"}),
        status(500),
        status(503, **{"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        reset,
        truncated,
        cut_off,
    ],
)
async def test_what_may_pass_is_tried_again(endpoint: Endpoint, fault: Fault) -> None:
    endpoint.faults = [fault, fault]
    found = await ask_one(endpoint)
    assert (found.text, found.failure) == ("hello", None)
    assert len(endpoint.bodies) == 3


async def test_a_reply_that_does_not_come_in_time_is_asked_for_again(endpoint: Endpoint) -> None:
    endpoint.faults = [hanging]
    found = await ask_one(endpoint, timeout_s=0.2)
    assert (found.text, found.failure) == ("hello", None)


async def test_attempts_have_a_limit_and_the_failure_says_so(endpoint: Endpoint) -> None:
    endpoint.faults = [status(503, "overloaded")] * 9
    found = await ask_one(endpoint, retries=2)
    assert found.failure is not None
    assert found.failure.message == "HTTP 503: overloaded (attempt 3 of 3)"
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize("code", [400, 401, 404, 308])
async def test_what_will_not_pass_is_not_tried_again(endpoint: Endpoint, code: int) -> None:
    endpoint.faults = [status(code)]
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert f"HTTP {code}" in found.failure.message
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("reply", [{"object": "list"}, {"output": []}, [1]])
async def test_json_that_is_no_completion_is_a_failure(endpoint: Endpoint, reply: Any) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(reply)

    endpoint.faults = [answer]
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert "no chat completion" in found.failure.message


async def test_one_failure_stops_no_other_request(endpoint: Endpoint) -> None:
    endpoint.faults = [status(400)]
    asked = [request(f"{number}", id=str(number)) for number in range(20)]
    found = await ask(endpoint, *asked)
    assert sum(completion.failure is not None for completion in found.values()) == 1


@pytest.mark.parametrize("padding", ["", "x" * 280, " " * 1190])
async def test_the_key_is_in_no_message_even_if_the_server_quotes_it(
    endpoint: Endpoint, padding: str
) -> None:
    endpoint.faults = [status(401, f"{padding}Incorrect API key provided: {KEY}.")]
    found = await ask_one(endpoint)
    assert "sk-planted" not in repr(found)


async def test_a_server_that_is_not_there_is_a_failure(endpoint: Endpoint) -> None:
    found = await ask_one(endpoint, url="http://127.0.0.1:9/v1", retries=1)
    assert found.failure is not None
    assert "attempt 2 of 2" in found.failure.message


async def test_candidates_cannot_be_scored_through_this_protocol(endpoint: Endpoint) -> None:
    found = await ask_one(endpoint, request("hi", candidates=("1",)))
    assert found.failure is not None
    assert "score" in found.failure.message
    assert endpoint.bodies == []


@pytest.mark.parametrize("held", [None, "", "  ", "two\nlines"])
async def test_a_missing_key_is_named_by_its_variable(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, held: str | None
) -> None:
    monkeypatch.delenv("PLANTED_KEY")
    if held is not None:
        monkeypatch.setenv("PLANTED_KEY", held)
    with pytest.raises(EngineError, match="PLANTED_KEY"):
        await OpenaiEngine(spec(endpoint)).start()


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "http://", "nonsense"])
def test_an_impossible_url_is_refused_in_the_spec(endpoint: Endpoint, url: str) -> None:
    with pytest.raises(ValueError, match="a url begins with http"):
        spec(endpoint, url=url)


async def test_a_password_in_the_url_is_refused_and_not_repeated(endpoint: Endpoint) -> None:
    with pytest.raises(EngineError) as error:
        await OpenaiEngine(spec(endpoint, url="http://me:hunter2@host/v1")).start()
    assert "hunter2" not in str(error.value)


async def test_leaving_early_cancels_what_is_under_way(endpoint: Endpoint) -> None:
    engine = OpenaiEngine(spec(endpoint))
    await engine.start()
    endpoint.faults = [hanging] * 3
    asked = [request(f"{number}", id=str(number)) for number in range(5)]
    stream = engine.complete(asked)
    await anext(aiter(stream))
    await stream.aclose()  # type: ignore[attr-defined]
    assert (await complete_one(engine, request("still there"))).text == "still there"
    await engine.close()
