"""The target is in no prompt: with another target, every prompt is the same to the letter."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from debate.engines.base import Request
from debate.orchestrator.question import debate_question
from debate.types import Question, Verdict
from tests.hostile.echo import (
    Everything,
    answer_by_prompt,
    calls_to,
    cells_of,
    compact_by_prompt,
)

PROTOCOLS = ("exchange", "critique", "repeat", "restate", "cross_critique")
PROBES = {"chat": ["belief", "verbal", "p_true", "consistency"], "compact": ["belief", "p_true"]}
SAYS = {"chat": answer_by_prompt, "compact": compact_by_prompt}
DECISIONS = ("majority", "log_opinion_pool", "linear_pool", "confidence_weighted")
FEW, MANY = 6, 300


def questions(num: int, prompts: str, *, world: int) -> list[Question]:
    """Questions whose targets nobody could guess, different ones in each world."""
    rng = random.Random(f"targets/{world}")
    kinds = ("number", "text", "choice") if prompts == "chat" else ("number",)
    made = []
    for n in range(num):
        kind = kinds[n % len(kinds)]
        options = ("red", "green", "blue", "grey") if kind == "choice" else ()
        target = rng.choice("ABCD") if options else f"{rng.randrange(10**11, 10**12)}"
        text = f"What is thing number {n}?"
        made.append(
            Question(id=f"q{n}", text=text, kind=kind, options=options, category="x", target=target)
        )
    return made


@dataclass(frozen=True, kw_only=True)
class World:
    """All that was asked in a world, by request id, and what the team made of it."""

    requests: dict[str, Request]
    verdicts: list[Verdict]


async def debated(
    protocol: str, prompts: str, asked: list[Question], *, decision: str = "majority"
) -> World:
    heard = Everything(SAYS[prompts])
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


async def compare_worlds(protocol: str, prompts: str, num: int) -> int:
    """Debate in two worlds; the number of requests that were the same."""
    asked = [questions(num, prompts, world=world) for world in (1, 2)]
    one, two = [await debated(protocol, prompts, each) for each in asked]
    assert one.requests.keys() == two.requests.keys()
    targets = {question.id: question for question in asked[0]}
    for id, request in one.requests.items():
        assert visible(request) == visible(two.requests[id])
        assert request.scene is None
        question = targets[id.split("/")[1]]
        assert question.target is not None
        if not question.options:
            shown = [request.prefill, *(message.content for message in request.messages)]
            assert not any(question.target in text for text in shown)
    return len(one.requests)


@pytest.mark.parametrize("prompts", ["chat", "compact"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_another_target_changes_no_prompt(protocol: str, prompts: str) -> None:
    assert await compare_worlds(protocol, prompts, FEW) > FEW * 5


@pytest.mark.slow
@pytest.mark.parametrize("prompts", ["chat", "compact"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_another_target_changes_no_prompt_of_thousands(protocol: str, prompts: str) -> None:
    num = await compare_worlds(protocol, prompts, MANY)
    print(f"{protocol}, {prompts}: {MANY} questions, {num} prompts twice")


@pytest.mark.parametrize("decision", DECISIONS)
async def test_another_target_changes_no_verdicts_answer(decision: str) -> None:
    asked = [questions(FEW, "chat", world=world) for world in (1, 2)]
    one, two = [await debated("exchange", "chat", each, decision=decision) for each in asked]
    assert [verdict.value for verdict in one.verdicts] == [
        verdict.value for verdict in two.verdicts
    ]
    targets = {question.id: question.target for question in asked[0] if not question.options}
    decided = [verdict for verdict in one.verdicts if verdict.value is not None]
    assert decided
    assert all(verdict.value != targets.get(verdict.question) for verdict in decided)


def test_a_question_does_not_show_its_target_when_printed() -> None:
    (question,) = questions(1, "chat", world=1)
    assert question.target is not None
    assert question.target not in f"{question} {question!r}"
