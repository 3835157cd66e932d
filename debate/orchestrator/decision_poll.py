"""Who was asked, who can be counted, and under which name each answer is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from debate.types import Turn

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
class Room:
    """What a decision is made from: ballots in seat order, judgments, and when answers are one."""

    ballots: Sequence[Turn]
    judgments: Sequence[Turn]
    normalise: Normalise

    def name(self, value: str | None) -> str | None:
        """The one spelling under which an answer is counted; None for an abstention."""
        return None if value is None else self._names[value]

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """The alphabetically first spelling of each answer, so that no order of seats matters."""
        forms = {spelling: self.normalise(spelling) for spelling in sorted(set(self._said()))}
        first: dict[str, str] = {}
        return {spelling: first.setdefault(form, spelling) for spelling, form in forms.items()}

    def _said(self) -> Iterable[str]:
        for turn in (*self.ballots, *self.judgments):
            yield from () if turn.value is None else (turn.value,)
            yield from turn.belief.log_p if turn.belief else ()

    def poll(
        self,
        turns: Sequence[Turn],
        *,
        answer: Callable[[Turn], str | None] | None = None,
        counts: Callable[[Turn], bool] | None = None,
    ) -> Poll:
        """Sort the turns into votes and the three kinds that are none."""
        votes, num_failed, num_abstained, num_uncounted = [], 0, 0, 0
        for turn in turns:
            if turn.failure is not None:
                num_failed += 1
            elif (value := answer(turn) if answer else self.name(turn.value)) is None:
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
class Count:
    """What a rule counted: weight by answer, and the poll behind it.

    Where one turn alone decides it is the `speaker`, and its confidence is the team's.
    """

    tally: Mapping[str, float]
    poll: Poll
    speaker: Turn | None = None
