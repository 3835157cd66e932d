"""Ballots, and the rules that count the answers of debaters, judges, or the last speaker."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from debate.config.protocol import DecisionSpec
from debate.types import Confidence, Turn

Normalise = Callable[[str], str]


class Vote(NamedTuple):
    """A turn that counts, and the answer that it counts for."""

    turn: Turn
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Poll:
    """The turns that count, and how many do not: failed; abstained or cut; or answered without what
    the rule weighs (a confidence, a belief)."""

    votes: tuple[Vote, ...]
    num_failed: int
    num_abstained: int
    num_uncounted: int

    @property
    def num_asked(self) -> int:
        """All turns that the decision looked at."""
        return len(self.votes) + self.num_failed + self.num_abstained + self.num_uncounted

    @property
    def share_counted(self) -> float:
        """Votes by completed turns; 0 where nothing completed."""
        completed = self.num_asked - self.num_failed
        return len(self.votes) / completed if completed else 0.0


@dataclass(frozen=True, kw_only=True)
class Ballots:
    """The debaters' latest turns in seat order, the judges', and which answers are the same."""

    turns: Sequence[Turn]
    judgments: Sequence[Turn]
    normalise: Normalise

    def get_name(self, value: str | None) -> str | None:
        """Return the one spelling under which an answer is counted; None for an abstention."""
        return None if value is None else self._names[value]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """The alphabetically first spelling of each answer, so that no order of seats matters."""
        forms = {
            spelling: self.normalise(spelling) for spelling in sorted(set(self._list_spellings()))
        }
        first: dict[str, str] = {}
        return {spelling: first.setdefault(form, spelling) for spelling, form in forms.items()}

    def _list_spellings(self) -> Iterable[str]:
        for turn in (*self.turns, *self.judgments):
            yield from () if turn.value is None else (turn.value,)
            yield from turn.belief.log_p if turn.belief else ()

    def poll(
        self,
        turns: Sequence[Turn],
        *,
        answer: Callable[[Turn], str | None] | None = None,
        counts: Callable[[Turn], bool] | None = None,
    ) -> Poll:
        """Sort the turns into votes and the three kinds that are none.

        `answer` returns the answer that a turn votes for, by default its own; `counts` whether a
        turn with an answer has what the rule weighs.
        """
        votes, num_failed, num_abstained, num_uncounted = [], 0, 0, 0
        for turn in turns:
            if turn.failure is not None:
                num_failed += 1
            elif (value := answer(turn) if answer else self.get_name(turn.value)) is None:
                num_abstained += 1
            elif counts is not None and not counts(turn):
                num_uncounted += 1
            else:
                votes.append(Vote(turn, value))
        return Poll(
            votes=tuple(votes),
            num_failed=num_failed,
            num_abstained=num_abstained,
            num_uncounted=num_uncounted,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VoteCount:
    """The result of a rule: weight by answer, and the poll behind it.

    Where one turn alone decides it is the `speaker`, and its confidence is the team's.
    """

    tally: Mapping[str, float]
    poll: Poll
    speaker: Turn | None = None


def majority(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Count votes by answer: n(a) = Σ_m 1[a_m = a]."""
    poll = ballots.poll(ballots.turns)
    return VoteCount(tally=_sum_weights((vote.answer, 1.0) for vote in poll.votes), poll=poll)


