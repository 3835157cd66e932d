"""What edges carry: one test for each view, and none lets the answer through that it keeps back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from debate.agents.edge_views import narrow_turn
from debate.agents.views import get_heard_text
from debate.config.protocol import ViewSpec
from debate.log import Run
from debate.runner.verify_run import verify_run
from debate.tasks.answer_format import CHAT
from debate.types import Answer, Question, ToolCall, ToolStep, Turn
from tests.pages import read_page
from tests.processes import invoke
from tests.support import by_ref, run, said, scripted, simulated, turns_of

REPLIES = {
    "a": "I take 60 and add 1, which is 61.\nAnswer: 61\nConfidence: 11%",
    "b": "I take 70 and add 2, which is 72.\nAnswer: 72\nConfidence: 22%",
    "c": "I take 80 and add 3, which is 83.\nAnswer: 83\nConfidence: 33%",
    "d": "I take 90 and add 4, which is 94.\nAnswer: 94\nConfidence: 44%",
}
ANSWERS = {"a": "61", "b": "72", "c": "83", "d": "94"}
AGENTS = [scripted(name, [reply, reply]) for name, reply in REPLIES.items()]
CRITICS = [
    scripted("a", "Answer: 61"),
    scripted("k", "It should be 72.\nAnswer: 72\nVerdict: incorrect", role="critic"),
]


def carry(folder: Path, *carries: str, agents: Any = AGENTS, **fields: Any) -> Run:
    topology = {"generator": "complete_graph", "args": {"n": "$n"}}
    protocol = {"name": "exchange", "show_confidence": True, **fields.pop("protocol", {})}
    return run(
        folder,
        agents,
        topology=fields.pop("topology", None) or {**topology, "defaults": {"carries": carries}},
        protocol=protocol,
        rounds=fields.pop("rounds", 1),
        log={"prompts": True},
        **fields,
    )


def criticise(folder: Path, *carries: str) -> dict[str, Turn]:
    topology = {"edges": [{"edge": "k -> a", "carries": list(carries)}]}
    return by_ref(carry(folder, agents=CRITICS, topology=topology, protocol={"name": "critique"}))


def read_heard(turn: Turn) -> str:
    """What the last message of a turn's prompt says."""
    assert turn.prompt is not None
    return turn.prompt[-1].content


def test_an_answer_alone(tmp_path: Path) -> None:
    turn = by_ref(carry(tmp_path, "answer"))["1:revision:a"]
    assert "Answer: 72" in read_heard(turn)
    assert "70" not in read_heard(turn)
    assert "22%" not in read_heard(turn)
    assert turn.heard_as == ()


def test_a_rationale_states_no_answer_and_no_confidence(tmp_path: Path) -> None:
    turn = by_ref(carry(tmp_path, "rationale"))["1:revision:a"]
    assert "I take 70 and add 2, which is 72.\nAnswer: [answer]" in read_heard(turn)
    assert "22%" not in read_heard(turn)
    assert [each.hides_answer for each in turn.heard_as] == [True] * 3


def test_a_masked_reasoning_lets_no_answer_through(tmp_path: Path) -> None:
    turns = by_ref(carry(tmp_path, "masked_reasoning"))
    for author in REPLIES:
        heard = read_heard(turns[f"1:revision:{author}"])
        assert not [own for who, own in ANSWERS.items() if who != author and own in heard]
    assert "I take 70 and add 2, which is [answer]." in read_heard(turns["1:revision:a"])


def test_a_confidence_alone(tmp_path: Path) -> None:
    heard = read_heard(by_ref(carry(tmp_path, "confidence"))["1:revision:a"])
    assert "(nothing but a confidence)" in heard
    assert "(stated confidence: 22%)" in heard
    assert "72" not in heard
    assert "70" not in heard


def test_shuffled_confidences_are_those_of_the_speakers_in_an_order_drawn_by_seed(
    tmp_path: Path,
) -> None:
    fields = {"num_questions": 12, "seeds": [0, 1]}
    found = carry(tmp_path, "reasoning", "shuffled_confidence", **fields)
    orders = set()
    for number in range(fields["num_questions"]):
        for turn in turns_of(found, f"q{number}"):
            if turn.ref == "1:revision:a":
                shown = [each.confidence for each in turn.heard_as]
                assert sorted(filter(None, shown)) == [0.22, 0.33, 0.44]
                orders.add(tuple(shown))
                assert "Confidence: [percent]" in read_heard(turn)
                places = [
                    read_heard(turn).index(f"(stated confidence: {100 * (c or 0):.0f}%)")
                    for c in shown
                ]
                assert places == sorted(places)
    assert len(orders) > 3
    again = carry(tmp_path, "reasoning", "shuffled_confidence", name="again", **fields)
    assert [turn.heard_as for turn in turns_of(again, "q3")] == [
        turn.heard_as for turn in turns_of(found, "q3")
    ]
    assert verify_run(found.directory).problems == ()


def test_a_confidence_that_has_nobody_to_change_with_is_kept_back(tmp_path: Path) -> None:
    agents = [*AGENTS[:2], scripted("c", "Answer: 83")]
    turn = by_ref(carry(tmp_path, "answer", "shuffled_confidence", agents=agents))["1:revision:a"]
    assert "stated confidence" not in read_heard(turn)
    assert {each.confidence for each in turn.heard_as} == {None}


