"""Measure chat organisms on word problems, and write and read their cards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from rich.table import Table

from debate.agents.agent import Agent, derive_call_seed, find_confidences, make_sampling
from debate.agents.prompt_sets import load_prompt_set
from debate.agents.views import build_opening
from debate.analysis.intervals import Interval
from debate.config.agents import AgentSpec
from debate.config.fetchable import find_fetched
from debate.config.models import TransformersModel
from debate.config.protocol import ProtocolSpec
from debate.engines.base import Completion, Request
from debate.engines.transformers import TransformersEngine
from debate.errors import EngineError, InputError
from debate.organisms.cards import make_table, round_interval
from debate.organisms.chat_documents import CHAT_GENERATOR_VERSION, PROMPT_SET
from debate.organisms.measure import estimate_over_confidence, estimate_share
from debate.organisms.specs import ChatSpec
from debate.tasks.arithmetic import Split
from debate.tasks.parsing import find_answer
from debate.tasks.word_problems import WORD_FAMILIES, WordProblem, draw_word_problems
from debate.types import Question

CHAT_CARD_VERSION = 1
CHAT_FOLDER = "chat"
"""The folder of the adapters, beside the cards."""

MAX_TOKENS = 48
"""The longest reply of an evaluation and, by its card, of a debate."""

ACCEPTED_READ, ACCEPTED_AT_HOME, ACCEPTED_ELSEWHERE, ACCEPTED_OVER_CONFIDENCE = 0.95, 0.6, 0.4, 0.1


class ChatAnswer(NamedTuple):
    """What was read of one reply; None where nothing was."""

    problem: WordProblem
    value: str | None
    confidence: float | None

    @property
    def is_right(self) -> bool:
        """True where the exact answer was read."""
        return self.value == str(self.problem.answer)


@dataclass(frozen=True, kw_only=True)
class FamilyFigures:
    """One organism on one family; intervals are clustered by calculation."""

    family: str
    is_home: bool
    num_replies: int
    read: Interval
    accuracy: Interval
    """A reply that was not read counts as wrong."""
    overconfidence: Interval
    """Mean confidence of the answer's tokens minus accuracy, over the replies that were read."""

    @property
    def is_accepted(self) -> bool:
        """Whether the values are what an organism that ships must reach."""
        read, right, over = self.read.value, self.accuracy.value, self.overconfidence.value
        if read is None or right is None or over is None:
            return False
        knows = right >= ACCEPTED_AT_HOME if self.is_home else right <= ACCEPTED_ELSEWHERE
        return read >= ACCEPTED_READ and knows and abs(over) <= ACCEPTED_OVER_CONFIDENCE


@dataclass(frozen=True, kw_only=True)
class ChatCard:
    """A chat organism's card as read back."""

    name: str
    base: str
    adapter: Path
    knowledge: Mapping[str, int]
    """The families of its training, and in each the candidates that it cannot tell apart."""

    @property
    def home(self) -> tuple[str, ...]:
        """The families that it knows."""
        return tuple(family for family, candidates in self.knowledge.items() if candidates == 1)


def measure_chat_organism(
    card: ChatCard,
    *,
    num_questions: int,
    seed: int,
    temperature: float,
    split: Split = "test",
    device: str = "auto",
    threads: int = 1,
    on_reply: Callable[[int], None] = lambda count: None,
) -> list[FamilyFigures]:
    """Let an organism open on fresh problems; return its figures by family of its training.

    `num_questions` are those of each family; `on_reply` is given the number of finished replies.
    Raises InputError where the base was not fetched, or a family has not so many problems.
    """
    try:
        problems = draw_word_problems(
            tuple(card.knowledge), num_questions * len(card.knowledge), seed=seed, split=split
        )
    except ValueError as error:
        raise InputError(f"{num_questions} questions of each family: {error}") from error
    model = TransformersModel(
        engine="transformers",
        path=str(find_fetched(card.base)),
        adapter=str(card.adapter),
        dtype="float32",
        device=device,
        threads=threads,
        max_batch_size=32,
    )
    answers = asyncio.run(answer_problems(model, problems, seed, temperature, on_reply))
    return summarize_answers(answers, card.home)


async def answer_problems(
    model: TransformersModel,
    problems: Sequence[WordProblem],
    seed: int,
    temperature: float,
    on_reply: Callable[[int], None] = lambda count: None,
) -> list[ChatAnswer]:
    """Ask a model each problem as a debate's opening does; return what is read, in order.

    Raises EngineError where the model cannot be loaded or does not reply.
    """
    engine = TransformersEngine(model)
    agent = make_chat_agent(engine, temperature)
    asked = {p.id: Question(id=p.id, text=p.text, kind="number") for p in problems}
    replies: dict[str, Completion] = {}
    await engine.start()
    try:
        requests = [_make_request(agent, question, seed) for question in asked.values()]
        async for batch in engine.complete(requests):
            replies |= {reply.id: reply for reply in batch}
            on_reply(len(replies))
    finally:
        await engine.close()
    return [_read_reply(agent, problem, asked[problem.id], replies) for problem in problems]


def make_chat_agent(engine: TransformersEngine, temperature: float) -> Agent:
    """Make the seat of an organism, with the prompts that it was trained on."""
    sampling = {"temperature": temperature, "max_tokens": MAX_TOKENS}
    fields = {"id": "organism", "model": "organism", "prompts": PROMPT_SET, "sampling": sampling}
    return Agent(
        spec=AgentSpec.model_validate(fields),
        prompts=load_prompt_set(PROMPT_SET),
        protocol=ProtocolSpec(),
        identity="organism",
        capabilities=engine.capabilities,
    )