def confidence_weighted(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Sum confidence by answer: w(a) = Σ_m c_m · 1[a_m = a].

    A ballot without a confidence has no weight that could be known, so it does not count.
    """
    poll = ballots.poll(ballots.turns, counts=lambda turn: get_confidence(turn, spec) is not None)
    weights = ((vote.answer, get_confidence(vote.turn, spec) or 0.0) for vote in poll.votes)
    return VoteCount(tally=_sum_weights(weights), poll=poll)


def last_speaker(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Take the ballot of the latest round, and there of the last seat.

    Who failed, or was cut before an answer was closed, did not speak.
    """
    poll = ballots.poll(ballots.turns)
    spoken = [turn for turn in ballots.turns if turn.failure is None and not turn.is_cut]
    last = max(reversed(spoken), key=lambda turn: turn.round, default=None)
    name = ballots.get_name(last.value) if last else None
    return VoteCount(tally={} if name is None else {name: 1.0}, poll=poll, speaker=last)


def judge_majority(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Count votes by answer over judges, one vote a judge: v(a) = Σ_j (1/k_j) Σ_i 1[a_ji = a].

    A judge with k judgments divides its vote. A judgment without an answer of its own votes for
    the answer that it accepts.
    """
    poll = ballots.poll(ballots.judgments, answer=lambda turn: _find_choice(turn, ballots))
    shares = _sum_weights((vote.turn.agent, 1.0) for vote in poll.votes)
    parts = ((vote.answer, 1 / shares[vote.turn.agent]) for vote in poll.votes)
    return VoteCount(tally=_sum_weights(parts), poll=poll)


def judge_scores(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Average the scores of each judged answer: s(a) = mean of s_j over the judgments j of a.

    A judgment of somebody's answer scores that answer, by its verdict or its confidence; one that
    is about nobody in particular scores the answer that it gives.
    """
    poll = ballots.poll(
        ballots.judgments,
        answer=lambda turn: _find_judged(turn, ballots),
        counts=lambda turn: _score_judged(turn, spec) is not None,
    )
    sums = _sum_weights((vote.answer, _score_judged(vote.turn, spec) or 0.0) for vote in poll.votes)
    counts = _sum_weights((vote.answer, 1.0) for vote in poll.votes)
    return VoteCount(tally={answer: sums[answer] / counts[answer] for answer in sums}, poll=poll)


def get_confidence(turn: Turn, spec: DecisionSpec) -> float | None:
    """Return the turn's confidence by the estimator asked for; None where none is in [0, 1]."""
    found = _find_confidence(turn, spec)
    return found.value if found and 0 <= found.value <= 1 else None


def _find_confidence(turn: Turn, spec: DecisionSpec) -> Confidence | None:
    return next((c for c in turn.confidences if spec.confidence in (None, c.source)), None)


def _find_choice(turn: Turn, ballots: Ballots) -> str | None:
    """Return what a judgment votes for: its own answer, else the one that it accepts."""
    if turn.value is not None:
        return ballots.get_name(turn.value)
    return _find_author_answer(turn, ballots) if turn.accepts else None


def _find_judged(turn: Turn, ballots: Ballots) -> str | None:
    """Return what a judgment scores: the answer that its verdict is on, else its own."""
    if turn.accepts is None:
        return ballots.get_name(turn.value)
    return _find_author_answer(turn, ballots)


def _find_author_answer(turn: Turn, ballots: Ballots) -> str | None:
    of_author = (each for each in ballots.turns if each.agent == turn.about)
    return next((ballots.get_name(each.value) for each in of_author), None)


def _score_judged(turn: Turn, spec: DecisionSpec) -> float | None:
    """Return how right the judged answer is by this judgment, in [0, 1].

    `p_true` is about the answer; every other confidence is about the verdict.
    """
    if spec.score != "confidence":
        return float(turn.accepts is not False)
    confidence, value = _find_confidence(turn, spec), get_confidence(turn, spec)
    if confidence is None or value is None:
        return None
    return value if turn.accepts is not False or confidence.source == "p_true" else 1 - value


def _sum_weights(weights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Sum weights by answer, exactly, so that no order of turns matters."""
    parts: dict[str, list[float]] = defaultdict(list)
    for answer, weight in weights:
        parts[answer].append(weight)
    return {answer: math.fsum(parts[answer]) for answer in sorted(parts)}


class DecisionRule(Protocol):
    """Weighs the answers on ballots: a decision.

    It is given the `decision:` of the configuration, and the ballots after a round: the latest
    turn of each debater in seat order, and of each judge. `ballots.poll` sorts turns into votes
    and what is none. It returns the weight of each answer, under the spelling that
    `ballots.get_name` gives, with the poll behind it; weights are finite and not negative. The
    answer of most weight is the team's, ties go by `ties:`. It is called after every round, and
    depends on its arguments alone. What the run must have for it stands in its attribute
    `requires`, of "judges", "belief" and "confidence".
    """

    def __call__(self, spec: DecisionSpec, ballots: Ballots, /) -> VoteCount:
        """Return the weights."""
