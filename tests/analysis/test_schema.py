"""What a table must be, and what is said where it is not."""

import polars as pl
import pytest

from debate.analysis.schema import trajectories_frame, verdicts_frame
from debate.errors import InputError

ROWS = {
    "question_id": ["q1", "q1", "q2"],
    "arm": ["self", "self", "self"],
    "agent": ["a", "a", "a"],
    "round": [0, 1, 0],
    "answer": ["4", None, "5"],
    "target": ["4", "4", "6"],
}


def table(**changes: object) -> pl.DataFrame:
    return pl.DataFrame(ROWS | changes)


def test_a_foreign_table_gets_its_outcomes_from_its_targets() -> None:
    frame = trajectories_frame(table())
    assert frame["outcome"].to_list() == ["correct", "abstained", "wrong"]
    assert frame["correct"].to_list() == [True, False, False]


def test_absent_columns_are_null_and_an_absent_model_is_the_agent() -> None:
    frame = trajectories_frame(table())
    assert frame["confidence"].null_count() == frame.height
    assert frame["heard"].null_count() == frame.height
    assert set(frame["model"]) == {"a"}
    assert set(frame["seed"]) == {0}


def test_nan_of_a_foreign_table_is_absent() -> None:
    frame = trajectories_frame(table(confidence=[float("nan"), 0.5, 0.5]))
    assert frame["confidence"].to_list() == [None, 0.5, 0.5]


def test_heard_may_be_text_parted_by_blanks() -> None:
    frame = trajectories_frame(table(heard=["", "0:opening:b 0:opening:c", ""]))
    assert frame["heard"].to_list() == [[], ["0:opening:b", "0:opening:c"], []]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"confidence": [0.5, 80.0, 0.5]}, "percentages must be divided by 100"),
        ({"confidence": [-0.1, 0.0, 0.5]}, r"confidence is -0.1; it must lie in \[0, 1\]"),
        ({"belief_own": [0.5, 1.5, 0.5]}, "belief_own is 1.5"),
        ({"round": [0, -1, 0]}, "round -1 is negative"),
        ({"round": [0, 0, 0]}, "has this row twice"),
        ({"outcome": ["correct", "rihgt", "wrong"]}, 'outcome "rihgt" is unknown'),
        ({"outcome": [None, None, None]}, "no question has a target"),
        ({"target": [None, None, None]}, 'give a column "outcome", "correct" or "target"'),
        ({"round": ["0", "one", "0"]}, "values of the wrong type"),
        ({"agent": ["a", None, "a"]}, 'column "agent" has empty values'),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        trajectories_frame(table(**changes))


def test_a_missing_column_is_named_with_what_is_there() -> None:
    with pytest.raises(InputError, match='column "answer" is missing; did you mean "anwser"'):
        trajectories_frame(table().rename({"answer": "anwser"}))


def test_a_question_without_a_target_is_left_out() -> None:
    assert trajectories_frame(table(target=["4", "4", None]))["question"].to_list() == ["q1", "q1"]


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        trajectories_frame(table().clear())


def test_verdicts_without_an_outcome_take_no_part() -> None:
    frame = pl.DataFrame(
        {
            "cell": ["c", "c"],
            "question": ["q1", "q2"],
            "seed": [0, 0],
            "round": [0, 0],
            "method": ["majority", "majority"],
            "value": ["4", None],
            "outcome": ["correct", None],
        }
    )
    assert verdicts_frame(frame)["question"].to_list() == ["q1"]
