"""Replies of people: the form writes what the reader of any reply reads, in each prompt set."""

from __future__ import annotations

from typing import get_args

import pytest

from debate.agents.human_reply import make_confidence_form, make_reply_form
from debate.agents.prompt_sets import load_prompt_set
from debate.config.loader import load_run
from debate.engines.human.human_page import PageForm, find_difference, parse_form
from debate.engines.human.reply_form import ReplyParts
from debate.runner.plan import make_plan
from debate.types import AnswerKind, Kind, Question
from tests.human.people import person
from tests.support import scripted

PROGRAM = "def double(x):\n    return 2 * x"
SAID = {"number": "936", "choice": "B", "text": "the moon", "math": "936", "code": PROGRAM}
COLORS = ("red", "green", "blue")


def seat(prompts: str):
    """A person's seat with these prompts."""
    config = {
        "agents": [scripted("a", "Answer: 4"), person() | {"role": "critic", "prompts": prompts}],
        "topology": {"edges": ["reviewer -> a"]},
        "task": {"generator": "arithmetic", "n": 1},
        "protocol": "critique",
        "rounds": 1,
    }
    (cell,) = make_plan(load_run(config)).cells
    return cell.agents["reviewer"]


def question(kind: AnswerKind) -> Question:
    return Question(id="q", text="?", kind=kind, options=COLORS if kind == "choice" else ())


@pytest.mark.parametrize("prompts", ["chat", "chat_zero", "json"])
@pytest.mark.parametrize("kind", [kind for kind in get_args(AnswerKind) if kind != "code"])
@pytest.mark.parametrize("turn", ["opening", "critique"])
def test_what_the_form_writes_is_read_as_it_was_meant(
    prompts: str, kind: AnswerKind, turn: Kind
) -> None:
    form = make_reply_form(seat(prompts), question(kind), turn)
    accepts = False if turn == "critique" else None
    meant = ReplyParts(reasoning="Looked at.", answer=SAID[kind], accepts=accepts, confidence=0.85)
    read = form.read(form.write(meant))
    assert (read.answer, read.accepts, read.confidence) == (SAID[kind], accepts, 0.85)
    assert find_difference(meant, read, form.wanted) == ""


def test_a_program_is_written_in_a_block_of_its_own() -> None:
    form = make_reply_form(seat("chat_zero"), question("code"), "opening")
    meant = parse_form(PageForm(answer=PROGRAM, reasoning="Looked at.", confidence="85"))
    read = form.read(form.write(meant))
    assert (read.answer, read.confidence) == (PROGRAM, 0.85)
    assert find_difference(meant, read, form.wanted) == ""


def test_a_verdict_is_written_in_the_marks_of_the_organisms_too() -> None:
    form = make_reply_form(seat("compact"), question("number"), "critique")
    assert form.read(form.write(ReplyParts(accepts=False))).accepts is False


def test_a_confidence_alone_is_asked_for_by_its_own_form() -> None:
    form = make_confidence_form(seat("chat_zero"), "80")
    assert form.wanted == "confidence"
    assert form.read(form.write(ReplyParts(confidence=0.8))).confidence == 0.8
    assert form.read("I do not know").confidence is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (PageForm(answer="5 or 6"), "no single answer"),
        (PageForm(), "no answer, which counts as an abstention"),
        (PageForm(answer="1,000"), "otherwise than it is written: answer 1000"),
        (PageForm(answer="5", reasoning="Confidence: 10%"), "otherwise than it is written"),
        (PageForm(answer="936", confidence="90"), ""),
    ],
)
def test_a_reply_that_is_read_otherwise_is_told_before_it_counts(
    typed: PageForm, told: str
) -> None:
    form = make_reply_form(seat("chat_zero"), question("number"), "opening")
    parts = parse_form(typed)
    problem = find_difference(parts, form.read(form.write(parts)), form.wanted)
    assert told in problem
    assert bool(told) == bool(problem)


def test_people_need_prompts_without_worked_examples() -> None:
    assert load_prompt_set("chat").spec.examples
    assert not load_prompt_set("chat_zero").spec.examples
