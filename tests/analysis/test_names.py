"""An estimate is asked for by its name, and counts are told in the number that they have."""

from __future__ import annotations

import polars as pl
import pytest

from debate.analysis import Analysis, analyze
from debate.analysis.registry import MEASURES
from debate.errors import InputError


def analysis(num_questions: int) -> Analysis:
    table = pl.DataFrame({"question": [f"q{n}" for n in range(num_questions)]})
    turns = pl.DataFrame({"agent": ["a", "a", "b", "b"], "round": [0, 1, 0, 1]})
    rows = table.join(turns, how="cross").with_columns(
        cell=pl.lit("main"), answer="agent", target=pl.lit("a"), confidence=pl.lit(0.75)
    )
    return analyze(rows, resamples=20)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("acuracy", "accuracy"), ("vote_acuracy", "vote_accuracy"), ("entrenchmnt", "entrenchment")],
)
def test_an_unknown_name_is_refused_with_what_may_have_been_meant(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=rf'"{name}".*did you mean "{meant}"'):
        analysis(3).frame(name)
    with pytest.raises(InputError, match=f'"{name}"'):
        analysis(3).frame("accuracy", name)


def test_a_known_name_that_was_not_computed_gives_an_empty_frame() -> None:
    found = analysis(3)
    there = {estimate.name for estimate in found.estimates}
    absent = sorted(set(MEASURES) - there)
    assert absent
    empty = found.frame(absent[0])
    assert empty.is_empty()
    assert empty.columns == found.frame().columns
    assert found.frame("accuracy").height == sum(e.name == "accuracy" for e in found.estimates)


@pytest.mark.parametrize(("num", "words"), [(1, "1 question only"), (3, "3 questions only")])
def test_one_question_is_not_told_in_the_plural(num: int, words: str) -> None:
    few = [sentence for sentence in analysis(num).caveats if " only, " in sentence]
    assert len(few) == 1
    assert words in few[0]


@pytest.mark.parametrize("num", [1, 2, 3])
def test_no_caveat_tells_one_thing_in_the_plural(num: int) -> None:
    for sentence in analysis(num).caveats:
        assert not sentence.startswith("1 turns")
        assert " 1 questions" not in f" {sentence}"
        assert " 1 trajectories" not in f" {sentence}"
