"""Dirichlet–categorical opinion dynamics with known parameters.

The model of "Debate or Vote" (arXiv 2508.17536), section 4. An agent's opinion on a question is a
weight α(k) for each answer k. At the opening α = A·θ with θ ~ Dirichlet(A·m), where A is the
concentration and m puts `competence` on the truth and the rest evenly on the wrong answers. Its
belief is p = α/Σα and each answer is drawn from Categorical(p). Every answer heard from another
agent adds `conformity` to that answer's weight; the agent's own answer, where it hears it, adds
`self_trust`; every revision adds `drift` to the truth (|drift|, evenly, to the errors if it is
negative).

What is a martingale when drift is zero. Let agent i hear n answers of agents j with belief p_j.
Given the past, E[p_i'] = (a_i·p_i + conformity·Σ_j p_j + self_trust·p_i) / (a_i + conformity·n +
self_trust), with a_i = Σα_i. Hence

- one agent that hears only itself: its belief in every answer is a martingale (a Pólya urn), for
  any self-trust: entrenchment widens beliefs and moves their mean nowhere;
- a team in which all agents hear equally many and are heard by equally many (ring, complete,
  pairwise): the team's mean belief is a martingale, whatever the single agents believe;
- any topology whose agents have equal competence: each agent's mean belief in the truth over
  questions stays at `competence` in every round. A single agent's belief, given its peers', is
  drawn towards theirs and is no martingale.

Answers are drawn from the belief, and confidence and the scores of candidates follow from it. At
the opening it is calibrated where A·(c − (1 − c)/w) = 1, with competence c and w wrong answers, and
over-confident where A is smaller: given θ, answer k is the truth with probability proportional to
θ(k) raised to that power, by Bayes' rule from the Dirichlet densities.

Everything is a function of the spec and the state of the debate; no call leaves anything behind.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from debate.config.models import SimulatedModel
from debate.engines.base import DebateState
from debate.types import Question, Turn, states_answer

LEAST_PROBABILITY = 1e-12
"""The probability given to an answer that an opinion excludes, so that its logarithm exists."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

AnswerWeights = dict[str, float]


def compute_belief(spec: SimulatedModel, state: DebateState) -> AnswerWeights:
    """Return the probability of each answer in the agent's opinion; they sum to 1."""
    weights = draw_opening_weights(spec, state.question, state.agent)
    _add_heard_answers(weights, spec, state)
    _add_drift(weights, spec, state)
    total = sum(weights.values())
    return {answer: weight / total for answer, weight in weights.items()}


def draw_opening_weights(spec: SimulatedModel, question: Question, agent: str) -> AnswerWeights:
    """Draw α of an opening per question and agent: `concentration` in all, the truth first.

    On a share of the questions, the same ones for everybody of one `world`, the draw does not
    depend on the agent.
    """
    source = random.Random(f"shared/{spec.world}/{question.id}")
    if source.random() >= spec.shared:
        source = random.Random(f"opinion/{spec.world}/{question.id}/{agent}")
    answers = list_possible_answers(question, spec.num_wrong)
    wrong = (1 - spec.competence) / max(1, len(answers) - 1)
    means = [spec.competence, *(wrong for _ in answers[1:])]
    drawn = draw_dirichlet([spec.concentration * mean for mean in means], source)
    return {a: spec.concentration * share for a, share in zip(answers, drawn, strict=True)}


def draw_dirichlet(shape: list[float], rng: random.Random) -> list[float]:
    """Draw from a Dirichlet distribution; a shape of zero excludes its component.

    Where all components underflow (a tiny shape) one of them takes everything, by its share.
    """
    drawn = [rng.gammavariate(each, 1.0) if each > 0 else 0.0 for each in shape]
    total = sum(drawn)
    if total == 0.0:
        (chosen,) = rng.choices(range(len(shape)), shape)
        return [float(place == chosen) for place in range(len(shape))]
    return [each / total for each in drawn]


