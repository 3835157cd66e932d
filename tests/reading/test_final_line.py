"""`read: constrained`: a turn that states no answer is asked once more for its final line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from debate.agents.final_line import NUMBER_PATTERN, make_constraint
from debate.cli import app
from debate.config.loader import load_run
from debate.engines.base import Guided, Request
from debate.errors import InputError
from debate.log import Run
from debate.log.codec import encode_line
from debate.log.trajectories import find_notes
from debate.orchestrator.question import debate_question
from debate.runner.plan import make_plan
from debate.runner.verify_run import verify_run
from debate.tasks.answer_format import CHAT
from debate.tasks.parsing import parse_answer
from debate.types import Question, Turn
from tests.cutting import Ended, endpoint
from tests.cutting import seat as seat_at
from tests.hostile.echo import Everything, calls_to
from tests.reading.guided import MUMBLE, Mumbler, is_line, mumbler
from tests.support import by_ref, run, said, scripted, write_questions

CONSTRAINED = {"name": "exchange", "read": "constrained"}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    Mumbler.requests.clear()
    yield
    Mumbler.requests.clear()


def debated(folder: Path, *seats: Mapping[str, Any], **fields: Any) -> Run:
    """A debate of two rounds in which final lines are asked for; its log holds together."""
    usual = {"rounds": 1, "protocol": CONSTRAINED, "log": {"prompts": True}}
    made = run(folder, seats, **{**usual, **fields})
    found = verify_run(made.directory, custom_code=True)
    assert (found.problems, found.unchecked) == ((), ())
    return made


def opening_of(folder: Path, **options: Any) -> Turn:
    """The opening of one agent that mumbles so."""
    return by_ref(debated(folder, mumbler("a", **options), topology="self_loop"))["0:opening:a"]


def test_who_never_states_an_answer_is_read_where_it_is_asked_and_abstains_elsewhere(
    tmp_path: Path,
) -> None:
    made = debated(
        tmp_path,
        mumbler("a"),
        mumbler("b", line="5"),
        protocol="exchange",
        sweep={"read": ["free", "constrained"]},
        probes=["verbal"],
        num_questions=3,
    )
    turns = made.turns().filter(pl.col("kind") != "probe")
    accuracy = {
        (cell, agent): set(group["outcome"])
        for (cell, agent), group in turns.group_by("cell", "agent")
    }
    assert accuracy == {
        ("free", "a"): {"abstained"},
        ("free", "b"): {"abstained"},
        ("constrained", "a"): {"correct"},
        ("constrained", "b"): {"wrong"},
    }
    assert made.manifest.spec["cells"]["constrained"]["factors"] == {"read": "constrained"}


def test_the_turn_says_where_its_answer_stands_and_keeps_its_text(tmp_path: Path) -> None:
    turn = opening_of(tmp_path)
    assert turn.answer is not None
    assert (turn.text, turn.value, turn.answer.form) == (MUMBLE, "4", "constrained")
    assert (turn.final_line, turn.correct, turn.is_cut) == ("Answer: 4", True, False)
    assert turn.confidences == ()


def test_a_reply_that_states_its_answer_is_not_asked_again(tmp_path: Path) -> None:
    turn = opening_of(tmp_path, reply="Answer: 7", line="4")
    assert (turn.value, turn.final_line) == ("7", None)
    assert not any(map(is_line, Mumbler.requests))
    assert b"final_line" not in encode_line(turn)


def test_both_calls_are_counted(tmp_path: Path) -> None:
    turn = opening_of(tmp_path)
    assert turn.usage.prompt_tokens == 50
    assert turn.usage.generated_tokens == len(MUMBLE) + 1


def test_what_is_heard_states_the_answer(tmp_path: Path) -> None:
    turns = by_ref(debated(tmp_path, mumbler("a"), scripted_member("b")))
    stated = f"{MUMBLE}\n\nAnswer: 4"
    assert stated in said(turns["1:revision:b"])
    prompt = turns["1:revision:a"].prompt
    assert prompt is not None
    assert stated in [message.content for message in prompt if message.role == "assistant"]
    assert not any("Reply with nothing but the number" in said(turn) for turn in turns.values())


def scripted_member(name: str) -> dict[str, Any]:
    """Somebody who states an answer, and can be constrained as well."""
    return mumbler(name, reply="Answer: 5")


def test_a_probe_asks_about_the_answer_of_the_line(tmp_path: Path) -> None:
    debated(tmp_path, mumbler("a"), topology="self_loop", probes=["verbal"])
    probes = [each for each in Mumbler.requests if each.id.endswith("/verbal/0")]
    assert len(probes) == 2
    assert all(each.messages[-2].content == f"{MUMBLE}\n\nAnswer: 4" for each in probes)


def test_cells_that_ask_alike_share_both_calls(tmp_path: Path) -> None:
    cells = {"one": {"rounds": 1}, "two": {"rounds": 2}}
    made = debated(tmp_path, mumbler("a"), topology="self_loop", cells=cells)
    assert len(Mumbler.requests) == 2 * 3
    turns = by_ref(made, cell="two")
    assert {turn.final_line for turn in turns.values()} == {"Answer: 4"}


def test_fresh_samples_are_asked_as_openings_are(tmp_path: Path) -> None:
    protocol = {**CONSTRAINED, "name": "cross_critique", "judging": {"alternatives": "own", "k": 2}}
    made = debated(tmp_path, mumbler("a"), mumbler("b", line="5"), protocol=protocol)
    samples = [turn for turn in by_ref(made).values() if (turn.about or "").startswith("sample-")]
    assert {(turn.agent, turn.value) for turn in samples} == {("a", "4"), ("b", "5")}


def test_the_call_continues_the_turn_in_private(tmp_path: Path) -> None:
    opening_of(tmp_path)
    asked, line = Mumbler.requests[:2]
    assert not is_line(asked)
    assert is_line(line)
    assert line.messages[: len(asked.messages)] == asked.messages
    reply, question = line.messages[len(asked.messages) :]
    assert (reply.role, reply.content, question.role) == ("assistant", MUMBLE, "user")
    assert line.guided == Guided(regex=NUMBER_PATTERN)
    assert (line.sampling.temperature, line.sampling.seed) == (0.0, None)


def test_a_run_that_goes_on_makes_no_call_twice(tmp_path: Path) -> None:
    seats = [mumbler("a"), mumbler("b", line=None)]
    first = debated(tmp_path, *seats, num_questions=2)
    num = len(Mumbler.requests)
    log = first.directory / "turns" / "0.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    debated(tmp_path, *seats, num_questions=2)
    assert len(Mumbler.requests) == num
    log.write_bytes(b"".join(lines[:-1]))
    (first.directory / "verdicts" / "0.jsonl").write_bytes(b"")
    debated(tmp_path, *seats, num_questions=2)
    assert len(Mumbler.requests) == num + 2


def test_a_cache_holds_both_calls(tmp_path: Path) -> None:
    log = {"cache": str(tmp_path / "cache")}
    debated(tmp_path, mumbler("a"), mumbler("b"), log=log, name="first")
    num = len(Mumbler.requests)
    again = debated(tmp_path, mumbler("a"), mumbler("b"), log=log, name="second")
    assert len(Mumbler.requests) == num
    assert {turn.final_line for turn in by_ref(again).values()} == {"Answer: 4"}


def test_cells_that_read_differently_are_counted_apart(tmp_path: Path) -> None:
    config = {
        "agents": [mumbler("a"), mumbler("b", line="5")],
        "topology": "complete",
        "rounds": 1,
        "sweep": {"read": ["free", "constrained"]},
        "task": write_questions(tmp_path),
    }
    plan = make_plan(load_run(config))
    counted = {cell.name: plan.count_max_calls(cell) for cell in plan.cells}
    assert counted == {"free": 4, "constrained": 8}
    debated(tmp_path, *config["agents"], sweep=config["sweep"], protocol="exchange")
    assert len(Mumbler.requests) == plan.max_total_calls == 12


@pytest.mark.parametrize("protocol", ["exchange", "critique", "repeat"])
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_the_calls_counted_beforehand_are_the_calls_made(
    protocol: str, temperature: float, tmp_path: Path
) -> None:
    seats = [
        mumbler(name, line=line, seat={"sampling": {"temperature": temperature}, "persona": name})
        for name, line in (("a", "4"), ("b", "5"))
    ]
    config = {
        "agents": seats,
        "topology": "complete",
        "rounds": 2,
        "protocol": {"name": protocol, "read": "constrained"},
        "task": write_questions(tmp_path, 2),
    }
    counted = make_plan(load_run(config)).max_total_calls
    debated(tmp_path, *seats, rounds=2, protocol=config["protocol"], num_questions=2)
    assert len(Mumbler.requests) == counted


def test_a_call_that_fails_leaves_the_abstention_and_says_so(tmp_path: Path) -> None:
    turn = opening_of(tmp_path, line=None)
    assert (turn.outcome, turn.final_line) == ("abstained", None)
    assert turn.notes == ("no final line: mumbler: out of breath",)
    assert turn.usage.prompt_tokens == 20


@pytest.mark.parametrize(
    ("line", "ends", "told"),
    [
        ("4", "length", "no final line: '4' ended by length"),
        ("perhaps", "stop", "no final line: 'perhaps' states no answer"),
        ("", "stop", "no final line: '' states no answer"),
    ],
)
def test_a_line_that_is_no_answer_leaves_the_abstention(
    line: str, ends: str, told: str, tmp_path: Path
) -> None:
    turn = opening_of(tmp_path, line=line, line_ends=ends)
    assert (turn.outcome, turn.final_line, turn.notes) == ("abstained", None, (told,))
    assert turn.usage.prompt_tokens == 50


def test_notes_on_lines_are_counted_together_whatever_they_quote(tmp_path: Path) -> None:
    seats = [mumbler("a", line="'tis 5 or so"), mumbler("b", line='say "6"?')]
    made = debated(tmp_path, *seats)
    notes = find_notes(made.scan_turns())
    assert [(note.note, note.num_turns) for note in notes] == [
        ("no final line: “…” states no answer", 2)
    ] * 2


def test_a_cut_reply_is_asked_and_then_heard(tmp_path: Path) -> None:
    made = debated(tmp_path, mumbler("a", ends="length"), scripted_member("b"))
    turns = by_ref(made)
    assert (turns["0:opening:a"].outcome, turns["0:opening:a"].finish_reason) == (
        "correct",
        "length",
    )
    assert f"{MUMBLE}\n\nAnswer: 4" in said(turns["1:revision:b"])


def test_a_reply_that_ended_inside_reasoning_is_asked(tmp_path: Path) -> None:
    turn = opening_of(tmp_path, reply="Answer: 9\n", ends="length", thought="Wait")
    assert (turn.value, turn.final_line, turn.is_cut) == ("4", "Answer: 4", False)


def test_a_replay_says_the_final_line_too(tmp_path: Path) -> None:
    made = debated(tmp_path, mumbler("a", ends="length"), topology="self_loop")
    seat = {"id": "a", "model": {"engine": "replay", "path": str(made.directory)}}
    again = debated(tmp_path, seat, topology="self_loop", protocol="exchange", name="again")
    assert {turn.value for turn in by_ref(again).values()} == {"4"}


def test_an_endpoint_is_asked_in_its_own_words(tmp_path: Path) -> None:
    replies = {"a": [Ended(MUMBLE), Ended('{"answer": "4"}')], "b": [Ended(MUMBLE), Ended("Four.")]}
    with endpoint(replies) as url:
        seats = [seat_at("a", url), seat_at("b", url)]
        for each in seats:
            each["model"]["dialect"] = "openai"  # whose constraint is a JSON schema
        made = debated(tmp_path, *seats)
    turns = by_ref(made)
    assert turns["0:opening:a"].final_line == "Answer: 4"
    assert turns["0:opening:a"].usage.generated_tokens == 14
    assert turns["0:opening:b"].outcome == "abstained"
    assert "the endpoint ignored sampling.regex" in turns["0:opening:b"].notes[-1]


def test_two_answers_are_none_and_an_empty_reply_is_not_asked(tmp_path: Path) -> None:
    for name in ("both", "silent"):
        (tmp_path / name).mkdir()
    both = opening_of(tmp_path / "both", reply="Answer: 6\nAnswer: 7")
    assert both.final_line == "Answer: 4"
    silent = opening_of(tmp_path / "silent", reply=" ")
    assert (silent.outcome, silent.final_line, silent.notes) == ("abstained", None, ())


def test_critiques_tools_and_confederates_are_not_asked(tmp_path: Path) -> None:
    seats = [
        mumbler("a"),
        mumbler("k", seat={"role": "critic"}),
        scripted("t", "no answer", role="tool"),
        scripted("c", "Hm.", confederate=True),
    ]
    edges = [f"{name} -> a" for name in "ktc"] + ["a -> c"]
    protocol = {**CONSTRAINED, "name": "critique"}
    turns = by_ref(debated(tmp_path, *seats, topology={"edges": edges}, protocol=protocol))
    lines = {ref for ref, turn in turns.items() if turn.final_line}
    assert lines == {"0:opening:a", "1:revision:a"}
    assert {turns[ref].outcome for ref in ("0:opening:t", "0:opening:c")} == {"abstained"}


def test_reading_freely_changes_no_call(tmp_path: Path) -> None:
    seats = [mumbler("a"), scripted("b", "Answer: 5")]
    hashes = []
    for number, protocol in enumerate(["exchange", {"name": "exchange", "read": "free"}]):
        made = debated(tmp_path, *seats, protocol=protocol, name=f"run{number}")
        hashes.append({ref: turn.prompt_hash for ref, turn in by_ref(made).items()})
    assert hashes[0] == hashes[1]
    assert not any(map(is_line, Mumbler.requests))
    asked = debated(tmp_path, mumbler("a"), name="asked", topology="self_loop")
    assert by_ref(asked)["0:opening:a"].prompt_hash != hashes[0]["0:opening:a"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"final_line": "Answer: 5"}, "its text says Answer(value='5'"),
        ({"final_line": None}, "do not say the same"),
        ({"text": "Answer: 4"}, "nothing asks for it"),
    ],
)
def test_a_final_line_that_was_changed_is_found(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    made = debated(tmp_path, mumbler("a"), topology="self_loop")
    log = made.directory / "turns" / "0.jsonl"
    turns = [json.loads(line) for line in log.read_text().splitlines()]
    for turn in turns:
        turn.pop("crc32")
    turns[0] |= change
    log.write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    assert any(
        told in problem.what for problem in verify_run(made.directory, custom_code=True).problems
    )


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"agents": [{"id": "a", "model": {"engine": "transformers", "model": "x/y"}}]},
            "its engine cannot constrain its replies; vllm and openai can",
        ),
        ({"agents": [mumbler("a", seat={"prompts": "compact"})]}, "has no final_line.j2"),
    ],
)
def test_who_cannot_be_asked_is_refused_in_one_line(
    fields: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = {
        **fields,
        "topology": "self_loop",
        "protocol": CONSTRAINED,
        "task": write_questions(tmp_path),
    }
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(config))
    shown = CliRunner().invoke(app, ["validate", str(path)])
    assert isinstance(shown.exception, InputError)
    (line,) = str(shown.exception).splitlines()
    assert "`read: constrained` cannot be asked of a: " in line
    assert told in line


NUMBER = Question(id="q", text="?", kind="number")


@given(st.from_regex(NUMBER_PATTERN, fullmatch=True))
def test_every_number_that_the_constraint_allows_is_read(text: str) -> None:
    assert parse_answer(f"Answer: {text}", NUMBER, CHAT).value is not None


@pytest.mark.parametrize("text", ["0", "-7", "1,234", "1,234.5", "0.25", "3/4", "20260101"])
def test_the_constraint_allows_what_a_number_is_written_as(text: str) -> None:
    assert re.fullmatch(NUMBER_PATTERN, text)


@pytest.mark.parametrize("text", ["", "about 4", "12,5", "1,23", "4.", ".5", "3/0", "4 eggs"])
def test_the_constraint_allows_nothing_else(text: str) -> None:
    assert re.fullmatch(NUMBER_PATTERN, text) is None


def test_closed_questions_are_constrained_to_their_answers() -> None:
    choice = Question(id="q", text="?", kind="choice", options=("Rome", "Paris"))
    closed = Question(id="q", text="?", kind="text", options=("yes", "no"))
    assert make_constraint(choice) == Guided(choice=("A", "B"))
    assert make_constraint(closed) == Guided(choice=("yes", "no"))
    assert make_constraint(Question(id="q", text="?", kind="text")) is None
    assert make_constraint(Question(id="q", text="?", kind="math")) is None


@pytest.mark.parametrize("prompts", ["chat", "chat_zero", "json"])
@pytest.mark.parametrize(
    ("kind", "options", "line", "value"),
    [
        ("choice", ["Rome", "Paris"], "B", "B"),
        ("number", None, "1,234", "1234"),
        ("text", None, "Paris", "Paris"),
        ("text", None, "Answer: Paris", "Paris"),
    ],
)
def test_every_kind_of_question_is_read_by_every_shipped_set(
    prompts: str, kind: str, options: list[str] | None, line: str, value: str, tmp_path: Path
) -> None:
    row = {"id": "q0", "question": "Which?", "answer": value}
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(row | ({"options": options} if options else {})) + "\n")
    if prompts == "json" and line.startswith("Answer"):
        line = f'{{"answer": "{value}"}}'
    seat = mumbler("a", line=line, seat={"prompts": prompts})
    made = debated(tmp_path, seat, topology="self_loop", task={"path": str(path), "kind": kind})
    turn = by_ref(made)["0:opening:a"]
    assert (turn.value, turn.correct) == (value, True)
    placed = f'{{"answer": "{value}"}}' if prompts == "json" else f"Answer: {value}"
    assert turn.final_line == placed


def test_an_open_text_is_kept_to_one_short_line() -> None:
    config = {
        "agents": [{"id": "a", "model": {"engine": "vllm", "model": "nobody/nothing"}}],
        "topology": "self_loop",
        "rounds": 0,
        "protocol": CONSTRAINED,
        "task": {"generator": "arithmetic", "n": 1},
    }
    cells = make_plan(load_run(config)).cells
    client = Everything(_say_nothing)
    question = Question(id="q", text="Who?", kind="text", target="Ada")
    asyncio.run(debate_question(question, cells, calls_to(client), seed=0))
    line = client.requests[1]
    assert is_line(line)
    assert line.guided is None
    assert (line.sampling.max_tokens, line.sampling.stop[-1]) == (64, "\n")


def _say_nothing(request: Request) -> str:
    return "Ada" if is_line(request) else "It is hard to say."


def test_the_prompts_of_a_judge_and_a_sample_are_asked_too(tmp_path: Path) -> None:
    seats = [mumbler("a"), mumbler("b"), mumbler("j", seat={"role": "judge"})]
    made = debated(tmp_path, *seats, topology={"edges": ["a <-> b", "j -> debaters"]})
    judged = [turn for turn in by_ref(made).values() if turn.kind == "judgment"]
    assert judged
    assert {turn.value for turn in judged} == {"4"}
