"""The view of an agent: others' turns as prompts show them, and the chat messages of its calls.

All functions are pure: a prompt depends on the agent, the question and what the agent heard.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from debate.agents.agent import Agent
from debate.agents.prompt_templates import TemplateValue
from debate.agents.sanitize import sanitize_text
from debate.config.protocol import ViewSpec
from debate.types import AgentId, CallResult, DebateKey, Message, Question, ToolCall, Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownQuestion(TemplateValue):
    """The parts of a question that a template may show: never its target."""

    text: str
    kind: str
    options: Sequence[str]
    category: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownTurn(TemplateValue):
    """The parts of one turn that a template may show; None for a part that the edge withholds.

    `name` is the speaker's in the prompt; `own` says that the viewer said it itself; `hidden` that
    nothing tells who said it.
    """

    name: str
    own: bool
    kind: str
    text: str | None
    answer: str | None
    confidence: float | None
    accepts: bool | None = None
    hidden: bool = False

    @property
    def told_own(self) -> bool | None:
        """Whether the viewer is told that it said this itself; None where it is told nothing."""
        return None if self.hidden else self.own


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnTurn:
    """One of the agent's own finished turns as its later prompts show it.

    `asked` is the message that asked for it after the first, `said` the reply where it is shown.
    """

    turn: Turn
    asked: Message | None = None
    said: Message | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentPrompt:
    """The messages of one request, and a line for each part that the view's limits left out."""

    messages: tuple[Message, ...]
    dropped: tuple[str, ...] = ()


def name_speakers(
    debate: DebateKey, agents: Sequence[AgentId], *, anonymous: bool
) -> dict[AgentId, str]:
    """Return each agent's name in prompts; anonymous ones are numbered in an order drawn by seed.

    The order depends on question and seed, not on the cell, so that cells stay paired.
    """
    if not anonymous:
        return {agent: agent for agent in agents}
    order = list(agents)
    random.Random(f"names/{debate.seed}/{debate.question}").shuffle(order)
    return {agent: f"Agent {number}" for number, agent in enumerate(order, start=1)}


def show_turn(
    turn: Turn,
    *,
    viewer: AgentId,
    name: str,
    parts: Sequence[str],
    confidence: bool,
    view: ViewSpec | None = None,
) -> ShownTurn | None:
    """Return these parts of a turn under the speaker's name; None where nothing can be shown.

    A failed turn is never shown; an abstention is shown only by its reasoning. What a model wrote
    for itself is shown only where the view says so.
    """
    said = "critique" if turn.kind == "critique" else "reasoning"
    spoken = get_heard_text(turn, view)
    text = spoken if said in parts and spoken.strip() else None
    answer = turn.value if "answer" in parts or turn.kind == "critique" else None
    if turn.failure is not None or (text is None and answer is None):
        return None
    stated = turn.confidence() if confidence and "confidence" in parts else None
    return ShownTurn(
        name=name,
        own=turn.agent == viewer,
        kind=turn.kind,
        text=text,
        answer=answer,
        confidence=stated,
        accepts=turn.accepts,
    )


def get_heard_text(turn: Turn | CallResult, view: ViewSpec | None) -> str:
    """Return the text of a turn that is heard: its reply, after its private reasoning if shown.

    What it had tools do, and what they gave, stands before the reply; a final line that was asked
    for stands after it, so that what is heard states the answer.
    """
    shows = view is not None and view.hear_reasoning
    reasoning = turn.reasoning if shows else None
    if not reasoning and not turn.final_line and not turn.tool_steps:
        return turn.text
    steps = [
        part
        for step in turn.tool_steps
        for part in (step.reasoning if shows else None, step.said, *map(_quote_output, step.calls))
    ]
    return "\n\n".join(filter(None, (*steps, reasoning, turn.text, turn.final_line)))


def _quote_output(call: ToolCall) -> str:
    """Return what a tool gave, as a block that no reader takes for a call."""
    return f"```output\n{call.output}\n```"


