"""Engines that know the right answers: the exact scorer as a seat, and an oracle of set errors.

Both read whether the answer under critique is right from the turn itself, as the run's own scoring
found it. What they write is a verdict and a sentence; the right answer stands in it only where an
oracle is told to state answers, as a user who corrects does.

An oracle's errors are drawn by seed, question, its own name and the answer that it judges, not by
the round: the same answer gets the same verdict however often it is put to it, so that asking again
tells nothing. With `redraw` each verdict is drawn anew.
"""

from __future__ import annotations

import random

from debate.config.models import CheckerModel, OracleModel
from debate.engines.base import Completion, DebateState, Request
from debate.engines.deterministic import NO_ANSWER, choose_answer
from debate.engines.sync_engine import SyncEngine, format_reply, format_verdict
from debate.errors import EngineError
from debate.tasks import normalise

NO_VERDICT = "I cannot say whether this answer is right."
"""The reply of a critic that does not know: neither an answer nor a verdict."""


class CheckerEngine(SyncEngine[CheckerModel]):
    """Says whether the answer under critique is right, by the run's own scoring."""

    def reply(self, request: Request) -> Completion:
        """Return a verdict where a turn is under critique; an abstention anywhere else."""
        state = request.debate_state
        assert state is not None, "the checker was given no debate"
        return _complete(request, _check(state))


def _check(state: DebateState) -> str:
    if state.subject is None:
        return NO_ANSWER
    if state.subject.correct is None:
        return NO_VERDICT
    return format_judgement(state.subject.correct)


class OracleEngine(SyncEngine[OracleModel]):
    """Judges answers with set coverage, false-accept and false-reject rates."""

    def reply(self, request: Request) -> Completion:
        """Return a verdict, with an answer where its spec says so; or that it does not know."""
        state = request.debate_state
        assert state is not None, "the oracle was given no debate"
        return _complete(request, _consult(self.spec, state))


def _consult(spec: OracleModel, state: DebateState) -> str:
    place = f"oracle/{state.seed}/{state.question.id}/{state.agent}"
    knows = random.Random(f"{place}/coverage").random() < spec.coverage
    if state.subject is None:
        target = state.question.target if knows and spec.states_answer else None
        return NO_ANSWER if target is None else format_reply(target)
    right = state.subject.correct
    if not knows or right is None:
        return NO_VERDICT
    accepts = _draw_verdict(spec, state, place, right=right)
    if not spec.states_answer:
        return format_judgement(accepts)
    return format_reply(_choose_statement(state, accepts=accepts, right=right), verdict=accepts)


def _draw_verdict(spec: OracleModel, state: DebateState, place: str, *, right: bool) -> bool:
    """Draw whether the answer is accepted, by what is judged and, with `redraw`, when."""
    subject = state.subject
    said = None if subject is None or subject.value is None else subject.value
    judged = "" if said is None else normalise(said, state.question)
    when = f"/{state.round}/{state.kind}" if spec.redraw else ""
    drawn = random.Random(f"{place}/{judged}{when}").random()
    return drawn >= spec.false_reject if right else drawn < spec.false_accept


def _choose_statement(state: DebateState, *, accepts: bool, right: bool) -> str:
    """Return the answer that goes with a verdict: what is accepted, or what it should have been.

    Whoever rejects a right answer states a wrong one. Raises EngineError where there is none.
    """
    subject = state.subject
    if accepts and subject is not None and subject.value is not None:
        return subject.value
    if state.question.target is None:
        raise EngineError(f'question "{state.question.id}" has no target to state')
    return choose_answer(state.question, right=not right)


def format_judgement(accepts: bool) -> str:
    """Write a verdict as a sentence for people and a line to be read; it names no answer.

    >>> print(format_judgement(False))
    This answer is wrong.
    Verdict: incorrect
    """
    word = "right" if accepts else "wrong"
    return f"This answer is {word}.\nVerdict: {format_verdict(accepts)}"


def _complete(request: Request, text: str) -> Completion:
    return Completion(id=request.id, text=text, finish_reason="stop")
