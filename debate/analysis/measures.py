"""Every measure by its name, condition, round and subject: tables, contrasts and hypotheses alike.

There is one way from rows to a number. The table by round takes all places of a measure at once,
a hypothesis takes one; both sum the same expression by question and make the same quantity of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from types import MappingProxyType

import polars as pl

from debate.analysis.calibration import (
    CALIBRATION,
    measure_calibration,
    select_scored,
    split_rounds,
)
from debate.analysis.diversity import (
    MOST_AGENTS,
    OPTIONS_CAVEAT,
    PAIRS,
    TEAM,
    TEAM_STATISTICS,
    AnswerMatrix,
    add_num_options,
    build_answer_matrix,
    build_end_matrices,
    measure_oracle,
    measure_pair,
    measure_pairs,
    measure_team,
    select_ends,
    sum_pair,
)
from debate.analysis.members import CHANGES, MEMBERS, OVER_ALL_ROUNDS
from debate.analysis.quantity import Measure, Quantity, Unavailable
from debate.analysis.schema import UNANSWERED, Estimate, make_estimate
from debate.analysis.states import classify_teams, count_questions
from debate.analysis.sums import (
    NO_ANSWERS,
    split_groups,
    split_sorted,
    sum_by_question,
    tabulate_measures,
)
from debate.analysis.tokens import (
    AT_EQUAL_TOKENS,
    DEBATE_KEY,
    MatchedVote,
    SamplePool,
    find_debating_cells,
    find_pools,
    list_seat_models,
    match_best_single,
    match_mixed_pool,
    select_debate_turns,
)
from debate.analysis.votes import (
    MAJORITY,
    OF_MEMBERS,
    TIES_SHARED,
    VOTES,
    find_best_rule_gain,
    name_vote,
)
from debate.errors import suggest
from debate.text import split_names

EVERYONE, EACH_AGENT, VOTERS = "everyone", "each agent", "voters"
"""Among whom a share's design effect is pooled: conditions and rounds of members or of teams, or
their agents, too."""
BY_AGENT = split_names(
    "accuracy accuracy_completed accuracy_answered abstention_rate cut_rate failure_rate "
    "carried_rate confidence over_confidence"
)
"""Measures that are told of each agent, too."""
SCORED_VOTES = ("ece", "debiased_ece", "smooth_ece", "auroc", "aurc")
HELD_AGAINST_CONTROLS = ("eai", "entrenchment")
"""Measures whose quantities are kept: every condition's is held against its controls'."""
OF_VOTE = (*VOTES, *map(name_vote, SCORED_VOTES))
OF_OPENINGS = (*PAIRS, *TEAM)
"""About how a team errs before anybody has heard anything, unless another round is named."""
_TOKENS = Measure(
    "tokens_per_debate",
    "generated tokens a debate",
    "generated tokens of all turns but probes, over debates",
    unit="tokens",
    kind="mean",
    lacking="generated tokens on every turn",
)
COST: Mapping[str, Measure] = MappingProxyType({_TOKENS.name: _TOKENS})
CONTRASTED: Mapping[str, Measure] = MappingProxyType(
    {
        **MEMBERS,
        **CALIBRATION,
        **PAIRS,
        **TEAM,
        **VOTES,
        **{
            name_vote(name): replace(
                CALIBRATION[name],
                name=name_vote(name),
                words=f"vote: {CALIBRATION[name].words}",
                of_confidence=False,
            )
            for name in SCORED_VOTES
        },
        **AT_EQUAL_TOKENS,
        **COST,
    }
)
"""Measures that can be compared between two conditions, question by question."""


class Measures:
    """The measures of one analysis, made when they are asked for.

    states: of the members, in an arm those of its author; vote_states: the same with the deciding
    rule in the agent's place. team: the states of those whose answers are ballots, by default the
    members'. turns: those whose tokens a debate takes (`select_debate_turns`); by default the
    team's. noisy: the conditions whose agents were shown random text: no independent samples.
    """

    def __init__(
        self,
        states: pl.DataFrame,
        vote_states: pl.DataFrame,
        team: pl.DataFrame | None = None,
        turns: pl.DataFrame | None = None,
        *,
        noisy: Collection[str] = (),
    ) -> None:
        self.num_questions = count_questions(states)
        self.states, self.vote_states = states, vote_states
        self.team = states if team is None else team
        self._turns = select_debate_turns(self.team) if turns is None else turns
        self._noisy = frozenset(noisy)
        self._pooled: dict[tuple[str, str], float | None] = {}
        self._kept: dict[tuple[str, str, int], Quantity] = {}
        self._matched: dict[tuple[str, str], MatchedVote | Unavailable] = {}
        self._seats: dict[tuple[str, int], AnswerMatrix] = {}

    @cached_property
    def _cells(self) -> dict[str, pl.DataFrame]:
        return split_sorted(self.states, "cell")

    @cached_property
    def _teams(self) -> dict[str, pl.DataFrame]:
        return self._cells | split_sorted(self.team, "cell")

    @cached_property
    def _spoken(self) -> dict[str, pl.DataFrame]:
        return split_sorted(self._turns, "cell")

    @cached_property
    def kinds(self) -> dict[str, str]:
        """For each condition, whether one model fills all seats of its team."""
        return classify_teams(self.states) | classify_teams(self.team)

    @cached_property
    def _votes(self) -> dict[str, pl.DataFrame]:
        return split_sorted(self.vote_states, "cell")

    @cached_property
    def teams(self) -> tuple[str, ...]:
        """The conditions in which agents hear one another."""
        return find_debating_cells(self.team)

    @cached_property
    def pools(self) -> tuple[SamplePool, ...]:
        """The conditions of independent samples."""
        found = find_pools(self.team)
        return tuple(pool for pool in found if pool.cell not in self._noisy)

    @cached_property
    def _options(self) -> pl.DataFrame:
        """The options of each question, as the tables of pairs count them."""
        counted = add_num_options(select_ends(self.team))
        return counted.select("question_code", "num_options").unique()

    def select(self, cell: str, round: int) -> pl.DataFrame:
        """The states of one condition after one round."""
        return self._cells[cell].filter(pl.col("round") == round)

    def last_round(self, cell: str) -> int:
        """The last round of a condition."""
        return int(self._cells[cell]["round"].to_numpy().max())

    def make_estimates(self) -> Iterator[Estimate]:
        """Every measure of members and votes at every condition and round."""
        yield from self._estimate_turns(self.states, tuple(MEMBERS.values()), among=EVERYONE)
        told = [MEMBERS[name] for name in BY_AGENT]
        yield from self._estimate_turns(self.states, told, among=EACH_AGENT)
        yield from self._estimate_all_rounds()
        for (method,), part in split_groups(self.vote_states, "agent"):
            votes = [VOTES[name_vote(name)] for name in OF_MEMBERS] + [VOTES["vote_gain"]]
            for each in self._estimate_turns(part, votes, among=str(method)):
                yield replace(each, subject=str(method))
            yield from self._estimate_scores(part, SCORED_VOTES, subject=str(method))
        yield from self._estimate_best_rule_gains()
        yield from self._estimate_scores(self.states, tuple(CALIBRATION))
        yield from self._estimate_teams()

    def _estimate_turns(
        self, states: pl.DataFrame, measures: Sequence[Measure], *, among: str
    ) -> Iterator[Estimate]:
        by_agent = among == EACH_AGENT
        by = ["cell", "round", "agent"] if by_agent else ["cell", "round"]
        agents = states.group_by("cell", "round").agg(pl.col("agent").n_unique())
        several = {(c, r) for c, r, num in agents.iter_rows() if num > 1}
        for measure, key, quantity in tabulate_measures(states, measures, by, self.num_questions):
            cell, round_, *subject = key
            self._pooled[measure.name, among] = quantity.pooled
            if (by_agent and (cell, round_) not in several) or _is_idle_at_openings(
                measure, round_
            ):
                continue
            if measure.is_optional and not quantity.n:
                continue
            found: Quantity | Unavailable = quantity
            if measure.name in HELD_AGAINST_CONTROLS and among == EVERYONE:
                self._kept[measure.name, cell, round_] = quantity
            if not quantity.n:
                found = Unavailable(quantity.lacking or measure.lacking)
            yield make_estimate(
                measure, found, cell=cell, round=round_, subject=next(iter(subject), None)
            )

    def _estimate_all_rounds(self) -> Iterator[Estimate]:
        measures = [MEMBERS[name] for name in OVER_ALL_ROUNDS]
        for measure, (cell,), quantity in tabulate_measures(
            self.states, measures, ["cell"], self.num_questions
        ):
            found = quantity if quantity.n else Unavailable(quantity.lacking or measure.lacking)
            made = make_estimate(measure, found, cell=cell)
            yield replace(
                made,
                p_value=quantity.p_value() if quantity.n else None,
                method=f"{made.method}; {self.kinds[cell]} team",
            )

    def _estimate_scores(
        self, states: pl.DataFrame, names: Sequence[str], *, subject: str | None = None
    ) -> Iterator[Estimate]:
        for cell, round_, rows in split_rounds(states):
            data = select_scored(rows)
            for name in names:
                found = measure_calibration(name, data, self.num_questions)
                measure = CONTRASTED[name if subject is None else name_vote(name)]
                yield make_estimate(measure, found, cell=cell, round=round_, subject=subject)

    def _estimate_best_rule_gains(self) -> Iterator[Estimate]:
        for cell, rows in self._votes.items():
            found = find_best_rule_gain(rows, self.num_questions)
            if int(rows["round"].to_numpy().max()):
                yield make_estimate(VOTES["gain_over_best_rule"], found, cell=cell)

    def _estimate_teams(self) -> Iterator[Estimate]:
        """Every pair's statistics and the team's, at the openings and after the last round."""
        caveats = () if "num_options" in self.team.columns else (OPTIONS_CAVEAT,)
        for cell, round_, table in build_end_matrices(self.team):
            if len(table.agents) <= MOST_AGENTS:
                for (a, one), (b, other) in combinations(enumerate(table.agents), 2):
                    sums = sum_pair(table, a, b, self.num_questions)
                    for name, measure in PAIRS.items():
                        found = measure_pair(name, sums)
                        made = make_estimate(
                            measure, found, cell=cell, round=round_, subject=f"{one} & {other}"
                        )
                        yield replace(made, caveats=made.caveats + caveats * (name == "kappa_p"))
            if len(table.agents) > 1:
                for name in TEAM_STATISTICS:
                    found = measure_team(name, table, self.num_questions)
                    yield make_estimate(TEAM[name], found, cell=cell, round=round_)
        told = self.team.select("cell", "round", "question_code", "debate", "correct")
        for (cell,), rows in split_groups(told.filter(pl.col("round") == 0), "cell"):
            found = measure_oracle(rows, self.num_questions)
            yield make_estimate(TEAM["oracle"], found, cell=str(cell), round=0)

    def seats(self, cell: str) -> tuple[str, ...]:
        """The models in the seats of a condition's team."""
        return list_seat_models(self._teams[cell])

    def find(
        self, name: str, *, cell: str, round: int | None = None, subject: str | None = None
    ) -> Quantity | Unavailable:
        """The quantity, or what is missing. Without a round, see `HypothesisSpec.round`."""
        if cell not in self._cells:
            return Unavailable(f'the arm "{cell}"; {suggest(cell, self._cells)}')
        if name in OF_VOTE:
            return self._measure_vote(name, cell, round, subject)
        if name in AT_EQUAL_TOKENS:
            return self._measure_at_equal_tokens(name, cell, subject)
        kept = self._kept.get((name, cell, -1 if round is None else round))
        if kept is not None and subject is None and kept.n:
            return kept
        whole = self._spoken[cell] if name in COST else self._get_states(name, cell)
        rows = self._select_rows(whole, name, round)
        if subject is not None:
            rows = rows.filter(pl.col("agent") == subject)
        if rows.is_empty():
            return Unavailable(_explain_no_rows(whole, cell, round, subject))
        if name in PAIRS or name in TEAM_STATISTICS:
            of = measure_pairs if name in PAIRS else measure_team
            return of(name, self._get_answers(cell, rows), self.num_questions)
        return self._measure_rows(name, rows, among=EVERYONE if subject is None else EACH_AGENT)

    def _get_states(self, name: str, cell: str) -> pl.DataFrame:
        """The states behind a measure of one condition: the team's, or the members'."""
        is_of_team = any(name in each for each in (OF_OPENINGS, OF_VOTE, AT_EQUAL_TOKENS, COST))
        return (self._teams if is_of_team else self._cells)[cell]

    def matched(self, name: str, cell: str) -> MatchedVote | Unavailable:
        """The samples that "self_consistency" or "best_single" of a team rests on."""
        if (name, cell) not in self._matched:
            self._matched[name, cell] = self._find_match(name, cell)
        return self._matched[name, cell]

    def _find_match(self, name: str, cell: str) -> MatchedVote | Unavailable:
        team, used = self._teams[cell], self._spoken[cell]["generated_tokens"]
        team = team.filter(~pl.col("carried"))
        debates = team.select(DEBATE_KEY).unique().height
        tokens = None if used.null_count() else float(used.sum()) / debates
        find = match_mixed_pool if name == "self_consistency" else match_best_single
        return find(
            self.pools,
            self.seats(cell),
            tokens=tokens,
            turns=round(team.height / debates),
            num_questions=self.num_questions,
        )

    def select_members(
        self, name: str, cell: str, *, round: int | None = None, subject: str | None = None
    ) -> pl.DataFrame:
        """The members' states behind a measure of a condition, as `find` takes it; none where
        there are none. Behind a vote, a number of the team, or samples at equal tokens, stand all
        who vote.
        """
        whole = self._get_states(name, cell) if cell in self._cells else self.states.clear()
        rows = self._select_rows(whole, name, 0 if name == "vote_0" else round)
        named = rows.filter(pl.col("agent") == subject) if subject is not None else rows
        return rows if named.is_empty() else named

    def measure_anew(
        self, measure: Measure, *, cell: str, round: int | None = None, subject: str | None = None
    ) -> Quantity | Unavailable:
        """A mean over turns, or votes, that is none of the registry's, at the place of its name."""
        if measure.name in OF_VOTE:
            rows = self._select_votes(measure.name, cell, round, subject)
        else:
            rows = self._select_rows(self._get_states(measure.name, cell), measure.name, round)
            rows = rows if subject is None else rows.filter(pl.col("agent") == subject)
        found = next(tabulate_measures(rows, [measure], [], self.num_questions), None)
        return found[2] if found is not None else Unavailable(measure.lacking)

    def _select_rows(self, rows: pl.DataFrame, name: str, round: int | None) -> pl.DataFrame:
        if round is None and (name in COST or name in OVER_ALL_ROUNDS):
            return rows
        if round is None and name in OF_OPENINGS:
            round = 0
        return rows.filter(pl.col("round") == (pl.col("round").max() if round is None else round))

    def _measure_rows(self, name: str, rows: pl.DataFrame, *, among: str) -> Quantity | Unavailable:
        if name == "oracle":
            return measure_oracle(rows, self.num_questions)
        if name in COST:
            return _count_tokens(rows, self.num_questions)
        if name in CALIBRATION:
            return measure_calibration(name, select_scored(rows), self.num_questions)
        if name == "mean_member":
            return self._average(MEMBERS["accuracy"], rows, among=VOTERS)
        return self._average(MEMBERS[name], rows, among=among)

    def _average(
        self, measure: Measure, rows: pl.DataFrame, *, among: str
    ) -> Quantity | Unavailable:
        """One measure of these rows, its share with the design effect pooled `among` all.

        among: EVERYONE, EACH_AGENT, VOTERS, or the rule of a vote.
        """
        found = next(tabulate_measures(rows, [measure], [], self.num_questions), None)
        if found is None or not found[2].n:
            return Unavailable((found[2].lacking if found else "") or measure.lacking)
        quantity = found[2]
        if measure.is_proportion:
            quantity = replace(quantity, pooled=self._find_pooled_effect(measure, among))
        return quantity

    def _find_pooled_effect(self, measure: Measure, among: str) -> float | None:
        if (measure.name, among) not in self._pooled:
            members = {EVERYONE: self.states, EACH_AGENT: self.states, VOTERS: self.team}
            rows = members.get(among)
            if rows is None:
                rows = self.vote_states.filter(pl.col("agent") == among)
            by = ["cell", "round", "agent"] if among == EACH_AGENT else ["cell", "round"]
            every = tabulate_measures(rows, [measure], by, self.num_questions)
            self._pooled[measure.name, among] = next((q.pooled for _, _, q in every), None)
        return self._pooled[measure.name, among]

    def _get_answers(self, cell: str, rows: pl.DataFrame) -> AnswerMatrix:
        """The answers of one condition after one round, debates down and agents across."""
        key = cell, int(rows["round"][0])
        if key not in self._seats:
            if "num_options" not in rows.columns:
                rows = rows.join(
                    self._options, on="question_code", how="left", maintain_order="left"
                )
            self._seats[key] = build_answer_matrix(rows)
        return self._seats[key]

    def _measure_vote(
        self, name: str, cell: str, round: int | None, subject: str | None
    ) -> Quantity | Unavailable:
        if name == "gain_over_best_rule":
            whole = self._votes.get(cell, self.vote_states.clear())
            return find_best_rule_gain(whole, self.num_questions)
        rows = self._select_votes(name, cell, round, subject)
        if rows.is_empty():
            return Unavailable(f'votes by "{subject or "the run"}" in {cell}' + _name_round(round))
        plain = name.removeprefix("vote_")
        if plain in SCORED_VOTES:
            return measure_calibration(plain, select_scored(rows), self.num_questions)
        measure = VOTES["vote_accuracy" if name in ("vote_0", "vote_T") else name]
        return self._average(measure, rows, among=str(rows["agent"][0]))

    def _select_votes(
        self, name: str, cell: str, round: int | None, subject: str | None
    ) -> pl.DataFrame:
        """The votes of a condition after a round, by the run's own rule or the one named."""
        whole = self._votes.get(cell, self.vote_states.clear())
        chosen = pl.col("is_own") if subject is None else pl.col("agent") == subject
        rows = whole.filter(chosen)
        round = 0 if name == "vote_0" else round
        at = pl.col("round").max() if round is None else round
        return rows.filter(pl.col("round") == at)

    def _measure_at_equal_tokens(
        self, name: str, cell: str, subject: str | None
    ) -> Quantity | Unavailable:
        pooled = name in ("self_consistency", "gain_over_pool")
        matched = self.matched("self_consistency" if pooled else "best_single", cell)
        if isinstance(matched, Unavailable) or name in ("self_consistency", "best_single"):
            return matched if isinstance(matched, Unavailable) else matched.quantity
        if self.select_members(name, cell)["outcome"].is_in(UNANSWERED).all():
            return Unavailable(NO_ANSWERS)
        last = self._measure_vote("vote_T", cell, None, subject or self._choose_pool_rule(cell))
        return last if isinstance(last, Unavailable) else last.minus(matched.quantity)

    def _choose_pool_rule(self, cell: str) -> str:
        """The rule that pools vote by, as the condition's own votes are called under it."""
        rules = set(self._votes[cell]["agent"].unique()) if cell in self._votes else set()
        return TIES_SHARED if TIES_SHARED in rules else MAJORITY


def _is_idle_at_openings(measure: Measure, round_: int) -> bool:
    """Whether a measure of change is asked for at the openings."""
    name = measure.name
    return round_ == 0 and (name in CHANGES or name == "vote_gain")


def _count_tokens(turns: pl.DataFrame, num_questions: int) -> Quantity | Unavailable:
    """Generated tokens of all rounds, over debates."""
    if turns["generated_tokens"].null_count():
        return Unavailable(_TOKENS.lacking)
    each = turns.group_by("question_code", "debate").agg(pl.col("generated_tokens").sum())
    return sum_by_question(each, "generated_tokens", num_questions).quantity("mean")


def _name_round(round: int | None) -> str:
    return "" if round is None else f" after round {round}"


def _explain_no_rows(rows: pl.DataFrame, cell: str, round: int | None, subject: str | None) -> str:
    if subject is not None and subject not in set(rows["agent"]):
        return f'the agent "{subject}" in {cell}; {suggest(subject, rows["agent"].unique())}'
    return f"turns in {cell}{_name_round(round)}"