def _add_heard_answers(weights: AnswerWeights, spec: SimulatedModel, state: DebateState) -> None:
    """Add the answers that the agent has heard up to now."""
    for turn in list_heard_turns(state):
        if turn.value is not None:
            weight = spec.self_trust if turn.agent == state.agent else spec.conformity
            weights[turn.value] = weights.get(turn.value, 0.0) + weight


def _add_drift(weights: AnswerWeights, spec: SimulatedModel, state: DebateState) -> None:
    """Add the drift of each revision up to and including this one."""
    if spec.drift == 0:
        return
    made = sum(turn.agent == state.agent and turn.kind == "revision" for turn in state.turns)
    amount = abs(spec.drift) * (made + (state.kind == "revision"))
    answers = list_possible_answers(state.question, spec.num_wrong)
    favoured = answers[:1] if spec.drift > 0 else answers[1:]
    for answer in favoured:
        weights[answer] += amount / len(favoured)


def list_possible_answers(question: Question, num_wrong: int) -> tuple[str, ...]:
    """Return the truth, then the wrong answers that simulated agents can give, the same for all.

    Numbers get whole numbers near the truth, choices the other options, texts labelled strings,
    expressions a sum with the truth, programs ones that fail.
    Raises ValueError for a question without a target.
    """
    truth = question.target
    if truth is None:
        raise ValueError(f"question {question.id} has no target, so nothing can be simulated")
    if question.kind == "choice":
        letters = tuple(_LETTERS[: len(question.options)])
        options = question.options if truth in question.options else letters
        return (truth, *(option for option in options if option != truth))
    if question.kind == "number":
        return (truth, *_draw_near_numbers(truth, num_wrong, question.id))
    if question.kind == "code":
        return (truth, *(f"raise NotImplementedError({n})" for n in range(1, num_wrong + 1)))
    if question.kind == "math":
        return (truth, *(f"({truth}) + {number}" for number in range(1, num_wrong + 1)))
    return (truth, *(f"other {number}" for number in range(1, num_wrong + 1)))


@lru_cache(maxsize=4096)
def _draw_near_numbers(truth: str, count: int, question_id: str) -> tuple[str, ...]:
    """Draw different whole numbers near a number, none of them equal to it."""
    try:
        centre = math.floor(Decimal(truth.replace(",", "")))
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(f'the target "{truth}" of a number question is no number') from None
    rng = random.Random(f"errors/{question_id}")
    steps = rng.sample([step for step in range(-count - 4, count + 5) if step], count)
    return tuple(str(centre + step) for step in steps)


def compute_log_belief(probabilities: AnswerWeights, answer: str) -> float:
    """Return the log-probability (nats) of one answer, at least log(LEAST_PROBABILITY)."""
    return math.log(max(LEAST_PROBABILITY, probabilities.get(answer, 0.0)))


def list_heard_turns(state: DebateState) -> list[Turn]:
    """Return the turns that the agent has heard when it makes this one, oldest first.

    A turn that it only read in order to review it is not heard, nor one whose answer was kept back
    from it. Its own answers are heard where a
    self-loop brings them back, and a review of itself is written to be heard.
    """
    own = [turn for turn in state.turns if turn.agent == state.agent]
    named = {ref for turn in own if states_answer(turn) for ref in turn.heard}
    reviewed = {ref for turn in own if turn.kind == "critique" for ref in turn.heard}
    if state.subject is not None:
        reviewed.add(state.subject.ref)
    return [turn for turn in state.turns if _is_heard(turn, state, named, reviewed)]


def _is_heard(
    turn: Turn, state: DebateState, named: Collection[str], reviewed: Collection[str]
) -> bool:
    ref = turn.ref
    if ref in state.withheld:
        return False
    if ref in named:
        return True
    if turn.agent != state.agent:
        return ref not in reviewed
    return _is_review_of_itself(turn) or (state.kind == "revision" and ref in state.heard)


def _is_review_of_itself(turn: Turn) -> bool:
    return turn.kind == "critique" and turn.about == turn.agent
