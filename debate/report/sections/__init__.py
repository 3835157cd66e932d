"""The sections of a report, in the order of the page.

A new section is one file here, with a function from `Material` to a `Section` (or None, where the
source has nothing of the kind), and one line in SECTIONS. Its figures come from
`debate.report.figure.drawn`, its tables from `debate.analysis.tables`; the link in the navigation,
the Parquet files beside the page and the pictures of `--figures` follow from it.
"""

from __future__ import annotations

from debate.report.material import Material
from debate.report.section import Maker, Section
from debate.report.sections.before_and_after import before_and_after
from debate.report.sections.calibration import calibration
from debate.report.sections.caveats import caveats
from debate.report.sections.changes import changes
from debate.report.sections.critique import critique
from debate.report.sections.diversity import diversity
from debate.report.sections.errors import errors
from debate.report.sections.findings import findings
from debate.report.sections.influence import influence
from debate.report.sections.spots import spots
from debate.report.sections.tokens import tokens
from debate.report.sections.utilisation import utilisation
from debate.report.sections.votes import votes
from debate.report.sections.where import where

SECTIONS: tuple[Maker, ...] = (
    findings,
    before_and_after,
    critique,
    errors,
    where,
    spots,
    changes,
    influence,
    votes,
    diversity,
    calibration,
    tokens,
    utilisation,
    caveats,
)


def sections(material: Material) -> tuple[Section, ...]:
    """Every section that this material has something for, in the order of the page."""
    made = (make(material) for make in SECTIONS)
    return tuple(section for section in made if section is not None)
