"""Who judges whose answers, and whether it is critique that fails or critique of oneself."""

from __future__ import annotations

from debate.analysis.tables.critique import broader, labelled, matrix, oneself
from debate.report.material import Material
from debate.report.pictures.matrix import matrix as heat_maps
from debate.report.section import Section


def critique(material: Material) -> Section | None:
    """The cross-critique matrix, own against others', labels and broader alternatives."""
    found = material.analysis
    if "cross_critique" not in found.tables or found.tables["cross_critique"].is_empty():
        return None
    return Section(
        name="critique",
        title="Is it critique that fails, or critique of oneself?",
        nav="Critique",
        figures=(heat_maps(material),),
        tables=(oneself(found), matrix(found), broader(found), labelled(found)),
        data={"cross_critique_cells": found.tables["cross_critique"]},
    )
