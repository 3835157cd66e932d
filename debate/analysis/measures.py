"""Every measure by its name, arm, round and subject: what contrasts and hypotheses are made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import polars as pl

from debate.analysis import arm_measures, team_measures
from debate.analysis.diversity import PAIR_STATISTICS, ends
from debate.analysis.equal_tokens import (
    KEY,
    Matched,
    Pool,
    best_single,
    debating_cells,
    mixed_pool,
    pools,
    seat_models,
)
from debate.analysis.measure import Lack, Measure
from debate.analysis.seats import with_num_options
from debate.analysis.states import num_questions
from debate.errors import suggestion

BY_TURN = ("accuracy", *arm_measures.MEANS, *arm_measures.CHANGES)
"""About all agents of an arm, or about the agent that is the subject."""
OF_OPENINGS = (*PAIR_STATISTICS, *team_measures.TEAM_STATISTICS, "oracle", "mean_member")
"""About how a team errs before anybody has heard anything, unless another round is named."""
OF_VOTE = (*team_measures.VOTES, "vote_0", "vote_T", "vote_gain")
AT_EQUAL_TOKENS = ("self_consistency", "best_single", "gain_over_pool", "gain_over_best")
COST = ("tokens_per_debate",)
NAMES = (*BY_TURN, *OF_OPENINGS, *OF_VOTE, *AT_EQUAL_TOKENS, *COST)
OVER_ALL_ROUNDS = ("drift",)


class Measures:
    """The measures of one analysis, made when they are asked for.

    states: of the members; seated: the same with the deciding method in the agent's place.
    """

    def __init__(self, states: pl.DataFrame, seated: pl.DataFrame) -> None:
        self.num_questions = num_questions(states)
        self._cells = {cell: rows for (cell,), rows in _parts(states, "cell")}
        self._votes = {cell: rows for (cell,), rows in _parts(seated, "cell")}
        self._states = states

    @cached_property
    def teams(self) -> tuple[str, ...]:
        """The arms in which agents hear one another."""
        return debating_cells(self._states)

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """The arms of independent samples."""
        return pools(self._states)

    @cached_property
    def _options(self) -> pl.DataFrame:
        """The options of each question, as the tables of pairs count them."""
        counted = with_num_options(ends(self._states))
        return counted.select("question_code", "num_options").unique()

    def seats(self, cell: str) -> tuple[str, ...]:
        """The models in an arm's seats."""
        return seat_models(self._cells[cell])

    def find(
        self, name: str, *, cell: str, round: int | None = None, subject: str | None = None
    ) -> Measure | Lack:
        """The measure, or what it lacks. Without a round, see `HypothesisSpec.round`."""
        if cell not in self._cells:
            return Lack(f'the arm "{cell}"; {suggestion(cell, self._cells)}')
        if name in OF_VOTE:
            return self._of_vote(name, cell, round, subject)
        if name in AT_EQUAL_TOKENS:
            return self._at_equal_tokens(name, cell, subject)
        rows = self._rows(self._cells[cell], name, round)
        if subject is not None:
            rows = rows.filter(pl.col("agent") == subject)
        if rows.is_empty():
            return Lack(_nothing_there(self._cells[cell], cell, round, subject))
        return self._of_turns(name, rows)

    def matched(self, name: str, cell: str) -> Matched | Lack:
        """What "self_consistency" or "best_single" of a team rests on: arm, samples, tokens."""
        rows = self._cells[cell].filter(~pl.col("carried"))
        debates = rows.select(KEY).unique().height
        told = rows["generated_tokens"].null_count() == 0
        tokens = float(rows["generated_tokens"].sum()) / debates if told else None
        find = mixed_pool if name == "self_consistency" else best_single
        return find(
            self.pools, self.seats(cell), tokens=tokens, turns=round(rows.height / debates),
            num_questions=self.num_questions,
        )  # fmt: skip

    def _rows(self, rows: pl.DataFrame, name: str, round: int | None) -> pl.DataFrame:
        if round is None and (name in COST or name in OVER_ALL_ROUNDS):
            return rows
        if round is None and name in OF_OPENINGS:
            round = 0
        return rows.filter(pl.col("round") == (pl.col("round").max() if round is None else round))

    def _of_turns(self, name: str, rows: pl.DataFrame) -> Measure | Lack:
        num = self.num_questions
        if name in PAIR_STATISTICS or name in team_measures.TEAM_STATISTICS:
            return self._of_errors(name, rows)
        if name in arm_measures.MEANS:
            return arm_measures.mean_over_turns(rows, name, num)
        if name in arm_measures.CHANGES:
            return arm_measures.change(rows, name, num)
        return PLAIN[name](rows, num)

    def _of_errors(self, name: str, rows: pl.DataFrame) -> Measure | Lack:
        if "num_options" not in rows.columns:
            rows = rows.join(self._options, on="question_code", how="left", maintain_order="left")
        of = team_measures.pair_mean if name in PAIR_STATISTICS else team_measures.team_statistic
        return of(rows, name, self.num_questions)

    def _of_vote(
        self, name: str, cell: str, round: int | None, subject: str | None
    ) -> Measure | Lack:
        rows = self._votes[cell]
        method = subject or sorted(rows["agent"].unique())[0]
        rows = rows.filter(pl.col("agent") == method)
        round = 0 if name == "vote_0" else round
        at = pl.col("round").max() if round is None else round
        rows = rows.filter(pl.col("round") == at)
        if rows.is_empty():
            return Lack(f'votes by "{method}" in {cell}' + _after(round))
        if name == "vote_gain":
            return team_measures.vote_gain(rows, self.num_questions)
        plain = "vote_accuracy" if name in ("vote_0", "vote_T") else name
        return team_measures.vote(rows, plain, self.num_questions)

    def _at_equal_tokens(self, name: str, cell: str, subject: str | None) -> Measure | Lack:
        pooled = name in ("self_consistency", "gain_over_pool")
        matched = self.matched("self_consistency" if pooled else "best_single", cell)
        if isinstance(matched, Lack) or name in ("self_consistency", "best_single"):
            return matched if isinstance(matched, Lack) else matched.measure
        last = self._of_vote("vote_T", cell, None, subject)
        return last if isinstance(last, Lack) else last.minus(matched.measure)


PLAIN: dict[str, Callable[[pl.DataFrame, int], Measure | Lack]] = {
    "accuracy": arm_measures.accuracy,
    "mean_member": arm_measures.accuracy,
    "oracle": team_measures.oracle,
    "tokens_per_debate": arm_measures.tokens_per_debate,
}


def _parts(rows: pl.DataFrame, by: str) -> list[tuple[tuple[str, ...], pl.DataFrame]]:
    return sorted(rows.partition_by(by, as_dict=True).items())


def _after(round: int | None) -> str:
    return "" if round is None else f" after round {round}"


def _nothing_there(rows: pl.DataFrame, cell: str, round: int | None, subject: str | None) -> str:
    if subject is not None and subject not in set(rows["agent"]):
        return f'the agent "{subject}" in {cell}; {suggestion(subject, rows["agent"].unique())}'
    return f"turns in {cell}{_after(round)}"
