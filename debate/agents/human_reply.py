"""The form of a person's reply: read as any reply to the prompt set is, and written for it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from debate.agents.agent import Agent, read_reply
from debate.engines.base import Completion
from debate.engines.human.reply_form import ReplyForm, ReplyParts
from debate.tasks.answer_format import AnswerFormat
from debate.tasks.assessments import parse_confidence
from debate.types import Kind, Question


def make_reply_form(agent: Agent, question: Question, kind: Kind) -> ReplyForm:
    """Make the form of a turn of this kind."""
    return ReplyForm(
        wanted="verdict" if kind == "critique" else "answer",
        read=partial(_read_turn, agent, question, kind),
        write=partial(_write_turn, agent.prompts.format, question),
    )


def _write_turn(format: AnswerFormat, question: Question, parts: ReplyParts) -> str:
    """Write a reply; a program stands in a fenced block, which needs no mark."""
    if question.kind != "code" or parts.answer is None or "json" in format.forms[:1]:
        return write_reply(format, parts)
    program = f"```python\n{parts.answer.strip()}\n```"
    reasoning = "\n\n".join(filter(None, (parts.reasoning.strip(), program)))
    return write_reply(format, replace(parts, reasoning=reasoning, answer=None))


def make_confidence_form(agent: Agent, answer: str | None) -> ReplyForm:
    """Make the form of the reply to the question how likely it is that an answer is right."""

    def read(text: str) -> ReplyParts:
        stated = parse_confidence(text, agent.prompts.format, asked=True, answer=answer)
        return ReplyParts(reasoning=text, confidence=stated)

    return ReplyForm(
        wanted="confidence", read=read, write=partial(write_reply, agent.prompts.format)
    )


def _read_turn(agent: Agent, question: Question, kind: Kind, text: str) -> ReplyParts:
    reply = Completion(id="", text=text, finish_reason="stop")
    result = read_reply(agent, question, kind, reply)
    stated = (each.value for each in result.confidences if each.source == "verbal")
    return ReplyParts(
        reasoning=text,
        answer=result.answer.value if result.answer else None,
        accepts=result.accepts,
        confidence=next(stated, None),
        found=result.answer.matched if result.answer and result.answer.is_abstention else (),
    )


def write_reply(format: AnswerFormat, parts: ReplyParts) -> str:
    r"""Write the parts of a reply in one text, as the format marks them.

    >>> write_reply(AnswerFormat(), ReplyParts(reasoning="6 + 9 is 15.", answer="936"))
    '6 + 9 is 15.\n\nAnswer: 936'
    >>> write_reply(AnswerFormat(forms=("json",)), ReplyParts(accepts=False, confidence=0.8))
    '{"verdict": "incorrect", "confidence": 80}'
    """
    verdict = None
    if parts.accepts is not None:
        verdict = (format.accepts if parts.accepts else format.rejects)[0]
    percent = None if parts.confidence is None else round(100 * parts.confidence, 2)
    if "json" in format.forms and "mark" not in format.forms:
        return _write_object(format, parts, verdict, percent)
    close = format.closings[0] if format.closings else ""
    separator = format.separators[0] + (" " if format.separators[0].strip() else "")
    told = None if percent is None else f"{percent:g}%"
    marks = (format.answer, format.verdict, format.confidence)
    lines = [
        f"{_capitalize(words[0]) + separator if words else ''}{value}{close}"
        for words, value in zip(marks, (parts.answer, verdict, told), strict=True)
        if value is not None
    ]
    blocks = [parts.reasoning.strip(), "\n".join(lines)]
    if format.first_line:
        blocks.reverse()
    return "\n\n".join(filter(None, blocks))


def _write_object(
    format: AnswerFormat, parts: ReplyParts, verdict: str | None, percent: float | None
) -> str:
    names = format.names
    fields = {
        "reasoning": parts.reasoning.strip() or None,
        names.answer[0]: parts.answer,
        names.verdict[0]: verdict,
        names.confidence[0]: _drop_zero(percent),
    }
    held = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(held, ensure_ascii=False)


def _drop_zero(percent: float | None) -> float | None:
    """Return a whole number as an int, which is written without `.0`."""
    return int(percent) if percent is not None and percent.is_integer() else percent


def _capitalize(word: str) -> str:
    return word[:1].upper() + word[1:]
