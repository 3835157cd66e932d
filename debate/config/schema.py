"""JSON Schemas (draft 2020-12) of what a user writes, for editors that complete and check YAML.

A spec describes a file whose references are resolved. A file may also name a card or a topology,
write a model where it is used, and list levels without naming them; the schemas accept that, too.
What only validation can tell, such as whether a file exists, is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, cast

from pydantic import TypeAdapter

from debate.config.agents import AgentCard
from debate.config.run import RunSpec
from debate.config.sweep import FACTORS, Factor
from debate.config.topology import TopologySpec
from debate.errors import InputError, suggest

Schema = dict[str, Any]
SchemaKind = Literal["run", "topology", "agent"]
"""The kinds of file that have a schema."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SPECS: Final[Mapping[SchemaKind, type]] = {
    "run": RunSpec,
    "topology": TopologySpec,
    "agent": AgentCard,
}
SHORTHANDS: Final[Mapping[str, str]] = {
    "ProtocolSpec": "name",
    "ProbeSpec": "name",
    "DecisionSpec": "name",
    "EdgeSpec": "edge",
    "SlotsSpec": "count",
}
"""The specs for which the value of one of their fields may stand alone, and that field."""

_TEXT: Final[Schema] = {"type": "string"}
_SCALAR: Final[Schema] = {"type": ["string", "number", "boolean"]}
_TITLE_OF_FILE: Final[Mapping[SchemaKind, str]] = {
    "run": "A run of debate-lab",
    "topology": "A topology of debate-lab",
    "agent": "An agent card of debate-lab",
}


def parse_kind(word: str) -> SchemaKind:
    """Return the kind of file that a word names. Raises InputError with those that there are."""
    for kind in SPECS:
        if word == kind:
            return kind
    raise InputError(f'"{word}" has no schema; {suggest(word, SPECS)}')


def make_schema(kind: SchemaKind) -> Schema:
    """Make the JSON Schema of a file of this kind."""
    definitions = make_definitions(kind)
    root = definitions.pop(SPECS[kind].__name__)
    if kind == "topology":
        definitions["TopologySpec"] = root
        root = {"anyOf": [_refer("TopologySpec"), _list_of(_refer("TopologyStep"))]}
    for name, field in SHORTHANDS.items():
        if name in definitions:
            whole = definitions[name]
            definitions[name] = {"anyOf": [whole["properties"][field], whole]}
    return {"$schema": DIALECT, "title": _TITLE_OF_FILE[kind], **root, "$defs": definitions}


def make_definitions(kind: SchemaKind) -> dict[str, Schema]:
    """Make a schema of each spec that a file of this kind may hold, by the spec's name.

    Fields take what the file may write there; shorthands for a whole spec are left out.
    """
    spec = SPECS[kind]
    made = TypeAdapter(spec).json_schema(ref_template="#/$defs/{model}")
    found: dict[str, Schema] = made.pop("$defs", {})
    if "$ref" not in made:
        found[spec.__name__] = made
    definitions = {name: tidy_schema(each) for name, each in found.items()}
    if "TopologySpec" in definitions:
        _widen_topology(definitions)
    if kind == "agent":
        model = definitions["AgentCard"]["properties"]["model"]
        definitions["Model"] = {"oneOf": model.pop("oneOf")}
        model |= _refer("Model")
    if kind == "run":
        _widen_models(definitions)
        _widen_run(definitions)
        _widen_sweep(definitions)
    return definitions


def list_engines(definitions: Mapping[str, Schema]) -> Iterator[str]:
    """List the specs of models by engine."""
    for name, each in definitions.items():
        if "engine" in each.get("properties", {}) and name != "ModelBase":
            yield name


def tidy_schema(schema: Schema) -> Schema:
    """Return the schema without generated titles and what is no part of JSON Schema.

    Each description becomes one line.
    """
    return cast("Schema", _tidy(schema))


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy(each) for key, each in node.items() if key != "discriminator"}
    if isinstance(kept.get("title"), str):
        del kept["title"]
    if isinstance(told := kept.get("description"), str):
        kept["description"] = " ".join(told.split())
    return kept


