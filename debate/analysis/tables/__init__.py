"""Every table of an analysis, in the order in which a terminal prints them.

A new table is one function from an `Analysis` to a `Table` and one line below. A table without
rows is not printed. The report's sections pick from the same functions.
"""

from __future__ import annotations

from debate.analysis.tables.calibration import calibration_errors, changes, ranking, scores
from debate.analysis.tables.critique import broader, labelled, matrix, oneself
from debate.analysis.tables.diversity import contrasts, doses, teams
from debate.analysis.tables.errors import entrenchment, errors, parts
from debate.analysis.tables.findings import findings
from debate.analysis.tables.headline import accuracy, for_others, headline
from debate.analysis.tables.influence import credit, edges, hazards
from debate.analysis.tables.ledger import tokens
from debate.analysis.tables.opinions import drift, flips, hearing, revisions
from debate.analysis.tables.table import Entry, Maker, Place, Table, table
from debate.analysis.tables.votes import comparisons, team, votes
from debate.analysis.tables.where import RANKINGS, hotspots

TABLES: tuple[Maker, ...] = (
    findings,
    headline,
    accuracy,
    for_others,
    teams,
    contrasts,
    doses,
    oneself,
    matrix,
    broader,
    labelled,
    errors,
    parts,
    entrenchment,
    scores,
    calibration_errors,
    ranking,
    changes,
    drift,
    flips,
    hearing,
    revisions,
    votes,
    comparisons,
    team,
    hazards,
    credit,
    edges,
    *RANKINGS.values(),
    hotspots,
    tokens,
)

__all__ = ["TABLES", "Entry", "Maker", "Place", "Table", "table"]
