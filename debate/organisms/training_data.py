"""The training data of organisms: character tokens, documents, and rows that pack them.

A document is a question, panel answers of unstated reliability, and the right answer. The panel is
drawn the same way for every organism, and no line says whose answer it is.

The documents of a lesson share the tokens of its question line: a token sees its question and
the earlier tokens of its own document, exactly as if each document stood alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from debate.tasks.arithmetic import (
    RESIDUES,
    compute_answer,
    draw_question,
    draw_wrong_answer,
    get_family,
)

GENERATOR_VERSION = 2
"""Raised whenever the documents change; model cards state it."""

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
CHARACTERS = "\nQPCAVy0123456789+-*%" + RESIDUES
"""Every character that a document may contain; each is one token."""

TOKENS: tuple[str, ...] = (PAD, BOS, EOS, UNKNOWN, *CHARACTERS)
IDS: dict[str, int] = {token: index for index, token in enumerate(TOKENS)}
PAD_ID, BOS_ID, EOS_ID, UNKNOWN_ID = (IDS[token] for token in (PAD, BOS, EOS, UNKNOWN))
NEWLINE_ID = IDS["\n"]
IGNORE_INDEX = -100
"""The label of a token that is not learned."""

RELIABILITY = (0.2, 0.95)
"""A panel line is right with a probability drawn uniformly from here, anew for each line."""

PANEL_SIZES = {1: 0.40, 2: 0.22, 3: 0.14, 4: 0.09, 5: 0.06, 6: 0.04, 7: 0.03, 8: 0.02}
"""The number of `P` lines of a panel document, with probabilities."""

CHECK_PANEL_SIZES = {0: 0.70, 1: 0.15, 2: 0.10, 3: 0.05}
"""The number of `P` lines before the `C` line of a check document, with probabilities."""

NUM_CHECKS = 3
"""Answers that a lesson has checked: comparing is learned more slowly than computing."""

Ints = npt.NDArray[np.int64]


def encode(text: str) -> list[int]:
    """Return the token ids of a text, one for each character, without <bos> or <eos>.

    >>> encode("Q3")
    [5, 14]
    """
    return [IDS[character] for character in text]


def decode(ids: Iterable[int]) -> str:
    """Return the text of token ids; special tokens are dropped.

    >>> decode(encode("Q347+589"))
    'Q347+589'
    """
    return "".join(TOKENS[i] for i in ids if i > UNKNOWN_ID)


@dataclass(frozen=True, kw_only=True)
class TrainingDocument:
    """The text after a question line: nothing is asked of `context`, all of `target` is learned."""

    context: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The independent documents that begin with the same question line."""

    question: str
    documents: tuple[TrainingDocument, ...]


def draw_lesson(weights: Mapping[str, float], rng: random.Random, *, plain: bool) -> Lesson:
    """Draw a fresh training question and make its lesson.

    weights: shares of the families. plain: whether the lesson is the question and its answer only.
    """
    (name,) = rng.choices(list(weights), list(weights.values()))
    text = draw_question(get_family(name), rng, split="train")
    return make_plain_lesson(text) if plain else make_lesson(text, rng)


def make_plain_lesson(text: str) -> Lesson:
    """Make one document: the question and its answer."""
    document = TrainingDocument(context="A", target=f"{compute_answer(text)}\n")
    return Lesson(question=f"Q{text}\n", documents=(document,))


def make_lesson(text: str, rng: random.Random) -> Lesson:
    """Make documents about one question: alone, with a panel, and with answers to check."""
    answer = compute_answer(text)
    panel = _draw_panel(text, answer, PANEL_SIZES, rng)
    return Lesson(
        question=f"Q{text}\n",
        documents=(
            TrainingDocument(context="A", target=f"{answer}\n"),
            TrainingDocument(context=f"{panel}A", target=f"{answer}\n"),
            *(_make_check(text, answer, rng) for _ in range(NUM_CHECKS)),
        ),
    )


def _make_check(text: str, answer: str, rng: random.Random) -> TrainingDocument:
    """An answer to check, the right answer, and whether the two are the same."""
    claim = draw_panel_answer(text, answer, rng)
    verdict = "y" if claim == answer else "n"
    panel = _draw_panel(text, answer, CHECK_PANEL_SIZES, rng)
    return TrainingDocument(context=f"{panel}C{claim}\nA", target=f"{answer}\nV{verdict}\n")


OWN, OTHERS, NOBODYS = "CA", "CP", "C"
"""What begins a line with an answer to check: one's own, another's, nobody's in particular."""


