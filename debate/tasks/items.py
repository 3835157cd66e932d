"""What every source of questions yields, and how it becomes a question."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass, field

from debate.config.task import ScoringSpec
from debate.tasks.number import read_number
from debate.tasks.patterns import check_pattern
from debate.tasks.wording import tidy
from debate.types import AnswerKind, Question

MAX_ID = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One question as its source writes it; `id` is None where the source gives none."""

    id: str | None = None
    text: str
    kind: AnswerKind
    target: str | None = field(default=None, repr=False)
    options: tuple[str, ...] = ()
    category: str | None = None
    cluster: str | None = None


def question(item: Item, scoring: ScoringSpec) -> Question:
    """The item as a question with its target in canonical form.

    Raises ValueError for an empty text, an unusable id, or a target that no answer could equal.
    """
    if not item.text.strip():
        raise ValueError("the question is empty")
    json.dumps(astuple(item), ensure_ascii=False).encode()  # UnicodeEncodeError: a lone surrogate
    return Question(
        id=content_id(item) if item.id is None else _usable(item.id),
        text=item.text,
        kind=item.kind,
        options=item.options,
        category=item.category,
        cluster=item.cluster,
        target=None if item.target is None else _target(item.target, item.kind, scoring),
    )


def content_id(item: Item) -> str:
    """A stable id from what is asked: the same question has the same id in every file.

    >>> content_id(Item(text="2+2", kind="number"))
    '2398266c9e80'
    """
    content = json.dumps([item.text, item.options], ensure_ascii=False)
    return hashlib.blake2b(content.encode(errors="surrogatepass"), digest_size=6).hexdigest()


def _usable(id: str) -> str:
    if len(id) > MAX_ID or not id.isprintable():
        raise ValueError(f"id {id[:60]!r} must be printable and at most {MAX_ID} characters")
    return id


def _target(target: str, kind: AnswerKind, scoring: ScoringSpec) -> str:
    """The reference answer as a right answer would be recorded; a pattern as it stands."""
    if kind == "number":
        number = read_number(target)
        if number is None:
            raise ValueError(f"target {target!r} is not a number; `kind: text` takes it as it is")
        return number
    if scoring.match == "regex":
        check_pattern(target)
        return target
    plain = tidy(target)
    if not plain:
        raise ValueError(f"target {target[:60]!r} has nothing left to compare with")
    return plain