@pytest.mark.parametrize(
    ("carries", "shown", "hidden"),
    [
        ("answer", "Answer: 72\nVerdict: incorrect", "It should be"),
        ("rationale", "It should be 72.\nAnswer: [answer]\nVerdict: [verdict]", "incorrect"),
        ("masked_reasoning", "It should be [answer].\nAnswer: [answer]", "72"),
        ("critique", "It should be 72.\nAnswer: 72\nVerdict: incorrect", "[answer]"),
    ],
)
def test_a_critic_reads_all_and_is_heard_as_its_edge_says(
    tmp_path: Path, carries: str, shown: str, hidden: str
) -> None:
    turns = criticise(tmp_path, carries)
    assert "Answer: 61" in said(turns["1:critique:k:a"])
    assert shown in read_heard(turns["1:revision:a"])
    assert hidden not in read_heard(turns["1:revision:a"])


def test_a_masked_critique_does_not_hold_what_its_critic_answered_itself(tmp_path: Path) -> None:
    agents = [
        scripted("a", "Answer: 61"),
        scripted("b", ["Answer: 72", "I found 72, not 61.\nVerdict: incorrect", "Answer: 72"]),
    ]
    topology = {
        "edges": [{"edge": "b -> a", "carries": ["masked_reasoning"]}],
        "uncritiqued": "allow",
    }
    protocol = {"name": "critique"}
    turns = by_ref(carry(tmp_path, agents=agents, topology=topology, protocol=protocol))
    assert turns["1:critique:b:a"].value is None
    assert "I found [answer], not 61." in read_heard(turns["1:revision:a"])


@pytest.mark.parametrize(
    ("protocol", "carries", "is_heard"),
    [
        ("exchange", "answer", True),
        ("exchange", "reasoning", True),
        ("exchange", "rationale", False),
        ("exchange", "masked_reasoning", False),
        ("exchange", "confidence", False),
        ("critique", "critique", True),
        ("critique", "answer", True),
        ("critique", "rationale", False),
        ("critique", "masked_reasoning", False),
    ],
)
def test_simulated_agents_are_moved_by_an_answer_only_where_it_is_carried(
    tmp_path: Path, protocol: str, carries: str, is_heard: bool
) -> None:
    beliefs = []
    for conformity in (0.0, 1e3):
        agents = [simulated(each, competence=0.5, conformity=conformity) for each in "abc"]
        found = carry(
            tmp_path,
            carries,
            agents=agents,
            protocol={"name": protocol},
            num_questions=4,
            rounds=2,
            name=f"c{conformity:g}",
            probes=["belief"],
        )
        turns = [turn for number in range(4) for turn in turns_of(found, f"q{number}")]
        beliefs.append([turn.belief for turn in turns if turn.kind == "probe"])
    assert (beliefs[0] != beliefs[1]) == is_heard


def test_the_arms_of_the_page_are_valid_and_validate_names_what_edges_carry(
    tmp_path: Path,
) -> None:
    (arms,) = re.findall(r"```yaml\n(.+?)```", read_page("edges.md"), re.DOTALL)
    path = tmp_path / "carries.yaml"
    path.write_text(arms)
    told = " ".join(invoke("validate", str(path)).stdout.split())
    for arm, carried in {
        "answer": "answer",
        "masked": "masked_reasoning",
        "shuffled": "answer + shuffled_confidence",
    }.items():
        said = f"arm {arm}: exchange, simultaneous, 2 rounds, majority; 5 agents, 20 edges"
        assert f"{said}; carries {carried}" in told


def test_a_debate_that_is_shown_says_how_each_turn_was_heard(tmp_path: Path) -> None:
    found = carry(tmp_path, "answer", "shuffled_confidence")
    told = " ".join(invoke("show", str(found.directory), "q0").stdout.split())
    (turn,) = [turn for turn in turns_of(found, "q0") if turn.ref == "1:revision:a"]
    donor = (turn.heard_as[0].confidence_of or "").split(":")[-1]
    assert f"(as answer + shuffled_confidence, confidence 0.{11 * 'abcd'.index(donor) + 11}" in told


def test_neither_tools_nor_reasoning_nor_a_final_line_let_an_answer_through() -> None:
    call = ToolCall(tool="python", source="print(18)", output="18", outcome="done")
    turn = Turn(
        **{"cell": "c", "question": "q", "seed": 0, "round": 0, "kind": "opening"},
        **{"agent": "a", "model": "m", "text": "So 18.", "reasoning": "First 18."},
        answer=Answer(value="18"),
        final_line="Answer: 18",
        tool_steps=(ToolStep(said="I ask: 18", calls=(call,), told="It is 18."),),
    )
    narrowed = narrow_turn(
        turn,
        ("masked_reasoning",),
        question=Question(id="q", text="9 + 9", kind="number"),
        format=CHAT,
        view=ViewSpec(hear_reasoning=True),
        donor=None,
        answers=["18"],
    )
    heard = get_heard_text(narrowed, ViewSpec(hear_reasoning=True))
    assert "18" not in heard
    assert "First [answer]." in heard
    assert narrowed.answer is None
