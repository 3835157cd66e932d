"""The engine `python`: a seat that runs the Python of others and says what came out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from debate.config.models import PythonModel
from debate.engines.base import Completion, DebateState, Request, complete_concurrently
from debate.engines.deterministic import NO_ANSWER
from debate.engines.sync_engine import SyncEngine, format_reply, format_verdict
from debate.errors import ModelRefused
from debate.sandbox import FinishedRun, explain_lack, run_python
from debate.tasks import normalise
from debate.tasks.code_blocks import PYTHON, find_blocks
from debate.tasks.scoring import parse_value

SHOWN = 1000
"""Characters of the output that are told."""


class PythonEngine(SyncEngine[PythonModel]):
    """Runs the blocks of Python in the turn under critique, or else in the question.

    As a critic it accepts where the last line printed is the answer that the turn states, and
    rejects where it is another or the code fails. Of a program as an answer it tells only whether
    it runs. It never looks at the target.
    """

    async def start(self) -> None:
        """Try the sandbox. Raises ModelRefused where it cannot be used."""
        if lack := explain_lack(self.spec.code.sandbox):
            raise ModelRefused(lack, boundary=self.place)

    def complete(self, requests: Sequence[Request]) -> AsyncIterator[Sequence[Completion]]:
        """Yield the replies as their programs end; programs run beside one another."""

        async def run_one(request: Request) -> Completion:
            return await asyncio.to_thread(self.reply, request)

        return complete_concurrently(requests, run_one)

    def reply(self, request: Request) -> Completion:
        """Return what the code printed, with a verdict where a turn is under critique."""
        state = request.debate_state
        assert state is not None, "the engine was given no debate"
        shown = request.messages[-1].content if request.messages else ""
        code = find_code(state, shown)
        if code is None:
            return Completion(id=request.id, text=NO_ANSWER, finish_reason="stop")
        ran = run_python(code, sandbox=self.spec.code.sandbox, limits=self.spec.code.limits)
        return Completion(id=request.id, text=describe_run(ran, state), finish_reason="stop")


def find_code(state: DebateState, shown: str) -> str | None:
    """Return the Python of the turn under critique, or of the question; None where there is none.

    Of a turn only what stands in the prompt, `shown`, is run: an edge may withhold its text.
    """
    text = state.question.text if state.subject is None else state.subject.text
    blocks = [b.source for b in find_blocks(text) if b.is_closed and b.language in PYTHON]
    if state.subject is not None:
        blocks = [source for source in blocks if source in shown]
    return "\n".join(blocks) or None


def describe_run(ran: FinishedRun, state: DebateState) -> str:
    """Return what came of the code, an answer where it printed one, and a verdict of a critic."""
    value = _read_answer(ran, state)
    verdict = None if state.subject is None else _judge(ran, state, value)
    told = [f"The code prints:\n{ran.text[:SHOWN]}"]
    if value is not None:
        told.append(format_reply(value, verdict=verdict))
    elif verdict is not None:
        told.append(f"Verdict: {format_verdict(verdict)}")
    return "\n\n".join(told)


def _read_answer(ran: FinishedRun, state: DebateState) -> str | None:
    """Return the last line printed, if it is an answer to the question."""
    if ran.outcome != "done" or state.question.kind == "code":
        return None
    return parse_value(ran.output.rpartition("\n")[2], state.question)


def _judge(ran: FinishedRun, state: DebateState, value: str | None) -> bool | None:
    """Return the verdict on the turn under critique; None where the code tells nothing of it."""
    if ran.outcome != "done":
        return False
    stated = state.subject.value if state.subject is not None else None
    if value is None or stated is None:
        return None
    return normalise(value, state.question) == normalise(stated, state.question)
