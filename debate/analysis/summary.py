"""From a table of trajectories to every estimate, in one frozen value."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from debate.analysis.attribution import build_heard_tables
from debate.analysis.calibration import (
    RESAMPLES,
    estimate_calibration_changes,
    tabulate_reliability,
)
from debate.analysis.caveats import collect_caveats
from debate.analysis.contrasts import (
    Comparison,
    compare_with_baseline,
    compare_with_openings,
    contrast_conditions,
)
from debate.analysis.design import NOISE, Controls, choose_controls
from debate.analysis.factors import estimate_across_factors
from debate.analysis.flips import (
    estimate_conformity,
    estimate_flips,
    estimate_revisions,
    tabulate_flow,
)
from debate.analysis.hypotheses import Finding, conclude_hypotheses
from debate.analysis.labels import Labels, read_labels
from debate.analysis.measures import Measures
from debate.analysis.minority import find_minorities
from debate.analysis.reference_free import estimate_reference_free, is_reference_free
from debate.analysis.registry import MEASURES
from debate.analysis.replies import ReplyCounts
from debate.analysis.schema import Estimate, estimates_frame
from debate.analysis.states import (
    DEFAULT,
    build_states,
    count_questions,
    list_confidence_sources,
    name_confidence,
    select_authors,
    select_members,
    select_voters,
)
from debate.analysis.sums import sum_by_group
from debate.analysis.teams import compare_teams
from debate.analysis.tokens import (
    DEBATE_KEY,
    build_ledger,
    build_team_table,
    select_debate_turns,
    tabulate_costs,
)
from debate.analysis.votes import build_vote_states, find_best_rules, find_own_methods
from debate.config.run import HypothesisSpec
from debate.errors import InputError, suggest
from debate.text import format_count

FORMAT = 1
MOST_JSON_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Every estimate, the tables behind the pictures, and the caveats that apply to them.

    tables: comparisons, team, reliability, flow, beliefs, hazards, edges, credit, flip_sources,
    where_questions, where_categories, where_agents, where_edges, where_rounds, hotspots, links,
    ledger, costs, teams, dose, dose_lines, minorities, opening_rules. Their columns are told by the
    functions that make them.
    confidence: the estimator that all numbers of confidence are of; None where there is none.
    is_reference_free: nothing says what would be right, so all numbers are of confidence alone.
    replies: of a run, what became of each agent's replies and of each probe's.
    authors: of each condition that is about one agent, that agent: numbers of members are its.
    controls: the conditions that each was compared with. own_rules: the rule by which each was
    decided.
    """

    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    tables: Mapping[str, pl.DataFrame]
    caveats: tuple[str, ...]
    cells: tuple[str, ...]
    confidence: str | None = None
    findings: tuple[Finding, ...] = ()
    is_reference_free: bool = False
    labels: Labels = field(default_factory=Labels)
    replies: tuple[ReplyCounts, ...] = ()
    authors: Mapping[str, str] = field(default_factory=dict)
    controls: Controls = field(default_factory=Controls)
    own_rules: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        arms = f"{len(self.cells)} arm{'' if len(self.cells) == 1 else 's'}"
        named = f", confidence {self.confidence}" if self.confidence else ""
        num = format_count(len(self.estimates))
        return f"<Analysis of {arms}{named}: {num} estimates, {len(self.caveats)} caveats>"

    def select(self, *names: str, cell: str | None = None) -> tuple[Estimate, ...]:
        """The estimates of these names, of one cell or of all, in their order.

        Raises InputError for a name that no estimate has.
        """
        for name in names:
            if name not in MEASURES:
                raise InputError(f'no estimate is called "{name}"; {suggest(name, MEASURES)}')
        return tuple(e for e in self.estimates if e.name in names and cell in (None, e.cell))

    def find(
        self, name: str, *, cell: str, round: int | None = None, subject: str | None = None
    ) -> Estimate | None:
        """The one estimate of that name and place; None where there is none.

        subject: of a vote, by default the rule by which the arm was decided. Raises InputError for
        a cell that was not analysed, and for a round or subject that no number is of.
        """
        if cell not in self.cells:
            raise InputError(f'no arm is called "{cell}"; {suggest(cell, self.cells)}')
        places = {(e.round, e.subject): e for e in self.select(name, cell=cell)}
        own = self.own_rules.get(cell) if subject is None else None
        found = places.get((round, subject)) or places.get((round, own))
        if found is None:
            self._require_place(round, subject)
        return found

    def _require_place(self, round: int | None, subject: str | None) -> None:
        """Refuse a round or a subject that nothing here is about."""
        rounds = {e.round for e in self.estimates} - {None}
        subjects = {e.subject for e in self.estimates if e.subject is not None}
        if round is not None and round not in rounds:
            raise InputError(f"nothing is of round {round}; {suggest(round, map(str, rounds))}")
        if subject is not None and subject not in subjects:
            raise InputError(f'nothing is of subject "{subject}"; {suggest(subject, subjects)}')

    def frame(self, *names: str) -> pl.DataFrame:
        """The estimates of these names (all, if none is given) as a table."""
        chosen = self.select(*names) if names else self.estimates
        return estimates_frame(chosen)

    def to_json(self) -> str:
        """Everything as JSON without nan; tables above 5,000 rows are named under `left_out`."""
        small = {n: t.to_dicts() for n, t in self.tables.items() if t.height <= MOST_JSON_ROWS}
        content = {
            "format": FORMAT,
            "cells": self.cells,
            "confidence": self.confidence,
            "simulated": sorted(map(list, self.labels.agents)),
            "caveats": self.caveats,
            "replies": [asdict(each) for each in self.replies],
            "findings": [asdict(finding) for finding in self.findings],
            "estimates": [asdict(estimate) for estimate in self.estimates],
            "tables": small,
            "left_out": {n: t.height for n, t in self.tables.items() if n not in small},
        }
        return json.dumps(content, allow_nan=False, ensure_ascii=False)


