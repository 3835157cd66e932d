"""The page itself: everything filled into one template, whatever was said by models escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from debate.analysis.present import lacking
from debate.report.figure import Figure
from debate.report.hotspots import spots
from debate.report.material import Material
from debate.report.provenance import provenance, resolved_spec
from debate.report.svg import inline
from debate.report.tables import details, headline, tokens
from debate.report.text import clean, count
from debate.report.theme import variables

TEMPLATE = "page.html"


def render(material: Material, figures: Mapping[str, Figure], *, data_folder: str) -> str:
    """The whole page as HTML. `data_folder` is where the pictures' data lie beside it."""
    template = environment().get_template(TEMPLATE)
    return template.render(
        name=material.name,
        summary=_summary(material),
        description=_description(material),
        simulated=_simulated(material),
        headline=headline(material),
        tables=details(material),
        figures=tuple(figures.values()),
        pictures={f.name: inline(f.spec, name=f.name, label=clean(f.title))
                  for f in figures.values() if f.spec is not None},
        spots=spots(material),
        caveats=(*material.analysis.caveats, *lacking(material.analysis)),
        tokens=tokens(material),
        facts=provenance(material),
        spec=resolved_spec(material),
        data_folder=data_folder,
        day=Markup(variables(dark=False)),
        night=Markup(variables(dark=True)),
    )  # fmt: skip


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
    """One line: how many of what."""
    states = material.states
    parts = (
        (states["question"].n_unique(), "question"),
        (len(material.cells), "arm"),
        (states["agent"].n_unique(), "agent"),
        (states["model"].n_unique(), "model"),
        (max(material.rounds), "round"),
        (states["seed"].n_unique(), "seed"),
    )
    return " · ".join(f"{count(num)} {noun}{'s' * (num != 1)}" for num, noun in parts)


def _simulated(material: Material) -> str:
    """What a reader must know first where simulated agents took part."""
    if not material.simulated:
        return ""
    every = {f"{cell}\n{agent}" for cell, agent in
             material.states.select("cell", "agent").unique().iter_rows()}  # fmt: skip
    some = "All" if every <= material.simulated.keys() else "Some"
    return f"{some} agents are simulated: their numbers describe the simulation, not a model."
