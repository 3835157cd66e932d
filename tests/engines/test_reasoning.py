"""Private reasoning is told apart from the reply that it leads to."""

from __future__ import annotations

import pytest

from debate.engines.base import Completion, Token
from debate.engines.reasoning import ends_open, split_reasoning
from debate.engines.validation import validate_completion
from tests.engines.builders import request


def split(text: str, size: int = 3) -> Completion:
    """Split a text that comes in tokens of so many characters."""
    tokens = tuple(Token(text=text[i : i + size], log_p=-1.0) for i in range(0, len(text), size))
    found = split_reasoning(Completion(id="1", text=text, tokens=tokens))
    assert found.tokens is not None
    assert "".join(token.text for token in found.tokens) == found.text
    return found


@pytest.mark.parametrize(
    "text",
    [
        "<think>\nsecret\n</think>\n\nAnswer: 4",
        "<THINKING>secret</THINKING>Answer: 4",
        "<thought>secret</thought>\nAnswer: 4",
        "<seed:think>secret</seed:think>Answer: 4",
        "<longcat_think>secret</longcat_think>Answer: 4",
        "<chain_of_thought >secret</chain_of_thought >Answer: 4",
        "<|channel>thought\nsecret<channel|>Answer: 4",
        "<|inner_prefix|>secret<|inner_suffix|>Answer: 4",
        "[THINK]secret[/THINK]Answer: 4",
        "\u25c1think\u25b7secret\u25c1/think\u25b7Answer: 4",
        "<|START_THINKING|>secret<|END_THINKING|><|START_RESPONSE|>Answer: 4<|END_RESPONSE|>",
        "<|begin_of_thought|>secret<|end_of_thought|>Answer: 4",
        "<|channel|>analysis<|message|>secret<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Answer: 4",
        "<think>first secret</think>\n<think>second secret</think>Answer: 4",
        "<think>secret <think> secret</think> secret</think>Answer: 4",
        "secret, which the prompt began</think>\n\nAnswer: 4",
        "<think>secret</think>Answer: 4</think>",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_reasoning_between_marks_is_no_part_of_the_reply(text: str, size: int) -> None:
    found = split(text, size)
    assert found.text == "Answer: 4"
    assert found.reasoning is not None
    assert "secret" in found.reasoning
    assert not found.is_reasoning_open


@pytest.mark.parametrize("text", ["<think>\nAnswer: 5\nHmm", "Answer: 5\n<think>wait, 4"])
def test_reasoning_that_is_never_closed_is_open(text: str) -> None:
    found = split(text)
    assert found.is_reasoning_open
    assert "<think>" not in found.text
    assert found.reasoning is not None


@pytest.mark.parametrize(
    "text",
    ["Answer: 4", "the tag <think> is none\nAnswer: 4", "a < b", "[THINKER]", "analysis of 4"],
)
def test_a_text_without_reasoning_stays_as_it_is(text: str) -> None:
    assert split(text).text == text
    assert split(text).reasoning is None


def test_a_prompt_may_begin_the_reasoning() -> None:
    assert ends_open("<|im_start|>assistant\n<think>\n")
    assert not ends_open("<think>\n\n</think>\n\n")
    assert not ends_open("say <think> and then\nAnswer: ")
    cut = split_reasoning(Completion(id="1", text="2+2 is"), is_opened=True)
    assert (cut.text, cut.reasoning, cut.is_reasoning_open) == ("", "2+2 is", True)


def test_every_engines_texts_are_split() -> None:
    said = Completion(id="r", text="<think>4?</think>Answer: 4", finish_reason="stop")
    found = validate_completion(said, request("2+2?"), "m")
    assert (found.text, found.reasoning) == ("Answer: 4", "4?")
