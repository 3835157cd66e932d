"""What diversity buys: the teams side by side, and gain against error correlation."""

from __future__ import annotations

from debate.analysis.tables.diversity import contrasts, doses
from debate.analysis.tables.diversity import teams as side_by_side
from debate.report.material import Material
from debate.report.pictures.diversity import dose, teams
from debate.report.section import Section

FEWEST = 2


def diversity(material: Material) -> Section | None:
    """The teams, where agents hear one another in two arms or more."""
    analysis = material.analysis
    if analysis.tables["teams"]["cell"].n_unique() < FEWEST:
        return None
    return Section(
        name="diversity",
        title="Teams side by side",
        nav="Teams",
        figures=(teams(material), dose(material)),
        tables=(side_by_side(analysis), contrasts(analysis), doses(analysis)),
        open=3,
        data={name: analysis.tables[name] for name in ("teams", "dose_lines")},
    )