def _refer(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _names_to(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _replace_refs(node: Any, old: str, new: str) -> Any:
    """Return the schema with references to one definition replaced by those to another."""
    if isinstance(node, list):
        return [_replace_refs(each, old, new) for each in node]
    if not isinstance(node, dict):
        return node
    if node.get("$ref") == f"#/$defs/{old}":
        return {**node, **_refer(new)}
    return {key: _replace_refs(each, old, new) for key, each in node.items()}


def _widen_topology(definitions: dict[str, Schema]) -> None:
    """Let a name, a file or a list by round stand for a topology."""
    whole = definitions["TopologySpec"]
    whole["anyOf"] = [{"required": [field]} for field in ("edges", "generator", "rounds")]
    whole["properties"]["rounds"]["items"] = _refer("TopologyStep")
    for name, each in definitions.items():
        definitions[name] = _replace_refs(each, "TopologySpec", "Topology")
    step = [_TEXT, _refer("TopologySpec")]
    definitions["TopologyStep"] = {"anyOf": step}
    definitions["Topology"] = {"anyOf": [*step, _list_of(_refer("TopologyStep"))]}


def _widen_models(definitions: dict[str, Schema]) -> None:
    """Let a card supply what a model leaves out, and where it has an engine, the engine."""
    engines = list(list_engines(definitions))
    parts: dict[str, list[Schema]] = {}
    for name in engines:
        model = definitions[name]
        model["required"] = ["engine"]
        for field, schema in model["properties"].items():
            if field != "engine" and schema not in (known := parts.setdefault(field, [])):
                known.append(schema)
    definitions["ModelOfCard"] = {
        "type": "object",
        "description": "Fields that win over those of the model that an agent card brings.",
        "properties": {field: _join(schemas) for field, schemas in parts.items()},
        "additionalProperties": False,
    }
    definitions["Model"] = {"anyOf": [_refer(name) for name in (*engines, "ModelOfCard")]}


def _join(schemas: Sequence[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _widen_run(definitions: dict[str, Schema]) -> None:
    """Let cards stand for agents, and models stand where they are used."""
    run, agent = definitions["RunSpec"], definitions["AgentSpec"]
    for models in run["properties"]["models"]["patternProperties"].values():
        models.clear()
        models |= _refer("Model")
    fields = agent["properties"]
    fields["model"] = {
        "description": "The name of an entry of `models`, or a model written out; with a card, "
        "fields that win over those of its model.",
        "anyOf": [
            {k: v for k, v in fields["model"].items() if k != "description"},
            _refer("Model"),
        ],
    }
    fields["card"] = {
        "description": "The name or the file of an agent card, over which the other fields win; "
        "a mapping is facts for readers, from which nothing is computed.",
        "anyOf": [_TEXT, {"type": "object"}],
    }
    del agent["required"]
    by_card = {"properties": {"card": _TEXT}, "required": ["card"]}
    agent["anyOf"] = [by_card, {"required": ["id", "model"]}]
    run["properties"]["agents"] |= {
        "items": {"anyOf": [_TEXT, _refer("AgentSpec")]},
        "minItems": 1,
    }
    run["required"].remove("topology")
    swept = {"properties": {"sweep": {"required": ["topology"]}}, "required": ["sweep"]}
    run["anyOf"] = [{"required": ["topology"]}, swept]


def _widen_sweep(definitions: dict[str, Schema]) -> None:
    """Let levels that name themselves stand alone or in a list."""
    written = {
        factor: _take_level(definitions["FactorLevels"]["properties"][factor]) for factor in FACTORS
    }
    for name in ("FactorLevels", "SweepSpec"):
        fields = definitions[name]["properties"]
        for factor, level in written.items():
            told = fields[factor]["description"]
            fields[factor] = {"description": told, **_make_levels(factor, level)}
    sweep = definitions["SweepSpec"]["properties"]
    listed = sweep["zip"]["items"]
    sweep["zip"]["items"] = {"anyOf": [listed["items"], listed]}
    # A level is named here as it was written above, and a team as the list of its agents.
    named = {"anyOf": [_SCALAR, _list_of({"anyOf": [_SCALAR, _list_of(_SCALAR)]})]}
    sweep["exclude"]["items"]["additionalProperties"] = named


def _take_level(field: Schema) -> Schema:
    (level,) = field["patternProperties"].values()
    return cast("Schema", level)


def _make_levels(factor: Factor, level: Schema) -> Schema:
    """Make the schema of a factor's levels: one, a list, or by name."""
    if factor == "team":
        agent = level["items"]
        team = {"anyOf": [agent, level]}
        return {"anyOf": [agent, _list_of(team), _names_to(team)]}
    alone = _TEXT if "$ref" in level else level
    return {"anyOf": [alone, _list_of(alone), _names_to(level)]}
