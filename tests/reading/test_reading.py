"""Replies that were labelled by hand are read as they are labelled, or not at all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from debate.tasks.answer_format import CHAT
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import parse_answer
from debate.types import Question

REPLIES: list[dict[str, Any]] = [
    {**entry, "file": path.name}
    for path in sorted(Path(__file__).parent.glob("*.yaml"))
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))
]
FIELDS = {
    *("category", "origin", "asked", "kind", "question", "options", "text", "cut", "said"),
    *("file", "prompts", "turn", "round"),
}
STATED = ("answer", "confidence", "verdict")
LEAST_READ = 0.95


class Reading(NamedTuple):
    """What is stated in one reply and what was read, of each thing that was asked."""

    entry: dict[str, Any]
    found: dict[str, Any]

    @property
    def outcomes(self) -> Iterator[str]:
        """`read`, `unread` or `wrong` for each thing that is stated, `none` for what is not."""
        for name, found in self.found.items():
            stated = self.entry.get(name)
            if found is not None and found != stated:
                yield "wrong"
            else:
                yield "none" if stated is None else "unread" if found is None else "read"


def ask(entry: dict[str, Any]) -> Question:
    return Question(
        id="q",
        text=entry.get("question", "?"),
        kind=entry.get("kind", "number"),
        options=tuple(entry.get("options", ())),
    )


def read(entry: dict[str, Any]) -> Reading:
    text, cut, asked = entry["text"], entry.get("cut", False), entry.get("asked", "answer")
    found: dict[str, Any] = {}
    if asked == "answer":
        found["answer"] = parse_answer(text, ask(entry), CHAT, cut=cut).value
    if asked == "verdict":
        found["verdict"] = parse_verdict(text, CHAT, cut=cut)
    else:
        found["confidence"] = parse_confidence(
            text, CHAT, cut=cut, asked=asked == "confidence", answer=entry.get("said")
        )
    return Reading(entry, found)


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    return [read(entry) for entry in REPLIES]


def count_by_category(readings: list[Reading]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for reading in readings:
        counts.setdefault(reading.entry["category"], Counter()).update(reading.outcomes)
    return counts


def test_the_corpus_is_large_and_most_of_it_says_nothing_of_its_own() -> None:
    silent = [e for e in REPLIES if all(e.get(name) is None for name in STATED)]
    assert len(REPLIES) >= 220
    assert len(silent) >= 120


def test_entries_hold_what_the_head_of_their_file_names() -> None:
    for entry in REPLIES:
        assert entry.keys() <= FIELDS | {*STATED}, entry
        assert {"category", "origin", "text"} <= entry.keys(), entry


def test_no_reply_is_read_wrongly(readings: list[Reading]) -> None:
    for category, counts in count_by_category(readings).items():
        shown = ", ".join(f"{name} {counts[name]}" for name in ("read", "unread", "wrong", "none"))
        print(f"{category:16} {shown}")
    wrong = [(r.entry["text"], r.found) for r in readings if "wrong" in r.outcomes]
    assert not wrong


def test_what_is_stated_is_read(readings: list[Reading]) -> None:
    counts = sum(count_by_category(readings).values(), Counter())
    unread = [(r.entry["text"], r.found) for r in readings if "unread" in r.outcomes]
    assert counts["read"] >= LEAST_READ * (counts["read"] + counts["unread"]), unread


def test_what_a_real_model_states_is_read(readings: list[Reading]) -> None:
    real = [each for each in readings if each.entry["file"] == "real_replies.yaml"]
    counts = Counter(outcome for each in real for outcome in each.outcomes)
    assert len(real) >= 200
    assert counts["read"] >= LEAST_READ * (counts["read"] + counts["unread"])


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Answer: 18", "mark"),
        ("Answer:\n18", "next_line"),
        ("<answer>18</answer>", "tag"),
        ('{"answer": 18}', "json"),
        (r"\boxed{18}", "box"),
        ("#### 18", "hashes"),
        ("The answer is 18.", "sentence"),
        ("18", "whole"),
        ("It may be 18.", None),
    ],
)
def test_an_answer_says_in_which_form_it_was_stated(text: str, form: str | None) -> None:
    assert parse_answer(text, Question(id="q", text="?", kind="number"), CHAT).form == form


def test_a_reply_that_is_an_options_text_says_so() -> None:
    asked = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"))
    assert parse_answer("Paris.", asked, CHAT).form == "option"


def test_nobodys_answers_are_kept_for_people_to_see() -> None:
    asked = Question(id="q", text="?", kind="number")
    assert parse_answer("Agent 2 says the answer is 7.", asked, CHAT).matched == ("7",)
    assert parse_answer("Answer: 7\nWait, no.", asked, CHAT).matched == ("7",)


def test_a_mark_wins_over_a_sentence_and_a_sentence_over_a_bare_line() -> None:
    asked = Question(id="q", text="?", kind="number")
    assert parse_answer("The answer is 17.\nAnswer: 18", asked, CHAT).value == "18"
    assert parse_answer("17\nThe answer is 18.", asked, CHAT).value == "18"


LENGTH = 48_000
ENDLESS = {
    "the answer is": "the answer is " * (LENGTH // 14),
    "sentences": "The answer is 7. " * (LENGTH // 17),
    "inverted sentences": "so 7 is the answer. " * (LENGTH // 20),
    "questions": "What is 8?\nAnswer: 7\n" * (LENGTH // 21),
    "sentences without an end": "so the answer is 7 " * (LENGTH // 19),
    "quotes": '"the answer is 7" ' * (LENGTH // 19),
    "single quotes": '"' * LENGTH,
    "paragraphs of quotes": '"\n\n' * (LENGTH // 3),
    "waits": "Wait, " * (LENGTH // 6),
    "fences": '"""\n' * (LENGTH // 4),
    "introductions": "Agent 2 wrote:\n" * (LENGTH // 15),
    "labels": "Agent 2: so " * (LENGTH // 12),
    "open objects": '{"answer": ' * (LENGTH // 11),
    "lines of open objects": '{"a"\n' * (LENGTH // 5),
    "objects": '{"answer": 7}\n' * (LENGTH // 14),
    "escapes": '{"' + '\\"' * (LENGTH // 2),
    "open tags": "<answer>" * (LENGTH // 8),
    "tags": "<answer>7</answer>" * (LENGTH // 18),
    "empty marks": "Answer:\n" * (LENGTH // 8),
    "empty marks far apart": "Answer:\n\n\n\n" * (LENGTH // 11),
    "two marks": "Answer: 7, Confidence: 9%\n" * (LENGTH // 26),
    "commas": "Answer: " + ",.;(" * (LENGTH // 4),
    "capital letters": "A" * LENGTH,
    "percent": "I am 9% sure. " * (LENGTH // 14),
    "verdicts": "The answer is wrong. " * (LENGTH // 21),
    "blank lines": "\n" * LENGTH,
    "spaced lines": "\n \n" * (LENGTH // 3),
    "one line of because": "the answer is 7 because " * (LENGTH // 24),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_reply_is_read_in_time_linear_in_its_length(name: str) -> None:
    asked = Question(id="q", text="3 + 4?", kind="choice", options=("Rome", "Paris"))

    def time_reading(text: str) -> float:
        begun = time.process_time()
        parse_answer(text, asked, CHAT)
        parse_confidence(text, CHAT, asked=True)
        parse_verdict(text, CHAT)
        return time.process_time() - begun

    text = ENDLESS[name]
    limit = 0.4 + 30 * min(time_reading(text[: len(text) // 8]) for _ in range(2))
    assert any(time_reading(text) < limit for _ in range(2))