def analyze(
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame | None = None,
    *,
    confidence: str = DEFAULT,
    control: str | None = None,
    baseline: str | None = None,
    controls: Mapping[str, str] | None = None,
    ownership: Mapping[str, tuple[str, ...]] | None = None,
    anonymous: Mapping[str, str] | None = None,
    baselines: Mapping[str, str] | None = None,
    authors: Mapping[str, str] | None = None,
    hypotheses: Mapping[str, HypothesisSpec] | None = None,
    noisy: Collection[str] = (NOISE,),
    further: Sequence[Estimate] = (),
    spent: pl.DataFrame | None = None,
    opinions: pl.DataFrame | None = None,
    silent: Collection[str] = (),
    past: Collection[tuple[str, str]] = (),
    stopping_is_known: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
    limit: int = 50,
) -> Analysis:
    """Analyse trajectories (columns: `debate.analysis.schema`), with verdicts where there are any.

    confidence: the estimator to analyse; by default the one that all turns carry. control,
    baseline: the cells that serve as such, by default `repeat` and `single` where they are;
    controls, ownership, anonymous, baselines: cell -> its resampling control, the cells that
    entrenchment is held against, its twin without speaker names, its baseline. authors: cell -> the
    one agent that it is about; estimates of members are then its. noisy: the cells whose agents are
    shown random text, which are no independent samples. hypotheses: what was claimed beforehand, by
    name. further: estimates made from something else than trajectories, which belong
    to the same analysis. spent: all turns whose tokens are counted (`TURN_COLUMNS`), critiques and
    probes included; by default the trajectories. opinions: beliefs over candidates, for the
    log-opinion pool (columns: `build_vote_states`). silent: the agents whose answers are no
    ballots. past: the pairs of an agent and the one of which it is a past version.
    stopping_is_known: the rule by which debates ended is on record and sees no target.
    resamples, seed: of the bootstrap. limit: hot spots for each cell.
    Raises InputError where the table is not what it should be.
    """
    if "outcome" in trajectories.columns and is_reference_free(trajectories):
        return _analyze_without_truth(trajectories, confidence)
    everyone = build_states(trajectories, confidence=confidence)
    team = select_members(everyone)
    states = select_authors(team, authors or {})
    chosen = choose_controls(
        states["cell"].unique(),
        control=control,
        baseline=baseline,
        controls=controls,
        ownership=ownership,
        anonymous=anonymous,
        baselines=baselines,
    )
    voters = select_voters(team, silent)
    vote_states = build_vote_states(voters, verdicts, opinions=opinions)
    turns = select_debate_turns(everyone, spent)
    costs = tabulate_costs(turns)
    measures = Measures(states, vote_states, voters, turns, noisy=noisy)
    heard = build_heard_tables(states, everyone, limit=limit, past=past)
    teams, minorities = compare_teams(measures), find_minorities(voters, vote_states)
    estimates = [
        *_estimate_all(measures, chosen, heard, resamples=resamples, seed=seed),
        *teams.estimates,
        *minorities.estimates,
        *further,
    ]
    compared = [*compare_with_openings(vote_states), *compare_with_baseline(vote_states, chosen)]
    name = name_confidence(trajectories, confidence)
    return Analysis(
        estimates=tuple(estimates),
        comparisons=tuple(compared),
        tables={
            **heard,
            **_make_plain_tables(states),
            "costs": costs,
            **teams.tables,
            "minorities": minorities.table,
            "opening_rules": _tabulate_opening_rules(vote_states, measures.num_questions),
            "ledger": build_ledger(everyone if spent is None else _select_debates(spent, everyone)),
            "team": build_team_table(estimates, voters, costs, find_own_methods(vote_states)),
            "comparisons": pl.DataFrame([asdict(c) for c in compared], infer_schema_length=None),
        },
        caveats=collect_caveats(
            states,
            trajectories,
            verdicts,
            chosen,
            stopping_is_known=stopping_is_known,
            confidence=name,
            noisy=noisy,
        ),
        cells=tuple(sorted(states["cell"].unique())),
        confidence=name,
        controls=chosen,
        own_rules=find_own_methods(vote_states),
        findings=conclude_hypotheses(
            hypotheses or {},
            measures,
            estimates,
            confidence=name,
            others=_measure_under_others(trajectories, name, vote_states, authors or {})
            if hypotheses
            else {},
        ),
        labels=read_labels(trajectories),
        authors=dict(authors or {}),
    )


