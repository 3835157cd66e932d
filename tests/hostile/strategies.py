"""Hypothesis strategies that like to be nasty."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.hostile.corpus import NASTY

SHORT = tuple(text for text in NASTY if len(text) < 400)
PIECES = st.sampled_from(SHORT) | st.text(max_size=8)

nasty_texts = st.lists(PIECES, max_size=6).map("".join)
"""Pieces of the corpus and of nothing in particular, joined."""
