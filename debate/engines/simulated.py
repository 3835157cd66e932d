"""Simulated debaters: opinion dynamics in words, with settable errors of every kind."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from debate.config.models import SimulatedModel
from debate.engines.at_once import AtOnceEngine
from debate.engines.base import Completion, Request, Scene, Token
from debate.engines.opinion import LEAST_PROBABILITY, Weights, belief, log_belief
from debate.engines.outcomes import failed
from debate.engines.utterance import ANSWER_MARK, utterance, verdict_on_subject, verdict_word
from debate.types import Usage, speaks

UNREADABLE = "I cannot say."
"""A reply without an answer: what a parse failure looks like."""

AFFIRMATIONS = frozenset({"true", "yes", "y", "correct"})
DENIALS = frozenset({"false", "no", "n", "incorrect"})


class SimulatedEngine(AtOnceEngine[SimulatedModel]):
    """Answers from the scene alone; the same spec, scene and sampling seed give the same reply."""

    def reply(self, request: Request) -> Completion:
        """What the agent's opinion makes of the scene, or a simulated failure."""
        scene = request.scene
        assert scene is not None, "a simulation was given no scene"
        rng = _randomness(request, scene)
        if rng.random() < self.spec.failure:
            return failed(request, "simulated", "simulated failure")
        probabilities = belief(self.spec, scene)
        value = _stated(scene, probabilities, rng)
        if request.candidates:
            log_p = _scores(request.candidates, scene, probabilities, value)
            return Completion(id=request.id, candidate_log_p=log_p)
        return self._said(request, scene, value, probabilities, rng)

    def _said(
        self, request: Request, scene: Scene, value: str, opinion: Weights, rng: random.Random
    ) -> Completion:
        confidence = _stated_confidence(self.spec, opinion[value], rng)
        found = _judged(self.spec, scene, value, opinion, rng)
        verdict = None if found is None else found.accepts
        text = utterance(value, verdict=verdict, confidence=confidence)
        tokens = _tokens(text, value, _log(opinion[value]), found)
        if rng.random() < self.spec.parse_failure:
            text, tokens = UNREADABLE, (Token(text=UNREADABLE, log_p=0.0),)
        usage = Usage(generated_tokens=len(tokens), running_s=self.spec.latency_s)
        return Completion(
            id=request.id, text=text, tokens=tokens, finish_reason="stop", usage=usage
        )


def _randomness(request: Request, scene: Scene) -> random.Random:
    """What is drawn for one call: from its place in the debate and its sampling seed."""
    place = (scene.question.id, scene.seed, scene.agent, scene.round, scene.kind, scene.about)
    return random.Random(f"reply/{place}/{request.sampling.seed}")


def _stated(scene: Scene, probabilities: Weights, rng: random.Random) -> str:
    """The answer that is given: drawn from the belief; in a probe, the agent's last one again."""
    (drawn,) = rng.choices(list(probabilities), list(probabilities.values()))
    latest = _own_latest(scene) if scene.kind == "probe" else None
    return latest if latest in probabilities else drawn


def _own_latest(scene: Scene) -> str | None:
    spoken = [turn for turn in scene.turns if turn.agent == scene.agent and speaks(turn)]
    return spoken[-1].value if spoken else None


def _stated_confidence(spec: SimulatedModel, probability: float, rng: random.Random) -> float:
    """The belief in the stated answer, shifted and blurred in logits."""
    p = min(max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY)
    logit = math.log(p / (1 - p)) + spec.confidence_bias
    return 0.5 * (1 + math.tanh((logit + spec.confidence_noise * rng.gauss()) / 2))


class Judged(NamedTuple):
    """A verdict on the answer under critique, and P(true) of that answer."""

    accepts: bool
    right: float


def _judged(
    spec: SimulatedModel, scene: Scene, value: str, opinion: Weights, rng: random.Random
) -> Judged | None:
    """The critic's judgement by its opinion or, with set discernment, by that; None of nothing.

    By its opinion it accepts what it would answer here itself.
    """
    subject = scene.subject
    if subject is None:
        return None
    if spec.discernment is None:
        accepts = bool(verdict_on_subject(scene, value))
        return Judged(accepts, opinion.get(subject.value or "", 0.0))
    sign = 1 if subject.value == scene.question.target else -1
    logit = spec.leniency + sign * spec.discernment
    logit += spec.self_leniency * (subject.agent == scene.agent)
    right = 0.5 * (1 + math.tanh((logit + spec.judgement_noise * rng.gauss()) / 2))
    return Judged(right > 0.5, right)


def _scores(
    candidates: Sequence[str], scene: Scene, probabilities: Weights, value: str
) -> tuple[float, ...]:
    """Log-probability of each candidate answer; of words of truth, about the answer in question.

    That is the answer under critique, or else `value`, the one that the agent gives here itself.
    """
    words = [candidate.strip() for candidate in candidates]
    if not _ask_for_truth({word.lower() for word in words}):
        return tuple(log_belief(probabilities, word) for word in words)
    asked = value if scene.subject is None else scene.subject.value
    right = 0.0 if asked is None else probabilities.get(asked, 0.0)
    truth = {True: right, False: 1 - right}
    said = (truth[word.lower() in AFFIRMATIONS] for word in words)
    return tuple(math.log(max(LEAST_PROBABILITY, p)) for p in said)


def _ask_for_truth(words: set[str]) -> bool:
    return bool(words & AFFIRMATIONS and words & DENIALS) and words <= AFFIRMATIONS | DENIALS


def _tokens(text: str, value: str, log_p: float, judged: Judged | None) -> tuple[Token, ...]:
    """The text in pieces, of which only the answer and the verdict, if any, were in doubt."""
    after = text[len(ANSWER_MARK) + len(value) :]
    pieces = [(ANSWER_MARK, 0.0), (value, log_p)]
    if judged is not None:
        before, word, after = after.partition(verdict_word(judged.accepts))
        chance = judged.right if judged.accepts else 1 - judged.right
        pieces += [(before, 0.0), (word, _log(chance))]
    return tuple(Token(text=piece, log_p=each) for piece, each in (*pieces, (after, 0.0)))


def _log(probability: float) -> float:
    """The logarithm of a probability that is never zero."""
    return math.log(max(LEAST_PROBABILITY, probability))