def _select_debates(turns: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The turns of the debates that have states."""
    return turns.join(states.select(DEBATE_KEY).unique(), on=DEBATE_KEY, how="semi")


def _tabulate_opening_rules(vote_states: pl.DataFrame, num_questions: int) -> pl.DataFrame:
    """The rule that makes most of each condition's openings: cell, rule."""
    found = find_best_rules(vote_states, num_questions)
    schema = {"cell": pl.String, "rule": pl.String}
    return pl.DataFrame(sorted(found.items()), schema=schema, orient="row")


def _estimate_all(
    measures: Measures,
    controls: Controls,
    heard: dict[str, pl.DataFrame],
    *,
    resamples: int,
    seed: int,
) -> list[Estimate]:
    """The estimates of members and votes, in their order; takes `events` and `seen` out of
    `heard`.
    """
    states = measures.states
    return [
        *measures.make_estimates(),
        *contrast_conditions(measures, controls),
        *estimate_flips(states),
        *estimate_across_factors(states),
        *estimate_conformity(states, heard.pop("events"), controls),
        *estimate_revisions(states, heard.pop("seen")),
        *estimate_calibration_changes(states, controls, resamples=resamples, seed=seed),
    ]


def _analyze_without_truth(trajectories: pl.DataFrame, confidence: str) -> Analysis:
    """Analyse confidence alone, where no question has a target: no accuracy, no votes."""
    estimates = estimate_reference_free(trajectories, confidence=confidence)
    caveat = (
        "No question has a target: nothing here is about being right. Confidences of sides of "
        "which one wins add up to 1 if they are calibrated."
    )
    return Analysis(
        estimates=tuple(estimates),
        comparisons=(),
        tables={},
        caveats=(caveat,),
        cells=tuple(sorted(trajectories["cell"].unique())),
        confidence=name_confidence(trajectories, confidence),
        is_reference_free=True,
        labels=read_labels(trajectories),
    )


def _measure_under_others(
    trajectories: pl.DataFrame,
    name: str | None,
    vote_states: pl.DataFrame,
    authors: Mapping[str, str],
) -> dict[str, Measures]:
    """The members' measures under every recorded estimator but the one called `name`."""
    return {
        source: Measures(
            select_authors(select_members(build_states(trajectories, confidence=source)), authors),
            vote_states,
        )
        for source in list_confidence_sources(trajectories)
        if source != name
    }


def _make_plain_tables(states: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {
        "reliability": tabulate_reliability(states),
        "flow": tabulate_flow(states),
        "beliefs": tabulate_beliefs(states),
    }


def tabulate_beliefs(states: pl.DataFrame) -> pl.DataFrame:
    """Mean belief in the own wrong opening answer and in the truth, by cell and round.

    The cohort is fixed: agents wrong at their opening. Null where there is no belief.
    """
    names = ["belief_own", "belief_target"]
    told = states.select("cell", "round", "question_code", "opening_outcome", *names)
    cohort = told.filter(pl.col("opening_outcome") == "wrong")
    found = sum_by_group(cohort, ["cell", "round"], names, count_questions(states))
    rows = [
        (cell, round_, name, *sums[name].mean()[:3], sums[name].n)
        for (cell, round_), sums in found.items()
        for name in names
    ]
    numbers = dict.fromkeys(("value", "low", "high"), pl.Float64)
    schema = {"cell": pl.String, "round": pl.Int64, "belief": pl.String, **numbers, "n": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
