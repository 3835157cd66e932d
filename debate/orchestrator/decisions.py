"""From what was said to the team's answer: pure functions, computed after every round."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from debate.config.decision import DecisionSpec, needs
from debate.orchestrator.decision_beliefs import approval, linear_pool, log_opinion_pool, ranked
from debate.orchestrator.decision_poll import Count, Normalise, Room
from debate.orchestrator.decision_votes import (
    confidence_weighted,
    judge_majority,
    judge_scores,
    last_speaker,
    majority,
    stated,
)
from debate.types import Outcome, Turn, leaders

__all__ = ["RULES", "Decided", "decide", "expected_score", "needs", "outcome"]

Rule = Callable[[DecisionSpec, Room], Count]

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "majority": majority,
        "super_majority": majority,
        "unanimity": majority,
        "confidence_weighted": confidence_weighted,
        "log_opinion_pool": log_opinion_pool,
        "linear_pool": linear_pool,
        "ranked": ranked,
        "approval": approval,
        "judge_majority": judge_majority,
        "judge_scores": judge_scores,
        "last_speaker": last_speaker,
    }
)
"""How each decision weighs answers. Super-majority and unanimity then ask for a share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """The team's answer after a round. `value` is None for an abstention of the team.

    `tally` is the weight of each answer in the rule's own units. `confidence`, in [0, 1], is the
    winner's share of the tally times the share of completed turns that counted: a member that
    abstained was asked and did not support the winner; one that failed is missing. For
    `last_speaker` it is the speaker's own confidence.
    `tied` are the answers of most weight where there are several and the tie rule picks none; a
    super-majority and unanimity ask for a share that no such answer has, and leave no tie.
    The numbers are of the turns that decide: ballots, or judgments where judges decide. A reply
    that was cut is no vote, and counts among the abstentions.
    """

    value: str | None
    tally: Mapping[str, float]
    tied: tuple[str, ...] = ()
    confidence: float | None
    num_asked: int
    num_failed: int
    num_abstained: int
    num_uncounted: int

    @property
    def failed(self) -> bool:
        """Whether every turn that was to decide failed, so that there is no opinion to report."""
        return self.num_asked > 0 and self.num_failed == self.num_asked


def decide(
    spec: DecisionSpec,
    *,
    ballots: Sequence[Turn],
    judgments: Sequence[Turn] = (),
    normalise: Normalise | None = None,
    rng_key: str = "",
) -> Decided:
    """The team's answer. Nothing is read but the turns given, and no order matters but `first`'s.

    `ballots` holds each debater's latest turn as of the round in seat order; `judgments` each
    judge's latest, one for each author where it judges authors one by one. `normalise` says when
    two answers are one (by default: equal texts). `rng_key` seeds a tie that is drawn.

    >>> from debate.types import Answer
    >>> turns = [
    ...     Turn(cell="main", question="q", seed=0, round=0, kind="opening", agent=name, model="m",
    ...          answer=Answer(value=value))
    ...     for name, value in (("a", "7"), ("b", "7"), ("c", "8"), ("d", None))
    ... ]
    >>> decided = decide(DecisionSpec(), ballots=turns)
    >>> decided.value, decided.confidence, decided.num_abstained
    ('7', 0.5, 1)
    """
    room = Room(ballots=ballots, judgments=judgments, normalise=normalise or str)
    count = RULES[spec.name](spec, room)
    leading = leaders(count.tally)
    value = _winner(leading, spec, room, rng_key)
    share = _share(count, value)
    if share < spec.share_needed - 1e-9:
        value = None
    is_tied = value is None and len(leading) > 1 and not spec.share_needed
    confidence = count.speaker.confidence(spec.confidence) if count.speaker else share
    return Decided(
        value=value,
        tally=dict(count.tally),
        tied=leading if is_tied else (),
        confidence=None if value is None else confidence,
        num_asked=count.poll.num_asked,
        num_failed=count.poll.num_failed,
        num_abstained=count.poll.num_abstained,
        num_uncounted=count.poll.num_uncounted,
    )


def outcome(
    value: str | None, *, failed: bool, correct: bool | None, tied: bool = False
) -> Outcome | None:
    """What became of the team's answer; None for an answer to a question without a target.

    >>> outcome(None, failed=True, correct=None), outcome(None, failed=False, correct=False)
    ('failed', 'abstained')
    """
    if failed:
        return "failed"
    if value is None:
        return "tied" if tied else "abstained"
    return None if correct is None else "correct" if correct else "wrong"


def expected_score(decided: Decided, score: Callable[[str | None], bool | None]) -> float | None:
    """The expected value of the team's answer: of a tie, the share of its answers that are right.

    `score` says whether an answer is right, None where the question has no target. None there, and
    where every turn that was to decide failed.
    """
    right = [score(answer) for answer in decided.tied or (decided.value,)]
    if decided.failed or None in right:
        return None
    return sum(map(bool, right)) / len(right)


def _share(count: Count, value: str | None) -> float:
    """The winner's share of what was asked of those who completed."""
    if value is None:
        return 0.0
    return count.tally[value] / math.fsum(count.tally.values()) * count.poll.share_counted


def _winner(leading: Sequence[str], spec: DecisionSpec, room: Room, rng_key: str) -> str | None:
    """The one leading answer, by the tie rule where there are several; None without one."""
    if len(leading) <= 1:
        return leading[0] if leading else None
    return TIES[spec.ties](leading, spec, room, rng_key)


def _abstain(leading: Sequence[str], spec: DecisionSpec, room: Room, rng_key: str) -> str | None:
    return None


def _first(leading: Sequence[str], spec: DecisionSpec, room: Room, rng_key: str) -> str | None:
    """The tied answer of the earliest seat; None if nobody states one of them."""
    said = (room.name(turn.value) for turn in (*room.ballots, *room.judgments))
    return next((name for name in said if name in leading), None)


def _most_confident(
    leading: Sequence[str], spec: DecisionSpec, room: Room, rng_key: str
) -> str | None:
    """The tied answer whose supporters are most confident on average; None if that ties too."""
    means = {name: _mean_confidence(name, spec, room) for name in leading}
    most = max(means.values())
    best = [name for name, mean in means.items() if math.isclose(mean, most, rel_tol=1e-9)]
    return best[0] if len(best) == 1 and most >= 0 else None


def _mean_confidence(name: str, spec: DecisionSpec, room: Room) -> float:
    """The debaters' mean confidence in an answer; below every confidence where none is known."""
    known = [stated(turn, spec) for turn in room.ballots if room.name(turn.value) == name]
    values = [value for value in known if value is not None]
    return math.fsum(values) / len(values) if values else -1.0


def _random(leading: Sequence[str], spec: DecisionSpec, room: Room, rng_key: str) -> str | None:
    return random.Random(f"{rng_key}/tie").choice(leading)


TieRule = Callable[[Sequence[str], DecisionSpec, Room, str], str | None]

TIES: Mapping[str, TieRule] = MappingProxyType(
    {
        "abstain": _abstain,
        "first": _first,
        "confidence": _most_confident,
        "random": _random,
    }
)
"""What each tie rule makes of the tied answers, which come sorted."""
