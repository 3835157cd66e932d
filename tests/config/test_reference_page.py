"""The reference page of the configuration is what the specs say, and tells every field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from debate.config.agents import AgentFields
from debate.config.models import DriverModel, LocalWeights
from debate.config.reference import SECTIONS, write_reference
from debate.config.spec import NamedSpec, Spec
from debate.config.task import FileTask, TaskBase

PAGE = Path(__file__).parents[2] / "docs" / "config.md"
BASES = {NamedSpec, AgentFields, LocalWeights, DriverModel, TaskBase, FileTask}
"""Specs that only stand behind others, whose fields those have."""


def _list_specs(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for spec in base.__subclasses__():
        yield spec
        yield from _list_specs(spec)


OF_CONFIG = {spec for spec in _list_specs(Spec) if spec.__module__.startswith("debate.config.")}
SPECS = sorted(OF_CONFIG - BASES, key=lambda spec: spec.__name__)


def _read_section(title: str) -> str:
    found = re.search(rf"^##+ {re.escape(title)}\n(.+?)(?=^#|\Z)", PAGE.read_text(), re.M | re.S)
    assert found is not None, f"docs/config.md has no heading “{title}”"
    return found[1]


def test_the_page_is_what_the_specs_write() -> None:
    told = "write it anew: python -m debate.config.reference > docs/config.md"
    assert PAGE.read_text(encoding="utf-8").splitlines() == write_reference().splitlines(), told


def test_every_spec_has_a_section_of_its_own() -> None:
    titled = [section.spec for section in SECTIONS]
    assert len(titled) == len(set(titled))
    assert set(titled) == {spec.__name__ for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_every_field_has_its_line(spec: type[BaseModel]) -> None:
    (section,) = [each for each in SECTIONS if each.spec == spec.__name__]
    parent = next((each for each in SECTIONS if each.spec == section.base), section)
    both = _read_section(section.title) + _read_section(parent.title)
    untold = [name for name in spec.model_fields if f"| `{name}` |" not in both]
    assert not untold


@pytest.mark.parametrize(
    "spec", [*SPECS, *sorted(BASES, key=lambda spec: spec.__name__)], ids=lambda spec: spec.__name__
)
def test_every_field_has_a_docstring(spec: type[BaseModel]) -> None:
    assert spec.__doc__
    bare = [name for name, field in spec.model_fields.items() if not field.description]
    assert not bare


def test_every_link_leads_to_a_heading() -> None:
    page = PAGE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", page, re.M)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in headings}
    assert set(re.findall(r"\]\(#(.+?)\)", page)) <= anchors


def test_the_engines_are_told_apart() -> None:
    vllm, endpoint = _read_section("engine: vllm"), _read_section("engine: openai")
    assert "`adapter`" in vllm
    assert "`adapter`" not in endpoint
    assert "`url`" in endpoint
