"""`debate show` makes one debate readable: turns, who was heard, what was read, and verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from debate.errors import InputError
from debate.log import Run
from debate.runner.show_debate import describe_debate, find_question, read_debate
from tests.processes import invoke
from tests.support import run, scripted, simulated

STEER = "\x1b[2J\x1b]0;title\x07Answer: 5"
"""A reply that clears the screen and renames the window."""


@pytest.fixture(scope="module")
def debated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two arms of twelve questions: one agent answers, the other does once."""
    agents = [
        scripted("author", ["Answer: 5", "I agree.\nAll is said."]),
        scripted("peer", {"q3": "Answer: 4", "*": "Answer: 4\nIn a line that is long. " * 9}),
    ]
    return run(
        tmp_path_factory.mktemp("shown"),
        agents,
        topology={"edges": ["peer -> author"]},
        num_questions=12,
        rounds=1,
        probes=["verbal"],
        sweep={"arm": ["self", "peer"]},
        log={"prompts": True},
    )


def _show(run: Run, question: str, **options: object) -> str:
    return "\n".join(describe_debate(read_debate(run, question, **options)))  # type: ignore[arg-type]


def test_a_debate_is_told_in_order_with_what_was_heard_and_read(debated: Run) -> None:
    told = _show(debated, "q3", cell="peer")
    parts = (
        "question q3 · arm peer · seed 0",
        "What is 3?",
        "target: 4",
        "round 0",
        "author: opening · answer 5 (wrong)",
        "probe verbal: not read",
        "peer: opening · answer 4 (right)",
        "majority: tied between 4 and 5",
        "round 1",
        "author: revision · abstained",
        "heard: peer (opening, round 0)",
        "│ I agree.",
        "│ All is said.",
        "majority: 4 (right) · tally 4: 1",
        "also debated in: self seed 0",
    )
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


def test_nothing_that_a_model_said_steers_the_terminal(debated: Run) -> None:
    shown = read_debate(debated, "q3")
    steering = replace(
        shown,
        question=replace(shown.question, text=STEER),
        turns=tuple(replace(turn, text=STEER) for turn in shown.turns),
    )
    told = "\n".join(describe_debate(steering))
    assert "Answer: 5" in told
    assert "\x1b" not in told
    assert "\x07" not in told


def test_texts_are_wrapped_and_never_cut(debated: Run) -> None:
    lines = list(describe_debate(read_debate(debated, "q5", cell="peer"), width=60))
    assert max(map(len, lines)) <= 80
    said = " ".join(line.partition("│ ")[2] for line in lines if "│ " in line)
    assert said.count("In a line that is long.") == 9


def test_a_question_is_an_id_the_beginning_of_one_or_a_number(debated: Run) -> None:
    assert find_question(debated, "q11").id == "q11"
    assert find_question(debated, "q1").id == "q1"
    assert find_question(debated, "12").id == "q11"
    assert find_question(debated, "1").id == "q0"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("q", r'"q" is the beginning of 12 ids: "q0", "q1"'),
        ("q12", r'did you mean "q.*or a number from 1 to 12\?'),
        ("13", "a number from 1 to 12"),
        ("0", "a number from 1 to 12"),
        ("", "is unknown"),
    ],
)
def test_what_names_no_question_is_told_with_ids_that_are_near(
    asked: str, told: str, debated: Run
) -> None:
    with pytest.raises(InputError, match=told):
        find_question(debated, asked)


def test_arms_and_seeds_that_are_not_there_are_told_with_those_that_are(debated: Run) -> None:
    with pytest.raises(InputError, match='did you mean "peer"'):
        read_debate(debated, "q3", cell="per")
    with pytest.raises(InputError, match="known: 0"):
        read_debate(debated, "q3", seed=7)


def test_prompts_are_shown_where_they_were_kept(debated: Run, tmp_path: Path) -> None:
    def tell(shown: Run) -> str:
        return "\n".join(describe_debate(read_debate(shown, "q0"), prompts=True))

    assert "user > " in tell(debated)
    bare = run(tmp_path, [scripted("a", "Answer: 4")], topology="isolated", rounds=0)
    assert "the run kept no prompts" in tell(bare)
    assert "user > " not in tell(bare)


def test_failures_beliefs_and_further_seeds_are_shown(tmp_path: Path) -> None:
    agents = [simulated("a"), simulated("b", failure=1.0)]
    done = run(tmp_path, agents, rounds=0, probes=["belief"], seeds=[3, 5])
    told = _show(done, "q0")
    assert "b: opening · failed: simulated: simulated failure" in told
    assert "probe belief: 0." in told
    assert "log p " in told
    assert "main seed 5" in told
    assert "seed 5" in _show(done, "q0", seed=5).split("\n")[0]


def test_the_command_prints_text_or_json_and_refuses_with_exit_code_2(debated: Run) -> None:
    directory = str(debated.directory)
    assert "author: revision" in invoke("show", directory, "4").stdout
    found = json.loads(invoke("show", directory, "4", "--cell", "peer", "--json").stdout)
    assert found["question"]["target"] == "4"
    assert [turn["outcome"] for turn in found["turns"] if turn["kind"] != "probe"] == [
        "wrong",
        "correct",
        "abstained",
    ]
    assert [verdict["outcome"] for verdict in found["verdicts"]] == ["tied", "correct"]
    done = invoke("show", directory, "q")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_without_a_question_those_that_can_be_shown_are_listed(debated: Run) -> None:
    directory = str(debated.directory)
    shown = invoke("show", directory)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("12 questions have been debated")
    assert lines[1].split() == ["1", "q0", "What", "is", "0?"]
    assert lines[-1] == f"debate show {directory} 1"
    listed = json.loads(invoke("show", directory, "--json").stdout)
    assert [each["number"] for each in listed] == list(range(1, 13))
    assert invoke("show", directory, str(listed[-1]["number"])).returncode == 0


def test_a_run_in_the_place_of_its_configuration_is_told_what_to_type(debated: Run) -> None:
    for name in ("run", "validate"):
        told = invoke(name, str(debated.directory))
        assert told.returncode == 2
        assert "is the directory of a run (complete), not its configuration" in told.stderr
        assert f"CONFIG.yaml --out {debated.directory}`" in told.stderr
    beside = debated.directory.with_name(debated.directory.name[:-1])
    assert f'did you mean "{debated.directory.name}"?' in invoke("show", str(beside), "1").stderr
    config = debated.directory.parent / "run.yaml"
    config.write_text("name: run")
    assert "name that directory" in invoke("show", str(config), "1").stderr
