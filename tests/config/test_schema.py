"""The printed JSON Schemas take what the loader takes, and refuse misspelt keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from debate.config.loader import load_run
from debate.config.schema import SHORTHANDS, SPECS, SchemaKind, make_schema
from debate.config.spec import NamedSpec
from tests.config.broken import BROKEN, Broken
from tests.processes import invoke

ROOT = Path(__file__).parents[2]
FILES: dict[SchemaKind, list[str]] = {
    "run": ["configs/*.yaml", "examples/*.yaml"],
    "topology": ["topologies/*.yaml"],
    "agent": ["agents/*.yaml", "agents/gallery/*.yaml"],
}
SHIPPED = [
    pytest.param(kind, path, id=str(path.relative_to(ROOT)))
    for kind, patterns in FILES.items()
    for pattern in patterns
    for path in sorted(ROOT.glob(pattern))
]
SHORT = """
agents: [a, adder, {card: adder, id: second, count: 2}]
---
agents: [{card: adder, model: {max_in_flight: 3}}]
models: {adder: {timeout_s: 5}}
---
topology: [ring, {edges: [adder -> twin, {edge: twin -> adder, when: disagreement}]}]
---
topology: {rounds: [ring, star], cycle: true}
---
topology: {edges: ["each debaters <-> partner"]}
---
topology: FOLDER/mine.yaml
agents: [FOLDER/card.yaml, twin]
---
protocol: critique
decision: unanimity
probes: [belief, {name: consistency, samples: 3}]
cluster: {slots: 1}
---
sweep: {arm: peer, rounds: [1, 2], anonymous: [true, false], decision: [majority, unanimity]}
---
sweep:
  team: [[adder, twin], [adder, multiplier]]
  topology: {one: ring, two: [ring, star], three: {edges: [adder -> twin], uncritiqued: allow}}
  zip: [team, rounds]
  rounds: {short: 1, long: 2}
  exclude: [{topology: [one, two], rounds: short}]
---
sweep:
  topology: [ring, star]
  protocol: {plain: exchange, named: {name: critique, anonymous: false}}
  exclude: [{topology: star, protocol: [plain]}]
  include: [{team: [adder, twin], rounds: 1}]
"""
"""Changes to a run of two cards, each of which writes something in short."""
TOLD = ("misspelt", "unknown engine", "unknown decision", "unknown probe", "unknown arm")
MISSPELT = [broken for broken in BROKEN if any(word in broken.what for word in TOLD)]
CHANGES = list(yaml.safe_load_all(SHORT))
BASE = """
name: short
agents: [adder, twin, multiplier]
topology: complete
task: {generator: arithmetic, n: 2}
"""


def _find_errors(kind: SchemaKind, value: Any) -> list[str]:
    found = Draft202012Validator(make_schema(kind)).iter_errors(value)
    return [f"{error.json_path}: {error.message}" for error in found]


def _change(change: dict[str, Any], folder: Path) -> dict[str, Any]:
    (folder / "mine.yaml").write_text("[ring, {edges: [], uncritiqued: allow}]")
    (folder / "card.yaml").write_text("model: {engine: simulated}")
    written = yaml.safe_dump({**yaml.safe_load(BASE), **change}, sort_keys=False)
    changed = yaml.safe_load(written.replace("FOLDER", str(folder)))
    changed["agents"] = [
        {"id": "a", "model": {"engine": "simulated"}} if each == "a" else each
        for each in changed["agents"]
    ]
    assert isinstance(changed, dict)
    return changed


@pytest.mark.parametrize("kind", SPECS)
def test_a_schema_is_one_of_draft_2020_12(kind: SchemaKind) -> None:
    schema = make_schema(kind)
    assert schema["$schema"].endswith("2020-12/schema")
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("kind", "path"), SHIPPED)
def test_every_shipped_file_is_accepted(kind: SchemaKind, path: Path) -> None:
    assert not _find_errors(kind, yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: "+".join(change))
def test_what_the_loader_takes_in_short_is_accepted(change: Any, tmp_path: Path) -> None:
    written = _change(change, tmp_path)
    load_run(written)
    assert not _find_errors("run", written)


def test_the_run_that_the_readme_shows_is_accepted() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(
        r"```yaml\n(# yaml-language-server: \$schema=\S+\n.+?)```", readme, re.DOTALL
    )
    assert len(shown) == 1
    assert not _find_errors("run", yaml.safe_load(shown[0]))


def test_a_topology_file_may_be_a_list_by_round() -> None:
    assert not _find_errors("topology", ["ring", {"edges": ["a -> b"]}])


@pytest.mark.parametrize("path", ["agents", "task", "sweep", "models"])
def test_a_misspelt_key_is_refused_at_any_depth(path: str) -> None:
    parts = {
        "agents": [{"card": "adder", "smapling": {}}],
        "task": {"generator": "arithmetic", "n": 2, "familes": ["add"]},
        "sweep": {"topolgy": ["ring"]},
        "models": {"gpt": {"engine": "openai", "model": "m", "url": "u", "modle": "m"}},
    }
    written = yaml.safe_load(BASE)
    assert not _find_errors("run", written)
    assert _find_errors("run", {**written, path: parts[path]})
    assert _find_errors("run", {**written, f"{path}s": []})


@pytest.mark.parametrize("broken", MISSPELT, ids=lambda broken: broken.what)
def test_what_the_loader_calls_misspelt_is_refused(broken: Broken) -> None:
    assert _find_errors("run", yaml.safe_load(broken.text))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("topology", {"edgse": ["a -> b"]}),
        ("topology", {"description": "nobody said who critiques whom"}),
        ("agent", {"model": {"engine": "vllm", "model": "m", "url": "u"}}),
        ("agent", {"model": {"model": "m"}}),
        ("agent", {"modle": {"engine": "calculator"}}),
    ],
)
def test_a_wrong_topology_or_card_is_refused(kind: SchemaKind, value: Any) -> None:
    assert _find_errors(kind, value)


def test_every_spec_that_takes_a_bare_name_does_so_in_the_schema() -> None:
    named = {each.__name__ for each in NamedSpec.__subclasses__()}
    assert named == {name for name, field in SHORTHANDS.items() if field == "name"}


def test_the_command_prints_the_schema_and_names_the_kinds() -> None:
    done = invoke("schema", "agent")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == make_schema("agent")
    refused = invoke("schema", "agnet")
    assert refused.returncode == 2
    assert 'did you mean "agent"' in refused.stderr
