"""Every table of an analysis, in the order in which a terminal prints them.

A new table is one function from an `Analysis` to a `Table` and one line below. A table without
rows is not printed. The report's sections pick from the same functions.
"""

from __future__ import annotations

from debate.analysis.tables.confidence import (
    tabulate_calibration_changes,
    tabulate_calibration_errors,
    tabulate_conformity,
    tabulate_drift,
    tabulate_entrenchment,
    tabulate_error_parts,
    tabulate_errors,
    tabulate_flips,
    tabulate_ranking,
    tabulate_revisions,
    tabulate_scores,
)
from debate.analysis.tables.influence import (
    RANKINGS,
    tabulate_alternatives,
    tabulate_credit,
    tabulate_critique_matrix,
    tabulate_edges,
    tabulate_hazards,
    tabulate_hotspots,
    tabulate_labels,
    tabulate_self_critique,
)
from debate.analysis.tables.results import (
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_comparisons,
    tabulate_dose_response,
    tabulate_findings,
    tabulate_headline,
    tabulate_team,
    tabulate_team_contrasts,
    tabulate_teams,
    tabulate_tokens,
    tabulate_votes,
)
from debate.analysis.tables.table import Entry, Place, Table, TableMaker, build_table

TABLES: tuple[TableMaker, ...] = (
    tabulate_findings,
    tabulate_headline,
    tabulate_accuracy,
    tabulate_across_factors,
    tabulate_teams,
    tabulate_team_contrasts,
    tabulate_dose_response,
    tabulate_self_critique,
    tabulate_critique_matrix,
    tabulate_alternatives,
    tabulate_labels,
    tabulate_errors,
    tabulate_error_parts,
    tabulate_entrenchment,
    tabulate_scores,
    tabulate_calibration_errors,
    tabulate_ranking,
    tabulate_calibration_changes,
    tabulate_drift,
    tabulate_flips,
    tabulate_conformity,
    tabulate_revisions,
    tabulate_votes,
    tabulate_comparisons,
    tabulate_team,
    tabulate_hazards,
    tabulate_credit,
    tabulate_edges,
    *RANKINGS.values(),
    tabulate_hotspots,
    tabulate_tokens,
)
__all__ = ["TABLES", "Entry", "Place", "Table", "TableMaker", "build_table"]
