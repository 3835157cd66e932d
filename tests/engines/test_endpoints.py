"""What endpoints say and refuse: other shapes, other names, errors, limits, addresses, keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from debate.cluster.launch import launch_models
from debate.config.cluster import ClusterSpec
from debate.config.models import DialectName, OpenaiModel
from debate.engines.addresses import find_environment_proxy, make_address
from debate.engines.base import Guided, Request, Sampling
from debate.engines.dialects import DIALECTS, guess_from_models, guess_from_reply, guess_from_url
from debate.engines.endpoint_session import PACED
from debate.engines.openai import NO_LOGPROBS, OpenaiEngine
from debate.engines.rate_limit import SharedPace
from debate.engines.roles import FOLDED
from debate.errors import EngineError
from debate.types import Message
from tests.engines.builders import request
from tests.engines.served import KEY, Endpoint, ask, ask_one, echo, say, spec, status

WITH_SYSTEM = Request(
    id="r",
    messages=(
        Message(role="system", content="You are a sceptic."),
        Message(role="user", content="2+2?"),
    ),
)
OTHER_KEY = "planted-of-another-0123456789"
SERVER_URL = "http://gateway.example:8000/v1"


def refuse(message: str, status: int = 400, /, **fields: Any) -> Any:
    """An error that names what it does not take."""
    return say({"error": {"message": message, **fields}}, status)


def with_logprobs(text: str, logprobs: Any) -> dict[str, Any]:
    """A chat completion with log-probabilities of some shape."""
    return echo(text, logprobs=logprobs)


# Shapes of replies


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "Answer: "}, {"type": "text", "text": "4"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]}, "Answer: 4"],
        [{"type": "output_text", "text": "Answer: 4"}, {"type": "image_url", "image_url": {}}],
        [{"type": "text", "text": {"value": "Answer: 4", "annotations": []}}],
        [{"type": "text", "content": "Answer: 4"}],
        {"parts": [{"text": "Answer: "}, "4"]},
    ],
)
async def test_content_may_come_in_parts(endpoint: Endpoint, content: Any) -> None:
    endpoint.reply = echo(content)
    found = await ask_one(endpoint)
    assert (found.text, found.failure) == ("Answer: 4", None)


@pytest.mark.parametrize("choice", [{"delta": {"content": "4"}}, {"message": "4"}, {"text": "4"}])
async def test_a_choice_may_hold_its_text_elsewhere(endpoint: Endpoint, choice: Any) -> None:
    endpoint.reply = {"choices": [choice | {"finish_reason": "stop"}]}
    assert (await ask_one(endpoint)).text == "4"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reasoning_content", "2+2"),
        ("reasoning", "2+2"),
        ("reasoning_details", [{"type": "reasoning.text", "text": "2+2"}]),
        ("thinking_blocks", [{"type": "thinking", "thinking": "2+2"}]),
    ],
)
async def test_reasoning_in_a_field_of_its_own_is_told_apart(
    endpoint: Endpoint, field: str, value: Any
) -> None:
    endpoint.reply = echo("Answer: 4")
    endpoint.reply["choices"][0]["message"][field] = value
    found = await ask_one(endpoint)
    assert (found.text, found.reasoning) == ("Answer: 4", "2+2")


async def test_a_limit_inside_reasoning_is_told(endpoint: Endpoint) -> None:
    endpoint.reply = echo(None, finish_reason="length")
    endpoint.reply["choices"][0]["message"]["reasoning_content"] = "2+2 is"
    assert (await ask_one(endpoint)).is_reasoning_open


async def test_a_refusal_is_one_with_its_text(endpoint: Endpoint) -> None:
    endpoint.reply = echo(None)
    endpoint.reply["choices"][0]["message"]["refusal"] = "I cannot say."
    found = await ask_one(endpoint)
    assert (found.text, found.finish_reason) == ("I cannot say.", "refusal")


async def test_the_choice_of_index_0_is_the_reply(endpoint: Endpoint) -> None:
    second, first = echo("second", index=1), echo("first", index=0)
    endpoint.reply = first | {"choices": [*second["choices"], *first["choices"]]}
    assert (await ask_one(endpoint)).text == "first"


async def test_the_choice_of_least_index_is_the_reply(endpoint: Endpoint) -> None:
    last, first = (
        {"index": n, "message": {"content": f"Answer: {n}"}, "finish_reason": "stop"}
        for n in (2, 1)
    )
    endpoint.reply = {"choices": [last, first]}
    assert (await ask_one(endpoint)).text == "Answer: 1"


async def test_a_byte_order_mark_spoils_nothing(endpoint: Endpoint) -> None:
    endpoint.faults = [say("\ufeff" + '{"choices": [{"message": {"content": "4"}}]}')]
    assert (await ask_one(endpoint)).text == "4"


@pytest.mark.parametrize(
    "logprobs",
    [
        {"content": [{"token": "Answer: ", "logprob": -0.2}, {"token": "4", "logprob": -0.3}]},
        {"tokens": ["Answer: ", "4"], "token_logprobs": [-0.2, -0.3]},
        [{"token": "Answer: ", "logprob": -0.2}, {"token": "4", "logprob": -0.3}],
        {
            "content": [
                {"token": "\n", "logprob": 0},
                {"token": "Answer: ", "logprob": -0.2},
                {"token": "4", "logprob": -0.3},
            ]
        },
    ],
)
async def test_log_probabilities_are_read_in_every_shape(endpoint: Endpoint, logprobs: Any) -> None:
    endpoint.reply = with_logprobs("Answer: 4", logprobs)
    found = await ask_one(endpoint)
    assert found.tokens is not None
    assert "".join(token.text for token in found.tokens) == "Answer: 4"
    assert [token.log_p for token in found.tokens if token.text] == [-0.2, -0.3]
    assert found.notes == ()


async def test_tokens_of_reasoning_are_none_of_the_reply(endpoint: Endpoint) -> None:
    entries = [{"token": t, "logprob": -0.5} for t in ("so 4", "</think>", "4", "<|im_end|>")]
    endpoint.reply = with_logprobs("4", {"content": entries})
    endpoint.reply["choices"][0]["message"]["reasoning_content"] = "so 4"
    found = await ask_one(endpoint)
    assert found.tokens is not None
    assert [token.text for token in found.tokens if token.text] == ["4"]


@pytest.mark.parametrize("value", ["-Infinity", "NaN", "null", "-9999.0", '"low"'])
async def test_a_log_probability_that_is_none_costs_no_reply(
    endpoint: Endpoint, value: str
) -> None:
    logprobs = f'{{"content": [{{"token": "4", "logprob": {value}}}]}}'
    endpoint.faults = [
        say(f'{{"choices": [{{"message": {{"content": "4"}}, "logprobs": {logprobs}}}]}}')
    ]
    found = await ask_one(endpoint)
    assert (found.text, found.tokens, found.failure) == ("4", None, None)
    assert "no log-probabilities" in found.notes[0]


@pytest.mark.parametrize("value", ["1000.0", "0.5", "Infinity", "1" + "0" * 350])
async def test_a_probability_above_1_fails_its_turn_and_is_not_tried_again(
    endpoint: Endpoint, value: str
) -> None:
    logprobs = f'{{"content": [{{"token": "4", "logprob": {value}}}]}}'
    endpoint.always = say(
        f'{{"choices": [{{"message": {{"content": "4"}}, "logprobs": {logprobs}}}]}}'
    )
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert re.search("log-probability .* above 0; `logprobs: false`", found.failure.message)
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize("value", [1e-7, 0.0078])
async def test_a_probability_that_is_rounded_above_1_is_1(endpoint: Endpoint, value: float) -> None:
    endpoint.reply = with_logprobs("4", {"content": [{"token": "4", "logprob": value}]})
    found = await ask_one(endpoint)
    assert found.tokens is not None
    assert [token.log_p for token in found.tokens] == [0.0]


async def test_a_server_without_log_probabilities_is_told_of(endpoint: Endpoint) -> None:
    assert (await ask_one(endpoint)).notes == (NO_LOGPROBS,)
    assert (await ask_one(endpoint, logprobs=False)).notes == ()


@pytest.mark.parametrize("count", [5.5, -1, 2**70, 10**12 + 1, "7", True, [], 1e300])
async def test_a_count_that_is_none_costs_no_reply(endpoint: Endpoint, count: Any) -> None:
    endpoint.reply = echo("4") | {"usage": {"prompt_tokens": count, "completion_tokens": 3.0}}
    found = await ask_one(endpoint)
    assert (found.text, found.failure) == ("4", None)
    assert (found.usage.prompt_tokens, found.usage.generated_tokens) == (None, 3)


# Errors


@pytest.mark.parametrize(
    "reply",
    [
        {"error": {"message": "Rate limit exceeded", "code": 429}},
        {"error": "overloaded"},
        {"object": "error", "message": "lost", "code": 503},
        echo("", finish_reason="error"),
        echo("Answ", finish_reason=None, error={"message": "upstream lost", "code": 502}),
        echo("Answ", finish_reason="abort"),
        echo("Answ", finish_reason="insufficient_system_resource"),
        {"detail": "Service Unavailable"},
        {"code": 1302, "msg": "too many calls at once"},
        {"choices": None, "base_resp": {"status_code": 1002, "status_msg": "rate limit"}},
        {"success": False, "result": None, "errors": [{"code": 3040, "message": "no capacity"}]},
        {"id": "c", "object": "chat.completion"},
        {"choices": []},
    ],
)
async def test_an_error_inside_a_good_status_is_tried_again(endpoint: Endpoint, reply: Any) -> None:
    endpoint.faults = [say(reply)]
    found = await ask_one(endpoint)
    assert (found.text, found.failure) == ("hello", None)
    assert len(endpoint.bodies) == 2


async def test_an_error_whose_code_stands_for_success_is_none(endpoint: Endpoint) -> None:
    endpoint.reply = echo("4") | {"error": {"code": 0, "message": "ok"}}
    assert (await ask_one(endpoint)).text == "4"


async def test_an_error_that_will_not_pass_is_final_inside_a_good_status(
    endpoint: Endpoint,
) -> None:
    endpoint.faults = [say({"error": {"message": "no such model", "code": 404}})] * 3
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert "no such model" in found.failure.message
    assert len(endpoint.bodies) == 1


async def test_a_spent_quota_is_final_at_the_first_reply(endpoint: Endpoint) -> None:
    endpoint.faults = [refuse("You exceeded your quota", 429, code="insufficient_quota")] * 3
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (429, {"message": "Your account has an insufficient balance"}),
        (429, {"message": "suspended", "type": "exceeded_current_quota_error"}),
        (429, {"message": "Billing hard limit has been reached"}),
        (429, {"message": "no", "code": "billing_hard_limit_reached"}),
        (503, {"message": "You have used all available credits or reached its spending limit"}),
    ],
)
async def test_what_only_money_mends_is_final(
    endpoint: Endpoint, code: int, error: dict[str, str]
) -> None:
    endpoint.always = say({"error": error}, code)
    assert (await ask_one(endpoint)).failure is not None
    assert len(endpoint.bodies) == 1


async def test_a_reply_after_a_rate_limit_names_the_field_that_keeps_below_it(
    endpoint: Endpoint,
) -> None:
    endpoint.faults = [status(429, "slow down", **{"Retry-After": "0"})]
    assert PACED in (await ask_one(endpoint, logprobs=False)).notes
    endpoint.always = status(429, "slow down", **{"Retry-After": "0"})
    failed = (await ask_one(endpoint, retries=1)).failure
    assert failed is not None
    assert "(attempt 2 of 2); requests_per_minute" in failed.message


async def test_a_limit_for_a_while_is_waited_for(endpoint: Endpoint) -> None:
    told = {"message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED"}
    endpoint.faults = [say({"error": told | {"details": [{"retryDelay": "0s"}]}}, 429)]
    assert (await ask_one(endpoint)).text == "hello"


def test_calls_leave_one_by_one_after_a_pause_until_they_are_answered() -> None:
    pace = SharedPace()
    pace.hold(2.0, now=100.0)
    assert [round(pace.reserve(now=100.0), 2) for _ in range(3)] == [2.0, 2.1, 2.2]
    for _ in range(100):
        pace.ease()
    assert [round(pace.reserve(now=110.0), 2) for _ in range(3)] == [0.0, 0.0, 0.0]


# What is refused by name


@pytest.mark.parametrize(
    ("refusal", "gone"),
    [
        (refuse("`temperature` and `top_p` cannot both be specified for this model."), "top_p"),
        (refuse("Unsupported value", param="temperature", code="unsupported_value"), "temperature"),
        (
            refuse(
                "'temperature' does not support 0.0 with this model. Only the default (1) value "
                "is supported.",
                param="temperature",
            ),
            "temperature",
        ),
        (
            say(
                {
                    "detail": [
                        {
                            "type": "extra_forbidden",
                            "loc": ["body", "top_k"],
                            "msg": "Extra inputs are not permitted",
                        }
                    ]
                },
                422,
            ),
            "top_k",
        ),
        (refuse("Unrecognized request argument supplied: seed", param="seed"), "seed"),
        (refuse("logprobs is not supported by this model"), "logprobs"),
        (refuse("Unsupported parameter: 'stop' is not supported with this model."), "stop"),
    ],
)
async def test_a_parameter_that_is_refused_by_name_is_left_out_from_then_on(
    endpoint: Endpoint, refusal: Any, gone: str
) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=5, seed=1, stop=("!",), max_tokens=9)
    endpoint.faults = [refusal]
    asked = [request("a", id="1", sampling=sampling), request("b", id="2", sampling=sampling)]
    found = await ask(endpoint, *asked, max_in_flight=1)
    assert all(completion.failure is None for completion in found.values())
    first, *later = endpoint.bodies
    assert gone in first
    assert len(later) == 2
    assert all(set(first) - set(body) == {gone} for body in later)
    assert all(f"without {gone}, which the endpoint refused" in c.notes for c in found.values())


async def test_a_limit_of_tokens_goes_by_its_other_name_before_it_goes(endpoint: Endpoint) -> None:
    endpoint.faults = [refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.")]
    await ask_one(endpoint, request("a", sampling=Sampling(max_tokens=9)))
    assert "max_tokens" not in endpoint.bodies[1]
    assert endpoint.bodies[1]["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 4096 completion tokens.",
        "This model's maximum context length is 8192 tokens; you requested 9000 max_tokens.",
        "temperature: must be between 0 and 1",
        "user is not supported",
    ],
)
async def test_a_value_out_of_range_is_a_failure_and_stays(
    endpoint: Endpoint, message: str
) -> None:
    endpoint.faults = [refuse(message)] * 3
    found = await ask_one(endpoint, extra_body={"user": "me"})
    assert found.failure is not None
    assert message[:40] in found.failure.message
    assert len(endpoint.bodies) == 1


async def test_an_endpoint_that_refuses_everything_is_asked_a_few_times_only(
    endpoint: Endpoint,
) -> None:
    endpoint.faults = [refuse("temperature, top_p, max_tokens, seed are not supported")] * 50
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert len(endpoint.bodies) < 10


async def test_a_stop_that_the_endpoint_refuses_is_looked_for_here(endpoint: Endpoint) -> None:
    entries = [{"token": t, "logprob": -0.5} for t in ("4", "\nV", "5")]
    endpoint.reply = with_logprobs("4\nV5", {"content": entries})
    endpoint.faults = [refuse("Unsupported parameter: 'stop'")]
    found = await ask_one(endpoint, request("a", sampling=Sampling(stop=("V",))))
    assert (found.text, found.finish_reason) == ("4\n", "stop")
    assert found.tokens is not None
    assert [token.text for token in found.tokens] == ["4", "\n"]


async def test_parameters_of_null_are_not_sent(endpoint: Endpoint) -> None:
    sampling = Sampling(temperature=None, top_p=None, max_tokens=None)
    await ask_one(endpoint, request("a", sampling=sampling), logprobs=False)
    assert set(endpoint.bodies[0]) == {"model", "messages"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (400, "System role not supported"),
        (500, "Jinja Exception: Conversation roles must alternate user/assistant/user/assistant"),
        (400, "Developer instruction is not enabled for this model"),
    ],
)
async def test_a_role_that_is_refused_is_folded_into_the_users(
    endpoint: Endpoint, code: int, message: str
) -> None:
    endpoint.faults = [refuse(message, code)]
    found = await ask_one(endpoint, WITH_SYSTEM)
    assert found.failure is None
    assert FOLDED in found.notes
    folded = [{"role": "user", "content": "You are a sceptic.\n\n2+2?"}]
    assert endpoint.bodies[1]["messages"] == folded


async def test_roles_are_folded_or_kept_where_the_model_says_so(endpoint: Endpoint) -> None:
    found = await ask_one(endpoint, WITH_SYSTEM, roles="fold", logprobs=False)
    assert (len(endpoint.bodies[0]["messages"]), found.notes) == (1, ())
    endpoint.faults = [refuse("System role not supported")]
    assert (await ask_one(endpoint, WITH_SYSTEM, roles="keep")).failure is not None


# Constraints


@pytest.mark.parametrize(
    ("dialect", "field", "value"),
    [
        ("vllm", "structured_outputs", {"choice": ["1", "2"]}),
        ("sglang", "regex", "(1|2)"),
        ("llamacpp", "grammar", 'root ::= "1" | "2"'),
        ("tgi", "response_format", {"type": "regex", "value": "(1|2)"}),
        ("together", "response_format", {"type": "regex", "pattern": "(1|2)"}),
    ],
)
async def test_constraints_go_out_in_the_servers_words(
    endpoint: Endpoint, dialect: str, field: str, value: Any
) -> None:
    endpoint.reply = echo("2")
    asked = request("hi", guided=Guided(choice=("1", "2")))
    found = await ask_one(endpoint, asked, dialect=dialect)
    assert endpoint.bodies[0][field] == value
    assert (found.text, found.failure) == ("2", None)


async def test_a_reply_in_the_json_of_a_schema_is_taken_out_of_it(endpoint: Endpoint) -> None:
    entries = [{"token": t, "logprob": -0.5} for t in ('{"answer": "', "B", '"}')]
    endpoint.reply = with_logprobs('{"answer": "B"}', {"content": entries})
    asked = request("hi", guided=Guided(choice=("A", "B")))
    found = await ask_one(endpoint, asked, dialect="openai")
    schema = endpoint.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["A", "B"]
    assert found.text == "B"
    assert found.tokens is not None
    assert [token.text for token in found.tokens] == ["B"]


@pytest.mark.parametrize("guided", [Guided(choice=("1", "2")), Guided(regex="[0-9]+")])
async def test_a_constraint_that_is_ignored_fails_its_turn(
    endpoint: Endpoint, guided: Guided
) -> None:
    endpoint.reply = echo("I would say two.")
    found = await ask_one(endpoint, request("hi", guided=guided))
    assert found.failure is not None
    assert "ignored sampling." in found.failure.message


async def test_a_servers_list_of_models_tells_how_to_constrain_it(endpoint: Endpoint) -> None:
    endpoint.reply, endpoint.models = echo("2"), {"data": [{"id": "m", "owned_by": "sglang"}]}
    await ask_one(endpoint, request("hi", guided=Guided(choice=("1", "2"))))
    assert endpoint.bodies[0]["regex"] == "(1|2)"


# Dialects


def test_each_dialect_can_be_named() -> None:
    names = DialectName.__args__  # type: ignore[attr-defined]
    assert set(names) == {"auto", *DIALECTS}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://x.openai.azure.com", "azure"),
        ("https://gateway/openai/deployments/d?api-version=1", "azure"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("https://api.openai.com.evil.example/v1", None),
    ],
)
def test_a_url_tells_its_dialect(url: str, name: str | None) -> None:
    found = guess_from_url(url)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("headers", "reply", "name"),
    [
        ({"openai-version": "2020-10-01"}, {}, "openai"),
        ({"Server": "llama.cpp"}, {}, "llamacpp"),
        ({}, {"system_fingerprint": "b5000-0123abc"}, "llamacpp"),
        ({}, {"choices": [{"matched_stop": None}]}, "sglang"),
        ({}, {"prompt_logprobs": None}, "vllm"),
        ({}, {"system_fingerprint": "fp_ollama"}, "ollama"),
        ({}, {"choices": [3], "system_fingerprint": 4}, None),
    ],
)
def test_a_reply_tells_its_dialect(headers: Any, reply: Any, name: str | None) -> None:
    found = guess_from_reply(headers, reply)
    assert (found and found.name) == name


def test_the_owner_of_a_model_tells_the_dialect_of_llama_cpp_python() -> None:
    found = guess_from_models({"data": [{"id": "m.gguf", "owned_by": "me"}]})
    assert found is not None
    assert (found.name, found.neutral["repeat_penalty"]) == ("llamacpp", 1.0)
    # Its replies have this name of OpenAI's in their head, and are none of OpenAI's.
    assert guess_from_reply({"openai-processing-ms": "12"}, {}) is None


@pytest.mark.parametrize("dialect", ["llamacpp", "vllm", "sglang", "lmstudio"])
async def test_penalties_that_nobody_asked_for_are_switched_off(
    endpoint: Endpoint, dialect: str
) -> None:
    await ask_one(endpoint, dialect=dialect)
    penalties = {k: v for k, v in endpoint.bodies[0].items() if "penalty" in k}
    assert list(penalties.values()) == [1.0]
    await ask_one(endpoint, dialect=dialect, extra_body=dict.fromkeys(penalties, 1.2))
    assert {k: v for k, v in endpoint.bodies[1].items() if "penalty" in k} == dict.fromkeys(
        penalties, 1.2
    )


@pytest.mark.parametrize("listed", [None, [], {"data": None}, {"data": [1, {}]}])
def test_a_list_of_models_that_is_none_tells_nothing(listed: Any) -> None:
    assert guess_from_models(listed) is None


async def test_a_reasoning_model_is_not_sent_what_it_does_not_take(endpoint: Endpoint) -> None:
    found = await ask_one(endpoint, dialect="openai", model="gpt-5-mini", reasoning_effort="low")
    (body,) = endpoint.bodies
    assert set(body) == {"model", "messages", "max_completion_tokens", "reasoning_effort"}
    assert any("without temperature" in note for note in found.notes)


async def test_effort_stands_where_the_dialect_has_it(endpoint: Endpoint) -> None:
    await ask_one(endpoint, dialect="openrouter", reasoning_effort="high")
    assert endpoint.bodies[0]["reasoning"] == {"effort": "high"}


async def test_azure_takes_its_key_in_a_header_of_its_own(endpoint: Endpoint) -> None:
    await ask_one(endpoint, dialect="azure", url=endpoint.url.removesuffix("/v1"), model="dep")
    assert endpoint.headers[0]["api-key"] == KEY
    assert "Authorization" not in endpoint.headers[0]
    assert endpoint.paths[0].startswith("/openai/deployments/dep/chat/completions?api-version=")


# Addresses, headers, proxies


@pytest.mark.parametrize(
    ("url", "chat"),
    [
        (SERVER_URL, f"{SERVER_URL}/chat/completions"),
        (f"{SERVER_URL}/", f"{SERVER_URL}/chat/completions"),
        (f"{SERVER_URL}/chat/completions", f"{SERVER_URL}/chat/completions"),
        (f"{SERVER_URL}/chat/completions/?a=1", f"{SERVER_URL}/chat/completions?a=1"),
        (f"{SERVER_URL}?api=2", f"{SERVER_URL}/chat/completions?api=2"),
        (f"{SERVER_URL}/Chat/Completions", f"{SERVER_URL}/chat/completions"),
        (f"{SERVER_URL}/completions?api=2", f"{SERVER_URL}/chat/completions?api=2"),
        (f"{SERVER_URL}/responses/", f"{SERVER_URL}/chat/completions"),
        ("https://h/models", "https://h/models/chat/completions"),
        (f"{SERVER_URL}#there", f"{SERVER_URL}/chat/completions"),
        ("http://h", "http://h/chat/completions"),
    ],
)
def test_a_url_is_completed_and_keeps_its_query(url: str, chat: str) -> None:
    assert make_address(url, "m", None).chat == chat


def test_other_addresses_stand_beside_it() -> None:
    address = make_address("http://h/api/v1?a=1", "m", None)
    assert address.completions == "http://h/api/v1/completions?a=1"
    assert address.at_root("/tokenize") == "http://h/api/tokenize?a=1"


async def test_headers_are_filled_from_the_environment_and_hidden(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM_TOKEN", "team-token-0123456789")
    headers = {"X-Team": "${TEAM_TOKEN}", "Authorization": "Token $TEAM_TOKEN"}
    endpoint.faults = [status(401, "who is team-token-0123456789?")]
    found = await ask_one(endpoint, headers=headers)
    assert endpoint.headers[0]["X-Team"] == "team-token-0123456789"
    assert endpoint.headers[0]["Authorization"] == "Token team-token-0123456789"
    assert "team-token" not in repr(found)


async def test_a_header_whose_variable_is_not_set_is_named(endpoint: Endpoint) -> None:
    with pytest.raises(EngineError, match=r"NOT_THERE.*X-Team"):
        await OpenaiEngine(spec(endpoint, headers={"X-Team": "$NOT_THERE"})).start()


@pytest.mark.parametrize(
    "headers",
    [{"api-key": "0123"}, {"X-Note": f"Bearer {KEY}"}, {"X Note": "a"}, {"X-Note": "a\r\nB: c"}],
)
def test_a_header_that_is_none_or_holds_a_key_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"header|never the key itself"):
        OpenaiModel(engine="openai", model="m", url=SERVER_URL, headers=headers)


@pytest.mark.parametrize("pieces", [[f"my key: {KEY}!"], ["my key: ", KEY[:9], KEY[9:], "!"]])
async def test_a_key_that_is_echoed_is_taken_out_of_the_reply(
    endpoint: Endpoint, pieces: list[str]
) -> None:
    entries = [{"token": piece, "logprob": -0.5} for piece in pieces]
    endpoint.reply = with_logprobs("".join(pieces), {"content": entries})
    endpoint.reply["choices"][0]["message"]["reasoning_content"] = f"they sent {KEY}"
    found = await ask_one(endpoint)
    assert found.text == "my key: [key]!"
    assert found.tokens is not None
    assert "".join(token.text for token in found.tokens) == found.text
    assert "sk-planted" not in repr(found)


@pytest.mark.parametrize(
    "reply",
    [
        echo(f"Your key is {OTHER_KEY}\nAnswer: 4"),
        echo("\u200b".join(OTHER_KEY)),
        echo(f"{OTHER_KEY[:9]}\n{OTHER_KEY[9:]}"),
        echo("4", finish_reason=OTHER_KEY),
        echo("4", logprobs={"content": [{"token": "4", "logprob": OTHER_KEY}]}),
        echo(None) | {"model": OTHER_KEY, "system_fingerprint": OTHER_KEY},
        echo("4") | {"choices": [{"message": {"content": None, "refusal": OTHER_KEY}}]},
        echo("4") | {"choices": [{"message": {"content": "", "reasoning": OTHER_KEY}}]},
        {"error": {"message": "no", "details": OTHER_KEY, "code": OTHER_KEY}},
        {"error": OTHER_KEY},
        {"object": OTHER_KEY},
    ],
)
async def test_the_key_of_another_model_is_taken_out_of_all_that_is_said(
    endpoint: Endpoint, reply: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", OTHER_KEY)
    monkeypatch.setenv("SHORT", "4")
    endpoint.always = say(reply)
    models = {
        "m": spec(endpoint, retries=0, headers={"X-Team": "$SHORT"}),
        "other": spec(endpoint, headers={"X-Key": "Token $OTHER_KEY"}, retries=0),
    }
    async with launch_models(models, ClusterSpec()) as clients:
        found = await clients["m"].complete(request("hello"))
    said = re.sub(r"[\s\u200b]|\\n|\\u200b", "", repr(found))
    assert OTHER_KEY[:12] not in said


async def test_a_proxy_of_the_environment_is_asked(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", endpoint.url.removesuffix("/v1"))
    assert (await ask_one(endpoint, url="http://llm.invalid/v1")).text == "hello"


async def test_a_proxy_that_is_set_is_asked(endpoint: Endpoint) -> None:
    proxy = endpoint.url.removesuffix("/v1")
    assert (await ask_one(endpoint, url="http://llm.invalid/v1", proxy=proxy)).text == "hello"


def test_what_needs_no_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert find_environment_proxy("https://outside.example/v1") == "http://proxy:3128"
    assert find_environment_proxy("https://llm.inside.example/v1") is None
    assert find_environment_proxy("http://127.0.0.1:8000/v1") is None
    assert find_environment_proxy("http://localhost:8000/v1") is None


async def test_a_proxy_of_an_unknown_kind_is_refused_without_its_password(
    endpoint: Endpoint,
) -> None:
    with pytest.raises(EngineError, match="socks5 proxy") as error:
        await OpenaiEngine(spec(endpoint, proxy="socks5://me:hunter2@p:1")).start()
    assert "hunter2" not in str(error.value)


async def test_certificates_that_are_not_there_are_named(
    endpoint: Endpoint, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EngineError, match=re.escape("no such file")):
        await OpenaiEngine(spec(endpoint, ca_file=str(tmp_path / "ca.pem"))).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    with pytest.raises(EngineError, match="SSL_CERT_FILE"):
        await OpenaiEngine(spec(endpoint)).start()


async def test_a_redirect_is_told_and_not_followed(endpoint: Endpoint) -> None:
    async def redirect(_: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": "http://elsewhere.invalid/v1"})

    endpoint.faults = [redirect]
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert "redirects are not followed" in found.failure.message


# Replies of other kinds


async def test_an_error_in_a_list_is_read(endpoint: Endpoint) -> None:
    endpoint.faults = [say([{"error": {"code": 402, "message": "nothing left"}}])] * 3
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert "nothing left" in found.failure.message
    assert len(endpoint.bodies) == 1


async def test_a_stream_that_was_not_asked_for_is_told(endpoint: Endpoint) -> None:
    endpoint.faults = [say('data: {"choices": []}\n\ndata: [DONE]\n')]
    found = await ask_one(endpoint)
    assert found.failure is not None
    assert "streams its reply" in found.failure.message


async def test_what_an_error_repeats_of_the_request_is_not_taken_for_its_words(
    endpoint: Endpoint,
) -> None:
    detail = [{"type": "missing", "loc": ["body", "user"], "input": "temperature not supported"}]
    endpoint.faults = [say({"detail": detail}, 422)] * 3
    assert (await ask_one(endpoint)).failure is not None
    assert len(endpoint.bodies) == 1


async def test_a_template_that_is_not_there_is_named_at_the_start(
    endpoint: Endpoint, tmp_path: Any
) -> None:
    with pytest.raises(EngineError, match=r"no\.jinja cannot be read"):
        await OpenaiEngine(spec(endpoint, chat_template=str(tmp_path / "no.jinja"))).start()
