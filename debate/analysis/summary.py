"""From a table of trajectories to everything that MEASUREMENT names, in one frozen value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import polars as pl

from debate.analysis.amplification import amplification
from debate.analysis.bootstrap import RESAMPLES
from debate.analysis.by_cell import heard_tables
from debate.analysis.calibration import calibration_by_round, reliability_bins
from debate.analysis.caveats import caveats
from debate.analysis.changes import calibration_changes
from debate.analysis.comparisons import (
    MARGIN,
    Comparison,
    cells_against_baseline,
    vote_against_openings,
)
from debate.analysis.conformity import conformity, revisions
from debate.analysis.controls import Controls, controls_for
from debate.analysis.diversity import diversity
from debate.analysis.drift import drift, team_kinds
from debate.analysis.entrenchment import confidence_when_wrong, entrenchment
from debate.analysis.estimate import Estimate, estimates_frame
from debate.analysis.findings import Finding, findings
from debate.analysis.flips import flips, flow
from debate.analysis.labels import Labels, labels_of
from debate.analysis.ledger import costs, ledger
from debate.analysis.measures import Measures
from debate.analysis.rounds import beliefs, rounds
from debate.analysis.states import members, of_authors, states_frame
from debate.analysis.team import oracle, team_table
from debate.analysis.teams import teams
from debate.analysis.votes import vote_states, votes
from debate.config.hypotheses import HypothesisSpec

FORMAT = 1
MOST_JSON_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Every estimate, the tables behind the pictures, and the caveats that apply to them.

    tables: comparisons, team, reliability, flow, beliefs, hazards, edges, credit, flip_sources,
    where_questions, where_categories, where_agents, where_edges, where_rounds, hotspots, links,
    ledger, costs, teams, dose, dose_lines. Their columns are told by the functions that make them.
    """

    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    tables: Mapping[str, pl.DataFrame]
    caveats: tuple[str, ...]
    cells: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    labels: Labels = field(default_factory=Labels)

    def select(self, *names: str, cell: str | None = None) -> tuple[Estimate, ...]:
        """The estimates of these names, of one cell or of all, in their order."""
        return tuple(e for e in self.estimates if e.name in names and cell in (None, e.cell))

    def find(
        self, name: str, *, cell: str, round: int | None = None, subject: str | None = None
    ) -> Estimate | None:
        """The one estimate of that name and place; None where there is none."""
        for e in self.select(name, cell=cell):
            if (e.round, e.subject) == (round, subject):
                return e
        return None

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
            "simulated": sorted(map(list, self.labels.agents)),
            "caveats": self.caveats,
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
    confidence: str = "confidence",
    control: str | None = None,
    baseline: str | None = None,
    controls: Mapping[str, str] | None = None,
    anonymous: Mapping[str, str] | None = None,
    baselines: Mapping[str, str] | None = None,
    authors: Mapping[str, str] | None = None,
    hypotheses: Mapping[str, HypothesisSpec] | None = None,
    further: Sequence[Estimate] = (),
    spent: pl.DataFrame | None = None,
    margin: float = MARGIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
    limit: int = 50,
) -> Analysis:
    """Analyse trajectories (columns: `debate.analysis.schema`), with verdicts where there are any.

    confidence: the column to analyse. control, baseline: the cells that serve as such, by default
    `repeat` and `single` where they are; controls, anonymous, baselines: cell -> its control cell,
    its twin without speaker names, its baseline. authors: cell -> the one agent that it is about;
    estimates of members are then its. hypotheses: what was claimed beforehand, by name. further:
    estimates made from something else than trajectories, which belong to the same analysis. spent:
    the ledger of all turns, critiques and probes included; by default that of the trajectories.
    margin: of equivalence. resamples, seed: of the bootstrap. limit: hot spots for each cell.
    Raises InputError where the table is not what it should be.
    """
    everyone = states_frame(trajectories, confidence=confidence)
    states = of_authors(members(everyone), authors or {})
    chosen = controls_for(
        states["cell"].unique(), control=control, baseline=baseline,
        controls=controls, anonymous=anonymous, baselines=baselines,
    )  # fmt: skip
    seated = vote_states(states, verdicts)
    tables = heard_tables(states, everyone, limit=limit)
    estimates = _estimates(states, seated, chosen)
    estimates += conformity(states, tables.pop("events"), chosen)
    estimates += revisions(states, tables.pop("seen"))
    estimates += calibration_changes(states, chosen, resamples=resamples, seed=seed)
    compared = _comparisons(seated, chosen, margin)
    measures = Measures(states, seated)
    found = teams(measures, team_kinds(states))
    estimates += [*found.estimates, *further]
    tables |= _plain_tables(states) | found.tables
    tables["ledger"] = ledger(states) if spent is None else spent
    tables["team"] = team_table(estimates, states)
    tables["comparisons"] = pl.DataFrame([asdict(c) for c in compared], infer_schema_length=None)
    return Analysis(
        estimates=tuple(estimates),
        comparisons=tuple(compared),
        tables=tables,
        caveats=caveats(states, trajectories, verdicts, chosen),
        cells=tuple(sorted(states["cell"].unique())),
        findings=findings(hypotheses or {}, measures, estimates),
        labels=labels_of(trajectories),
    )


def _comparisons(seated: pl.DataFrame, controls: Controls, margin: float) -> list[Comparison]:
    against_openings = vote_against_openings(seated, margin=margin)
    return [*against_openings, *cells_against_baseline(seated, controls, margin=margin)]


def _estimates(states: pl.DataFrame, seated: pl.DataFrame, controls: Controls) -> list[Estimate]:
    return [
        *rounds(states),
        *votes(seated),
        *calibration_by_round(states),
        *entrenchment(states, controls),
        *confidence_when_wrong(states),
        *amplification(states, controls),
        *drift(states),
        *flips(states),
        *diversity(states),
        *oracle(states),
    ]


def _plain_tables(states: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {
        "reliability": reliability_bins(states),
        "flow": flow(states),
        "beliefs": beliefs(states),
        "costs": costs(states),
    }
