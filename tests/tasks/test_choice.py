"""Options are picked by letter or by text, never by accident."""

from __future__ import annotations

import pytest

from debate.tasks.choice import (
    parse_choice,
)

CITIES = ("Rome", "Paris", "A. Lincoln", "I")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B)", "B"),
        ("**B**", "B"),
        (r"\text{B}", "B"),
        ("Option B", "B"),
        ("paris", "B"),
        ("Paris.", "B"),
        ("(B) Paris", "B"),
        ("B: the city on the Seine", "B"),
        ("A. Lincoln", "C"),
        ("E", None),
        ("A) Paris", None),
        ("A good reason", None),
        ("I think Paris", None),
        ("A or B", None),
        ("A, B", None),
        ("not Paris", None),
        ("", None),
        ("none of the above", None),
    ],
)
def test_a_choice_is_its_letter(text: str, letter: str | None) -> None:
    assert parse_choice(text, CITIES) == letter


def test_an_option_that_occurs_twice_cannot_be_picked_by_its_text() -> None:
    assert parse_choice("same", ("same", "Same", "other")) is None
    assert parse_choice("A", ("same", "Same", "other")) == "A"
