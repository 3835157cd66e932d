"""The reference page of the configuration, written from the specs and their docstrings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from debate.config.models import ModelBase
from debate.config.registry import DOTTED_NAME
from debate.config.schema import SHORTHANDS, Schema, make_definitions, tidy_schema

INTRODUCTION: Final = """\
# Configuration

Every field that a YAML file may hold. Made from the specs in `debate/config` by
`python -m debate.config.reference`; do not edit.

A field that is not named here is an error. Any field can be set on the command line:
`-o rounds=2`, `-o agents.sceptic.sampling.temperature=0`. A name of an agent card, topology or
configuration is one that comes with the package, as is `gallery/NAME`; with another `/` or the
ending `.yaml` it is a file,
relative to the one that names it and below its folder. "–" stands for no default: what an unset
field means is told beside it. `debate schema` prints all of this for editors."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: the fields of one spec, under a heading.

    `place` tells where it stands in the YAML. Fields that `base` has alike are left out. With
    `is_of_levels` the fields are factors, shown by what one level of them is.
    """

    title: str
    spec: str
    place: str
    level: int = 2
    base: str | None = None
    is_of_levels: bool = False
    note: str = ""


def _model(title: str, spec: str) -> Section:
    """Describe the fields that one engine's models have besides those of all."""
    return Section(
        title=title, spec=spec, place="`models.NAME`, `agents[].model`", level=3, base="ModelBase"
    )