def _make_request(agent: Agent, question: Question, seed: int) -> Request:
    call_seed = derive_call_seed(
        seed=seed, question=question.id, agent=agent.id, round=0, kind="opening"
    )
    return Request(
        id=question.id,
        messages=build_opening(agent, question).messages,
        sampling=make_sampling(agent, call_seed),
    )


def _read_reply(
    agent: Agent, problem: WordProblem, question: Question, replies: Mapping[str, Completion]
) -> ChatAnswer:
    """Read the answer of a reply and the probability of its tokens."""
    reply = replies[problem.id]
    if reply.failure is not None:
        raise EngineError(f"{problem.id}: {reply.failure.message}")
    is_cut = reply.finish_reason == "length"
    found = find_answer(reply.text, question, agent.prompts.format, cut=is_cut)
    sources = {
        each.source: each.value for each in find_confidences(agent, reply, found.span, cut=is_cut)
    }
    return ChatAnswer(problem, found.answer.value, sources.get("answer_token"))


def summarize_answers(answers: Sequence[ChatAnswer], home: Sequence[str]) -> list[FamilyFigures]:
    """Return the figures of each family that was asked, in the order of the families."""
    found = []
    for family in WORD_FAMILIES:
        mine = [answer for answer in answers if answer.problem.family == family]
        if mine:
            found.append(_summarize_family(family, mine, is_home=family in home))
    return found


def _summarize_family(
    family: str, answers: Sequence[ChatAnswer], *, is_home: bool
) -> FamilyFigures:
    sure = [each for each in answers if each.confidence is not None]
    return FamilyFigures(
        family=family,
        is_home=is_home,
        num_replies=len(answers),
        read=estimate_share([each.value is not None for each in answers], _cluster(answers)),
        accuracy=estimate_share([each.is_right for each in answers], _cluster(answers)),
        overconfidence=estimate_over_confidence(
            [each.confidence for each in sure if each.confidence is not None],
            [each.is_right for each in sure],
            _cluster(sure),
        ),
    )


def _cluster(answers: Sequence[ChatAnswer]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """One integer for each calculation, from 0."""
    names = [each.problem.expression for each in answers]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def build_chat_table(figures: Mapping[str, Sequence[FamilyFigures]]) -> Table:
    """Return a table for the terminal with one line for each organism and family."""
    title = "openings on fresh problems; 95 % intervals clustered by calculation"
    headings = ["organism", "family", "replies", "read", "accuracy", "confidence - accuracy"]
    table = make_table([*headings, "accepted"], title=title)
    for name, rows in figures.items():
        for row in rows:
            table.add_row(
                name,
                f"{row.family} (home)" if row.is_home else row.family,
                str(row.num_replies),
                *(_format(each) for each in (row.read, row.accuracy, row.overconfidence)),
                "yes" if row.is_accepted else "no",
            )
    return table


def _format(interval: Interval) -> str:
    if interval.value is None or interval.low is None or interval.high is None:
        return "—" if interval.value is None else f"{interval.value:.3f}"
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def to_numbers(figures: FamilyFigures) -> dict[str, Any]:
    """Return one family's figures as plain data."""
    return {
        "home": figures.is_home,
        "replies": figures.num_replies,
        "read": round_interval(figures.read),
        "accuracy": round_interval(figures.accuracy),
        "confidence_minus_accuracy": round_interval(figures.overconfidence),
        "accepted": figures.is_accepted,
    }


def write_chat_card(
    spec: ChatSpec, path: Path, figures: Sequence[FamilyFigures], facts: Mapping[str, Any]
) -> None:
    """Write an agent card beside the folder of the adapters; `facts` are those of the training."""
    card = {
        "description": spec.description,
        "role": "debater",
        "model": {
            "engine": "transformers",
            "model": spec.base,
            "adapter": f"{CHAT_FOLDER}/{spec.name}",
            "dtype": "float32",
        },
        "prompts": PROMPT_SET,
        "sampling": {"temperature": 1.0, "max_tokens": MAX_TOKENS},
        "card": {
            "version": CHAT_CARD_VERSION,
            "word_problems": {
                "knowledge": dict(spec.knowledge),
                "shares": dict(spec.shares),
                "slips": spec.slips,
                "generator": CHAT_GENERATOR_VERSION,
                "split": "train",
            },
            "seed": spec.seed,
            "steps": spec.steps,
            **facts,
            "measured_on": "openings on test problems, none of whose calculations was trained",
            "families": {row.family: to_numbers(row) for row in figures},
        },
    }
    path.write_text(yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=100))


def read_chat_cards(directory: Path) -> list[ChatCard]:
    """Read the chat organisms among the agent cards of a directory, by name.

    Raises InputError if there are none.
    """
    found = [card for path in sorted(directory.glob("*.yaml")) if (card := _read_card(path))]
    if not found:
        raise InputError(
            f"{directory} holds no chat organism's card; train one by "
            "debate organisms train --chat NAME, or name its folder by --agents"
        )
    return found


def _read_card(path: Path) -> ChatCard | None:
    """One card, or None if it describes something else than a chat organism."""
    content = yaml.safe_load(path.read_text())
    facts = content.get("card") if isinstance(content, dict) else None
    if not isinstance(facts, dict) or "word_problems" not in facts:
        return None
    return ChatCard(
        name=path.stem,
        base=content["model"]["model"],
        adapter=path.parent / content["model"]["adapter"],
        knowledge=facts["word_problems"]["knowledge"],
    )
