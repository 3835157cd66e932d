"""Nothing that a model, a file or a name says becomes markup, script or a control character."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from debate.report import write_report
from debate.report.page import make_environment
from debate.report.transcripts import ConfidenceBadge, TranscriptTurn, format_text
from tests.report.reading import Elements
from tests.report.tables import write_table

NASTY = (
    "</pre></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>"
    "\x1b[31m\x1b]8;;http://evil\x07{{ 7*7 }}{% raw %}\u202egnp\u2066&amp;\"'"
)


def control_characters(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cs")} - {"\n", "\t"}


def test_hostile_text_stays_text_wherever_it_stands(tmp_path: Path) -> None:
    source = write_table(tmp_path, text=NASTY, agent=NASTY, arm=NASTY, answer=NASTY)
    page = write_report(source).read_text(encoding="utf-8")
    shown = Elements(page)
    assert not {"script", "img", "iframe"} & {*shown.names}
    assert not [name for name, _ in shown.attributes if name.startswith("on")]
    assert not control_characters(page)
    assert "\u202e" not in page
    assert "onerror=alert(1)>" in shown.text
    assert "{{ 7*7 }}" in shown.text


def test_a_hostile_file_name_stays_text(tmp_path: Path) -> None:
    source = write_table(tmp_path, name='x" onclick="alert(1)<b>\x1b\x07.parquet', rounds=1)
    shown = Elements(write_report(source).read_text())
    assert "b" not in shown.names
    assert not shown.values("onclick")


def make_turn(text: str) -> TranscriptTurn:
    return TranscriptTurn(
        agent=text,
        what=text,
        model=text,
        text=text,
        answer=text,
        state="open",
        mark="·",
        confidences=(ConfidenceBadge(text, text, 50),),
        heard=text,
        is_spot=True,
        was_heard=True,
    )


@given(st.text())
@example(NASTY)
@example("\ud800\x00\r")
def test_any_text_in_a_turn_adds_no_element_and_no_attribute(text: str) -> None:
    macro = make_environment().get_template("parts.html").module.transcript_turn  # type: ignore[attr-defined]
    shown = Elements(str(macro(make_turn(text))))
    assert {*shown.names} <= {"div", "span", "strong", "pre"}
    assert {name for name, _ in shown.attributes} <= {"class", "style", "title", "id"}
    assert not control_characters(str(macro(make_turn(text))))


@given(st.text())
@example("\r\n" * 5_000)
def test_readable_text_is_bounded_and_plain(text: str) -> None:
    shown = format_text(text)
    assert len(shown) < 6_100
    assert not control_characters(shown)
