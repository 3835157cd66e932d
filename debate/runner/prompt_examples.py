"""Prompts of a finished run, made again from its log: one of each kind, and of each arm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from debate.errors import DebateError
from debate.interrupts import run_to_end
from debate.log import Run
from debate.orchestrator.call_store import CallStore, PendingTurn
from debate.orchestrator.condition import Condition
from debate.orchestrator.question import debate_question
from debate.report.data import PromptExample
from debate.runner.cells import rebuild_cells
from debate.runner.offline import NullLog
from debate.types import DebateKey, Message, Question, Turn

MAX_QUESTIONS_TRIED, MAX_EXAMPLES = 12, 24
KINDS = ("opening", "revision", "critique", "judgment", "probe")


def render_examples(directory: Path) -> tuple[PromptExample, ...]:
    """Return one prompt of each kind of turn and prompt set, and of each arm's last revision.

    Of the first few questions, and of agents where an arm is about none, it is that in which most
    of them differ; arms are one example where the prompts of all rounds coincide in it.
    Each is made again from recorded turns; no model is asked and no custom code is run. Empty where
    the directory holds no run whose debates can be made again.
    """
    if not directory.is_dir():
        return ()
    try:
        run = Run(directory)
        cells = rebuild_cells(run.manifest.spec).cells
    except DebateError:
        return ()
    questions = islice(run.questions_by_id.values(), MAX_QUESTIONS_TRIED)
    tried = [found for question in questions for found in _find_series(run, cells, question)]
    # The first of equals, as the sort is stable.
    tried.sort(key=lambda found: -len([*_join_alike(found.values())]))
    found = {sort: each for series in reversed(tried) for sort, each in series.items()}
    chosen = sorted(_join_alike(found.values()), key=lambda each: KINDS.index(each.kind))
    return tuple(chosen[:MAX_EXAMPLES])


def _find_series(
    run: Run, cells: Mapping[str, Condition], question: Question
) -> Iterator[dict[object, _Series]]:
    """The prompts of one question by what they stand for, with each agent before the others.

    An arm's author stands before all others in that arm.
    """
    examples = {
        name: _find_examples(run, question, replace(cell, keep_prompts=True))
        for name, cell in cells.items()
    }
    for first in sorted({each.agent for made in examples.values() for each in made}):
        found: dict[object, _Series] = {}
        for name, cell in cells.items():
            author = run.manifest.spec["cells"][name].get("author") or first
            ordered = sorted(examples[name], key=lambda e: e.agent != author)
            for each in _join_rounds(ordered):
                found.setdefault(_get_sort(each.last, cell), each)
        yield found


def _get_sort(example: PromptExample, cell: Condition) -> object:
    """What an example stands for: a kind of turn and a prompt set, and of revisions the cell."""
    prompts = cell.agents[example.agent].spec.prompts
    return example.kind, prompts, example.cells if example.kind == "revision" else None


class _Series(NamedTuple):
    """The prompts of one agent's turns of one kind: the last, and the messages of all rounds."""

    last: PromptExample
    messages: tuple[tuple[Message, ...], ...]


def _join_rounds(examples: Iterable[PromptExample]) -> Iterator[_Series]:
    """The revisions of each agent as a series; every other prompt alone, as a series of one."""
    series: dict[object, list[PromptExample]] = {}
    for position, each in enumerate(examples):
        key = each.agent if each.kind == "revision" else position
        series.setdefault(key, []).append(each)
    for alike in series.values():
        yield _Series(max(alike, key=lambda e: e.round), tuple(e.messages for e in alike))


def _join_alike(found: Iterable[_Series]) -> Iterator[PromptExample]:
    """Series of the same text in all rounds as one example, which names all their cells."""
    by_text: dict[object, list[PromptExample]] = {}
    for last, messages in found:
        by_text.setdefault((last.kind, messages), []).append(last)
    for alike in by_text.values():
        yield replace(alike[0], cells=tuple(cell for each in alike for cell in each.cells))


def _find_examples(run: Run, question: Question, cell: Condition) -> Sequence[PromptExample]:
    """The prompts of a cell's debate of this question; empty where it cannot be debated again."""
    seeds = run.manifest.seeds or (0,)
    key = DebateKey(cell=cell.name, question=question.id, seed=seeds[0])
    turns = {turn.ref: turn for turn in run.recorded(key)}
    return _replay(cell, question, key, turns) if turns else []


def _replay(
    cell: Condition, question: Question, key: DebateKey, turns: Mapping[str, Turn]
) -> list[PromptExample]:
    calls = _PromptCalls(turns)
    with suppress(DebateError, _NotRecorded):  # what was asked until then is as it was
        run_to_end(debate_question(question, [cell], calls, seed=key.seed))
    return [each for each in calls.examples if not cell.agents[each.agent].spec.confederate]


class _NotRecorded(Exception):
    """The debate came to a turn that is not recorded."""


class _PromptCalls(CallStore):
    """Gives the recorded turns, and notes the prompt that was made for each."""

    def __init__(self, turns: Mapping[str, Turn]) -> None:
        log = NullLog(turns)
        super().__init__(clients={}, log=log, watcher=log)
        self._turns = turns
        self._drafts: list[Turn] = []

    async def get_or_compute(self, draft: PendingTurn) -> Turn:
        """Return the recorded turn. Raises _NotRecorded where there is none."""
        self._drafts.append(draft.turn)
        turn = self._turns.get(draft.turn.ref)
        if turn is None:
            raise _NotRecorded(draft.turn.ref)
        self.note_reached(draft)
        return turn

    @property
    def examples(self) -> Iterator[PromptExample]:
        """The prompts noted, in the order of the debate."""
        for turn in self._drafts:
            if turn.prompt:
                yield PromptExample(
                    kind=turn.kind,
                    cells=(turn.cell,),
                    agent=turn.agent,
                    round=turn.round,
                    messages=tuple(turn.prompt),
                )
