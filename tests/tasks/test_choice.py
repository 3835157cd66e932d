"""Options are picked by letter or by text, never by accident."""

from __future__ import annotations

import pytest

from debate.tasks.choice import (
    find_target_letter,
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


@pytest.mark.parametrize(
    ("target", "written_as", "letter"),
    [
        ("B", "auto", "B"),
        ("Paris", "auto", "B"),
        (1, "auto", "B"),
        ("1", "auto", "B"),
        (1, "index", "B"),
        (2, "number", "B"),
        ("I", "text", "D"),
    ],
)
def test_a_target_is_a_letter_an_index_or_a_text(
    target: object, written_as: str, letter: str
) -> None:
    assert find_target_letter(target, CITIES, written_as=written_as) == letter


def test_a_target_with_two_readings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"may mean C as index or A as text; set `target_as`"):
        find_target_letter(2, ("2", "3", "4"))
    assert find_target_letter(2, ("2", "3", "4"), written_as="text") == "A"


@pytest.mark.parametrize(("target", "how"), [("E", "letter"), (4, "index"), (0, "number")])
def test_a_target_outside_the_options_is_refused(target: object, how: str) -> None:
    with pytest.raises(ValueError, match="none of the options A to D"):
        find_target_letter(target, CITIES, written_as=how)
