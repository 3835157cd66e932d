"""Spellings of values, each with the value that it states, or None where it states none."""

from __future__ import annotations

import pytest

from debate.tasks.choice import parse_choice, parse_letter
from debate.tasks.number import normalise_number

SCALES = {
    "1.2 million": "1200000",
    "2.5k": "2500",
    "$2.5K": "2500",
    "3.5 bn": "3500000000",
    "3千万": "30000000",
    "1.2万人": "12000",
    "3万5千": "35000",
    "1 lakh crore": "1000000000000",
    "12 dozen eggs": "144",
    "a dozen": "12",
    "half a million": None,
    "€3m": "3000000",
    "3m": None,
    "18 m": "18",
    "300 K": None,
    "5 M": None,
    "3 Milliarden": None,
    "2 миллиона": None,
    "5 gross": None,
    "18 squared": None,
    "3 quarters": None,
    "2 million and 5": None,
    "1.5 million dollars": "1500000",
    "\\$4\\text{ million}": "4000000",
}

RELATIONS = {
    "> 18": None,
    "x ≠ 18": None,
    "x \\neq 18": None,
    "\\geq 18": None,
    "at least 18": None,
    "no more than 18 eggs": None,
    "18 or more": None,
    "18+": None,
    "about 18": None,
    "≈ 18": None,
    "~18": None,
    "18 ± 2": None,
    "\\pm 18": None,
    "5 or 6": None,
    "between 3 and 4": None,
    "3-4": None,
    "3 to 4": None,
    "not 18": None,
    "x = 3 or x = 4": None,
    "x^2 = 18": None,
    "x + 2 = 18": None,
    "1 km = 1000 m": None,
    "1 + 1 = 2": "2",
    "x = 36/2 = 18": "18",
    "\\frac{36}{2} = 18": "18",
    "f(3) = 18": "18",
    "$x = 18$": "18",
    "total cost = $18": "18",
    "x=-18": "-18",
}

GROUPS = {
    "1,234": "1234",
    "1.234": "1.234",
    "1,234.5": "1234.5",
    "1.234,5": "1234.5",
    "1.234.567": "1234567",
    "1,00,000": "100000",
    "12,34,567.5": "1234567.5",
    "1'234.5": "1234.5",
    "1’234": "1234",
    "1\u202f234": "1234",
    "1\\,000": "1000",
    "1{,}000": "1000",
    "30 000": "30000",
    "12,5": None,
    "0,5": None,
    "1,2345": None,
    "1,234,56": None,
    "1.2.3": None,
    "3, 4": None,
    "0,123": None,
    "3 4": None,
}

NATIVE = {
    "١٬٢٣٤٫٥": "1234.5",
    "１，２３４": "1234",
    "−１８": "-18",
    "१,००,०००": "100000",
    "十八": "18",
    "二〇二四": "2024",
    "一百零五": "105",
    "三万五千": "35000",
    "三万五": None,
    "一百二": None,
    "两千": "2000",
    "负三": "-3",
    "百分之五": None,
    "18個": "18",
    "三个半": None,
    "3个半": None,
    "十八元": "18",
    "一億二千万": "120000000",
}

NOTATION = {
    "10²": "100",
    "5³": "125",
    "2^{10}": "1024",
    "2^10": "1024",
    "10^{-3}": "0.001",
    "10⁻³": "0.001",
    "1.5 \\times 10^{3}": "1500",
    "1.5×10³": "1500",
    "1.5e3": "1500",
    "1.5E-3": "0.0015",
    "6.02 x 10^23": "602000000000000000000000",
    "\\dfrac{3}{4}": "0.75",
    "-\\frac{3}{4}": "-0.75",
    "2\\frac{1}{2}": "2.5",
    "2 1/2": "2.5",
    "2½": "2.5",
    "-2 1/2": "-2.5",
    "3/4": "0.75",
    "1/3": "1/3",
    "2/6": "1/3",
    "3/0": None,
    "1/2/2024": None,
    "12:30": None,
    "2\\pi": None,
    "2\\sqrt{3}": None,
    "3x": None,
    "0.\\overline{3}": None,
    "0.333...": None,
    "0x1F": None,
    "5!": None,
    "-2^2": None,
    "2^{3^2}": None,
    "10^{999999999}": None,
    "9007199254740993": "9007199254740993",
}

