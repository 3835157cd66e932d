"""The glossary defines the project's words once, and its lists are those of the code."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import get_args

import pytest

from debate.analysis.hypotheses import Finding
from debate.analysis.power import Conclusion
from debate.analysis.registry import MEASURES
from debate.analysis.schema import ESTIMATE_SCHEMA, OPTIONAL, OUTCOMES, REQUIRED
from debate.analysis.tables.influence import RELATIONS
from debate.config.arms import ARMS
from debate.config.protocol import ProbeName
from debate.log.frames import VERDICT_SCHEMA, make_turn_schema
from debate.types import Kind, Outcome

PAGE = (Path(__file__).parents[1] / "docs" / "glossary.md").read_text(encoding="utf-8")
TERM = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?: (.+?)(?=^- |^#|\Z)", re.MULTILINE | re.DOTALL)
TERMS = [(name, names or "", " ".join(told.split())) for name, names, told in TERM.findall(PAGE)]
WANTED = """
    question, target, cluster, agent, model, topology, edge, condition, round, opening, turn,
    answer, abstention, cut, failure, outcome, tie, verdict, rule, score, confidence,
    estimator, belief, log-odds, level, mass, probe, estimate, measure, quantity, interval,
    contrast, control, baseline, hypothesis, conclusion, finding, carried state, cohort, error
    mass, amplification, entrenchment, drift, flip, vote_0, vote_T, run, log, run directory
"""
OF_ANALYSIS = {"confidence_source", "score"}
"""Columns that a table may bring or the analysis adds, outside the schemas compared here."""
COLUMNS = {
    *make_turn_schema([]),
    *VERDICT_SCHEMA,
    *REQUIRED,
    *OPTIONAL,
    *ESTIMATE_SCHEMA,
    *OF_ANALYSIS,
    *Finding.__dataclass_fields__,
}


def listed(heading: str) -> set[str]:
    """The first column of the table under a heading."""
    section = re.search(rf"^### {heading}\n(.+?)(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/glossary.md has no heading “{heading}”"
    return set(re.findall(r"^\| `(.+?)` \|", section[1].split("|---|")[1], re.MULTILINE))


def test_every_word_wanted_is_defined_once() -> None:
    names = [name for name, _, _ in TERMS]
    assert len(names) == len(set(names)) == len(re.findall(r"^- ", PAGE, re.MULTILINE))
    assert {" ".join(word.split()) for word in WANTED.split(",")} <= set(names)


@pytest.mark.parametrize(("name", "told"), [(name, told) for name, _, told in TERMS])
def test_a_definition_is_short(name: str, told: str) -> None:
    assert told.endswith(".")
    assert len(told.split()) <= 50, f"{name}: {len(told.split())} words"


@pytest.mark.parametrize(("name", "names"), [(n, names) for n, names, _ in TERMS if names])
def test_a_name_in_parentheses_is_a_measure_or_a_column(name: str, names: str) -> None:
    unknown = set(re.findall(r"`(.+?)`", names)) - set(MEASURES) - COLUMNS
    assert not unknown, f"{name}: {unknown}"


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("The outcomes", OUTCOMES),
        ("The kinds of turn", get_args(Kind)),
        ("The conclusions", {*get_args(Conclusion), "not computed"}),
        ("Who was heard", RELATIONS),
        ("The arms", ARMS),
    ],
)
def test_a_list_of_values_is_that_of_the_code(heading: str, values: Collection[str]) -> None:
    assert listed(heading) == set(values)


def test_what_turns_and_probes_may_say_is_in_the_lists() -> None:
    assert set(get_args(Outcome)) == listed("The outcomes")
    assert set(get_args(ProbeName)) <= listed("The estimators")
