"""The target is in no prompt: with another target, every prompt is the same to the letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from debate.agents.prompt_sets import load_prompt_set
from debate.engines.base import Request
from debate.orchestrator.protocols import PROTOCOLS
from debate.orchestrator.question import debate_question
from debate.types import Question, Verdict
from tests.hostile.echo import (
    Everything,
    answer_by_prompt,
    calls_to,
    cells_of,
    choice_by_prompt,
    compact_by_prompt,
)
from tests.hostile.worlds import TASKS_OF_ALL, questions

PROBES = {"chat": ["belief", "verbal", "p_true", "consistency"], "compact": ["belief", "p_true"]}
SAYS = {"chat": answer_by_prompt, "compact": compact_by_prompt}
TASKS = {"chat": (*TASKS_OF_ALL, "texts", "choices"), "compact": TASKS_OF_ALL}
COMBINATIONS = [
    (protocol, prompts, task)
    for protocol in PROTOCOLS
    for prompts in TASKS
    for task in TASKS[prompts]
]
DECISIONS = ("majority", "log_opinion_pool", "linear_pool", "confidence_weighted")
FEW, MANY = 3, 250


@dataclass(frozen=True, kw_only=True)
class World:
    """All that was asked in a world, by request id, and what the team made of it."""

    requests: dict[str, Request]
    verdicts: list[Verdict]


async def debated(
    protocol: str, prompts: str, asked: list[Question], *, decision: str = "majority"
) -> World:
    says = choice_by_prompt if any(q.kind == "choice" for q in asked) else SAYS[prompts]
    heard = Everything(says)
    cells = cells_of(prompts=prompts, protocol=protocol, probes=PROBES[prompts], decision=decision)
    verdicts: list[Verdict] = []
    for question in asked:
        verdicts += await debate_question(question, cells, calls_to(heard), seed=0)
    requests = {request.id: request for request in heard.requests}
    assert len(requests) == len(heard.requests)
    return World(requests=requests, verdicts=verdicts)


def visible(request: Request) -> Request:
    """All of a request but the candidates: they are scored one by one, and heard by nobody."""
    return replace(request, candidates=())


async def compare_worlds(protocol: str, prompts: str, asked: Sequence[list[Question]]) -> int:
    """Debate in two worlds; the number of requests that were the same."""
    one, two = [await debated(protocol, prompts, each) for each in asked]
    worked = load_prompt_set(prompts).spec.examples
    examples = {text.split("\n")[0] for each in worked for text in (each.user, each.assistant)}
    assert one.requests.keys() == two.requests.keys()
    targets = {question.id: question for question in asked[0]}
    for id, request in one.requests.items():
        assert visible(request) == visible(two.requests[id])
        assert request.debate_state is None
        question = next(targets[part] for part in _suffixes(id) if part in targets)
        assert question.target is not None
        if not question.options:
            said = (message.content for message in request.messages)
            shown = [request.prefill, *(t for t in said if t.split("\n")[0] not in examples)]
            assert not any(question.target in text for text in shown)
    return len(one.requests)


def _suffixes(id: str) -> list[str]:
    """What may be the question's id in a request's."""
    parts = id.split("/")
    return ["/".join(parts[1:end]) for end in range(2, len(parts) + 1)]


def two_worlds(task: str, num: int, folder: Path) -> list[list[Question]]:
    """The same questions with other targets."""
    worlds = [questions(task, num, folder, world=world) for world in (1, 2)]
    assert all(len(world) == num for world in worlds)
    assert [q.id for q in worlds[0]] == [q.id for q in worlds[1]]
    same = sum(a.target == b.target for a, b in zip(*worlds, strict=True))
    assert same <= num / 2
    return worlds


@pytest.mark.parametrize(("protocol", "prompts", "task"), COMBINATIONS)
async def test_another_target_changes_no_prompt(
    protocol: str, prompts: str, task: str, tmp_path: Path
) -> None:
    worlds = two_worlds(task, FEW, tmp_path)
    assert await compare_worlds(protocol, prompts, worlds) > FEW * 5


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "prompts", "task"), COMBINATIONS)
async def test_another_target_changes_no_prompt_of_thousands(
    protocol: str, prompts: str, task: str, tmp_path: Path
) -> None:
    num = await compare_worlds(protocol, prompts, two_worlds(task, MANY, tmp_path))
    print(f"{protocol}, {prompts}, {task}: {MANY} questions, {num} prompts twice")


@pytest.mark.parametrize("decision", DECISIONS)
async def test_another_target_changes_no_verdicts_answer(decision: str, tmp_path: Path) -> None:
    tasks = [two_worlds(task, FEW, tmp_path) for task in ("numbers", "texts", "choices")]
    asked = [[question for task in tasks for question in task[world]] for world in (0, 1)]
    one, two = [await debated("exchange", "chat", each, decision=decision) for each in asked]
    assert [verdict.value for verdict in one.verdicts] == [
        verdict.value for verdict in two.verdicts
    ]
    targets = {question.id: question.target for question in asked[0] if not question.options}
    decided = [verdict for verdict in one.verdicts if verdict.value is not None]
    assert decided
    assert all(verdict.value != targets.get(verdict.question) for verdict in decided)


def test_a_question_does_not_show_its_target_when_printed(tmp_path: Path) -> None:
    (question,) = questions("texts", 1, tmp_path, world=1)
    assert question.target is not None
    assert question.target not in f"{question} {question!r}"
