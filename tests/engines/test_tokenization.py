"""Prompts encoded many at a time are those encoded one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from debate.bench.workloads import make_character_tokenizer
from debate.engines.base import Request
from debate.engines.hf.tokenization import GROUP_SIZE, GroupEncoder, encode_requests
from debate.errors import EngineError
from debate.types import Message


def asked(texts: Sequence[str]) -> list[Request]:
    return [
        Request(
            id=str(n), messages=(Message(role="user", content=text),), candidates=("7",) * (n % 2)
        )
        for n, text in enumerate(texts)
    ]


def test_the_prompts_are_those_of_requests_encoded_alone_in_whichever_order() -> None:
    tokenizer = make_character_tokenizer()
    requests = asked([f"{n} + {n}?" for n in range(GROUP_SIZE + 3)])
    encoder = GroupEncoder(tokenizer, requests)
    for request in reversed(requests):
        assert encoder.encode(request) == encode_requests(tokenizer, [request])[0]


def test_a_request_that_cannot_be_encoded_fails_alone() -> None:
    tokenizer = make_character_tokenizer()
    tokenizer.chat_template = (
        "{% for message in messages %}{% if message['content'] == 'no' %}"
        "{{ raise_exception('refused') }}{% endif %}{{ message['content'] }}{% endfor %}"
    )
    requests = asked(["yes", "no", "yes again"])
    encoder = GroupEncoder(tokenizer, requests)
    assert len(encoder.encode(requests[2]).ids) == len("yes again")
    with pytest.raises(Exception, match="refused"):
        encoder.encode(requests[1])
    assert encoder.encode(requests[0]).request is requests[0]


def test_a_candidate_is_not_scored_as_a_thought_that_the_template_begins() -> None:
    tokenizer = make_character_tokenizer("abc<>/think\n", template="{{ '<think>\\n' }}")
    message = (Message(role="user", content="a"),)
    scored = Request(id="1", messages=message, candidates=("b",))
    with pytest.raises(EngineError, match="scored as thoughts"):
        encode_requests(tokenizer, [scored])
    (closed,) = encode_requests(tokenizer, [replace(scored, prefill="</think>\n")])
    assert not closed.opens_reasoning
    (said,) = encode_requests(tokenizer, [replace(scored, candidates=(), prefill="b")])
    assert said.opens_reasoning
