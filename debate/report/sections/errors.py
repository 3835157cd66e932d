"""Whether confidence in errors grew."""

from __future__ import annotations

from debate.analysis.tables.errors import entrenchment, parts
from debate.analysis.tables.errors import errors as by_round
from debate.report.material import Material
from debate.report.pictures.beliefs import beliefs
from debate.report.pictures.trajectories import trajectories
from debate.report.section import Section


def errors(material: Material) -> Section:
    """Trajectories on fixed cohorts, beliefs, and entrenchment and amplification by round."""
    return Section(
        name="errors",
        title="Did confidence in errors grow?",
        nav="Confidence in errors",
        figures=(trajectories(material), beliefs(material)),
        tables=tuple(make(material.analysis) for make in (by_round, entrenchment, parts)),
    )
