"""The page itself: everything filled into one template, whatever was said by models escaped."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from debate.analysis.tables import Entry
from debate.analysis.text import clean, count
from debate.report.figure import Figure
from debate.report.material import Material
from debate.report.provenance import provenance, resolved_spec
from debate.report.section import Section
from debate.report.svg import inline
from debate.report.theme import variables

TEMPLATE = "page.html"


def render(material: Material, sections: Sequence[Section], *, data_folder: str) -> str:
    """The whole page as HTML. `data_folder` is where the pictures' data lie beside it."""
    template = environment().get_template(TEMPLATE)
    pictures = {
        figure.name: inline(figure.spec, name=figure.name, label=described(figure))
        for section in sections
        for figure in section.figures
        if figure.spec is not None
    }
    return template.render(
        name=material.name,
        summary=_summary(material),
        description=_description(material),
        simulated=_simulated(material),
        sections=sections,
        pictures=pictures,
        anchors={place: id_ for section in sections for place, id_ in section.anchors.items()},
        facts=provenance(material),
        spec=resolved_spec(material),
        data_folder=data_folder,
        groups=groups,
        day=Markup(variables(dark=False)),
        night=Markup(variables(dark=True)),
    )  # fmt: skip


def groups(rows: Sequence[Sequence[Entry]]) -> list[list[Sequence[Entry]]]:
    """Rows that follow one another with the same first field, together."""
    return [list(same) for _, same in groupby(rows, key=itemgetter(0))]


def described(figure: Figure) -> str:
    """What a screen reader says of a picture: its title and its caption."""
    return clean(f"{figure.title}. {figure.caption}")


def environment() -> Environment:
    """Templates that escape everything, refuse absent names and show no control characters."""
    return Environment(
        loader=PackageLoader("debate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else clean(str(value), keep="\n\t")


def _description(material: Material) -> str:
    return str(material.manifest.spec.get("description") or "") if material.manifest else ""


def _summary(material: Material) -> str:
    """One line: how many of what, and which confidence the numbers are of."""
    states = material.states
    parts = (
        (states["question"].n_unique(), "question"),
        (len(material.cells), "arm"),
        (states["agent"].n_unique(), "agent"),
        (states["model"].n_unique(), "model"),
        (max(material.rounds), "round"),
        (states["seed"].n_unique(), "seed"),
    )
    told = [f"{count(num)} {noun}{'s' * (num != 1)}" for num, noun in parts]
    name = material.analysis.confidence
    return " · ".join([*told, *([f"confidence: {clean(name)}"] if name else [])])


def _simulated(material: Material) -> str:
    """What a reader must know first where simulated agents took part."""
    if not material.analysis.labels.agents:
        return ""
    every = {*material.states.select("cell", "agent").unique().iter_rows()}
    some = "All" if every <= material.analysis.labels.agents.keys() else "Some"
    return f"{some} agents are simulated: their numbers describe the simulation, not a model."
