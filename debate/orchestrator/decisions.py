"""The team's answer after a round, from its members' turns: pure functions."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from debate.config.protocol import DecisionSpec
from debate.config.registry import find
from debate.errors import ConfigError, DebateError
from debate.orchestrator.belief_rules import approval, linear_pool, log_opinion_pool, ranked
from debate.orchestrator.decision_rules import (
    Ballots,
    DecisionRule,
    Normalise,
    VoteCount,
    confidence_weighted,
    get_confidence,
    judge_majority,
    judge_scores,
    last_speaker,
    majority,
)
from debate.types import Outcome, Turn, find_leaders

RULES: Mapping[str, DecisionRule] = MappingProxyType(
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
"""The rule that weighs answers, by decision. Super-majority and unanimity then ask for a share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamAnswer:
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
) -> TeamAnswer:
    """Decide the team's answer from the turns given; their order matters to `ties: first` alone.

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
    cast = Ballots(turns=ballots, judgments=judgments, normalise=normalise or str)
    rule = RULES.get(spec.name)
    count = rule(spec, cast) if rule else _count_by_custom_rule(spec, cast)
    leading = find_leaders(count.tally)
    value = _find_winner(leading, spec, cast, rng_key)
    share = _compute_share(count, value)
    if share < spec.share_needed - 1e-9:
        value = None
    is_tied = value is None and len(leading) > 1 and not spec.share_needed
    confidence = count.speaker.confidence(spec.confidence) if count.speaker else share
    return TeamAnswer(
        value=value,
        tally=dict(count.tally),
        tied=leading if is_tied else (),
        confidence=None if value is None else confidence,
        num_asked=count.poll.num_asked,
        num_failed=count.poll.num_failed,
        num_abstained=count.poll.num_abstained,
        num_uncounted=count.poll.num_uncounted,
    )


def _count_by_custom_rule(spec: DecisionSpec, ballots: Ballots) -> VoteCount:
    """Call a custom decision. Raises ConfigError where it raises or returns what is no count."""
    name = spec.name
    try:
        count = find("decisions", name).value(spec, ballots)
    except DebateError:
        raise
    except Exception as cause:
        raise ConfigError(f'decision "{name}" raised {type(cause).__name__}: {cause}') from cause
    if not isinstance(count, VoteCount):
        raise ConfigError(
            f'decision "{name}" returned {type(count).__name__}; it must return a VoteCount'
        )
    weights = list(count.tally.values())
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise ConfigError(f'decision "{name}" returned the weights {weights}; none may be negative')
    # Weights that are all 0 favour nobody.
    return count if any(weights) else replace(count, tally={})


def get_outcome(
    value: str | None, *, failed: bool, correct: bool | None, tied: bool = False
) -> Outcome | None:
    """Return the outcome of the team's answer; None for an answer where there is no target.

    >>> get_outcome(None, failed=True, correct=None), get_outcome(None, failed=False, correct=False)
    ('failed', 'abstained')
    """
    if failed:
        return "failed"
    if value is None:
        return "tied" if tied else "abstained"
    return None if correct is None else "correct" if correct else "wrong"


def compute_expected_score(
    decided: TeamAnswer, score: Callable[[str | None], bool | None]
) -> float | None:
    """Compute the expected score of the team's answer: of a tie, the share of right answers in it.

    `score` returns whether an answer is right, None where the question has no target. Returns
    None there, and where every turn that was to decide failed.
    """
    right = [score(answer) for answer in decided.tied or (decided.value,)]
    if decided.failed or None in right:
        return None
    return sum(map(bool, right)) / len(right)


def _compute_share(count: VoteCount, value: str | None) -> float:
    """Compute the winner's share of the tally times the share of completed turns that counted."""
    if value is None:
        return 0.0
    return count.tally[value] / math.fsum(count.tally.values()) * count.poll.share_counted


def _find_winner(
    leading: Sequence[str], spec: DecisionSpec, ballots: Ballots, rng_key: str
) -> str | None:
    """Return the one leading answer, by the tie rule where there are several; None without one."""
    if len(leading) <= 1:
        return leading[0] if leading else None
    return TIES[spec.ties](leading, spec, ballots, rng_key)


def _choose_none(
    leading: Sequence[str], spec: DecisionSpec, ballots: Ballots, rng_key: str
) -> str | None:
    return None


def _choose_first(
    leading: Sequence[str], spec: DecisionSpec, ballots: Ballots, rng_key: str
) -> str | None:
    """Choose the tied answer of the earliest seat; None if nobody states one of them."""
    said = (ballots.get_name(turn.value) for turn in (*ballots.turns, *ballots.judgments))
    return next((name for name in said if name in leading), None)


def _choose_most_confident(
    leading: Sequence[str], spec: DecisionSpec, ballots: Ballots, rng_key: str
) -> str | None:
    """Choose the tied answer of the highest mean confidence; None if several have it."""
    means = {name: _compute_mean_confidence(name, spec, ballots) for name in leading}
    most = max(means.values())
    best = [name for name, mean in means.items() if math.isclose(mean, most, rel_tol=1e-9)]
    return best[0] if len(best) == 1 and most >= 0 else None


def _compute_mean_confidence(name: str, spec: DecisionSpec, ballots: Ballots) -> float:
    """Average the debaters' confidence in an answer; below every confidence if none is known."""
    supporters = [turn for turn in ballots.turns if ballots.get_name(turn.value) == name]
    known = [get_confidence(turn, spec) for turn in supporters]
    values = [value for value in known if value is not None]
    return math.fsum(values) / len(values) if values else -1.0


def _choose_randomly(
    leading: Sequence[str], spec: DecisionSpec, ballots: Ballots, rng_key: str
) -> str | None:
    return random.Random(f"{rng_key}/tie").choice(leading)


TieRule = Callable[[Sequence[str], DecisionSpec, Ballots, str], str | None]

TIES: Mapping[str, TieRule] = MappingProxyType(
    {
        "abstain": _choose_none,
        "first": _choose_first,
        "confidence": _choose_most_confident,
        "random": _choose_randomly,
    }
)
"""Choose one of the tied answers, which come sorted, or none; by the name of the tie rule."""
