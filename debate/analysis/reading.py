"""`debate reading`: by which forms the replies of a run were read, and what would read the rest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from debate.agents.prompt_sets import load_prompt_set
from debate.analysis.design import read_seats
from debate.errors import DebateError
from debate.log import Run
from debate.log.codec import TurnStruct
from debate.log.files import TURNS
from debate.log.index import TurnKey, take_snapshot
from debate.tasks.answer_format import CHAT, FORMATS, AnswerFormat
from debate.tasks.assessments import parse_confidence, parse_verdict
from debate.tasks.parsing import parse_answer
from debate.text import clean
from debate.types import Question, Turn

UNKNOWN_FORM = "not recorded"
"""Stands for the form of an answer in a log that does not tell it."""

MAX_TRIED = 500
"""Unread replies of one agent and kind on which other formats are tried."""

_MAX_WORDS, _MAX_SHOWN = 8, 500
_LABELLED = re.compile(r"^[ \t*_#>-]{0,8}([A-Za-z][A-Za-z ]{0,29}?)[ *_]{0,4}[:=]", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ReadingCounts:
    """What became of the replies of one agent in turns of one kind.

    `kind` is a turn's, or `probe verbal`. `forms` counts the read ones by form (of a critique,
    `verdict`; of a probe, `confidence`), `confidences` all confidences by source, `failures` the
    failed ones by reason. `would_read` counts, for each change of the prompt set, which of the
    `num_tried` unread replies it would read; `samples` are some of these, whole.
    """

    agent: str
    kind: str
    num_turns: int = 0
    num_read: int = 0
    num_abstained: int = 0
    num_cut: int = 0
    num_failed: int = 0
    forms: Mapping[str, int] = field(default_factory=dict)
    confidences: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    num_tried: int = 0
    would_read: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[str, ...] = ()


class _Unread(NamedTuple):
    text: str
    question: Question


@dataclass
class _Group:
    """The turns of one agent and kind, as they are counted."""

    outcomes: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    confidences: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unread: list[_Unread] = field(default_factory=list)


def count_readings(run: Run, *, num_samples: int = 3) -> list[ReadingCounts]:
    """Count how the replies of a run were read, by agent and kind of turn, in order of both.

    A turn that shares another's call counts as often as it stands in the log.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for turn in take_snapshot(run.directory, TURNS, TurnKey).read_values(TurnStruct):
        if turn.kind == "probe" and turn.about != "verbal" and turn.failure is None:
            continue
        kind = f"probe {turn.about}" if turn.kind == "probe" else turn.kind
        group = groups.setdefault((turn.agent, kind), _Group())
        _add_turn(group, turn, run.questions_by_id)
    formats = _read_formats(run)
    return [
        _make_counts(agent, kind, group, formats.get(agent, CHAT), num_samples)
        for (agent, kind), group in sorted(groups.items())
    ]


def _add_turn(group: _Group, turn: Turn, questions: Mapping[str, Question]) -> None:
    outcome, form = _find_outcome(turn)
    group.outcomes[outcome] += 1
    group.confidences.update(each.source for each in turn.confidences)
    if form is not None:
        group.forms[form] += 1
    if turn.failure is not None:
        group.failures[f"{turn.failure.boundary}: {turn.failure.message}"] += 1
    if outcome == "abstained" and turn.question in questions:
        group.unread.append(_Unread(turn.text, questions[turn.question]))


def _find_outcome(turn: Turn) -> tuple[str, str | None]:
    """Return what became of a reply, and the form by which it was read."""
    if turn.failure is not None:
        return "failed", None
    if turn.is_cut:
        return "cut", None
    if turn.kind == "probe":
        return ("read", "confidence") if turn.confidences else ("abstained", None)
    if turn.kind == "critique":
        return ("read", "verdict") if turn.accepts is not None else ("abstained", None)
    if turn.answer is None or turn.answer.value is None:
        return "abstained", None
    return "read", turn.answer.form or UNKNOWN_FORM


def _read_formats(run: Run) -> dict[str, AnswerFormat]:
    """Return each agent's format; agents whose prompt set cannot be loaded are left out."""
    formats = {}
    for seat in read_seats(run):
        try:
            formats[seat.id] = load_prompt_set(seat.prompts, custom_code=False).format
        except DebateError:
            continue
    return formats


