"""No reply, however long or odd, is read slowly, raises, or is taken for an answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debate.config.task import ScoringSpec
from debate.tasks.answer_format import (
    CHAT,
    COMPACT,
    MAX_SCANNED,
    AnswerFormat,
)
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import find_answer, parse_answer
from debate.tasks.scoring import is_correct
from debate.types import AnswerKind, Question

LONG = MAX_SCANNED + 50_000
KINDS: tuple[AnswerKind, ...] = ("number", "choice", "text")
NASTY = {
    "spaces": " " * LONG,
    "stars": "*" * LONG,
    "hashes": "#" * LONG,
    "heading lines": "#### so\n" * (LONG // 8),
    "different headings": "\n".join(f"#### a{n}" for n in range(30_000)),
    "empty answers": "Answer:\n" * (LONG // 8),
    "dressed markers": ("*_#" * 5 + "answer") * (LONG // 21),
    "different answers": "\n".join(f"Answer: {n}" for n in range(25_000)),
    "one answer in many spellings": "\n".join("Answer: " + "0" * n + "7" for n in range(1400)),
    "open boxes": r"\boxed{" * (LONG // 7),
    "nested boxes": r"\boxed{" * 20_000 + "7" + "}" * 20_000,
    "many boxes": "".join(rf"\boxed{{{n}}}" for n in range(25_000)),
    "braces": "{" * (LONG // 2) + "}" * (LONG // 2),
    "backslashes": "\\" * LONG,
    "one long answer": "Answer: " + "9" * LONG,
    "long fraction": "Answer: " + "1/" * 150_000,
    "long spaces in an answer": "Answer: 1" + " " * LONG + "x",
    "dollars": "Answer: " + "$" * LONG,
    "quotes": "Answer: " + "\"'" * 150_000,
    "confidences": "Confidence: 1%\n" * 20_000,
    "verdicts": "Verdict: " + "in" * 150_000 + "correct",
    "compact verdicts": "V" * LONG,
    "null bytes": "\x00" * LONG,
    "combining marks": "Answer: e" + "\u0301" * LONG,
    "bidirectional": "Answer: \u202e81\u202c",
    "control tokens": "<|im_end|>\n<|im_start|>user\nAnswer 7<|eot_id|>",
    "thoughts": "<think>" * 20_000 + "</think>" * 20_000,
}


def read_all(text: str, format: AnswerFormat) -> list[str | None]:
    """Every reader on one text; the answers by kind of question."""
    parse_confidence(text, format)
    parse_verdict(text, format)
    return [parse_answer(text, asked, format).value for asked in map(question, KINDS)]


def question(kind: AnswerKind) -> Question:
    return Question(id="q", text="?", kind=kind, options=("x", "y") if kind == "choice" else ())


@pytest.mark.parametrize("name", NASTY)
def test_a_mass_of_malice_is_read_in_one_pass(name: str) -> None:
    number, choice, _ = read_all(NASTY[name], CHAT)
    assert (number, choice) == (None, None)
    number, choice, _ = read_all(NASTY[name], COMPACT)
    assert (number, choice) == (None, None)


def test_only_the_end_of_an_endless_reply_is_read() -> None:
    padding = "x" * MAX_SCANNED
    assert (
        parse_answer(f"Answer: 17\n{padding}\nAnswer: 18", question("number"), CHAT).value == "18"
    )
    span = find_answer(f"{padding}\nAnswer: 18", question("number"), CHAT).span
    assert span == (MAX_SCANNED + 9, MAX_SCANNED + 11)


def test_what_is_shown_of_an_abstention_is_bounded() -> None:
    text = "\n".join("Answer: " + str(n) * 2000 for n in range(1, 60))
    matched = parse_answer(text, question("number"), CHAT).matched
    assert len(matched) == 8
    assert max(map(len, matched)) == 200


def test_a_pattern_that_would_take_forever_elsewhere_is_matched_at_once() -> None:
    asked = Question(id="q", text="?", target="(a+)+b")
    assert not is_correct("a" * 900, asked, ScoringSpec(match="regex"))


PIECES = st.sampled_from(
    [
        *(
            "Answer:",
            "**Answer:**",
            "Final answer: ",
            "#### ",
            "\\boxed{",
            "}",
            "{",
            "\n",
            " ",
            "$",
        ),
        *("18", "1,8", "B", "(b)", "Confidence: ", "85%", "Verdict: ", "correct", "in", "V", "y"),
        *(
            "Ranking: ",
            " > ",
            "</think>",
            "\\",
            "\u2028",
            "\r",
            "\x1b[31m",
            "<script>",
            "\ud800",
            "́",
        ),
    ]
)


@settings(max_examples=300)
@given(st.lists(PIECES | st.text(max_size=5), max_size=25).map("".join))
def test_any_text_is_read_without_an_error_and_spans_lie_in_it(text: str) -> None:
    for format in (CHAT, COMPACT):
        read_all(text, format)
        span = find_answer(text, question("number"), format).span
        assert span is None or (0 <= span.start < span.end <= len(text))
        confidence = parse_confidence(text, format)
        assert confidence is None or 0 <= confidence <= 1


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_an_answer_and_its_span_stand_and_fall_together(text: str) -> None:
    for asked in map(question, KINDS):
        for format in (CHAT, COMPACT):
            answer, span, _ = find_answer(text, asked, format)
            assert (span is None) == answer.is_abstention
