"""What comes first: each arm before and after the debate."""

from __future__ import annotations

from debate.analysis.tables.headline import accuracy, for_others, headline
from debate.report.material import Material
from debate.report.section import Section


def before_and_after(material: Material) -> Section:
    """The headline table; accuracy and confidence by round unfold below it."""
    found = material.analysis
    return Section(
        name="headline",
        title="Before and after",
        tables=(headline(found), accuracy(found), for_others(found)),
    )