def hide_speaker(shown: ShownTurn) -> ShownTurn:
    """Return the same turn without a hint of who said it."""
    return replace(shown, name="Somebody", own=False, hidden=True)


def make_own_turn(agent: Agent, turn: Turn, asked: Message | None = None) -> OwnTurn:
    """Return a finished turn for later prompts, with nothing that could pass for another role's."""
    text = get_heard_text(turn, agent.protocol.view)
    is_silent = not text.strip() and turn.reasoning is not None
    if turn.failure is not None or is_silent or not agent.prompts.spec.own_turns:
        return OwnTurn(turn=turn, asked=asked)
    said = Message(role="assistant", content=sanitize_text(text))
    return OwnTurn(turn=turn, asked=asked, said=said)


def build_opening(agent: Agent, question: Question) -> AgentPrompt:
    """Build the prompt of an opening: the system prompt, if any, and the question."""
    values = make_values(agent, question)
    asked = Message(role="user", content=agent.prompts.render("opening", values))
    examples = agent.prompts.render_examples("opening", question.kind, values)
    return AgentPrompt(messages=(*agent.system_messages, *examples, asked))


def build_start(agent: Agent, question: Question) -> tuple[Message, ...]:
    """Build the beginning of all the agent's prompts on a question: its opening, if it has one."""
    if agent.answers_first:
        return build_opening(agent, question).messages
    return agent.system_messages


def build_fresh_answer(agent: Agent, question: Question, told: Sequence[ShownTurn]) -> AgentPrompt:
    """Build the prompt of an answer without a past: the question, and what the agent is told."""
    if not told:
        return build_opening(agent, question)
    values = {**make_values(agent, question), "heard": list(told), "first": False}
    asked = Message(role="user", content=agent.prompts.render("revision", values))
    start = build_opening(agent, question).messages
    start = insert_examples(agent, question, "revision", start, values)
    return AgentPrompt(messages=_join_user_messages(agent, (*start, asked)))


def insert_examples(
    agent: Agent,
    question: Question,
    template: str,
    messages: tuple[Message, ...],
    named: Mapping[str, Any],
) -> tuple[Message, ...]:
    """Return the messages with the examples of a template, after the system's and the opening's.

    `named` holds the values that the template is filled in with.
    """
    examples = agent.prompts.render_examples(template, question.kind, named)
    if not examples:
        return messages
    head = len(agent.system_messages)
    values = make_values(agent, question)
    opening = agent.prompts.render_examples("opening", question.kind, values)
    head += len(opening) if messages[head : head + len(opening)] == opening else 0
    return (*messages[:head], *examples, *messages[head:])


def build_answer(
    agent: Agent,
    question: Question,
    own_turns: Sequence[OwnTurn],
    heard: Sequence[ShownTurn],
    *,
    start: tuple[Message, ...],
) -> AgentPrompt:
    """Build the prompt of a revision or a judge's turn: the context, then what was heard now."""
    kind = "judgment" if agent.spec.role == "judge" else "revision"
    values = {**make_values(agent, question), "heard": list(heard), "first": not own_turns}
    start = insert_examples(agent, question, kind, start, values)

    def ask(own_turns: Sequence[OwnTurn], heard: Sequence[ShownTurn]) -> Message:
        values = {**make_values(agent, question), "heard": list(heard), "first": not own_turns}
        return Message(role="user", content=agent.prompts.render(kind, values))

    return _fit_limits(agent, start, own_turns, heard, ask)


def build_critique(
    agent: Agent,
    question: Question,
    own_turns: Sequence[OwnTurn],
    subject: ShownTurn,
    *,
    start: tuple[Message, ...],
) -> AgentPrompt:
    """Build the prompt of a critique: the critic's own context, then the turn to review."""
    named = {**make_values(agent, question), "subject": subject, "alternatives": []}
    named |= {"in_debate": agent.answers_first}
    start = insert_examples(agent, question, "critique", start, named)

    def ask(own_turns: Sequence[OwnTurn], heard: Sequence[ShownTurn]) -> Message:
        in_debate = agent.answers_first
        values = {**make_values(agent, question), "subject": heard[0], "in_debate": in_debate}
        values = {**values, "alternatives": []}
        return Message(role="user", content=agent.prompts.render("critique", values))

    return _fit_limits(agent, start, own_turns, (subject,), ask)