def _make_counts(
    agent: str, kind: str, group: _Group, format: AnswerFormat, num_samples: int
) -> ReadingCounts:
    tried = group.unread[:MAX_TRIED]
    return ReadingCounts(
        agent=agent,
        kind=kind,
        num_turns=group.outcomes.total(),
        num_read=group.outcomes["read"],
        num_abstained=group.outcomes["abstained"],
        num_cut=group.outcomes["cut"],
        num_failed=group.outcomes["failed"],
        forms=dict(group.forms.most_common()),
        confidences=dict(group.confidences.most_common()),
        failures=dict(group.failures.most_common()),
        num_tried=len(tried),
        would_read=dict(_try_formats(tried, kind, format)),
        samples=tuple(dict.fromkeys(each.text for each in group.unread))[:num_samples],
    )


def _try_formats(
    unread: Sequence[_Unread], kind: str, format: AnswerFormat
) -> list[tuple[str, int]]:
    """Return how many of the replies each change of the prompt set would read, the best first.

    Tried are the other shipped formats, and the words with which lines of these replies begin. The
    first line is no reading of an open question: any text would be one.
    """
    changes = {f"answers: {name}": other for name, other in FORMATS.items() if other != format}
    if format.first_line is False:
        changes |= _propose_words(unread, kind, format)
    found = []
    for name, other in changes.items():
        num = sum(_can_read(each, kind, other) for each in unread)
        if num:
            found.append((name, num))
    return sorted(found, key=lambda pair: -pair[1])


def _propose_words(
    unread: Sequence[_Unread], kind: str, format: AnswerFormat
) -> dict[str, AnswerFormat]:
    """Return the format with one more word before what was asked, for each word met."""
    stated = {"critique": "verdict", "probe verbal": "confidence"}.get(kind, "answer")
    known: tuple[str, ...] = getattr(format, stated)
    words = Counter(
        word
        for each in unread
        for word in {match[1].strip().lower() for match in _LABELLED.finditer(each.text)}
        if word not in known
    )
    return {
        f"format: {{{stated}: [{', '.join((*known[:1], word))}]}}": format.model_copy(
            update={stated: (*known, word)}
        )
        for word, _ in words.most_common(_MAX_WORDS)
    }


def _can_read(each: _Unread, kind: str, format: AnswerFormat) -> bool:
    if kind == "probe verbal":
        return parse_confidence(each.text, format, asked=True) is not None
    if kind == "critique":
        return parse_verdict(each.text, format) is not None
    if format.first_line and each.question.kind == "text" and not each.question.options:
        return False
    return parse_answer(each.text, each.question, format).value is not None


def read_counts(directory: Path, *, num_samples: int = 3) -> list[ReadingCounts]:
    """Count the readings of the run in a directory. Raises InputError where it holds no run."""
    return count_readings(Run(directory), num_samples=num_samples)


def to_plain(counts: Iterable[ReadingCounts]) -> list[dict[str, object]]:
    """Return the counts as plain values, for JSON."""
    return [asdict(each) for each in counts]


def format_counts(counts: Sequence[ReadingCounts]) -> Iterator[str]:
    """Yield the counts as lines without control characters, whatever the replies hold."""
    if not counts:
        yield "no turn is logged yet"
    for each in counts:
        yield from (clean(line) for line in _format_group(each))


def _format_group(counts: ReadingCounts) -> Iterator[str]:
    forms = ", ".join(f"{num} {form}" for form, num in counts.forms.items())
    yield f"{counts.agent}, {counts.kind}: {counts.num_turns} replies"
    yield f"  read {counts.num_read}" + (f" ({forms})" if forms else "")
    for what in ("abstained", "cut", "failed"):
        if num := getattr(counts, f"num_{what}"):
            yield f"  {what} {num}"
    for reason, num in counts.failures.items():
        yield f"    {num} × {reason}"
    if counts.confidences:
        sources = ", ".join(f"{num} {source}" for source, num in counts.confidences.items())
        yield f"  confidences: {sources}"
    for change, num in counts.would_read.items():
        yield f"  `{change}` would read {num} of {counts.num_tried} unread"
    for text in counts.samples:
        yield "  unread:"
        shown = text if len(text) <= _MAX_SHOWN else f"… {text[-_MAX_SHOWN:]}"
        yield from (f"    | {line}" for line in shown.split("\n"))
    yield ""
