"""docs/decisions.md names every rule, what it computes and what it needs, as the code has them."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from debate.config.protocol import DecisionName, DecisionSpec, get_requirements
from debate.orchestrator.belief_rules import RANKINGS
from debate.orchestrator.decisions import RULES, TIES
from tests.pages import find_code, read_page, read_rows

PAGE = read_page("decisions.md")
ROWS = read_rows(PAGE, "rule")


def test_every_rule_has_its_line() -> None:
    assert set(ROWS) == set(get_args(DecisionName)) == set(RULES)


def test_every_count_of_rankings_and_every_tie_rule_has_its_line() -> None:
    assert set(read_rows(PAGE, "`rule` of `ranked`")) == set(RANKINGS)
    assert set(read_rows(PAGE, "`ties`")) == set(TIES)


@pytest.mark.parametrize("name", get_args(DecisionName))
def test_a_rule_needs_what_its_line_says(name: DecisionName) -> None:
    told = ROWS[name]["needs"]
    assert set(filter("–".__ne__, told.split(", "))) == get_requirements(DecisionSpec(name=name))


@pytest.mark.parametrize("name", sorted(set(RULES) - {"ranked", "last_speaker"}))
def test_the_formula_of_the_code_stands_in_the_rules_line(name: str) -> None:
    said = " ".join((RULES[name].__doc__ or "").split())
    formula = re.search(r"\w\(a\) [=∝] .+?(?=\.| \(\w+ [&\d])", said)
    assert formula is not None
    if name not in ("super_majority", "unanimity"):  # their votes are those of majority
        assert formula[0] in ROWS[name]["what it computes; the largest wins"]


def test_every_field_of_a_decision_is_told() -> None:
    fields = set(DecisionSpec.model_fields) - {"name"}
    told = " ".join(find_code(PAGE)) + " ".join(read_rows(PAGE, "`ties`"))
    assert not [name for name in fields if name not in told]