def build_judgement(
    agent: Agent, question: Question, subject: ShownTurn, alternatives: Sequence[str] = ()
) -> AgentPrompt:
    """Build the prompt of a private judgement: question, alternatives if any, and the answer.

    Nothing that the critic has said itself is in it, so that it knows whose answer it judges only
    from how the subject is called.
    """
    values = {
        **make_values(agent, question),
        "subject": subject,
        "in_debate": False,
        "alternatives": list(alternatives),
    }
    asked = Message(role="user", content=agent.prompts.render("critique", values))
    examples = agent.prompts.render_examples("critique", question.kind, values)
    return AgentPrompt(messages=(*agent.system_messages, *examples, asked))


def build_context(start: tuple[Message, ...], own_turns: Sequence[OwnTurn]) -> tuple[Message, ...]:
    """Return all messages from the start up to and including the agent's last own turn.

    Each round's context begins with the one before it, so that an engine's prefix cache hits.
    """
    exchanges = [message for own in own_turns for message in (own.asked, own.said)]
    return (*start, *[message for message in exchanges if message is not None])


def _fit_limits(
    agent: Agent,
    start: tuple[Message, ...],
    own_turns: Sequence[OwnTurn],
    heard: Sequence[ShownTurn],
    ask: Callable[[Sequence[OwnTurn], Sequence[ShownTurn]], Message],
) -> AgentPrompt:
    """Join the context and the last message, within the protocol's window and token budget."""
    dropped: list[str] = []
    if agent.protocol.view.rounds == "last" and len(own_turns) > 1:
        dropped += [f"round {own.turn.round}: outside the window" for own in own_turns[:-1]]
        own_turns = [replace(own_turns[-1], asked=None)]
    while True:
        context = build_context(start, own_turns)
        messages = _join_user_messages(agent, (*context, ask(own_turns, heard)))
        budget = agent.protocol.view.max_tokens
        if budget is None or estimate_tokens(agent, messages) <= budget:
            return AgentPrompt(messages=messages, dropped=tuple(dropped))
        longest = max(heard, key=lambda turn: len(turn.text or "") if turn.answer else 0)
        if len(own_turns) > 1:
            dropped.append(f"round {own_turns[0].turn.round}: over the token budget")
            own_turns = own_turns[1:]
        elif longest.text and longest.answer:
            dropped.append(f"reasoning of {longest.name}: over the token budget")
            heard = [replace(turn, text=None) if turn is longest else turn for turn in heard]
        else:
            dropped.append(f"nothing more to drop: the prompt exceeds {budget} tokens")
            return AgentPrompt(messages=messages, dropped=tuple(dropped))


def _join_user_messages(agent: Agent, messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Make the last two messages one where both are the user's.

    Chat templates want user and assistant in turns; where the agent's own reply is missing (it
    failed, or its past is kept from it) they would not be.
    """
    *before, last = messages
    if not agent.prompts.spec.own_turns or not before or before[-1].role != "user":
        return messages
    joined = f"{before[-1].content}\n\n{last.content}"
    return (*before[:-1], Message(role="user", content=joined))


def estimate_tokens(agent: Agent, messages: Sequence[Message]) -> int:
    """Estimate the prompt's length in tokens from its characters."""
    characters = sum(len(message.content) for message in messages)
    return math.ceil(characters / agent.prompts.spec.chars_per_token)


def make_values(agent: Agent, question: Question) -> Mapping[str, Any]:
    """Return the values that every template may use."""
    shown = ShownQuestion(
        text=question.text,
        kind=question.kind,
        options=list(question.options),
        category=question.category,
    )
    return {"question": shown, "show_confidence": agent.protocol.show_confidence}