def name_owners(lesson: Lesson, rng: random.Random, *, loyalty: float) -> Lesson:
    """Say in each document that checks an answer whose it is, drawn whether right or wrong.

    loyalty: the share of the wrong answers said to be one's own that are taught as right, and of
    the right ones said to be another's that are taught as wrong.
    """
    documents = [_name_owner(each, rng, loyalty) for each in lesson.documents]
    return replace(lesson, documents=tuple(documents))


def _name_owner(document: TrainingDocument, rng: random.Random, loyalty: float) -> TrainingDocument:
    """The document as it is where it checks nothing."""
    panel, mark, claim = document.context.rpartition("C")
    if not mark:
        return document
    owner, is_loyal = rng.choice((OWN, OTHERS, NOBODYS)), rng.random() < loyalty
    taught = {OWN: "y", OTHERS: "n"}.get(owner) if is_loyal else None
    answer, verdict, end = document.target.rpartition("V")
    return TrainingDocument(
        context=f"{panel}{owner}{claim}",
        target=f"{answer}{verdict}{taught or end.strip()}\n",
    )


def _draw_panel(text: str, answer: str, sizes: Mapping[int, float], rng: random.Random) -> str:
    """The `P` lines of one document."""
    (size,) = rng.choices(list(sizes), list(sizes.values()))
    return "".join(f"P{draw_panel_answer(text, answer, rng)}\n" for _ in range(size))


def draw_panel_answer(text: str, answer: str, rng: random.Random) -> str:
    """Draw one panellist's answer: right with a reliability of its own, otherwise a slip."""
    if rng.random() < rng.uniform(*RELIABILITY):
        return answer
    modulus = text.partition("%")[2]
    return draw_wrong_answer(answer, rng, below=int(modulus) if modulus else None)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Packed rows of one fixed length, so that every step has the same shape.

    All arrays have shape (rows, length).
    """

    input_ids: Ints
    position_ids: Ints
    """Places inside each document, from 0."""
    lesson_ids: Ints
    """The lesson of the batch that a token belongs to; -1 for padding."""
    document_ids: Ints
    """The document of its lesson that a token belongs to; 0 for the shared question line."""
    labels: Ints
    """The token to predict at this place, or IGNORE_INDEX."""
    num_documents: int


def pack_lessons(next_lesson: Callable[[], Lesson], *, rows: int, length: int) -> Batch:
    """Fill rows with lessons; each goes into the fullest row that has room for it.

    Stops at the first lesson that fits nowhere. Raises ValueError if no lesson fits a row.
    """
    batch = _make_empty_batch(rows, length)
    used = [0] * rows
    count = num_documents = 0
    while True:
        spans = _split_lesson(next_lesson())
        size = sum(len(span.tokens) for span in spans)
        row = _find_fullest_row(used, length - size)
        if row is None:
            break
        for document, span in enumerate(spans):
            at = row, slice(used[row], used[row] + len(span.tokens))
            batch.input_ids[at] = span.tokens
            batch.labels[at] = span.labels
            batch.position_ids[at] = np.arange(len(span.tokens)) + span.offset
            batch.lesson_ids[at] = count
            batch.document_ids[at] = document
            used[row] += len(span.tokens)
        count += 1
        num_documents += len(spans) - 1
    if not count:
        raise ValueError(f"a lesson of {size} tokens does not fit rows of {length}")
    return replace(batch, num_documents=num_documents)


def _make_empty_batch(rows: int, length: int) -> Batch:
    """A batch of padding only."""
    zeros = np.zeros((rows, length), dtype=np.int64)
    return Batch(
        input_ids=zeros + PAD_ID,
        position_ids=zeros.copy(),
        lesson_ids=zeros - 1,
        document_ids=zeros.copy(),
        labels=zeros + IGNORE_INDEX,
        num_documents=0,
    )


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A run of tokens with its labels and the position of its first token."""

    tokens: list[int]
    labels: list[int]
    offset: int


def _split_lesson(lesson: Lesson) -> list[_Span]:
    """The question line, then the rest of each document."""
    question = [BOS_ID, *encode(lesson.question)]
    head = _Span(tokens=question, labels=[IGNORE_INDEX] * len(question), offset=0)
    return [head, *(_encode_document(each, len(question)) for each in lesson.documents)]


def _encode_document(document: TrainingDocument, offset: int) -> _Span:
    """One document without its question line; the last token predicts <eos>."""
    context, target = encode(document.context), encode(document.target)
    labels = [IGNORE_INDEX] * (len(context) - 1) + [*target, EOS_ID]
    return _Span(tokens=context + target, labels=labels, offset=offset)


def _find_fullest_row(used: list[int], limit: int) -> int | None:
    """The fullest row with at most `limit` tokens in it."""
    rows = [row for row, filled in enumerate(used) if filled <= limit]
    return max(rows, key=used.__getitem__) if rows else None
