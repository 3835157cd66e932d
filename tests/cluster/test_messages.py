"""What is sent between processes arrives as it was."""

from __future__ import annotations

import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.cluster.messages import ItemDecoder, NumberedCompletion, encode_items
from debate.engines.base import Completion, Token
from debate.types import Failure, Usage

TEXT = st.text(st.characters(codec="utf-8"))
TOKENS = st.lists(st.builds(Token, text=TEXT, log_p=st.floats(max_value=0)), max_size=9).map(tuple)
COMPLETIONS = st.builds(
    Completion,
    id=TEXT,
    text=TEXT,
    tokens=st.none() | TOKENS,
    candidate_log_p=st.none() | st.lists(st.floats(max_value=0), max_size=3).map(tuple),
    finish_reason=st.none() | TEXT,
    usage=st.builds(Usage, prompt_tokens=st.none() | st.integers(0, 2**40), queued_s=st.floats(0)),
    failure=st.none() | st.builds(Failure, boundary=TEXT, message=TEXT),
)


@given(st.lists(COMPLETIONS, max_size=5))
def test_completions_arrive_as_they_were_sent(sent: list[Completion]) -> None:
    payload = encode_items(sent)
    assert isinstance(payload, bytes)
    assert ItemDecoder(Completion).decode(pickle.loads(pickle.dumps(payload))) == sent


def test_numbered_answers_arrive_as_they_were_sent() -> None:
    sent = [NumberedCompletion(7, Completion(id="a", tokens=(Token(text="4", log_p=-0.5),)))]
    assert ItemDecoder(NumberedCompletion).decode(encode_items(sent)) == sent


def test_half_a_surrogate_pair_travels_as_an_object() -> None:
    sent = [Completion(id="a", text="\ud800")]
    payload = encode_items(sent)
    assert payload is sent
    assert ItemDecoder(Completion).decode(payload) == sent


def test_bytes_that_hold_something_else_are_refused() -> None:
    payload = encode_items([{"id": "a", "text": 4}])
    with pytest.raises(msgspec.ValidationError):
        ItemDecoder(Completion).decode(payload)
