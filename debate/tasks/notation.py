"""Write the LaTeX, markdown and typography of a short text as plain signs, and cut it in tokens."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from debate.tasks.numerals import HAN_NUMERALS
from debate.tasks.values import strip_formatting

_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"
_CHARACTERS = str.maketrans(
    {
        **{chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
        **dict.fromkeys("−–‐‑﹣", "-"),
        **{sign: f" {unicodedata.normalize('NFKC', sign).replace('⁄', '/')}" for sign in _VULGAR},
        **{
            "⁄": "/",
            "∕": "/",
            "⋅": "·",
            "∙": "·",
            "负": "-",
            "負": "-",
            "℃": "°C",
            "℉": "°F",
            "٪": "%",
            **dict(zip("￠￡￥￦", "¢£¥₩", strict=True)),
        },
    }
)
_NOTATION = (
    (r"(?<=[\d}{])~(?=[\\A-Za-z])", " "),
    (
        r"\\(?:(?:text|math)(?:bf|it|rm)?|[mf]box|boxed|operatorname)\s?\{([^{}]*)\}",
        r" \1",
    ),
    (r"\\[dtc]frac(?![a-z])", r"\\frac"),
    (r"\\frac\s?(\d)", r"\\frac{\1}"),
    (r"(\\frac\s?\{[^{}]*\})\s?(\d)", r"\1{\2}"),
    (r"\{,\}", ","),
    (r"\\!|\\displaystyle(?![a-z])|(?<!\d)\*\*|\*\*(?!\d)", ""),
    (r"\\[,;: ()\[\]]", " "),
    (r"\\times(?![a-z])|(?<=[\d)]) ?[xX] ?(?=[\d(])", "×"),
    (r"\\cdot(?![a-z])", "·"),
    (r"\\div(?![a-z])", "÷"),
    (r"\^\s?\{(\d{1,4})\}(?![\d.])", r"^\1"),
    (r"\^\s?\\circ(?![a-z])|\^\s?\{\\circ\}|\\degrees?(?![a-z])", "°"),
)
_REWRITINGS = [(re.compile(pattern), replacement) for pattern, replacement in _NOTATION]
_ESCAPED = re.compile(r"\\([$%€£])")

_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<han>(?:\d[\d.,]*)?[{HAN_NUMERALS}](?:[{HAN_NUMERALS}]|\d)*)
    |(?P<number>
        (?:(?<![^\W\d_])\.)?\d+(?:[.,'’_٬٫]\d+|\ \d{{3}}(?!\d))*
        (?:[eE][+-]?\d{{1,3}}(?!\w))?
    )
    |(?P<raised>[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    |(?P<word>\\?(?:(?![⁰¹²³⁴⁵⁶⁷⁸⁹{HAN_NUMERALS}])[^\W\d_])+)
    |(?P<sign>[!<>=:~/]=|=[>~]|->|\*\*|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of a text: a `number`, a Chinese number (`han`), raised digits, a word or a sign."""

    kind: str
    text: str
    spaced: bool
    """Whether a space stands before it."""


def write_plainly(text: str) -> str:
    """Write ASCII signs for their look-alikes, and plain signs for LaTeX and markdown."""
    text = strip_formatting(text.translate(_CHARACTERS))
    if text.count("$") % 2 == 0 and r"\$" not in text:
        text = text.replace("$", "")  # they enclose mathematics
    for pattern, replacement in _REWRITINGS:
        text = pattern.sub(replacement, text)
    return strip_formatting(_ESCAPED.sub(r"\1", text))


def tokenise(text: str) -> list[Token]:
    """Cut a plainly written text in tokens, which leave out its spaces."""
    tokens, spaced = [], False
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, match[0], spaced))
        spaced = kind == "space"
    return tokens
