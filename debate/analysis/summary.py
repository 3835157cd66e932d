"""From a table of trajectories to everything that MEASUREMENT names, in one frozen value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

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
from debate.analysis.drift import drift
from debate.analysis.entrenchment import confidence_when_wrong, entrenchment
from debate.analysis.estimate import Estimate, estimates_frame
from debate.analysis.flips import flips, flow
from debate.analysis.ledger import costs, ledger
from debate.analysis.rounds import beliefs, rounds
from debate.analysis.states import members, states_frame
from debate.analysis.team import oracle, team_table
from debate.analysis.votes import vote_states, votes

FORMAT = 1
MOST_JSON_ROWS = 5_000


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Every estimate, the tables behind the pictures, and the caveats that apply to them.

    tables: comparisons, team, reliability, flow, beliefs, hazards, edges, credit, flip_sources,
    where_questions, where_categories, where_agents, where_edges, where_rounds, hotspots, ledger,
    costs. Their columns are told by the functions that make them.
    """

    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    tables: Mapping[str, pl.DataFrame]
    caveats: tuple[str, ...]
    cells: tuple[str, ...]

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
            "caveats": self.caveats,
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
    control: str = "repeat",
    baseline: str = "single",
    controls: Mapping[str, str] | None = None,
    anonymous: Mapping[str, str] | None = None,
    margin: float = MARGIN,
    resamples: int = RESAMPLES,
    seed: int = 0,
    limit: int = 50,
) -> Analysis:
    """Analyse trajectories (columns: `debate.analysis.schema`), with verdicts where there are any.

    confidence: the column to analyse. control, baseline: names of the cells that serve as such;
    controls, anonymous: cell -> its control cell, cell -> its twin without speaker names. margin:
    of equivalence. resamples, seed: of the bootstrap. limit: hot spots for each cell.
    Raises InputError where the table is not what it should be.
    """
    everyone = states_frame(trajectories, confidence=confidence)
    states = members(everyone)
    chosen = controls_for(
        states["cell"].unique(),
        control=control,
        baseline=baseline,
        controls=controls,
        anonymous=anonymous,
    )
    seated = vote_states(states, verdicts)
    tables = heard_tables(states, everyone, limit=limit)
    estimates = _estimates(states, seated, chosen)
    estimates += conformity(states, tables.pop("events"), chosen)
    estimates += revisions(states, tables.pop("seen"))
    estimates += calibration_changes(states, chosen, resamples=resamples, seed=seed)
    compared = vote_against_openings(seated, margin=margin)
    compared += cells_against_baseline(seated, chosen, margin=margin)
    tables |= _plain_tables(states)
    tables["team"] = team_table(estimates, states)
    tables["comparisons"] = pl.DataFrame([asdict(c) for c in compared], infer_schema_length=None)
    return Analysis(
        estimates=tuple(estimates),
        comparisons=tuple(compared),
        tables=tables,
        caveats=caveats(states, trajectories, verdicts, chosen),
        cells=tuple(sorted(states["cell"].unique())),
    )


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
        "ledger": ledger(states),
        "costs": costs(states),
    }