RUN: Final = (
    Section(
        title="Run",
        spec="RunSpec",
        place="the top of the file",
        note="The first topology of a `sweep` is the run's where it names none.",
    ),
    Section(
        title="Agents",
        spec="AgentSpec",
        place="`agents[]`",
        note="A bare name or file stands for `{card: NAME}`; without a card, `id` and `model` "
        "are required. With one, `id` is by default the file's name without its ending.",
    ),
    Section(title="Sampling", spec="SamplingSpec", place="`agents[].sampling`", level=3),
    Section(title="Tools", spec="ToolsSpec", place="`agents[].tools`", level=3),
    Section(title="Tools: Python", spec="PythonTool", place="`agents[].tools.python`", level=3),
    Section(
        title="Tools: calculator",
        spec="CalculatorTool",
        place="`agents[].tools.calculator`",
        level=3,
    ),
)
CARD: Final = Section(
    title="Agent cards",
    spec="AgentCard",
    place="the top of a file of its own",
    level=3,
    base="AgentSpec",
    note="Besides these, a card may hold `role`, `prompts`, `system`, `persona`, `agreement`, "
    "`sampling`, `tools`, `confederate` and `description`, as an agent does.",
)
REST: Final = (
    Section(
        title="Models",
        spec="ModelBase",
        place="`models.NAME`, `agents[].model`",
        note="Fields of the models of all engines. `engine` tells which further ones there are: "
        "`transformers`, `vllm`, `openai`, `simulated`, `scripted`, `replay`, `calculator`, "
        "`python`, `checker`, `oracle`, `human` or one of your own. A model under the name of a "
        "card holds what wins over the card's.",
    ),
    Section(title="Prices", spec="TokenPrice", place="`models.NAME.price`", level=3),
    _model("engine: transformers", "TransformersModel"),
    _model("engine: vllm", "VllmModel"),
    _model("engine: openai", "OpenaiModel"),
    _model("engine: simulated", "SimulatedModel"),
    _model("engine: scripted", "ScriptedModel"),
    _model("engine: replay", "ReplayModel"),
    _model("engine: calculator", "CalculatorModel"),
    _model("engine: python", "PythonModel"),
    _model("engine: checker", "CheckerModel"),
    _model("engine: oracle", "OracleModel"),
    _model("engine: human", "HumanModel"),
    _model("engine: one of your own", "CustomModel"),
    Section(
        title="Topology",
        spec="TopologySpec",
        place="`topology`, `cells.NAME.topology`, a file",
        note="A name or file stands for what it holds, a list for `{rounds: LIST}`. One of "
        "`edges`, `generator` and `rounds` is needed.",
    ),
    Section(title="Edges", spec="EdgeSpec", place="`topology.edges[]`", level=3),
    Section(title="Defaults of edges", spec="EdgeAttributes", place="`topology.defaults`", level=3),
    Section(title="Protocol", spec="ProtocolSpec", place="`protocol`, `cells.NAME.protocol`"),
    Section(title="View", spec="ViewSpec", place="`protocol.view`", level=3),
    Section(title="Judging", spec="JudgingSpec", place="`protocol.judging`", level=3),
    Section(
        title="Probes",
        spec="ProbeSpec",
        place="`probes[]`",
        note="[probes.md](probes.md) tells what each asks, of whom, and at what cost.",
    ),
    Section(
        title="Decision",
        spec="DecisionSpec",
        place="`decision`, `cells.NAME.decision`",
        note="[decisions.md](decisions.md) tells what each rule computes.",
    ),
    Section(
        title="Task: a table",
        spec="TableTask",
        place="`task`",
        note="A `task` with neither `dataset` nor `generator` is a table.",
    ),
    Section(title="Columns", spec="ColumnsSpec", place="`task.columns`", level=3),
    Section(title="Scoring", spec="ScoringSpec", place="`task.scoring` of every task", level=3),
    Section(
        title="Sandboxes",
        spec="SandboxSpec",
        place="`task.scoring.code`, `models.NAME.code`",
        level=3,
    ),
    Section(title="Task: a data set", spec="DatasetTask", place="`task` with `dataset`"),
    Section(title="Task: a generator", spec="GeneratorTask", place="`task` with `generator`"),
    Section(
        title="Cells",
        spec="CellSpec",
        place="`cells.NAME`",
        note="The arms are listed in the [glossary](glossary.md#the-arms).",
    ),
    Section(
        title="Sweep",
        spec="SweepSpec",
        place="`sweep`",
        base="FactorLevels",
        note="Each factor below is one level, a list of levels, or a mapping of names to levels. "
        "In a list, levels name themselves (`ring`, `r3`), so those written out need a mapping.",
    ),
    Section(
        title="Factors",
        spec="FactorLevels",
        place="`sweep`, `sweep.include[]`",
        level=3,
        is_of_levels=True,
    ),
    Section(title="Hypotheses", spec="HypothesisSpec", place="`hypotheses.NAME`"),
    Section(title="Log", spec="LogSpec", place="`log`"),
    Section(title="Budget", spec="BudgetSpec", place="`budget`"),
    Section(title="Cluster", spec="ClusterSpec", place="`cluster`"),
    Section(title="Slots", spec="SlotsSpec", place="`cluster.slots`", level=3),
)
SECTIONS: Final = (*RUN, CARD, *REST)
"""The parts of the page, in its order: each spec once."""

_LINKS: Final[Mapping[str, str]] = {
    **{section.spec: section.title for section in SECTIONS},
    "Model": "Models",
    "Topology": "Topology",
    "TopologyStep": "Topology",
}
"""The heading under which each definition of the schema is told."""
_ALONE: Final[Mapping[str, str]] = {
    **dict.fromkeys(SHORTHANDS, "name"),
    "EdgeSpec": "line",
    "SlotsSpec": "whole number",
    "Topology": "name, file, list of topologies by round",
    "TopologyStep": "name, file",
}
"""What may stand for a definition, in words."""
_PLURALS: Final[Mapping[str, str]] = {
    "text": "texts",
    "name": "names",
    "whole number": "whole numbers",
}
_BOUNDS: Final[Mapping[str, str]] = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def write_reference() -> str:
    """Write the reference page of the configuration, in Markdown."""
    return "\n".join(_iterate_lines(collect_definitions())) + "\n"


def collect_definitions() -> dict[str, Schema]:
    """Collect the schemas of all specs by name, as files may write them."""
    base = tidy_schema(ModelBase.model_json_schema())
    return {**make_definitions("agent"), **make_definitions("run"), "ModelBase": base}


