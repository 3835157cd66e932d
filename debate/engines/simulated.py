"""Simulated debaters: opinion dynamics in words, with settable errors of every kind."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from debate.config.models import SimulatedModel
from debate.engines.base import Completion, DebateState, Request, Token, fail_request
from debate.engines.opinion import (
    LEAST_PROBABILITY,
    AnswerWeights,
    compute_belief,
    compute_log_belief,
)
from debate.engines.sync_engine import (
    ANSWER_MARK,
    SyncEngine,
    format_reply,
    format_verdict,
    judge_subject,
)
from debate.types import Usage, states_answer

UNREADABLE = "I cannot say."
"""A reply without an answer: what a parse failure looks like."""

AFFIRMATIONS = frozenset({"true", "yes", "y", "correct"})

DENIALS = frozenset({"false", "no", "n", "incorrect"})


class SimulatedEngine(SyncEngine[SimulatedModel]):
    """Answers from the state of the debate alone.

    The same spec, state and sampling seed give the same reply.
    """

    def reply(self, request: Request) -> Completion:
        """Reply by the agent's opinion, or with a simulated failure."""
        state = request.debate_state
        assert state is not None, "a simulation was given no debate"
        rng = _make_rng(request, state)
        if rng.random() < self.spec.failure:
            return fail_request(request, "simulated", "simulated failure")
        probabilities = compute_belief(self.spec, state)
        value = _choose_answer(state, probabilities, rng)
        if request.candidates:
            log_p = _score_candidates(request.candidates, state, probabilities, value)
            return Completion(id=request.id, candidate_log_p=log_p)
        return self._make_reply(request, state, value, probabilities, rng)

    def _make_reply(
        self,
        request: Request,
        state: DebateState,
        value: str,
        opinion: AnswerWeights,
        rng: random.Random,
    ) -> Completion:
        confidence = _draw_confidence(self.spec, opinion[value], rng)
        found = _judge(self.spec, state, value, opinion, rng)
        verdict = None if found is None else found.accepts
        text = format_reply(value, verdict=verdict, confidence=confidence)
        tokens = _split_tokens(text, value, _to_log_p(opinion[value]), found)
        if rng.random() < self.spec.parse_failure:
            text, tokens = UNREADABLE, (Token(text=UNREADABLE, log_p=0.0),)
        usage = Usage(generated_tokens=len(tokens), running_s=self.spec.latency_s)
        return Completion(
            id=request.id, text=text, tokens=tokens, finish_reason="stop", usage=usage
        )


def _make_rng(request: Request, state: DebateState) -> random.Random:
    """Make the randomness of one call, from its position, what is told, and its sampling seed."""
    place = (
        state.question.id,
        state.seed,
        state.agent,
        state.round,
        state.kind,
        state.about,
        *(() if state.told_own is None else (state.told_own,)),
    )
    return random.Random(f"reply/{place}/{request.sampling.seed}")


def _choose_answer(state: DebateState, probabilities: AnswerWeights, rng: random.Random) -> str:
    """Draw an answer from the belief; in a probe, give the agent's last one again."""
    (drawn,) = rng.choices(list(probabilities), list(probabilities.values()))
    latest = _find_own_latest(state) if state.kind == "probe" else None
    return latest if latest in probabilities else drawn


def _find_own_latest(state: DebateState) -> str | None:
    spoken = [turn for turn in state.turns if turn.agent == state.agent and states_answer(turn)]
    return spoken[-1].value if spoken else None


def _draw_confidence(spec: SimulatedModel, probability: float, rng: random.Random) -> float:
    """Shift and blur the belief in the stated answer, in logits."""
    p = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    logit = math.log(p / (1 - p)) + spec.confidence_bias
    return 0.5 * (1 + math.tanh((logit + spec.confidence_noise * rng.gauss()) / 2))


class SimulatedJudgement(NamedTuple):
    """A verdict on the answer under critique, and P(true) of that answer."""

    accepts: bool
    right: float


def _judge(
    spec: SimulatedModel,
    state: DebateState,
    value: str,
    opinion: AnswerWeights,
    rng: random.Random,
) -> SimulatedJudgement | None:
    """Judge the answer under critique; None where there is none.

    A critic of set discernment judges by that, any other by its opinion: it accepts what it would
    answer here itself.
    """
    subject = state.subject
    if subject is None:
        return None
    if spec.discernment is None:
        accepts = bool(judge_subject(state, value))
        return SimulatedJudgement(accepts, opinion.get(subject.value or "", 0.0))
    sign = 1 if subject.value == state.question.target else -1
    logit = spec.leniency + sign * spec.discernment
    logit += spec.self_leniency * (subject.agent == state.agent)
    if state.told_own is not None:
        logit += spec.ownership_shift * (0.5 if state.told_own else -0.5)
    if spec.familiarity:
        logit += spec.familiarity * _compute_familiarity(opinion, subject.value or "")
    right = 0.5 * (1 + math.tanh((logit + spec.judgement_noise * rng.gauss()) / 2))
    return SimulatedJudgement(right > 0.5, right)


def _compute_familiarity(opinion: AnswerWeights, answer: str) -> float:
    """Return the answer's log-probability in nats for each character."""
    return compute_log_belief(opinion, answer) / max(1, len(answer))


def _score_candidates(
    candidates: Sequence[str], state: DebateState, probabilities: AnswerWeights, value: str
) -> tuple[float, ...]:
    """Return the log-probability (nats) of each candidate answer.

    Candidates such as "true" and "false" are about the answer under critique, or else about
    `value`, the one that the agent gives here itself.
    """
    words = [candidate.strip() for candidate in candidates]
    if not _is_truth_probe({word.lower() for word in words}):
        return tuple(compute_log_belief(probabilities, word) for word in words)
    asked = value if state.subject is None else state.subject.value
    right = 0.0 if asked is None else probabilities.get(asked, 0.0)
    truth = {True: right, False: 1 - right}
    said = (truth[word.lower() in AFFIRMATIONS] for word in words)
    return tuple(math.log(max(LEAST_PROBABILITY, p)) for p in said)


def _is_truth_probe(words: set[str]) -> bool:
    """Whether the candidates are words for true and for false, both kinds and nothing else."""
    return bool(words & AFFIRMATIONS and words & DENIALS) and words <= AFFIRMATIONS | DENIALS


def _split_tokens(
    text: str, value: str, log_p: float, judgement: SimulatedJudgement | None
) -> tuple[Token, ...]:
    """Split the text into tokens. Only the answer and the verdict, if any, were in doubt."""
    after = text[len(ANSWER_MARK) + len(value) :]
    pieces = [(ANSWER_MARK, 0.0), (value, log_p)]
    if judgement is not None:
        before, word, after = after.partition(format_verdict(judgement.accepts))
        chance = judgement.right if judgement.accepts else 1 - judgement.right
        pieces += [(before, 0.0), (word, _to_log_p(chance))]
    return tuple(Token(text=piece, log_p=each) for piece, each in (*pieces, (after, 0.0)))


def _to_log_p(probability: float) -> float:
    """Return the logarithm of a probability, at least that of LEAST_PROBABILITY."""
    return math.log(max(LEAST_PROBABILITY, probability))
