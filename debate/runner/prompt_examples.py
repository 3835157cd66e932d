"""Prompts of a finished run, made again from its log for readers: one of each kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from debate.errors import DebateError
from debate.interrupts import run_to_end
from debate.log import Run
from debate.orchestrator.call_store import CallStore, PendingTurn
from debate.orchestrator.condition import Condition
from debate.orchestrator.question import debate_question
from debate.report.data import PromptExample
from debate.runner.cells import rebuild_cells
from debate.runner.offline import NullLog
from debate.types import DebateKey, Question, Turn

MAX_QUESTIONS_TRIED, MAX_EXAMPLES = 5, 24
KINDS = ("opening", "revision", "critique", "judgment", "probe")


def render_examples(directory: Path) -> tuple[PromptExample, ...]:
    """Return one prompt of each kind of turn and prompt set, and of each arm's first revision.

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
    found: dict[object, PromptExample] = {}
    for name, cell in cells.items():
        author = run.manifest.spec["cells"][name].get("author")
        examples = _find_examples(run, name, replace(cell, keep_prompts=True))
        for each in sorted(examples, key=lambda e: e.agent != author):
            found.setdefault(_get_sort(each, cell), each)
    chosen = sorted(_join_alike(found.values()), key=lambda each: KINDS.index(each.kind))
    return tuple(chosen[:MAX_EXAMPLES])


def _get_sort(example: PromptExample, cell: Condition) -> object:
    """What an example stands for: a kind of turn and a prompt set, and of revisions the cell."""
    prompts = cell.agents[example.agent].spec.prompts
    return example.kind, prompts, example.cells if example.kind == "revision" else None


def _join_alike(examples: Iterable[PromptExample]) -> Iterator[PromptExample]:
    """Examples of the same text as one, which names all their cells."""
    by_text: dict[object, list[PromptExample]] = {}
    for each in examples:
        by_text.setdefault((each.kind, each.messages), []).append(each)
    for alike in by_text.values():
        yield replace(alike[0], cells=tuple(cell for each in alike for cell in each.cells))


def _find_examples(run: Run, name: str, cell: Condition) -> Sequence[PromptExample]:
    """The prompts of the first recorded debate of a cell that can be debated again."""
    seeds = run.manifest.seeds or (0,)
    for question in islice(run.questions_by_id.values(), MAX_QUESTIONS_TRIED):
        key = DebateKey(cell=name, question=question.id, seed=seeds[0])
        turns = {turn.ref: turn for turn in run.recorded(key)}
        if found := _replay(cell, question, key, turns) if turns else []:
            return found
    return []


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
