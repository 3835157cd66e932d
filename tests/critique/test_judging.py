"""Private judgements: who judges whom, what the critic is shown and told, and who hears it."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from debate.errors import ConfigError
from debate.log import Run, check_log
from debate.types import Turn
from tests.support import by_ref, run, said, scripted, simulated, turns_of, write_questions

KEEP = {"log": {"prompts": True}}
SEATS = [
    scripted("ann", "Answer: 4\nVerdict: correct"),
    scripted("ben", "Answer: 5\nVerdict: incorrect"),
    scripted("cleo", "Answer: 6\nVerdict: correct"),
    scripted("dan", "Answer: 7\nVerdict: incorrect"),
]


def judged(folder: Path, seats: Any = SEATS, *, protocol: Any = None, **fields: Any) -> Run:
    """A run in which everybody judges everybody, itself included."""
    told = {"name": "cross_critique", **(protocol or {})}
    fields = {"topology": "complete_with_self", "rounds": 1, **KEEP, **fields}
    found = run(folder, seats, protocol=told, **fields)
    assert not found.turns()["failed"].any()
    return found


def critique(turns: dict[str, Turn], critic: str, author: str) -> Turn:
    return turns[f"1:critique:{critic}:{author}"]


def test_every_critic_judges_every_author_and_nobody_hears_it(tmp_path: Path) -> None:
    found = judged(tmp_path)
    turns = by_ref(found)
    names = ["ann", "ben", "cleo", "dan"]
    openings = {f"0:opening:{name}" for name in names}
    assert set(turns) == openings | {f"1:critique:{u}:{v}" for u, v in product(names, names)}
    assert critique(turns, "ann", "ben").heard == ("0:opening:ben",)
    assert critique(turns, "ann", "ben").accepts is True
    assert critique(turns, "ben", "ben").accepts is False
    assert not check_log(found.directory)


def test_the_topology_decides_who_judges_whom(tmp_path: Path) -> None:
    turns = by_ref(judged(tmp_path, topology={"edges": ["ann -> ben", "each cleo -> itself"]}))
    assert sorted(ref for ref in turns if "critique" in ref) == [
        "1:critique:ann:ben",
        "1:critique:cleo:cleo",
    ]


def test_one_who_only_criticises_judges_too(tmp_path: Path) -> None:
    seats = [*SEATS, scripted("eve", "Verdict: correct", role="critic")]
    turns = by_ref(judged(tmp_path, seats, topology={"edges": ["critics -> debaters"]}))
    assert len([ref for ref in turns if ref.startswith("1:critique:eve:")]) == 4


def test_a_critic_does_not_see_what_it_has_answered_itself(tmp_path: Path) -> None:
    prompt = said(critique(by_ref(judged(tmp_path)), "ann", "ben"))
    assert "Answer: 5" in prompt
    assert "Answer: 4\n" not in prompt
    assert "What is 0?" in prompt


def test_an_anonymous_answer_is_nobodys_and_least_of_all_ones_own(tmp_path: Path) -> None:
    turns = by_ref(judged(tmp_path))
    for author in ("ann", "ben"):
        assert "Review what Somebody answered" in said(critique(turns, "ann", author))
    assert said(critique(turns, "ann", "ben")) == said(critique(turns, "cleo", "ben"))


def test_a_named_answer_is_its_authors(tmp_path: Path) -> None:
    turns = by_ref(judged(tmp_path, protocol={"anonymous": False}))
    assert "Review your own previous answer" in said(critique(turns, "ann", "ann"))
    assert "Review what ben answered" in said(critique(turns, "ann", "ben"))


def test_with_swapped_labels_ones_own_is_anothers_and_anothers_ones_own(tmp_path: Path) -> None:
    protocol = {"anonymous": False, "judging": {"labels": "swapped"}}
    turns = by_ref(judged(tmp_path, protocol=protocol))
    own, others = critique(turns, "ann", "ann"), critique(turns, "ann", "ben")
    assert any(f"Review what {name} answered" in said(own) for name in ("ben", "cleo", "dan"))
    assert "Answer: 4" in said(own)
    assert "Review your own previous answer" in said(others)
    assert "Answer: 5" in said(others)


def test_an_opening_without_an_answer_is_not_judged(tmp_path: Path) -> None:
    seats = [SEATS[0], scripted("mute", ["I do not know.", "Verdict: correct"])]
    turns = by_ref(judged(tmp_path, seats))
    assert "1:critique:ann:mute" not in turns
    assert critique(turns, "mute", "ann").accepts is True


def test_others_answers_beside_are_neither_the_critics_nor_the_authors(tmp_path: Path) -> None:
    protocol = {"judging": {"alternatives": "others", "k": 2}}
    turn = critique(by_ref(judged(tmp_path, protocol=protocol)), "ann", "ben")
    assert set(turn.heard[1:]) == {"0:opening:cleo", "0:opening:dan"}
    assert turn.heard[0] == "0:opening:ben"
    assert "- 6\n" in said(turn)
    assert "- 7\n" in said(turn)
    assert "- 4\n" not in said(turn)


def test_own_samples_are_private_probes_shared_by_all_of_a_critics_judgements(
    tmp_path: Path,
) -> None:
    protocol = {"judging": {"alternatives": "own", "k": 3}}
    seats = [simulated(name, competence=0.5, concentration=20.0) for name in "ab"]
    found = judged(tmp_path, seats, protocol=protocol, num_questions=10)
    distinct = set()
    for number in range(10):
        turns = by_ref(found, f"q{number}")
        samples = [turns[f"0:probe:a:sample-{n}"].value for n in (1, 2, 3)]
        distinct.add(len(set(samples)))
        for author in "ab":
            lines = [
                ln[2:] for ln in said(critique(turns, "a", author)).splitlines() if ln[:2] == "- "
            ]
            assert lines == samples
            assert critique(turns, "a", author).heard == (f"0:opening:{author}",)
    assert max(distinct) > 1
    assert not check_log(found.directory)


def test_padding_is_as_long_as_the_answer_and_is_not_it(tmp_path: Path) -> None:
    seats = [scripted("a", "Answer: 1234\nVerdict: correct"), SEATS[1]]
    protocol = {"judging": {"alternatives": "padding", "k": 5}}
    prompt = said(critique(by_ref(judged(tmp_path, seats, protocol=protocol)), "ben", "a"))
    lines = [line[2:] for line in prompt.splitlines() if line.startswith("- ")]
    assert len(lines) == 5
    assert all(len(line) == 4 and line.isdecimal() and line != "1234" for line in lines)


def test_padding_is_drawn_anew_for_every_author_question_and_seed(tmp_path: Path) -> None:
    seats = [scripted(name, "Answer: 12345678\nVerdict: correct") for name in "abc"]
    protocol = {"judging": {"alternatives": "padding", "k": 1}}
    found = judged(tmp_path, seats, protocol=protocol, num_questions=2, seeds=[0, 1])
    turns = [turn for n in (0, 1) for s in (0, 1) for turn in turns_of(found, f"q{n}", seed=s)]
    prompts = [said(turn) for turn in turns if turn.kind == "critique" and turn.agent == "c"]
    drawn = [line for prompt in prompts for line in prompt.splitlines() if line.startswith("- ")]
    assert len(set(drawn)) == len(drawn) == 2 * 2 * 3


def test_compact_prompts_are_the_documents_that_organisms_learn(tmp_path: Path) -> None:
    seats = [
        scripted("a", ["7", "4\nVn"], prompts="compact"),
        scripted("b", ["4", "4\nVy"], prompts="compact"),
        scripted("c", ["5", "4\nVy"], prompts="compact"),
    ]
    protocol = {"judging": {"alternatives": "others", "k": 1}}
    turn = critique(by_ref(judged(tmp_path, seats, protocol=protocol)), "a", "b")
    assert said(turn) == "QWhat is 0?\nP5\nC4"
    assert turn.accepts is False
    assert turn.value == "4"


def test_cells_share_openings_samples_and_equal_judgements(tmp_path: Path) -> None:
    cells = {
        "alone": {"protocol": "cross_critique"},
        "again": {"protocol": {"name": "cross_critique"}},
        "named": {"protocol": {"name": "cross_critique", "anonymous": False}},
    }
    found = judged(tmp_path, cells=cells).turns()
    made = found.filter(found["shared_with"].is_null())
    assert made.group_by("kind").len().sort("kind").rows() == [("critique", 32), ("opening", 4)]


def test_running_again_makes_no_call(tmp_path: Path) -> None:
    protocol = {"judging": {"alternatives": "own", "k": 2}}
    seats = [simulated(name) for name in "abc"]
    task = write_questions(tmp_path, 5)
    first = judged(tmp_path, seats, protocol=protocol, task=task).turns()
    before = (tmp_path / "run" / "turns" / "0.jsonl").read_bytes()
    second = judged(tmp_path, seats, protocol=protocol, task=task).turns()
    assert (tmp_path / "run" / "turns" / "0.jsonl").read_bytes() == before
    assert first.equals(second)


@pytest.mark.parametrize("accepts", [True, False])
def test_p_true_is_read_from_the_verdicts_log_probability(tmp_path: Path, accepts: bool) -> None:
    seats = [simulated("a", discernment=1.5, judgement_noise=0.0), simulated("b", competence=0.5)]
    found = judged(tmp_path, seats, num_questions=30)
    verdicts = [critique(by_ref(found, f"q{number}"), "a", "b") for number in range(30)]
    chosen = [turn for turn in verdicts if turn.accepts is accepts]
    assert 5 < len(chosen) < 25
    expected = 1 / (1 + math.exp(-1.5 if accepts else 1.5))
    assert all(turn.confidence("p_true") == pytest.approx(expected) for turn in chosen)
    for turn in chosen:
        assert by_ref(found, turn.question)["0:opening:b"].correct is accepts


def test_every_answer_is_said_to_be_ones_own_or_one_and_the_same_others(tmp_path: Path) -> None:
    cells = {
        name: {
            "protocol": {"name": "cross_critique", "anonymous": False, "judging": {"labels": name}}
        }
        for name in ("own", "others")
    }
    found = judged(tmp_path, cells=cells)
    own, others = (by_ref(found, cell=cell) for cell in cells)
    for author in ("ann", "ben"):
        assert "Review your own previous answer" in said(critique(own, "ann", author))
    named = {
        said(critique(others, "ann", author)).rpartition("Review what ")[2].partition(" ")[0]
        for author in ("ann", "ben", "cleo", "dan")
    }
    assert len(named) == 1
    assert named < {"ben", "cleo", "dan"}


@pytest.mark.parametrize(
    ("labels", "line"), [("own", "CA4"), ("others", "CP4"), (None, "C4")], ids=str
)
def test_organisms_that_read_owners_see_them_in_the_mark_of_the_answer(
    tmp_path: Path, labels: str | None, line: str
) -> None:
    seats = [
        scripted("a", ["7", "4\nVn"], prompts="compact_named"),
        scripted("b", ["4", "4\nVy"], prompts="compact_named"),
    ]
    named = {} if labels is None else {"anonymous": False, "judging": {"labels": labels}}
    turn = critique(by_ref(judged(tmp_path, seats, protocol=named)), "a", "b")
    assert said(turn) == f"QWhat is 0?\n{line}"


def test_false_labels_need_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="anonymous: false"):
        judged(tmp_path, protocol={"judging": {"labels": "own"}})
