"""Lessons packed into rows of one fixed length, so that every step has the same shape.

The documents of a lesson share the tokens of its question line: a token sees its question and
the earlier tokens of its own document, exactly as if each document stood alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from debate.organisms.documents import Document, Lesson
from debate.organisms.tokens import BOS_ID, EOS_ID, PAD_ID, encode

IGNORED = -100
"""The label of a token that is not learned."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Packed rows; all arrays have shape (rows, length)."""

    tokens: Ints
    positions: Ints
    """Places inside each document, from 0."""
    lessons: Ints
    """Which lesson of the batch a token belongs to; -1 for padding."""
    documents: Ints
    """Which document of its lesson a token belongs to; 0 for the shared question line."""
    labels: Ints
    """The token to predict at this place, or IGNORED."""
    num_documents: int


def empty_batch(rows: int, length: int) -> Batch:
    """A batch of padding only."""
    zeros = np.zeros((rows, length), dtype=np.int64)
    return Batch(
        tokens=zeros + PAD_ID,
        positions=zeros.copy(),
        lessons=zeros - 1,
        documents=zeros.copy(),
        labels=zeros + IGNORED,
        num_documents=0,
    )


def pack(next_lesson: Callable[[], Lesson], *, rows: int, length: int) -> Batch:
    """Fill rows with lessons; each goes into the fullest row that has room for it.

    Stops at the first lesson that fits nowhere. Raises ValueError if no lesson fits a row.
    """
    batch = empty_batch(rows, length)
    used = [0] * rows
    count = num_documents = 0
    while True:
        pieces = _pieces(next_lesson())
        size = sum(len(piece.tokens) for piece in pieces)
        row = _best_row(used, length - size)
        if row is None:
            break
        for document, piece in enumerate(pieces):
            span = slice(used[row], used[row] + len(piece.tokens))
            batch.tokens[row, span] = piece.tokens
            batch.labels[row, span] = piece.labels
            batch.positions[row, span] = np.arange(len(piece.tokens)) + piece.offset
            batch.lessons[row, span] = count
            batch.documents[row, span] = document
            used[row] = span.stop
        count += 1
        num_documents += len(pieces) - 1
    if not count:
        raise ValueError(f"a lesson of {size} tokens does not fit rows of {length}")
    return Batch(
        tokens=batch.tokens,
        positions=batch.positions,
        lessons=batch.lessons,
        documents=batch.documents,
        labels=batch.labels,
        num_documents=num_documents,
    )


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """A run of tokens with its labels and the position of its first token."""

    tokens: list[int]
    labels: list[int]
    offset: int


def _pieces(lesson: Lesson) -> list[_Piece]:
    """The question line, then the rest of each document."""
    question = [BOS_ID, *encode(lesson.question)]
    head = _Piece(tokens=question, labels=[IGNORED] * len(question), offset=0)
    return [head, *(_piece(document, len(question)) for document in lesson.documents)]


def _piece(document: Document, offset: int) -> _Piece:
    """One document without its question line; the last token predicts <eos>."""
    context, target = encode(document.context), encode(document.target)
    labels = [IGNORED] * (len(context) - 1) + [*target, EOS_ID]
    return _Piece(tokens=context + target, labels=labels, offset=offset)


def _best_row(used: list[int], limit: int) -> int | None:
    """The fullest row with at most `limit` tokens in it."""
    rows = [row for row, filled in enumerate(used) if filled <= limit]
    return max(rows, key=used.__getitem__) if rows else None
