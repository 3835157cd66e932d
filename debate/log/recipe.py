"""What to write so that a refused change of a run stands beside what has run, as YAML lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from debate.config.agents import AgentSpec
from debate.config.arms import SOLO_ARMS
from debate.config.models import ENGINES
from debate.config.protocol import DecisionSpec, ProtocolSpec
from debate.config.references import list_shipped
from debate.config.registry import RECORDED
from debate.config.topology import TopologySpec

_PARTS = ("cells", "agents", "models")
_SPECS: Mapping[str, type[BaseModel]] = {
    "topology": TopologySpec,
    "protocol": ProtocolSpec,
    "decision": DecisionSpec,
}


def write_recipe(
    changed: Collection[Sequence[str]],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    recorded: Mapping[str, Any],
) -> str:
    """Return the models, agents and cells to add, and the cells to keep, all fields of each.

    changed: the paths of what differs between two canonical configurations. recorded: the old
    one's cells as the log has them. Empty where no further cell can hold the change: an agent or a
    cell is gone, or it belongs to all cells, or a cell is made by a sweep or by an arm that seats
    others.
    """
    if not recorded or any(path[0] not in _PARTS or _is_gone(path) for path in changed):
        return ""
    named = {part: {path[1] for path in changed if path[0] == part} for part in _PARTS}
    left = sorted(named["models"] - new["models"].keys())  # another name, or none needs it now
    changed_models = sorted(named["models"].difference(left))
    models = _name_anew(changed_models, {**old["models"], **new["models"]}, joint="_")
    seats = [
        name
        for name, agent in new["agents"].items()
        if name in old["agents"] and (name in named["agents"] or agent["model"] in models)
    ]
    agents = _name_anew(seats, new["agents"], joint="_")  # b-2 is a copy of b
    cells = [
        name
        for name, cell in old["cells"].items()
        if name in named["cells"] or not agents.keys().isdisjoint(cell["agents"])
    ]
    if not cells or any(_is_made(recorded.get(name) or {}) for name in cells):
        return ""
    used = {new["agents"][name]["model"] for name in agents}
    further = {m: m for m in sorted(used - old["models"].keys())} | models
    lines = ["  models:"] if left or further else []
    lines += [f"    {m}: {_write(_shorten_model(old['models'][m]))}    # as it was" for m in left]
    lines += [f"    {to}: {_write(_shorten_model(new['models'][m]))}" for m, to in further.items()]
    lines += ["  agents:"] if agents else []
    for name, to in agents.items():
        model = new["agents"][name]["model"]
        agent = {**new["agents"][name], "id": to, "model": models.get(model, model)}
        lines.append(f"    - {_write({'id': to} | _shorten(AgentSpec, agent))}")
    return "\n".join([*lines, "  cells:", *_write_cells(cells, old, new, agents)]) + "\n"


def _is_gone(path: Sequence[str]) -> bool:
    """Whether a whole part is gone that is no model: a model may have another name now."""
    return len(path) < 3 and path[0] != "models"


def _write_cells(
    cells: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any], agents: Mapping[str, str]
) -> Iterator[str]:
    """Yield the cells as they were, then with what changed, each with all of its fields."""
    for name in cells:
        yield f"    {name}: {_write(_shorten_cell(old['cells'][name]))}    # as it was"
    for name, to in _name_anew(cells, new["cells"]).items():
        cell = new["cells"][name]
        members = [agents.get(each, each) for each in cell["agents"]]
        yield f"    {to}: {_write(_shorten_cell({**cell, 'agents': members}))}"


def _is_made(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is a sweep's, or has seats that its arm adds."""
    return bool(cell.get("factors")) or cell.get("arm") not in (None, *SOLO_ARMS)


def _name_anew(
    names: Collection[str], taken: Collection[str], *, joint: str = "-"
) -> dict[str, str]:
    """Return a further name for each, which nothing has yet.

    >>> _name_anew(["a"], ["a", "a-2"])
    {'a': 'a-3'}
    """
    found: dict[str, str] = {}
    for name in names:
        number = 2
        while f"{name}{joint}{number}" in taken:
            number += 1
        found[name] = f"{name}{joint}{number}"
    return found


def _shorten_cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete cell as a person writes it: by names, and without defaults."""
    fields = {key: value for key, value in cell.items() if value is not None}
    return {key: _shorten_part(key, value) for key, value in fields.items()}


def _shorten_part(key: str, value: Any) -> Any:
    if key not in _SPECS or not isinstance(value, Mapping):
        return value
    short = _shorten(_SPECS[key], value)
    if key == "topology":
        return _find_topology(value) or short
    if set(short) <= {"name"}:
        return value["name"]
    return {"name": value["name"], **short}


def _find_topology(value: Mapping[str, Any]) -> str | None:
    """Return the name of the shipped topology that this is; None where it is none."""
    for name, path in list_shipped("topologies").items():
        with suppress(ValidationError):
            spec = TopologySpec.model_validate(yaml.safe_load(path.read_text("utf-8")))
            if spec.model_dump(mode="json") == value:
                return name
    return None


def _shorten_model(value: Mapping[str, Any]) -> dict[str, Any]:
    spec = ENGINES.get(str(value.get("engine")))
    short = _shorten(spec, value) if spec else dict(value)
    return {"engine": value.get("engine"), **short}


def _shorten(spec: type[BaseModel], value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from the defaults, or all of it where it cannot be read."""
    try:
        read = spec.model_validate(dict(value), context=RECORDED)
    except ValidationError:
        return dict(value)
    return read.model_dump(mode="json", exclude_defaults=True)


def _write(value: Any) -> str:
    """Write YAML on one line."""
    dumped: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6
    )
    return dumped.strip()
