"""Numbers are read exactly or not at all."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.tasks.number import (
    MAX_NUMBER_LENGTH,
    format_number,
    normalise_number,
    parse_number,
)

READ = {
    "18": "18",
    "-18": "-18",
    "−18": "-18",
    "+18": "18",
    "18.": "18",
    "18.0": "18",
    "0018": "18",
    ".5": "0.5",
    "-0": "0",
    "1,234.0": "1234",
    "1,234,567": "1234567",
    "12 345".replace(" ", "\u202f"): "12345",
    "1_000": "1000",
    r"12\,345": "12345",
    "12{,}345": "12345",
    "$70,000": "70000",
    r"\$70,000.00": "70000",
    "-$5": "-5",
    "$-5": "-5",
    "US$ 5": "5",
    "€5": "5",
    "￥5": "5",
    "5€": "5",
    "50%": "50",
    r"50\%": "50",
    "12.5 percent": "12.5",
    "3/4": "0.75",
    "-3/4": "-0.75",
    "1/3": "1/3",
    "2/6": "1/3",
    r"\frac{3}{4}": "0.75",
    r"-\dfrac{1}{3}": "-1/3",
    "1 1/2": "1.5",
    "1½": "1.5",
    r"1\frac{1}{2}": "1.5",
    "3/4 cup": "0.75",
    "18 eggs per day": "18",
    "18 dollars.": "18",
    "60 km/h": "60",
    "5 m^2": "5",
    "5 m²": "5",
    "90°": "90",
    r"90^\circ": "90",
    r"18\text{ dollars}": "18",
    "**18**": "18",
    "$18$": "18",
    r"\(18\)": "18",
    r"\boxed{18}": "18",
    "x = 18": "18",
    "5 + 13 = 18": "18",
    "1e3": "1000",
    "1.5e-3": "0.0015",
    r"1.5 \times 10^{3}": "1500",
    "3 million": "3000000",
    "70k": "70000",
    "2.5 thousand dollars": "2500",
    "18 (eighteen)": "18",
    "１８": "18",
}

NOT_READ = [
    "",
    "eighteen",
    "about many",
    "5 or 6",
    "5-6",
    "5 to ten",
    "2 and a half",
    "5:30",
    "1.2.3",
    "1,5",
    "12,34",
    "1/0",
    "3/4/2022",
    "10²0",
    "2x",
    "3i",
    "2π",
    r"2\sqrt{3}",
    "18 + 4",
    "a = b = 3",
    "16 - 3 = 13, 13 - 4 = 9",
    "5K",
    "--5",
    "nan",
    "inf",
    "0x10",
    "1e999",
    "1e99",
    "9" * (MAX_NUMBER_LENGTH + 1),
    "__import__('os').getpid()",
    "2**3",
]


@pytest.mark.parametrize(("text", "canonical"), READ.items())
def test_a_number_is_read_through_its_dress(text: str, canonical: str) -> None:
    assert normalise_number(text) == canonical


@pytest.mark.parametrize("text", NOT_READ)
def test_what_is_not_one_number_is_not_guessed_at(text: str) -> None:
    assert normalise_number(text) is None


@given(st.fractions(max_denominator=10**6))
def test_the_canonical_form_is_read_back_as_the_same_number(number: Fraction) -> None:
    assert parse_number(format_number(number)) == number


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12
    )
)
def test_thousands_separators_and_trailing_zeros_change_nothing(number: object) -> None:
    assert (
        normalise_number(f"{number:,}")
        == normalise_number(f"{number:f}")
        == normalise_number(f"${number:f}0")
    )


@given(st.text(max_size=60))
def test_any_text_reads_as_a_stable_number_or_as_none(text: str) -> None:
    found = normalise_number(text)
    assert found is None or normalise_number(found) == found


@given(st.text(alphabet="0123456789.,/-+$%eE ^*x×½\\{}fracdt()=", max_size=40))
def test_number_like_noise_reads_as_a_stable_number_or_as_none(text: str) -> None:
    found = normalise_number(text)
    assert found is None or normalise_number(found) == found
