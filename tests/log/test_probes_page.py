"""docs/probes.md names every probe, who can be asked it, and the columns that it fills."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from debate.agents.probes import PROBES
from debate.agents.prompt_sets import load_prompt_set
from debate.config.models import ENGINES
from debate.config.protocol import ProbeName
from debate.engines.registry import get_capabilities
from debate.log import Run
from debate.log.utilisation import read_utilisation
from tests.pages import find_code, read_page, read_rows, read_section
from tests.support import run, simulated

PAGE = read_page("probes.md")
ASKED = read_rows(read_section(PAGE, "Probes"), "probe")
LOGGED = read_rows(read_section(PAGE, "What is logged"), "probe")
SCORERS = {"belief", "belief_after", "p_true"}


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small debate in which every probe was asked."""
    agents = [simulated("a"), simulated("b")]
    return run(tmp_path_factory.mktemp("probed"), agents, rounds=1, probes=list(PROBES))


def test_every_probe_has_its_lines() -> None:
    assert set(get_args(ProbeName)) == set(PROBES) == set(ASKED) == set(LOGGED)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_asked_of_the_engines_that_its_line_names(name: str) -> None:
    told = ASKED[name]["engines"]
    if name not in SCORERS:
        assert told == "any"
        return
    made = {"url": "http://host/v1", "scores": True}
    models = {name: model.model_construct(engine=name, **made) for name, model in ENGINES.items()}
    assert find_code(told) == {n for n, model in models.items() if get_capabilities(model).scores}


@pytest.mark.parametrize("name", ["verbal", "p_true"])
def test_a_probe_needs_the_template_that_its_line_names(name: str) -> None:
    told = find_code(ASKED[name]["prompt set"])
    with_template = {
        each
        for each in ("chat", "chat_zero", "json", "compact")
        if load_prompt_set(each).has_template(name)
    }
    assert told == {f"{name}.j2", *with_template}


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_fills_the_columns_that_its_line_names(name: str, probed: Run) -> None:
    turns, rows = probed.turns(), probed.trajectories()
    asked = turns.filter((turns["kind"] == "probe") & (turns["about"] == name))
    assert asked.height == rows.height == 4
    for column in find_code(LOGGED[name]["column of `turns()`"]):
        assert asked[column].null_count() == 0, column
    columns = LOGGED[name]["columns of `trajectories()`, in the answer's row"]
    for column in find_code(columns):
        assert rows[column].null_count() == 0, column


def test_the_requests_of_a_probe_are_as_many_as_its_line_says(tmp_path: Path) -> None:
    for name, wanted in (("belief", 1), ("verbal", 1), ("p_true", 1), ("consistency", 5)):
        done = run(
            tmp_path, [simulated("a")], topology="isolated", rounds=0, probes=[name], name=name
        )
        assert _count_requests(done) == 1 + wanted, name


def _count_requests(done: Run) -> int:
    return int(read_utilisation(done.directory)["done"].sum())
