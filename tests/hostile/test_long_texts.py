"""What is searched for in a text of whatever size is searched for in one pass over it."""

from __future__ import annotations

import pytest

from debate.agents.untrusted import line, plain, quotable
from debate.analysis.text import clean
from debate.config.notation import parse_edges, parse_names
from debate.config.secrets import looks_like_key, redacted_text
from debate.log.checksum import is_sound
from debate.log.codec import CorruptLine, decode
from debate.report.said import readable
from debate.types import Turn
from tests.hostile.corpus import NASTY

SIZE = 40_000
PIECES = (
    *{text for text in NASTY if 0 < len(text) < 200},
    *" \t\n\r\"'<>[]{}()|｜\\/#*:;?&=@-_.0a",
    *("://", "://a", "?key", "&key", "Bearer ", "Bearer", "sk-", "sk", "a@", "\x1b[", "\x1b[0",
      "\x1b]", "<|", "[/", "USER", "  USER", "##", '""', "a -> ", "-> ", ", ", "a ", "each "),
)  # fmt: skip
SEARCHES = {
    each.__name__: each for each in (plain, quotable, line, clean, readable, redacted_text)
} | {"looks_like_key": looks_like_key}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_text_of_many_repetitions_is_gone_through_once(name: str) -> None:
    for piece in PIECES:
        many = piece * (SIZE // len(piece))
        for text in (many, f"sk-{many}", f"://{many}", f"Bearer {many}"):
            SEARCHES[name](text)


def test_notation_of_many_repetitions_is_gone_through_once() -> None:
    for piece in PIECES:
        many = piece * (SIZE // len(piece))
        for text in (many, f"each {many}", f"a{many}b"):
            for parse in (parse_edges, parse_names):
                try:
                    parse(text)
                except ValueError as refusal:
                    assert str(refusal)  # noqa: PT017 - it may raise


def test_a_line_of_many_repetitions_is_gone_through_once() -> None:
    for piece in PIECES:
        many = (piece * (SIZE // len(piece))).encode(errors="replace")
        for text in (many, b'{"text":"' + many, many + b',"crc32":"' * 9, many + b"}\n"):
            assert is_sound(text) in (None, False)
            with pytest.raises(CorruptLine):
                decode(text, Turn)
