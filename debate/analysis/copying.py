"""Answers that stand in a turn's own working before they are given: there, giving is copying.

The probability of an answer's tokens is that of the answer given all that was written before it.
Where that states the answer already, it says that the model copies, not that it is sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import polars as pl

from debate.agents.prompt_sets import load_prompt_set
from debate.errors import DebateError
from debate.log import Run
from debate.log.trajectories import SPEAKING
from debate.tasks.answer_format import CHAT, AnswerFormat
from debate.tasks.choice import LETTERS
from debate.tasks.parsing import find_answer
from debate.tasks.scoring import normalise, parse_value
from debate.tasks.values import fold_case
from debate.text import format_percent, join_names
from debate.types import BELIEF_AFTER, Question

AT_THE_ANSWER = ("answer_token", "sequence", BELIEF_AFTER)
"""Estimators that are taken where the answer stands, after the working."""
COPIED_SHARE_SHOWN = 0.1
"""The share of an arm's answers above which copying is told beside these estimators."""
_KEY = ("cell", "question", "seed", "agent", "round")
_NUMBER = re.compile(r"(?<![\w.,])(?:[-−](?=[\d.$]))?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?!\w)")


def is_in_working(text: str, answer: str, question: Question, format: AnswerFormat) -> bool | None:
    """Whether a reply states its answer before the place where the answer stands.

    A number counts as a whole number, a choice as the option's text or a marked letter, a text as
    whole words. None where the reply does not show where its answer stands.

    >>> sum_of = Question(id="q", text="30+31?", kind="number")
    >>> is_in_working("30 + 31 = 61.\\nAnswer: 61", "61", sum_of, CHAT)
    True
    >>> is_in_working("30 + 31 shells, not 610.\\nAnswer: 61", "61", sum_of, CHAT)
    False
    """
    span = find_answer(text, question, format).span
    return None if span is None else _states(text[: span.start], answer, question)


def _states(working: str, answer: str, question: Question) -> bool:
    if question.kind == "number":
        same = normalise(answer, question)
        found = (parse_value(number, question) for number in _find_numbers(working))
        return any(value is not None and normalise(value, question) == same for value in found)
    if question.kind == "choice":
        return _states_choice(working, answer, question)
    return _has_words(working, answer)


def _find_numbers(text: str) -> Iterator[str]:
    for match in _NUMBER.finditer(text):
        yield match[0].rstrip(",")


def _states_choice(working: str, letter: str, question: Question) -> bool:
    place = LETTERS.find(letter)
    if 0 <= place < len(question.options) and _has_words(working, question.options[place]):
        return True
    marked = rf"\({re.escape(letter)}\)|\b{re.escape(letter)}\)|\boption {re.escape(letter)}\b"
    return re.search(marked, working) is not None


def _has_words(working: str, words: str) -> bool:
    folded = fold_case(words)
    if not folded:
        return False
    return re.search(rf"(?<!\w){re.escape(folded)}(?!\w)", fold_case(working)) is not None


def add_copied(run: Run, rows: pl.DataFrame) -> pl.DataFrame:
    """The trajectories with `copied`: whether the answer stands in the working before it.

    Null where nothing was answered or the text does not tell. Only where an estimator of
    AT_THE_ANSWER is recorded is anything read: elsewhere it makes no difference.
    """
    columns = {f"confidence_{source}" for source in AT_THE_ANSWER}
    if columns.isdisjoint(rows.columns):
        return rows
    answered = pl.col("kind").is_in(SPEAKING) & pl.col("answer").is_not_null()
    turns = run.scan_turns().filter(answered).select(*_KEY, "text", "answer").collect()
    find_format = _make_format_finder(run.manifest.spec)
    questions = run.questions_by_id
    found = [
        is_in_working(text, answer, questions[question], find_format(agent))
        if text and question in questions
        else None
        for question, agent, text, answer in turns.select(
            "question", "agent", "text", "answer"
        ).iter_rows()
    ]
    copied = turns.select(*_KEY, copied=pl.Series(found, dtype=pl.Boolean))
    return rows.join(copied.unique(_KEY), on=_KEY, how="left", maintain_order="left")


def _make_format_finder(spec: Mapping[str, Any]) -> Any:
    """A function from an agent to the format of its answers, as its prompt set says."""
    sets = {str(agent["id"]): agent.get("prompts") for agent in spec.get("agents") or ()}

    @cache
    def find_format(agent: str) -> AnswerFormat:
        reference = sets.get(agent, sets.get(agent.rpartition("-")[0]))
        try:
            return load_prompt_set(str(reference), custom_code=False).format
        except DebateError:
            return CHAT

    return find_format


def warn_copied(shares: Mapping[str, float], confidence: str | None) -> str | None:
    """The caveat where an estimator is taken after workings that state the answer already.

    shares: of each arm's answers, all rounds together. None where there is nothing to say.
    """
    if confidence not in AT_THE_ANSWER:
        return None
    many = {cell: share for cell, share in shares.items() if share > COPIED_SHARE_SHOWN}
    if not many:
        return None
    told = join_names([f"{cell} {format_percent(share)}" for cell, share in many.items()])
    return (
        f"{confidence} is the probability of an answer after its working. In many answers that "
        f"working states the answer already ({told}), so that it measures copying. What helps: a "
        "prompt set by which the result stands on the answer line alone, the probe `belief`, "
        "which asks before the working, and the arm `restate`, which tells repetition from "
        "ownership."
    )


def measure_copied(states: pl.DataFrame) -> dict[str, float]:
    """The share of each arm's answers that stand in the working, of the turns really taken."""
    if "copied" not in states.columns:
        return {}
    spoken = states.filter(~pl.col("carried") & pl.col("copied").is_not_null())
    shares = spoken.group_by("cell").agg(pl.col("copied").mean()).sort("cell")
    return dict(shares.iter_rows())
