"""Tools used within a turn: what a reply has run, what it is told, and the reply that follows.

A reply that holds a fenced block named after a tool uses it. The calls are made, their output goes
back as the next message of the same conversation, and the turn ends with the first reply that uses
nothing, or whose tools have no calls left. That last reply alone is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from debate.agents.agent import Agent, hash_content
from debate.agents.sanitize import sanitize_text
from debate.config.sandbox import ToolsSpec
from debate.engines.base import Request
from debate.engines.deterministic import calculate
from debate.sandbox import explain_lack, run_python
from debate.tasks.answer_format import AnswerFormat, find_start
from debate.tasks.code_blocks import PYTHON, find_blocks
from debate.tasks.parsing import find_answer
from debate.types import Message, Question, ToolCall, ToolStep, Turn

ANNOUNCEMENT: Final = "tools"
"""The template that tells an agent which tools it has, at the end of its system prompt."""
TEMPLATE: Final = "tool_output"
"""The template of the message with the output."""

CALCULATOR: Final = frozenset({"calculator"})
_CANNOT_CALCULATE = "this is no calculation that can be made"


class PlannedCall(NamedTuple):
    """A tool and what a reply gives it."""

    tool: str
    source: str


def plan_calls(
    agent: Agent, question: Question, said: str, steps: Sequence[ToolStep]
) -> tuple[PlannedCall, ...]:
    """Return the calls that a reply makes, as far as its tools have calls left after `steps`.

    All blocks of Python in one reply are one program. A reply that states a program as its answer
    makes no call.
    """
    tools = agent.spec.tools
    if tools is None or states_program(said, question, agent.prompts.format):
        return ()
    used = Counter(call.tool for step in steps for call in step.calls)
    found = list(_find_calls(said, agent.prompts.format))
    programs = [call.source for call in found if call.tool == "python"]
    joined = PlannedCall("python", "\n".join(programs))
    planned = [joined] if programs else []
    planned += [call for call in found if call.tool == "calculator"]
    kept = []
    for call in planned:
        tool = getattr(tools, call.tool)
        if tool is not None and used[call.tool] < tool.max_calls:
            used[call.tool] += 1
            kept.append(call)
    return tuple(kept)


def states_program(said: str, question: Question, format: AnswerFormat) -> bool:
    """Whether a reply states a program as its answer, by a mark before it."""
    if question.kind != "code":
        return False
    return find_answer(said, question, format, marked_only=True).answer.value is not None


def _find_calls(said: str, format: AnswerFormat) -> Iterator[PlannedCall]:
    for block in find_blocks(said, find_start(said, format)):
        if not block.is_closed or not block.source.strip():
            continue
        if block.language in PYTHON:
            yield PlannedCall("python", block.source)
        elif block.language in CALCULATOR:
            yield PlannedCall("calculator", block.source)


def list_tools(agent: Agent) -> tuple[str, ...]:
    """List the tools that the agent may use."""
    tools = agent.spec.tools
    if tools is None:
        return ()
    return tuple(name for name in ("python", "calculator") if getattr(tools, name) is not None)


def count_most_calls(tools: ToolsSpec | None) -> int:
    """Return the most further calls of the model that the use of tools may take in a turn."""
    used = (tools.python, tools.calculator) if tools is not None else ()
    return sum(tool.max_calls for tool in used if tool is not None)


def make_step(
    agent: Agent,
    said: str,
    planned: Sequence[PlannedCall],
    steps: Sequence[ToolStep],
    reasoning: str | None,
) -> ToolStep:
    """Make the calls of a reply, one after the other. Raises EngineError without a sandbox."""
    tools = agent.spec.tools
    assert tools is not None, "an agent without tools has made calls"
    calls = tuple([_call(tools, each) for each in planned])
    made = sum(len(step.calls) for step in steps) + len(calls)
    values = {
        "outputs": [{"tool": call.tool, "text": call.output} for call in calls],
        "left": max(0, count_most_calls(tools) - made),
    }
    told = agent.prompts.render(TEMPLATE, values)
    return ToolStep(said=said, calls=calls, told=told, reasoning=reasoning)


def _call(tools: ToolsSpec, planned: PlannedCall) -> ToolCall:
    if planned.tool == "calculator":
        exact = calculate(planned.source) if len(planned.source) <= 200 else None
        outcome = "error" if exact is None else "done"
        output = _CANNOT_CALCULATE if exact is None else exact
        return ToolCall(tool="calculator", source=planned.source, outcome=outcome, output=output)
    spec = tools.python
    assert spec is not None, "an agent without Python has a program run"
    ran = run_python(planned.source, sandbox=spec.sandbox, limits=spec.limits)
    return ToolCall(
        tool="python",
        source=planned.source,
        outcome=ran.outcome,
        output=ran.text,
        took_s=round(ran.took_s, 6),
    )


def find_false_steps(agent: Agent, question: Question, turn: Turn) -> Iterator[str]:
    """Yield where the tools that a recorded turn used are not those that its replies ask for."""
    for number, step in enumerate(turn.tool_steps):
        planned = plan_calls(agent, question, step.said, turn.tool_steps[:number])
        noted = tuple((call.tool, call.source) for call in step.calls)
        if noted != planned:
            wanted = ", ".join(call.tool for call in planned) or "nothing"
            yield f"tool_steps[{number}] is not what its reply has run: {wanted}"


def list_step_messages(steps: Sequence[ToolStep]) -> tuple[Message, ...]:
    """Return the messages of the parts of a turn before its last reply."""
    return tuple(
        message
        for step in steps
        for message in (
            Message(role="assistant", content=sanitize_text(step.said)),
            Message(role="user", content=step.told),
        )
    )


def build_next_request(request: Request, step: ToolStep, number: int) -> Request:
    """Build the call that follows a step, the `number`-th of its turn, from 1."""
    return replace(
        request,
        id=f"{request.id.partition('/tool-')[0]}/tool-{number}",
        messages=(*request.messages, *list_step_messages([step])),
        part=number,
    )


def hash_call_with_tools(agent: Agent, digest: str) -> str:
    """Hash a turn's call with all that decides what its tools may do; 32 hex digits.

    `digest` is the call's own. Without tools it stays.
    """
    tools = agent.spec.tools
    if tools is None:
        return digest
    shown = {"outputs": [{"tool": "python", "text": "1"}], "left": 1}
    frame = agent.prompts.render(TEMPLATE, shown)
    return hash_content((digest, tools.model_dump(mode="json", exclude_none=True), frame))


def find_unsupported_tools(agent: Agent, engine: str) -> str | None:
    """Return why the agent cannot use its tools; None where it can or has none."""
    tools = agent.spec.tools
    if tools is None:
        return None
    if count_most_calls(tools) == 0:
        return "`tools` names none; write `python: {}` or `calculator: {}`"
    if engine in ("replay", "calculator", "python", "simulated"):
        return f"the engine {engine} writes nothing that a tool could run"
    for name in (ANNOUNCEMENT, TEMPLATE):
        if not agent.prompts.has_template(name):
            return f"its prompt set {agent.spec.prompts} has no {name}.j2"
    return None


def explain_missing_tools(agents: Iterable[Agent]) -> str | None:
    """Say which agents' tools need a sandbox that cannot be used here, and why; None otherwise."""
    for agent in agents:
        tool = agent.spec.tools and agent.spec.tools.python
        if tool and (lack := explain_lack(tool.sandbox)):
            return f"agent {agent.id} may run Python, and {lack}"
    return None
