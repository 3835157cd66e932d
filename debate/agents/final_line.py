"""The final line of a turn: asked for once more where a reply states no answer (`read`).

The call is a private continuation of the turn: its conversation, its reply, and one more message.
It is greedy, and constrained to the letters or texts of a closed question, or to a number. An open
text has no form to be held to, and is only kept to one short line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple

from debate.agents.agent import Agent, hash_call, hash_content, is_open_ended
from debate.agents.sanitize import sanitize_text
from debate.agents.tool_use import list_step_messages
from debate.agents.views import get_heard_text, make_values
from debate.engines.base import Completion, Guided, Request
from debate.tasks import list_candidates
from debate.tasks.parsing import find_answer
from debate.types import CONSTRAINED, NO_FINAL_LINE, Answer, CallResult, Kind, Message, Question

TEMPLATE: Final = "final_line"
"""The template of the message that asks for the line."""

MAX_LINE_TOKENS: Final = 64
"""The most tokens of a line that no constraint ends."""

MAX_SHOWN: Final = 200
"""Characters of a line that are kept where it is not just the answer."""

NUMBER_PATTERN: Final = (
    r"-?([1-9][0-9]{0,2}(,[0-9]{3}){1,5}(\.[0-9]{1,12})?"
    r"|[0-9]{1,18}(\.[0-9]{1,12}|/[1-9][0-9]{0,8})?)"
)
"""A number: whole, with groups of three, with decimals, or a fraction.

Only plain groups, classes and counts, which every engine's grammar has. Groups of three are in it
because a model that means 1,234 would otherwise be ended at 1.
"""

_STATED = ("opening", "revision", "judgment")


class FinalLine(NamedTuple):
    """A final line as it is read and heard, and the answer that it states."""

    text: str
    answer: Answer


def is_read_constrained(agent: Agent) -> bool:
    """Whether the agent is asked for final lines; tools, confederates and people are not.

    A person is told how a reply is read before it counts.
    """
    is_member = agent.spec.role != "tool" and not agent.spec.confederate
    is_member = is_member and not agent.capabilities.human
    return agent.protocol.read == "constrained" and is_member


def may_ask_final_line(agent: Agent, kind: Kind) -> bool:
    """Whether a turn of this kind is asked for its final line if its reply states no answer."""
    return kind in _STATED and is_read_constrained(agent)


def lacks_final_line(result: CallResult) -> bool:
    """Whether there is a reply and it states no answer, or several."""
    is_silent = result.failure is not None or not result.text.strip()
    return not is_silent and (result.answer is None or result.answer.value is None)


def find_unsupported_reading(agent: Agent) -> str | None:
    """Return why the agent cannot be asked for final lines; None where it can or is not."""
    if not is_read_constrained(agent):
        return None
    if not agent.capabilities.guided:
        return "its engine cannot constrain its replies; vllm and openai can"
    if not agent.prompts.has_template(TEMPLATE):
        return f"its prompt set {agent.spec.prompts} has no {TEMPLATE}.j2"
    return None


def make_constraint(question: Question) -> Guided | None:
    """Make the constraint on the final line; None for an open text or expression."""
    if candidates := list_candidates(question):
        return Guided(choice=candidates)
    return Guided(regex=NUMBER_PATTERN) if question.kind == "number" else None


def build_final_line_request(
    agent: Agent, question: Question, request: Request, result: CallResult
) -> Request:
    """Build the call for the final line of a turn that replied to `request` with `result`.

    Where the constraint ends the line the agent's own token limit holds, because private reasoning
    or a server's JSON may stand around it.
    """
    said = sanitize_text(get_heard_text(replace(result, tool_steps=()), agent.protocol.view))
    asked = agent.prompts.render(TEMPLATE, make_values(agent, question))
    constraint = make_constraint(question)
    sampling = replace(request.sampling, temperature=0.0, seed=None)
    if constraint is None:
        limit = min(sampling.max_tokens or MAX_LINE_TOKENS, MAX_LINE_TOKENS)
        sampling = replace(sampling, max_tokens=limit, stop=(*sampling.stop, "\n"))
    return replace(
        request,
        id=f"{request.id}/{TEMPLATE}",
        messages=(
            *request.messages,
            *list_step_messages(result.tool_steps),
            Message(role="assistant", content=said),
            Message(role="user", content=asked),
        ),
        sampling=sampling,
        guided=constraint,
        tools=(),
    )


def hash_call_with_line(agent: Agent, question: Question, request: Request) -> str:
    """Hash all that decides a turn whose final line may be asked for; 32 hex digits."""
    line = build_final_line_request(agent, question, request, CallResult())
    placing = agent.prompts.spec.final_line
    content = (hash_call(agent, request), hash_call(agent, line), placing.prefill, placing.suffix)
    return hash_content(content)


def add_final_line(
    agent: Agent, question: Question, result: CallResult, reply: Completion
) -> CallResult:
    """Return the result with the final line that a reply gives; with a note where it gives none."""
    if reply.failure is not None:
        told = f"{reply.failure.boundary}: {reply.failure.message}"
        return replace(result, notes=(*result.notes, f"{NO_FINAL_LINE}: {told}"))
    notes = dict.fromkeys((*result.notes, *reply.notes))
    is_limited = reply.finish_reason in ("length", "refusal")
    is_cut = is_limited and is_open_ended(reply.text, make_constraint(question))
    line = None if is_cut else read_final_line(agent, question, reply.text)
    if line is None:
        why = f"ended by {reply.finish_reason}" if is_cut else "states no answer"
        return replace(result, notes=(*notes, f"{NO_FINAL_LINE}: {reply.text[:MAX_SHOWN]!r} {why}"))
    return replace(
        result, answer=line.answer, final_line=line.text, is_cut=False, notes=tuple(notes)
    )


def read_final_line(agent: Agent, question: Question, said: str) -> FinalLine | None:
    """Read a line as an answer in its marked place; None where it is none there.

    A line that states its answer itself, as in "Answer: 7" or "It is 7.", is read for that first.
    """
    plain = said.strip()
    if not plain:
        return None
    own = find_answer(plain, question, agent.prompts.format).answer
    found = _place(agent, question, plain if own.value is None else own.value)
    if found is None:
        return None
    value = found.answer.value
    placed = _place(agent, question, value or "")
    text = placed.text if placed and placed.answer.value == value else found.text
    matched = () if plain == value else (plain[:MAX_SHOWN],)
    return FinalLine(text, Answer(value=value, matched=matched, form=CONSTRAINED))


def _place(agent: Agent, question: Question, stated: str) -> FinalLine | None:
    """Put a text where the prompt set places a final answer; None where it is no answer there."""
    placing = agent.prompts.spec.final_line
    text = f"{placing.prefill}{stated}{placing.suffix}"
    found = find_answer(text, question, agent.prompts.format).answer
    return None if found.value is None else FinalLine(text, found)
