"""Who hears what: exactly the turns that the topology, the protocol and the round say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import by_ref, run, said, scripted

KEEP = {"log": {"prompts": True}}
THREE = [
    scripted("a", ["Answer: 1", "Answer: 11", "Answer: 111"]),
    scripted("b", ["Answer: 2", "Answer: 22", "Answer: 222"]),
    scripted("c", ["Answer: 3", "Answer: 33", "Answer: 333"]),
]


def test_in_a_ring_each_hears_the_one_before_it_from_the_round_before(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, topology="ring", rounds=2))
    assert turns["1:revision:b"].heard == ("0:opening:a",)
    assert turns["2:revision:b"].heard == ("1:revision:a",)
    assert turns["2:revision:a"].heard == ("1:revision:c",)


def test_unequal_latencies_do_not_mix_rounds(tmp_path: Path) -> None:
    agents = [
        scripted("a", ["Answer: 1", "Answer: 11", "Answer: 111"], latency_s=0.03),
        scripted("b", ["Answer: 2", "Answer: 22", "Answer: 222"]),
    ]
    turns = by_ref(run(tmp_path, agents, rounds=2))
    assert [turns[f"{t}:revision:b"].heard for t in (1, 2)] == [("0:opening:a",), ("1:revision:a",)]
    assert turns["2:revision:b"].value == "222"


def test_openings_hear_nobody(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, rounds=1))
    assert all(turns[f"0:opening:{agent}"].heard == () for agent in "abc")


def test_speaking_in_sequence_hears_earlier_turns_of_the_same_round(tmp_path: Path) -> None:
    protocol = {"speaking": "sequential"}
    turns = by_ref(run(tmp_path, THREE, rounds=1, protocol=protocol))
    assert turns["1:revision:a"].heard == ("0:opening:b", "0:opening:c")
    assert turns["1:revision:b"].heard == ("1:revision:a", "0:opening:c")
    assert turns["1:revision:c"].heard == ("1:revision:a", "1:revision:b")


def test_an_isolated_agent_says_nothing_more(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, topology="isolated", rounds=3))
    assert sorted(turns) == ["0:opening:a", "0:opening:b", "0:opening:c"]


def test_a_self_loop_hears_its_own_last_answer(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, topology="self_loop", rounds=2, **KEEP))
    assert turns["2:revision:a"].heard == ("1:revision:a",)
    assert "Your own previous answer" in said(turns["2:revision:a"])
    assert "Answer: 11" in said(turns["2:revision:a"])
    assert "Answer: 2" not in said(turns["2:revision:a"])


def test_a_critique_is_written_about_the_latest_turn_and_heard_by_its_author(
    tmp_path: Path,
) -> None:
    agents = [scripted("a", "Answer: 5\nVerdict: incorrect"), scripted("b", "Answer: 4")]
    turns = by_ref(run(tmp_path, agents, rounds=2, protocol="critique", **KEEP))
    critique = turns["2:critique:a:b"]
    assert critique.heard == ("1:revision:b",)
    assert critique.accepts is False
    assert turns["2:revision:b"].heard == ("2:critique:a:b",)
    assert "Verdict: incorrect" in said(turns["2:revision:b"])


def test_judges_read_every_debater_and_are_not_heard_without_feedback(tmp_path: Path) -> None:
    agents = [*THREE, scripted("j", "Answer: 9", role="judge")]
    found = run(tmp_path, agents, topology="judge_panel", rounds=1, decision="judge_majority")
    turns = by_ref(found)
    assert turns["0:judgment:j"].heard == ("0:opening:a", "0:opening:b", "0:opening:c")
    assert not any("judgment" in ref for turn in turns.values() for ref in turn.heard)
    assert found.verdicts().filter(final=True)["answer"].to_list() == ["9"]


def test_judges_are_heard_a_round_later_with_feedback(tmp_path: Path) -> None:
    agents = [*THREE, scripted("j", ["Answer: 7", "Answer: 8"], role="judge")]
    turns = by_ref(run(tmp_path, agents, topology="judge_panel_feedback", rounds=1))
    assert "0:judgment:j" in turns["1:revision:a"].heard
    assert set(turns["1:judgment:j"].heard) == {f"1:revision:{agent}" for agent in "abc"}


def test_a_slow_critic_is_not_waited_for_beyond_the_edges_timeout(tmp_path: Path) -> None:
    agents = [scripted("slow", "Answer: 1", latency_s=30), scripted("quick", "Answer: 2")]
    topology = {"edges": [{"edge": "slow -> quick", "timeout_s": 0.05}]}
    agents[0]["model"]["timeout_s"] = 0.4
    turns = by_ref(run(tmp_path, agents, topology=topology, rounds=1))
    assert "1:revision:quick" not in turns
    assert turns["0:opening:slow"].failure is not None


def test_a_late_critic_is_named_on_the_turn_that_went_on_without_it(tmp_path: Path) -> None:
    agents = [
        scripted("slow", "Answer: 1", latency_s=0.5),
        scripted("quick", "Answer: 2"),
        scripted("other", "Answer: 3"),
    ]
    topology = {"edges": [{"edge": "slow -> quick", "timeout_s": 0.05}, "other -> quick"]}
    turn = by_ref(run(tmp_path, agents, topology=topology, rounds=1))["1:revision:quick"]
    assert turn.heard == ("0:opening:other",)
    assert turn.late == ("slow",)


def test_an_edge_on_disagreement_is_silent_while_both_agree(tmp_path: Path) -> None:
    agents = [scripted("a", "Answer: 4"), scripted("b", "Answer: 4.0"), scripted("c", "Answer: 5")]
    topology = {"edges": [{"edge": "a, c -> b", "when": "disagreement"}]}
    turn = by_ref(run(tmp_path, agents, topology=topology, rounds=1))["1:revision:b"]
    assert turn.heard == ("0:opening:c",)


@pytest.mark.parametrize("anonymous", [True, False])
def test_speakers_are_named_only_if_the_protocol_says_so(anonymous: bool, tmp_path: Path) -> None:
    agents = [scripted("zebra", "Answer: 1"), scripted("yak", "Answer: 2")]
    protocol = {"anonymous": anonymous}
    turns = by_ref(run(tmp_path, agents, rounds=1, protocol=protocol, **KEEP))
    assert ("yak" in said(turns["1:revision:zebra"])) is not anonymous
    assert ("Agent " in said(turns["1:revision:zebra"])) is anonymous


def test_stated_confidence_is_asked_for_and_shown_only_if_the_protocol_says_so(
    tmp_path: Path,
) -> None:
    agents = [scripted("a", "Answer: 1\nConfidence: 35%"), scripted("b", "Answer: 2")]
    silent = by_ref(run(tmp_path, agents, rounds=1, name="x", **KEEP))["1:revision:b"]
    shown = by_ref(
        run(tmp_path, agents, rounds=1, name="y", protocol={"show_confidence": True}, **KEEP)
    )["1:revision:b"]
    assert "stated confidence" not in said(silent)
    assert "percent" not in said(silent)
    assert "(stated confidence: 35%)" in said(shown)


def test_the_topology_can_change_by_round(tmp_path: Path) -> None:
    topology = ["ring", {"edges": ["c -> a"]}]
    turns = by_ref(run(tmp_path, THREE, topology=topology, rounds=2))
    assert sorted(ref for ref in turns if ref.startswith("2:")) == ["2:revision:a"]
    assert turns["2:revision:a"].heard == ("1:revision:c",)


def test_repeating_hears_nothing_and_samples_anew(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, topology="isolated", rounds=2, protocol="repeat", **KEEP))
    assert turns["2:revision:a"].heard == ()
    assert turns["2:revision:a"].prompt == turns["0:opening:a"].prompt
    assert turns["2:revision:a"].value == "111"


def test_restating_shows_the_own_answer_with_no_speaker_named(tmp_path: Path) -> None:
    turns = by_ref(run(tmp_path, THREE, topology="self_loop", rounds=1, protocol="restate", **KEEP))
    turn = turns["1:revision:a"]
    assert turn.heard == ("0:opening:a",)
    assert turn.prompt is not None
    assert [message.role for message in turn.prompt] == ["user", "assistant", "user"]
    assert "Somebody answers" in said(turn)
    assert "own" not in turn.prompt[-1].content.replace("Answer: 1", "")
