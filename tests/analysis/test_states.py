"""Every agent's state after every round."""

import polars as pl
import pytest

from debate.analysis.attribution import join_hearings, parse_ref
from debate.analysis.states import build_states, select_transitions
from debate.errors import InputError


def rows(*turns: tuple[object, ...]) -> pl.DataFrame:
    columns = ["question", "agent", "round", "answer", "confidence", "heard"]
    frame = pl.DataFrame(turns, schema=columns, orient="row", infer_schema_length=None)
    return frame.with_columns(cell=pl.lit("ring"), target=pl.lit("4"))


def test_a_debate_that_stopped_keeps_its_last_state() -> None:
    states = build_states(
        rows(
            ("q1", "a", 0, "4", 0.6, ""),
            ("q1", "a", 1, "5", 0.7, ""),
            ("q2", "a", 0, "4", 0.9, ""),
            ("q1", "a", 2, "5", 0.8, ""),
        )
    )
    kept = states.filter(pl.col("question") == "q2")
    assert kept["round"].to_list() == [0, 1, 2]
    assert kept["confidence"].to_list() == [0.9, 0.9, 0.9]
    assert kept["carried"].to_list() == [False, True, True]
    assert kept["generated_tokens"].to_list()[1:] == [0, 0]


def test_a_round_that_an_agent_skips_is_filled_with_the_state_before() -> None:
    states = build_states(rows(("q1", "a", 0, "4", 0.6, ""), ("q1", "a", 2, "5", 0.7, "")))
    assert states["answer"].to_list() == ["4", "4", "5"]


def test_carried_states_are_no_transitions() -> None:
    states = build_states(
        rows(("q1", "a", 0, "4", 0.6, ""), ("q1", "a", 1, "5", 0.7, ""), ("q2", "a", 0, "4", 1, ""))
    )
    assert select_transitions(states)["question"].to_list() == ["q1"]


def test_a_state_knows_the_one_before_and_the_opening() -> None:
    states = build_states(
        rows(
            ("q1", "a", 0, "4", 0.6, ""), ("q1", "a", 1, "5", 0.7, ""), ("q1", "a", 2, "6", 0.8, "")
        )
    )
    assert states["previous_answer"].to_list() == [None, "4", "5"]
    assert states["opening_answer"].to_list() == ["4", "4", "4"]


def test_an_agent_that_joins_later_has_no_opening() -> None:
    states = build_states(rows(("q1", "a", 0, "4", 0.6, ""), ("q1", "judge", 1, "4", 0.9, "")))
    judge = states.filter(pl.col("agent") == "judge")
    assert judge["opening_answer"].to_list() == [None]


def test_the_confidence_to_analyse_is_chosen_by_its_column() -> None:
    table = rows(("q1", "a", 0, "4", 0.6, "")).with_columns(confidence_p_true=pl.lit(0.3))
    assert build_states(table, confidence="confidence_p_true")["confidence"].to_list() == [0.3]
    with pytest.raises(InputError, match='did you mean "p_true"'):
        build_states(table, confidence="p_ture")


def test_a_hearing_carries_what_the_critic_held() -> None:
    states = build_states(
        rows(
            ("q1", "a", 0, "4", 0.6, ""),
            ("q1", "b", 0, "5", 0.9, ""),
            ("q1", "a", 1, "5", 0.7, "0:opening:b"),
            ("q1", "b", 1, "5", 0.9, "1:critique:a:b"),
        )
    ).with_columns()
    heard = join_hearings(states).sort("agent")
    assert heard["critic_answer"].to_list() == ["5", "4"]
    assert heard["kind"].to_list() == ["exchange", "critique"]
    assert heard["relation"].to_list() == ["other_model", "other_model"]


def test_a_critic_without_an_answer_of_its_own_is_known_by_name_only() -> None:
    states = build_states(
        rows(("q1", "a", 0, "4", 0.6, ""), ("q1", "a", 1, "4", 0.6, "1:critique:u:a"))
    )
    heard = join_hearings(states)
    assert heard["critic"].to_list() == ["u"]
    assert heard["critic_answer"].to_list() == [None]


@pytest.mark.parametrize("ref", ["b", "x:revision:b", "1:shout:b", "1:critique:a:b:c"])
def test_a_ref_that_names_no_turn_is_refused(ref: str) -> None:
    with pytest.raises(InputError, match="names no turn"):
        parse_ref(ref)
