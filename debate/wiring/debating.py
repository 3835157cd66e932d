"""Debates side by side, as many at once as keep the engines busy."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

from debate.errors import DebateError
from debate.log import CallCache, RunLog
from debate.orchestrator.calls import Calls, Client, Watcher
from debate.orchestrator.cell import Cell
from debate.orchestrator.question import debate_question
from debate.types import Question
from debate.wiring.collecting import collecting_seldom


async def debate_all(
    work: Iterable[tuple[Question, int]],
    cells: Sequence[Cell],
    *,
    at_once: int,
    clients: Mapping[str, Client],
    log: RunLog,
    watcher: Watcher,
    cache: CallCache | None,
    stale: list[str],
) -> None:
    """Debate every question with its seed in every cell, `at_once` of them at a time.

    Names of recorded turns that had to be made again are added to `stale`. Raises LogError.
    """
    left = iter(work)

    async def worker() -> None:
        for question, seed in left:
            calls = Calls(clients=clients, log=log, watcher=watcher, cache=cache, stale=stale)
            try:
                await debate_question(question, cells, calls, seed=seed)
            except asyncio.CancelledError as lost:
                # A task group would take this for a worker that was told to stop.
                if not _is_told_to_stop():
                    raise DebateError(f"the debate of question {question.id} was lost") from lost
                raise

    with collecting_seldom():
        await all_or_first_error([worker() for _ in range(at_once)])


def _is_told_to_stop() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def all_or_first_error(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Everything, or the first error alone, after all else has been stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* DebateError as errors:
        raise _first(errors) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
