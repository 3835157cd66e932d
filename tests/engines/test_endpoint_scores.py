"""Scores of candidates by servers that speak as vLLM, SGLang and llama-cpp-python do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from debate.config.models import OpenaiModel
from debate.engines.registry import get_capabilities
from tests.engines.builders import request
from tests.engines.served import Endpoint, ask_one, refuse_all

LOG_P = {character: -(number % 7) / 10 for number, character in enumerate(map(chr, range(128)))}
ASKED = request("2+2?", prefill="A:", candidates=("4", "15"))
EXPECTED = (LOG_P["4"], LOG_P["1"] + LOG_P["5"])


def render(messages: list[dict[str, str]]) -> str:
    """The template of the served model."""
    return "".join(f"{m['role'][0]}{m['content']}\n" for m in messages) + "a"


class Served:
    """A model of which every character is a token, with the log-probability of `LOG_P`."""

    def __init__(self, *, rows: str, reads_chats: bool = True, short: int = 0) -> None:
        self.rows = rows
        self.reads_chats = reads_chats
        self.short = short

    async def __call__(self, asked: web.Request) -> web.StreamResponse:
        """Answer `/tokenize` and `/v1/completions`."""
        body = json.loads(await asked.text())
        if asked.path == "/tokenize":
            if "messages" in body and not self.reads_chats:
                return web.json_response(
                    {"error": {"message": "Field required: prompt"}}, status=422
                )
            text = render(body["messages"]) if "messages" in body else body["prompt"]
            return web.json_response({"tokens": [ord(each) for each in text], "count": len(text)})
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        texts = ["".join(map(chr, p)) if isinstance(p, list) else p for p in prompts]
        choices = [self.complete(number, text) for number, text in enumerate(texts)]
        usage = {"prompt_tokens": sum(map(len, texts)), "completion_tokens": len(texts)}
        return web.json_response({"choices": choices[::-1], "usage": usage})

    def complete(self, index: int, text: str) -> dict[str, Any]:
        """The choice of one prompt."""
        numbers = [None, *(LOG_P[each] for each in text[1:])][self.short :]
        choice: dict[str, Any] = {"index": index, "text": "x"}
        if self.rows == "prompt_logprobs":
            choice["prompt_logprobs"] = [
                None if number is None else {str(ord(each)): {"logprob": number, "rank": 1}}
                for each, number in zip(text[self.short :], numbers, strict=True)
            ]
        elif self.rows == "echo":
            tokens = [*text[self.short :], "x"]
            choice["logprobs"] = {"tokens": tokens, "token_logprobs": [*numbers, -0.5]}
        else:
            choice["logprobs"] = {"tokens": ["x"], "token_logprobs": [-0.5]}
        return choice


@pytest.mark.parametrize(
    ("dialect", "rows"),
    [("vllm", "prompt_logprobs"), ("sglang", "echo"), ("auto", "prompt_logprobs")],
)
async def test_candidates_are_scored_by_the_tokens_that_the_server_makes(
    endpoint: Endpoint, dialect: str, rows: str
) -> None:
    endpoint.always = Served(rows=rows)
    found = await ask_one(endpoint, ASKED, dialect=dialect, scores=True)
    assert found.failure is None
    assert found.candidate_log_p == pytest.approx(EXPECTED)
    assert found.usage.prompt_tokens == 2 * len("u2+2?\naA:") + 3


async def test_candidates_are_scored_by_text_where_the_template_is_given(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text(
        "{{ bos_token }}{% for m in messages %}{{ m['role'][0] + m['content'] }}\n"
        "{% endfor %}{% if add_generation_prompt %}a{% endif %}"
    )
    endpoint.always = Served(rows="echo", reads_chats=False)
    asked = {"dialect": "llamacpp", "scores": True, "chat_template": str(template)}
    found = await ask_one(endpoint, ASKED, **asked)
    assert found.candidate_log_p == pytest.approx(EXPECTED)


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (Served(rows="none"), "0 log-probabilities came back for the 10 tokens"),
        (Served(rows="prompt_logprobs", short=1), "9 log-probabilities came back for the 10"),
        (Served(rows="prompt_logprobs", reads_chats=False), "chat_template"),
    ],
)
async def test_a_server_without_one_number_for_each_token_is_refused_in_words(
    endpoint: Endpoint, served: Served, told: str
) -> None:
    endpoint.always = served
    found = await ask_one(endpoint, ASKED, dialect="vllm", scores=True)
    assert found.failure is not None
    assert told in found.failure.message


async def test_a_server_that_cannot_echo_is_refused_in_its_words(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text("{{ messages[0]['content'] }}")
    endpoint.always = refuse_all(400, "Only no echo is supported")
    asked = {"dialect": "llamacpp", "scores": True, "chat_template": str(template)}
    found = await ask_one(endpoint, ASKED, **asked)
    assert found.failure is not None
    assert "Only no echo is supported" in found.failure.message


async def test_a_candidate_without_tokens_has_no_score(endpoint: Endpoint) -> None:
    endpoint.always = Served(rows="prompt_logprobs")
    found = await ask_one(endpoint, request("a", candidates=("",)), scores=True)
    assert found.failure is not None
    assert "has no tokens" in found.failure.message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, False),
        ({"scores": True}, True),
        ({"scores": "auto"}, False),
        ({"scores": "auto", "dialect": "vllm"}, True),
        ({"scores": "auto", "dialect": "ollama"}, False),
    ],
)
def test_scores_are_offered_where_they_are_asked_for(
    fields: dict[str, Any], expected: bool
) -> None:
    spec = OpenaiModel(engine="openai", model="m", url="http://h/v1", **fields)
    assert get_capabilities(spec).scores is expected
