"""Spellings of values, each with the value that it states, or None where it states none."""

from __future__ import annotations

import re
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.task import ScoringSpec
from debate.tasks import is_correct, normalise, parse_answer
from debate.tasks.answer_format import CHAT
from debate.tasks.choice import parse_choice, parse_letter
from debate.tasks.number import MAX_NUMBER_LENGTH, normalise_number, parse_number
from debate.tasks.values import MAX_TEXT_LENGTH, fold_case
from debate.types import AnswerKind, Question
from tests.pages import ROOT

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
    "₹3.5 Cr": None,
    "₹3L": None,
    "$3 per day": "3",
    "3 mln": None,
    "3 хиляди": None,
    "5 m dollars": None,
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
    "A... B": None,
    "A. Actually C": None,
    "(A) wait, no: B": None,
    "B.1": None,
    "B (shark)": "B",
    "B is the correct answer": "B",
    "A is not the correct answer": None,
    "B。": "B",
    "\\boxed{\\text{(B)}}": "B",
    "\\text{A} and \\text{B}": None,
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


TEXTS = [
    ("Paris", '**"paris".**', True),
    ("don't know", "Don’t know", True),
    ("café", "cafe\u0301", True),
    ("Paris", "Ｐａｒｉｓ", True),
    ("finite", "ﬁnite", True),
    ("Jean-Luc", "jean‑luc", True),
    ("the  end", "The end", True),
    ("Straße", "STRASSE", True),
    ("«Paris»", "Paris", True),
    ("Who", "The Who", False),
    ("10²", "102", False),
    ("U.S.", "US", False),
    ("Paris, Texas", "Paris", False),
    ("Paris!", "Paris", False),
]


@pytest.mark.parametrize(("first", "second", "same"), TEXTS)
def test_texts_are_one_answer_where_only_their_dress_differs(
    first: str, second: str, same: bool
) -> None:
    assert (fold_case(first) == fold_case(second)) is same


DIGITS = {"ASCII": "0", "Arabic": "٠", "Persian": "۰", "Devanagari": "०", "Thai": "๐", "wide": "０"}


def write_digits(text: str, zero: str) -> str:
    return "".join(chr(ord(zero) + int(sign)) if sign.isdecimal() else sign for sign in text)


def write_number(number: int, decimals: str, style: str) -> str:
    """Write a whole number of any size with decimals, in one of the ways that are read."""
    point = "," if style in ("dots", "spaces and comma") else "."
    signs = {"commas": ",", "dots": ".", "spaces": " ", "spaces and comma": " ", "quotes": "'"}
    written = f"{number:,}".replace(",", signs.get(style, ""))
    return written + (point + decimals if decimals else "")


@given(
    st.integers(10**6, 10**25),
    st.from_regex(r"[0-9]{0,2}[1-9]", fullmatch=True) | st.just(""),
    st.sampled_from(["plain", "commas", "dots", "spaces", "spaces and comma", "quotes"]),
    st.sampled_from(sorted(DIGITS)),
    st.sampled_from(["{}", "-{}", "${}", "**{}**", "x = {}", "{} eggs", r"\boxed{{{}}}", "{}%"]),
)
def test_a_number_reads_back_from_every_spelling(
    number: int, decimals: str, style: str, script: str, dress: str
) -> None:
    if style == "spaces and comma" and len(decimals) == 3:
        return  # `1 234,567` may be two numbers
    spelled = dress.format(write_digits(write_number(number, decimals, style), DIGITS[script]))
    value = Fraction(f"{number}.{decimals or 0}")
    assert parse_number(spelled) == (-value if dress.startswith("-") else value)


@given(st.integers(1, 999), st.sampled_from([("million", 6), ("crore", 7), ("万", 4), ("亿", 8)]))
def test_a_scale_multiplies(number: int, scale: tuple[str, int]) -> None:
    word, zeros = scale
    spelled = f"{number / 10} {word}" if word.isascii() else f"{number / 10}{word}"
    assert parse_number(spelled) == Fraction(number * 10**zeros, 10)


@given(st.integers(1, 99_999_999))
def test_chinese_numerals_read_back(number: int) -> None:
    assert parse_number(write_chinese(number)) == number


def write_chinese(number: int) -> str:
    """Write a number below 10^8 as it is written in full, with 零 for every gap."""
    high, low = divmod(number, 10**4)
    gap = "零" if high and 0 < low < 1000 else ""
    return (write_section(high) + "万" if high else "") + gap + (write_section(low) if low else "")


def write_section(number: int) -> str:
    written, has_gap = "", False
    for unit, place in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit = number // place % 10
        if digit:
            written += ("零" if has_gap and written else "") + "零一二三四五六七八九"[digit] + unit
        has_gap = not digit
    return written


@given(
    st.integers(2, 99),
    st.sampled_from(
        ["x != {}", "≈ {}", "about {}", "{} or 7", "{}-101", ">= {}", "{}x", "not {}", "{}!", "{}+"]
    ),
)
def test_what_only_relates_to_a_number_is_never_that_number(number: int, dress: str) -> None:
    assert parse_number(dress.format(number)) is None


@pytest.mark.parametrize("kind", ["number", "choice", "text"])
@pytest.mark.parametrize(
    "piece",
    [
        "1,",
        "1 000 ",
        "(A) ",
        "A, ",
        r"\frac{1}",
        "x = ",
        "**",
        "$",
        "万",
        "{",
        "- ",
        "1/",
        "²",
        "a ",
    ],
)
def test_no_text_makes_reading_slow(piece: str, kind: AnswerKind) -> None:
    options = ("x", "y") if kind == "choice" else ()
    question = Question(id="q", text="?", kind=kind, options=options, target="A")
    start = time.perf_counter()
    parse_answer("Answer: " + piece * (250_000 // len(piece)), question, CHAT)
    for length in (MAX_NUMBER_LENGTH, MAX_TEXT_LENGTH):
        normalise((piece * length)[:length], question)
    assert time.perf_counter() - start < 2


def test_long_numbers_are_compared_exactly_unless_there_is_a_tolerance() -> None:
    target = Question(id="q", text="?", kind="number", target="9007199254740992")
    assert not is_correct("9007199254740993", target)
    assert not is_correct("9007199254740992.0000000000000001", target)
    assert is_correct("9,007,199,254,740,992.0", target)
    assert is_correct("9007199254740993", target, ScoringSpec(absolute=1))


def list_documented() -> list[tuple[str, bool]]:
    """Return every spelling of the page's table, with whether it is among those read."""
    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")][2:]
    return [
        (text, column == 0)
        for row in rows
        for column in (0, 2)
        for text in re.findall("`([^`]+)`", row[column])
    ]


def test_the_page_on_answers_says_what_is_read() -> None:
    documented = list_documented()
    assert len(documented) > 50
    for text, is_read in documented:
        assert (normalise_number(text) is not None) is is_read, text
