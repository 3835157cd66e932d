"""What is searched for in a text of whatever size is searched for in one pass over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from debate.agents.sanitize import join_lines, sanitize_text, sanitize_value
from debate.config.secrets import looks_like_key, redact_text
from debate.config.topology import parse_edges, parse_names
from debate.log import Run
from debate.log.codec import CorruptLine, decode_line, has_valid_checksum
from debate.report import write_report
from debate.report.transcripts import format_text
from debate.runner.verify_run import verify_run
from debate.text import clean
from debate.types import Turn
from tests.faults.driver import disturbed
from tests.faults.engines import Faults, FaultyEngine
from tests.hostile.corpus import NASTY

SIZE = 40_000
PIECES = (
    *{text for text in NASTY if 0 < len(text) < 200},
    *" \t\n\r\"'<>[]{}()|｜\\/#*:;?&=@-_.0a",
    *(
        "://",
        "://a",
        "?key",
        "&key",
        "Bearer ",
        "Bearer",
        "sk-",
        "sk",
        "a@",
        "\x1b[",
        "\x1b[0",
        "\x1b]",
        "<|",
        "[/",
        "USER",
        "  USER",
        "##",
        '""',
        "a -> ",
        "-> ",
        ", ",
        "a ",
        "each ",
    ),
)
SEARCHES: dict[str, Callable[[str], object]] = {
    "plain": sanitize_text,
    "quotable": sanitize_value,
    "line": join_lines,
    "clean": clean,
    "readable": format_text,
    "redacted_text": redact_text,
    "looks_like_key": looks_like_key,
}
PARSES: tuple[Callable[[str], object], ...] = (parse_edges, parse_names)


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
            for parse in PARSES:
                try:
                    parse(text)
                except ValueError as refusal:
                    assert str(refusal)  # noqa: PT017 - it may raise


def test_a_line_of_many_repetitions_is_gone_through_once() -> None:
    for piece in PIECES:
        many = (piece * (SIZE // len(piece))).encode(errors="replace")
        for text in (many, b'{"text":"' + many, many + b',"crc32":"' * 9, many + b"}\n"):
            assert has_valid_checksum(text) in (None, False)
            with pytest.raises(CorruptLine):
                decode_line(text, Turn)


def test_replies_of_megabytes_are_debated_checked_and_shown(tmp_path: Path) -> None:
    said = f"{'word ' * 600_000}\nAnswer: 4"
    at_length = Faults(spoiling=1.0, spoils=(lambda good, request: replace(good, text=said),))
    config = {
        "agents": [{"id": name, "model": {"engine": "simulated"}} for name in "ab"],
        "topology": "pairwise",
        "task": {"generator": "arithmetic", "n": 1},
        "rounds": 1,
    }
    disturbed(config, tmp_path, lambda name, engine: FaultyEngine(engine, at_length, name))
    turns = Run(tmp_path).turns()
    assert turns["answer"].to_list() == ["4"] * 4
    assert min(turns["text"].str.len_chars().to_list()) > 3_000_000
    assert verify_run(tmp_path).problems == ()
    assert write_report(tmp_path).stat().st_size < 500_000
