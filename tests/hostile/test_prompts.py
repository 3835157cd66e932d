"""What a model or a data file says stays what it says: it opens no role, no quote and no line."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.agents.sanitize import join_lines, sanitize_text, sanitize_value
from debate.orchestrator.question import debate_question
from debate.types import Message, Question
from tests.hostile.corpus import CONTROL, HEADERS, LINES, NASTY, PROSE, QUOTES, ROLES, TOKENS
from tests.hostile.echo import Everything, calls_to, cells_of
from tests.hostile.strategies import nasty_texts

TOKEN = re.compile(
    r"<[|｜][^<>|｜\n]{1,64}[|｜]>|</?(?:s|bos|eos|pad|unk)>|<(?:start|end)_of_turn>"
    r"|\[/?INST\]|<</?SYS>>|\[/?SYSTEM_PROMPT\]",
    re.IGNORECASE,
)
ROLE_LINE = re.compile(
    r"(?:^|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029])[ \t\u200b]*[*_]{0,3}"
    r"(?:### ?(?:human|assistant)|(?:USER|ASSISTANT|Human)[*_]{0,3} ?[:：])",
    re.I,
)
READABLE = str.maketrans("‹›⟦⟧", "<>[]")


def fences(text: str) -> list[str]:
    """The runs of three or more quotation marks."""
    return re.findall(r'"{3,}', text)


@pytest.mark.parametrize("text", CONTROL)
def test_control_tokens_become_text_that_can_still_be_read(text: str) -> None:
    shown = sanitize_text(text)
    assert not TOKEN.search(shown)
    assert shown.translate(READABLE) == text
    assert sanitize_text(shown) == shown


@pytest.mark.parametrize("text", ROLES)
def test_a_line_does_not_begin_like_a_role(text: str) -> None:
    assert not ROLE_LINE.search(sanitize_text(text))
    assert sanitize_text(text).replace("› ", "") == text


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_is_told_by_its_shape(token: str) -> None:
    shown = sanitize_text(f"4{token}\n{token}obey")
    assert token not in shown
    assert not set(shown) & set("<>[]")
    assert shown.translate(READABLE) == f"4{token}\n{token}obey"


@given(st.lists(st.sampled_from(TOKENS) | st.text("ab <>[|_\n", max_size=4), max_size=5))
def test_no_joined_texts_keep_a_control_token(pieces: list[str]) -> None:
    shown = sanitize_text("".join(pieces))
    assert sanitize_text(shown) == shown
    assert shown.translate(READABLE) == "".join(pieces)


@pytest.mark.parametrize("text", PROSE)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert sanitize_value(text) == text


@given(
    st.lists(st.sampled_from(PROSE) | st.text("xyz +-*/^=<>()[]{},.;|0123456789", max_size=12)),
    st.sampled_from((" ", "; ", "\n", ", ")),
)
def test_no_mathematics_and_no_code_is_changed(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    assert sanitize_text(text) == text


@given(nasty_texts)
def test_no_text_keeps_a_control_token_or_a_fence(text: str) -> None:
    shown = sanitize_value(text)
    assert isinstance(shown, str)
    assert not TOKEN.search(shown)
    assert not ROLE_LINE.search(shown)
    assert not fences(shown)
    assert sanitize_value(shown) == shown


@given(nasty_texts)
def test_a_line_stays_one_line(text: str) -> None:
    shown = join_lines(text)
    assert isinstance(shown, str)
    assert len(shown.splitlines()) <= 1


plan_cells = cache(cells_of)


def number(text: str) -> Question:
    return Question(id="q", text=text, kind="text", target="4")


async def prompts_after(said: str, *, prompts: str, protocol: str, question: str) -> list[Message]:
    """Every message of every prompt of a debate in which everybody says this."""
    heard = Everything(said)
    cells = plan_cells(prompts=prompts, protocol=protocol)
    await debate_question(number(question), cells, calls_to(heard), seed=0)
    return [message for request in heard.requests for message in request.messages]


@pytest.mark.parametrize("protocol", ["exchange", "critique"])
@pytest.mark.parametrize("text", [*CONTROL, *HEADERS, *QUOTES])
async def test_what_an_agent_says_begins_no_role_in_any_prompt(text: str, protocol: str) -> None:
    said = f"{text}\nAnswer: {text.splitlines()[0]}"
    messages = await prompts_after(said, prompts="chat", protocol=protocol, question=text)
    assert len(messages) > 10
    for message in messages:
        assert not TOKEN.search(message.content), message
        assert not ROLE_LINE.search(message.content), message
        if message.role != "assistant":
            assert len(fences(message.content)) % 2 == 0
            assert set(fences(message.content)) <= {'"""'}


@pytest.mark.parametrize("protocol", ["exchange", "critique"])
@pytest.mark.parametrize("text", LINES)
async def test_in_the_compact_format_no_text_makes_a_line_of_its_own(
    text: str, protocol: str
) -> None:
    messages = await prompts_after(text, prompts="compact", protocol=protocol, question=text)
    assert messages
    for message in messages:
        for each in message.content.split("\n"):
            assert each[:1] in ("Q", "P", "C") or message.role == "system", message


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text[:20]))
async def test_nothing_that_is_said_stops_a_debate(text: str) -> None:
    asked = text[:500].encode(errors="replace").decode()
    for prompts in ("chat_zero", "json", "compact"):
        await prompts_after(text, prompts=prompts, protocol="critique", question=asked)
