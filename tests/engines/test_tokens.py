"""Tokens that join to the text, stop strings, and how far batches are padded."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.engines.base import align_tokens, decode_utf8_chunks
from debate.engines.hf.batching import compute_padded_length, pad_rows
from debate.engines.hf.inference import find_stop

texts = st.lists(st.text(max_size=4), max_size=8)


@given(texts, st.data())
def test_aligned_tokens_spell_any_beginning_of_what_was_generated(
    pieces: list[str], data: st.DataObject
) -> None:
    whole = "".join(pieces)
    text = whole[: data.draw(st.integers(0, len(whole)))]
    tokens = align_tokens(pieces, [-1.0] * len(pieces), text)
    assert tokens is not None
    assert "".join(token.text for token in tokens) == text


def test_tokens_of_another_text_are_not_aligned() -> None:
    assert align_tokens(["9", "3"], [-1.0, -1.0], "92") is None
    assert align_tokens(["9"], [-1.0], "93") is None


@given(st.text(), st.data())
def test_characters_survive_any_cut_of_their_bytes(text: str, data: st.DataObject) -> None:
    encoded = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)), max_size=6)))
    places = [0, *cuts, len(encoded)]
    chunks = [encoded[start:end] for start, end in itertools.pairwise(places)]
    assert "".join(decode_utf8_chunks(chunks)) == text


@given(st.text(alphabet="ab", max_size=20), st.lists(st.text(alphabet="ab", max_size=3)))
def test_no_stop_string_begins_before_the_earliest(text: str, stops: list[str]) -> None:
    place = find_stop(text, stops)
    before = text if place is None else text[:place]
    assert not any(
        text.startswith(stop, start) for stop in stops if stop for start in range(len(before))
    )


@given(st.integers(min_value=1, max_value=200_000))
def test_a_width_holds_its_prompt_and_wastes_little(length: int) -> None:
    width = compute_padded_length(length)
    assert length <= width <= max(length + 7, 1.25 * length)
    assert compute_padded_length(width) == width


@pytest.mark.parametrize("multiple", [1, 16])
@given(rows=st.lists(st.integers(0, 99), min_size=1, max_size=40))
def test_a_batch_is_filled_up_with_rows_that_it_has(multiple: int, rows: list[int]) -> None:
    full = pad_rows(rows, multiple)
    assert full[: len(rows)] == rows
    assert len(full) % multiple == 0
    assert set(full) == set(rows)
