"""A transcript as one agent sees it, as chat messages: a pure function of what it heard."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from debate.agents.agent import Agent
from debate.agents.sight import Shown
from debate.agents.templates import Visible
from debate.agents.untrusted import plain
from debate.types import Message, Question, Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked(Visible):
    """What a template may show of the question: never its target."""

    text: str
    kind: str
    options: Sequence[str]
    category: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One of the agent's own finished turns as its later prompts show it.

    `asked` is the message that asked for it after the first, `said` the reply where it is shown.
    """

    turn: Turn
    asked: Message | None = None
    said: Message | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The messages of one request, and what a bound left out of them."""

    messages: tuple[Message, ...]
    dropped: tuple[str, ...] = ()


def step(agent: Agent, turn: Turn, asked: Message | None = None) -> Step:
    """A finished turn, with nothing in it that could pass for another role's."""
    if turn.failure is not None or not agent.prompts.spec.own_turns:
        return Step(turn=turn, asked=asked)
    return Step(
        turn=turn, asked=asked, said=Message(role="assistant", content=plain(turn.text))
    )  # fmt: skip


def opening(agent: Agent, question: Question) -> View:
    """The view of an opening: the system prompt, if any, and the question."""
    asked = Message(role="user", content=agent.prompts.render("opening", _values(agent, question)))
    return View(messages=(*agent.system_messages, asked))


def start(agent: Agent, question: Question) -> tuple[Message, ...]:
    """What all of the agent's prompts on a question begin with: its opening, if it has one."""
    if agent.answers_first:
        return opening(agent, question).messages
    return agent.system_messages


def afresh(agent: Agent, question: Question, told: Sequence[Shown]) -> View:
    """The view of an answer without a past: the question, and what the agent is told."""
    if not told:
        return opening(agent, question)
    values = {**_values(agent, question), "heard": list(told), "first": False}
    asked = Message(role="user", content=agent.prompts.render("revision", values))
    return View(messages=_in_turns(agent, (*opening(agent, question).messages, asked)))


def respond(
    agent: Agent,
    question: Question,
    steps: Sequence[Step],
    heard: Sequence[Shown],
    *,
    start: tuple[Message, ...],
) -> View:
    """The view of a revision or a judgment: the context, then what was heard now, as the last."""
    kind = "judgment" if agent.spec.role == "judge" else "revision"

    def ask(steps: Sequence[Step], heard: Sequence[Shown]) -> Message:
        values = {**_values(agent, question), "heard": list(heard), "first": not steps}
        return Message(role="user", content=agent.prompts.render(kind, values))

    return _bounded(agent, start, steps, heard, ask)


def review(
    agent: Agent,
    question: Question,
    steps: Sequence[Step],
    subject: Shown,
    *,
    start: tuple[Message, ...],
) -> View:
    """The view of a critique: a fork of the critic's own context, then the turn to review."""

    def ask(steps: Sequence[Step], heard: Sequence[Shown]) -> Message:
        in_debate = agent.answers_first
        values = {**_values(agent, question), "subject": heard[0], "in_debate": in_debate}
        values = {**values, "alternatives": []}
        return Message(role="user", content=agent.prompts.render("critique", values))

    return _bounded(agent, start, steps, (subject,), ask)


def judge_alone(
    agent: Agent, question: Question, subject: Shown, alternatives: Sequence[str] = ()
) -> View:
    """The view of a judgement without a past: question, alternatives if any, and the answer.

    Nothing that the critic has said itself is in it, so that it knows whose answer it judges only
    from how the subject is called.
    """
    values = {
        **_values(agent, question),
        "subject": subject,
        "in_debate": False,
        "alternatives": list(alternatives),
    }
    asked = Message(role="user", content=agent.prompts.render("critique", values))
    return View(messages=(*agent.system_messages, asked))


def context(start: tuple[Message, ...], steps: Sequence[Step]) -> tuple[Message, ...]:
    """Everything from the start up to and including the agent's last own turn.

    Each round's context begins with the one before it, so that an engine's prefix cache hits.
    """
    exchanges = [message for step in steps for message in (step.asked, step.said)]
    return (*start, *[message for message in exchanges if message is not None])


def _bounded(
    agent: Agent,
    start: tuple[Message, ...],
    steps: Sequence[Step],
    heard: Sequence[Shown],
    ask: Callable[[Sequence[Step], Sequence[Shown]], Message],
) -> View:
    """The context and the question now, within the protocol's window and token budget."""
    dropped: list[str] = []
    if agent.protocol.view.rounds == "last" and len(steps) > 1:
        dropped += [f"round {step.turn.round}: outside the window" for step in steps[:-1]]
        steps = [replace(steps[-1], asked=None)]
    while True:
        messages = _in_turns(agent, (*context(start, steps), ask(steps, heard)))
        budget = agent.protocol.view.max_tokens
        if budget is None or num_tokens(agent, messages) <= budget:
            return View(messages=messages, dropped=tuple(dropped))
        longest = max(heard, key=lambda turn: len(turn.text or "") if turn.answer else 0)
        if len(steps) > 1:
            dropped.append(f"round {steps[0].turn.round}: over the token budget")
            steps = steps[1:]
        elif longest.text and longest.answer:
            dropped.append(f"reasoning of {longest.name}: over the token budget")
            heard = [replace(turn, text=None) if turn is longest else turn for turn in heard]
        else:
            dropped.append(f"nothing more to drop: the prompt exceeds {budget} tokens")
            return View(messages=messages, dropped=tuple(dropped))


def _in_turns(agent: Agent, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same with the last two messages made one where both are the user's.

    Chat templates want user and assistant in turns; where the agent's own reply is missing (it
    failed, or its past is kept from it) they would not be.
    """
    *before, last = messages
    if not agent.prompts.spec.own_turns or not before or before[-1].role != "user":
        return messages
    joined = f"{before[-1].content}\n\n{last.content}"
    return (*before[:-1], Message(role="user", content=joined))


def num_tokens(agent: Agent, messages: Sequence[Message]) -> int:
    """The prompt's length in tokens, estimated from its characters."""
    characters = sum(len(message.content) for message in messages)
    return math.ceil(characters / agent.prompts.spec.chars_per_token)


def _values(agent: Agent, question: Question) -> Mapping[str, Any]:
    """What every template may use."""
    asked = Asked(
        text=question.text,
        kind=question.kind,
        options=list(question.options),
        category=question.category,
    )
    return {"question": asked, "show_confidence": agent.protocol.show_confidence}
