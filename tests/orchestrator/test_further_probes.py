"""Probes asked after a run: how they are numbered, and which turns are such probes."""

from __future__ import annotations

from debate.orchestrator.probing import find_next_number, is_further_probe
from debate.types import Turn
from tests.log.builders import turn


def probe(about: str, *, agent: str = "a", round: int = 1) -> Turn:
    return turn(agent, round, kind="probe", about=about)


def test_the_next_number_of_a_turn_is_above_all_that_it_has() -> None:
    asked = turn("a", 1)
    recorded = [probe("belief/1"), probe("belief/3"), probe("belief"), probe("verbal")]
    assert find_next_number(asked, recorded) == 4
    assert find_next_number(asked, []) == 1


def test_numbers_of_other_agents_and_rounds_do_not_count() -> None:
    others = [probe("belief/7", agent="b"), probe("belief/8", round=2)]
    assert find_next_number(turn("a", 1), others) == 1


def test_only_a_probe_with_a_number_is_a_further_one() -> None:
    assert is_further_probe(probe("belief/1"))
    assert not is_further_probe(probe("belief"))
    assert not is_further_probe(turn("a", 1, kind="critique", about="belief/1"))