UNITS = {
    "18 eggs": "18",
    "18 km/h": "18",
    "18°": "18",
    "18^\\circ": "18",
    "18°C": "18",
    "18 m²": "18",
    "18 cm^2": "18",
    "18\\text{ cm}": "18",
    "18\\ \\mathrm{km}": "18",
    "18\\%": "18",
    "€18": "18",
    "18 €": "18",
    "-$18": "-18",
    "$-18": "-18",
    "$18.50": "18.5",
    "USD 18": "18",
    "18 eggs per day": "18",
    "18 eggs and 3 hens": None,
    "5 ft 3 in": None,
    "1 h 30 min": None,
    "18 is wrong": None,
    "18 not 20": None,
    "**18**": "18",
    "\\boxed{18}": "18",
    "`18`.": "18",
    "\\text{18}": "18",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pair
        for table in (SCALES, RELATIONS, GROUPS, NATIVE, NOTATION, UNITS)
        for pair in table.items()
    ],
)
def test_a_spelling_of_a_number_is_read_as_what_it_says(text: str, wanted: str | None) -> None:
    assert normalise_number(text) == wanted


ANIMALS = ("whale", "shark", "tuna", "The producers of food")
CHOICES = {
    "B": "B",
    "b": "B",
    "B.": "B",
    "B)": "B",
    "(B)": "B",
    "[B]": "B",
    "**B**": "B",
    "**(B)**": "B",
    "option B": "B",
    "Option (b)": "B",
    "choice B": "B",
    "\\text{B}": "B",
    "\\boxed{B}": "B",
    "Ｂ": "B",
    "B. shark": "B",
    "B: shark": "B",
    "(B) shark": "B",
    "(D) The producers …": "D",
    "D. The producers of...": "D",
    "shark": "B",
    "Shark.": "B",
    "the producers of food": "D",
    "a shark": None,
    "A shark": None,
    "A. shark": None,
    "(A) and (C)": None,
    "(A) or (B)": None,
    "(A), (C)": None,
    "A. and C.": None,
    "A. whale or B. shark": None,
    "(A)(B)": None,
    "A/B": None,
    "AB": None,
    "A, B": None,
    "A B": None,
    "A & B": None,
    "A is wrong, so B": None,
    "not A": None,
    "not (A)": None,
    "A is incorrect": None,
    "neither A nor B": None,
    "either (A) or (B)": None,
    "both": None,
    "E": None,
    "(E)": None,
    "E. none": None,
    "А": None,
    "all but A": None,
    "anything except (B)": None,
    "(A) is false": None,
    "whale or shark": None,
    "not whale": None,
    "A) whale": "A",
    "A whale": "A",
    "B - shark": "B",
    "B, shark": "B",
    "A, shark": None,
    "whale (A)": "A",
    "whale (B)": None,
    "**B**: shark": "B",
    "(B), because it is not a mammal": None,
    "(B) is the correct answer": "B",
    "(A)?": None,
    "A: whale, not shark": None,
    "(D) The producers and consumers": "D",
    "D. The producers of food, which make it": "D",
    "C. shark": None,
    "e.g. shark": None,
    "A. B": None,
    "A or maybe C": None,
    "B > A": None,
    "Answer": None,
}


@pytest.mark.parametrize(("text", "wanted"), CHOICES.items())
def test_a_spelling_of_a_choice_is_the_one_option_that_it_picks(
    text: str, wanted: str | None
) -> None:
    assert parse_choice(text, ANIMALS) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("C", "C"), ("(a)", "A"), ("A. C", "A"), ("A. B", None), ("E", None)],
)
def test_letters_as_texts_leave_a_letter_alone_its_place(text: str, wanted: str | None) -> None:
    assert parse_choice(text, ("C", "A", "B", "D")) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("4", "A"), ("4.0", "A"), ("$3", "B"), ("B", "B"), ("A) 4", "A"), ("A) 3", None), ("5", None)],
)
def test_numbers_as_texts_are_picked_by_their_value(text: str, wanted: str | None) -> None:
    assert parse_choice(text, ("4", "3", "2", "1")) == wanted


def test_a_number_that_two_options_share_picks_by_its_text_alone() -> None:
    assert parse_choice("5 km", ("5 km", "5 miles")) == "A"
    assert parse_choice("5", ("5 km", "5 miles")) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(D) None of these", "D"),
        ("B) False", "B"),
        ("(C) It does not change", "C"),
        ("(A) is wrong", None),
        ("A, B", None),
        ("A good one", None),
        ("A. C", None),
    ],
)
def test_without_options_a_letter_stands_with_any_text_but_its_rejection(
    text: str, wanted: str | None
) -> None:
    assert parse_letter(text) == wanted
