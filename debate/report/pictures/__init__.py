"""All pictures of a report, each from the same material."""

from __future__ import annotations

from collections.abc import Callable

from debate.report.figure import Figure
from debate.report.material import Material
from debate.report.pictures.beliefs import beliefs
from debate.report.pictures.calibration import calibration
from debate.report.pictures.flow import flow
from debate.report.pictures.influence import influence
from debate.report.pictures.reliability import reliability
from debate.report.pictures.trajectories import trajectories
from debate.report.pictures.votes import votes

PICTURES: tuple[Callable[[Material], Figure], ...] = (
    trajectories,
    beliefs,
    flow,
    votes,
    calibration,
    reliability,
    influence,
)


def figures(material: Material) -> dict[str, Figure]:
    """Every picture by its name, in the order of the page; those without data hold a note."""
    return {made.name: made for made in (picture(material) for picture in PICTURES)}