def _iterate_lines(definitions: Mapping[str, Schema]) -> Iterator[str]:
    yield INTRODUCTION
    for section in SECTIONS:
        told = definitions[section.spec]["description"]
        yield from ("", f"{'#' * section.level} {section.title}", "")
        yield f"{told} It stands at {section.place}. {section.note}".strip()
        rows = sorted(
            _iterate_rows(section, definitions), key=lambda row: "| required |" not in row
        )
        yield from ("", "| field | type | default | what it is |", "|---|---|---|---|", *rows)


def _iterate_rows(section: Section, definitions: Mapping[str, Schema]) -> Iterator[str]:
    spec = definitions[section.spec]
    base = definitions[section.base]["properties"] if section.base else {}
    for name, field in spec["properties"].items():
        if field == base.get(name):
            continue
        shown = field["anyOf"][-1]["additionalProperties"] if section.is_of_levels else field
        needed = name in spec.get("required", ())
        needed |= section.base == "ModelBase" and "default" not in field
        default = "required" if needed else _describe_default(field)
        cells = (f"`{name}`", describe_type(shown), default, _describe(field, definitions))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _describe(field: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return the field's line; pydantic drops one that is that of the spec that it holds."""
    if "description" in field:
        return str(field["description"])
    return str(definitions[_get_name(field)]["description"])


def _get_name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _describe_default(field: Schema) -> str:
    if field.get("default") is None:
        return "–"
    return "see there" if "$ref" in field else f"`{json.dumps(field['default'])}`"


def describe_type(schema: Schema) -> str:
    """Describe what a field takes, in plain words.

    >>> describe_type({"type": "array", "items": {"type": "integer", "minimum": 0}})
    'list of: whole number from 0'
    """
    if "$ref" in schema:
        name = _get_name(schema)
        alone, title = _ALONE.get(name), _LINKS[name]
        link = f"[{title.lower()}](#{_make_anchor(title)})"
        return f"{alone} or {link}" if alone else link
    if parts := schema.get("anyOf", schema.get("oneOf")):
        return _join(list(_describe_parts(parts)))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _join([f"`{each}`" for each in schema["enum"]])
    if schema.get("type") == "object":
        return _describe_mapping(schema)
    if schema.get("type") == "array":
        return f"list of{_describe_many(schema['items'])}" if schema["items"] else "list"
    return _describe_scalar(schema)


def _describe_parts(parts: Sequence[Schema]) -> Iterator[str]:
    for each in parts:
        if "enum" in each:
            yield from (f"`{value}`" for value in each["enum"])
        elif each.get("type") != "null":
            yield describe_type(each)


def _join(parts: Sequence[str]) -> str:
    """Join alternatives, each once; a whole number is a number."""
    told = [
        each for each in dict.fromkeys(parts) if each != "whole number" or "number" not in parts
    ]
    return " or ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def _describe_many(items: Schema) -> str:
    told = describe_type(items)
    return f" {_PLURALS[told]}" if told in _PLURALS else f": {told}"


def _describe_mapping(schema: Schema) -> str:
    values = [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]
    told = [describe_type(each) for each in values if isinstance(each, dict) and each]
    return f"mapping of names to: {told[0]}" if told else "mapping"


def _describe_scalar(schema: Schema) -> str:
    kind = schema["type"]
    if kind == "string":
        return _describe_text(schema)
    if isinstance(kind, list):
        return "level"
    bounds = [f" {word} {schema[key]:,}" for key, word in _BOUNDS.items() if key in schema]
    words = {"boolean": "true or false", "integer": "whole number", "number": "number"}
    return words[kind] + "".join(bounds)


def _describe_text(schema: Schema) -> str:
    if schema.get("pattern") == DOTTED_NAME:
        return "`module.name`"
    return "name" if "pattern" in schema else "text"


def _make_anchor(title: str) -> str:
    """Make the anchor that a page gives to a heading.

    >>> _make_anchor("Task: a table")
    'task-a-table'
    """
    return "".join(c for c in title.lower() if c.isalnum() or c in " -_").replace(" ", "-")


if __name__ == "__main__":
    print(write_reference(), end="")
