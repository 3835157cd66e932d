"""What the models' replicas did over the run's time."""

from __future__ import annotations

from debate.report.material import Material
from debate.report.pictures.utilisation import utilisation as picture
from debate.report.section import Section


def utilisation(material: Material) -> Section | None:
    """The picture; nothing for a table, or a run of which nothing was recorded."""
    figure = picture(material)
    if figure.spec is None:
        return None
    return Section(
        name="utilisation",
        title="Utilisation",
        note="How the time of each replica was spent. Where models take turns on a device, one of "
        "them is awake at a time.",
        figures=(figure,),
    )
