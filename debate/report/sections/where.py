"""Where confidence in errors grew: rankings by contribution to error amplification."""

from __future__ import annotations

from debate.analysis.tables.where import RANKINGS
from debate.report.material import Material
from debate.report.section import Section


def where(material: Material) -> Section | None:
    """Rankings of rounds, agents, edges, categories and questions, with links to transcripts."""
    found = material.analysis
    tables = tuple(make(found) for make in RANKINGS.values())
    if not any(made.rows for made in tables):
        return None
    return Section(
        name="where",
        title="Where it grew",
        note="What added most to error amplification (EAI) in each arm. The contributions of all "
        "rounds, agents, edges, categories or questions of an arm add up to its EAI. Each line "
        "leads to its steepest turn: the debate in which confidence in an error rose most.",
        tables=tables,
        open=len(tables),
        data={name: found.tables[name] for name in RANKINGS},
    )
