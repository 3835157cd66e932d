"""Scores of candidates by servers that speak as vLLM, SGLang and llama-cpp-python do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from debate.config.models import OpenaiModel
from debate.engines.base import Completion
from debate.engines.chat_template import load_template, render_chat
from debate.engines.registry import get_capabilities
from debate.errors import EngineError
from debate.types import Message
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

    def __init__(
        self, *, rows: str, reads_chats: bool = True, short: int = 0, begun: str = ""
    ) -> None:
        self.rows = rows
        self.begun = begun
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
            text = render(body["messages"]) + self.begun if "messages" in body else body["prompt"]
            spelt = [*text.removesuffix(self.begun), self.begun.replace("\n", "Ċ")]
            told = {"token_strs": spelt} if body.get("return_token_strs") else {}
            tokens = [ord(each) for each in text]
            return web.json_response({"tokens": tokens, "count": len(text), **told})
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
    asked = {"dialect": "sglang", "scores": True, "chat_template": str(template)}
    found = await ask_one(endpoint, ASKED, **asked)
    assert found.candidate_log_p == pytest.approx(EXPECTED)


CONTROL = re.compile(r"<\|.*?\|>|.", re.DOTALL)
"""The tokens of a text: characters, and control tokens as a whole."""


class LlamaCppPython:
    """The echo of llama-cpp-python 0.3: without the token that begins a text, control tokens empty.

    Each token has the number at its place less one, as the number after the token before it is
    what a token is told by; so where nothing was left out, each has the number of the next place.
    """

    def __init__(self, bos: str, *, generates: str = "x") -> None:
        self.bos = bos
        self.generates = generates

    async def __call__(self, asked: web.Request) -> web.StreamResponse:
        """Answer `/v1/completions`."""
        text = json.loads(await asked.text())["prompt"]
        prompt = CONTROL.findall(text)
        said = [*prompt, *self.generates]
        numbers = [LOG_P.get(each, -9.0) for each in [*said[1:], "y"]]
        listed = said[1:] if prompt[0] == self.bos else said
        pairs = [
            ("" if len(each) > 1 else each, number)
            for each, number in zip(listed, numbers, strict=False)
            if each != self.bos
        ]
        tokens, found = zip(*pairs, strict=True)
        logprobs = {"tokens": tokens, "token_logprobs": [None, *found[1:]]}
        choice = {"index": 0, "text": text + self.generates, "logprobs": logprobs}
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(self.generates)}
        return web.json_response({"choices": [choice], "usage": usage})


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] + '\n' + m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


async def ask_llama_cpp(
    endpoint: Endpoint, folder: Path, served: LlamaCppPython, template: str = CHATML
) -> Completion:
    """The scores of the candidates, by text."""
    (folder / "chat.jinja").write_text(template)
    endpoint.always = served
    return await ask_one(endpoint, ASKED, scores=True, chat_template=str(folder / "chat.jinja"))


@pytest.mark.parametrize("generates", ["x", ""])
async def test_an_echo_without_its_control_tokens_is_read_from_its_end(
    endpoint: Endpoint, tmp_path: Path, generates: str
) -> None:
    served = LlamaCppPython("<|im_start|>", generates=generates)
    found = await ask_llama_cpp(endpoint, tmp_path, served)
    assert found.failure is None
    assert found.candidate_log_p == pytest.approx(EXPECTED)


async def test_an_echo_whose_numbers_are_those_of_the_next_place_is_refused_in_words(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    found = await ask_llama_cpp(endpoint, tmp_path, LlamaCppPython("<|endoftext|>"))
    assert found.failure is not None
    assert "the number of the next place" in found.failure.message


async def test_a_candidate_is_not_scored_as_a_thought(endpoint: Endpoint, tmp_path: Path) -> None:
    opened = CHATML.replace("assistant\n", "assistant\n<think>\n")
    found = await ask_llama_cpp(endpoint, tmp_path, LlamaCppPython("<|im_start|>"), opened)
    assert found.failure is not None
    assert "scored as thoughts" in found.failure.message
    endpoint.always = Served(rows="prompt_logprobs", begun="<think>\n")
    found = await ask_one(endpoint, ASKED, dialect="vllm", scores=True)
    assert found.failure is not None
    assert "scored as thoughts" in found.failure.message


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
        ({"scores": True, "dialect": "ollama"}, False),
        ({"scores": True, "dialect": "llamacpp"}, False),
        ({"scores": True, "dialect": "llamacpp", "chat_template": "chat.jinja"}, True),
        ({"scores": False, "dialect": "vllm"}, False),
    ],
)
def test_scores_are_offered_where_they_are_asked_for(
    fields: dict[str, Any], expected: bool
) -> None:
    spec = OpenaiModel(engine="openai", model="m", url="http://h/v1", **fields)
    assert get_capabilities(spec).scores is expected


def test_the_token_that_ends_a_turn_is_read_beside_the_template(tmp_path: Path) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text(
        "{{ bos_token }}{% for m in messages %}{{ m['content'] + eos_token }}{% endfor %}"
        "{% if thinks %}<think>{% endif %}"
    )
    with pytest.raises(EngineError, match=r"tokenizer_config\.json"):
        load_template(str(template))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "</s>"}}')
    said = (Message(role="user", content="2+2?"),)
    assert render_chat(str(template), said, {}) == "2+2?</s>"
    assert render_chat(str(template), said, {"thinks": True}) == "2+2?</s><think>"
