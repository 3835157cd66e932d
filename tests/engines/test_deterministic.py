"""Engines that need no model: scripted, replay, calculator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from debate.config.models import CalculatorModel, ReplayModel, ScriptedModel
from debate.engines.deterministic import CalculatorEngine, ReplayEngine, ScriptedEngine
from debate.errors import EngineError
from debate.types import Answer, Failure, Question, Turn
from tests.engines.builders import complete_one, debate_state, request, turn


async def scripted(replies: Any, **place: Any) -> str:
    """What a script says at a place, or its failure."""
    engine = ScriptedEngine(ScriptedModel(engine="scripted", replies=replies))
    reply = await complete_one(engine, request("?", debate_state=debate_state(**place)))
    return reply.failure.message if reply.failure else reply.text


@pytest.mark.parametrize(
    ("replies", "round", "text"),
    [
        ("x", 3, "x"),
        (["r0", "r1"], 0, "r0"),
        (["r0", "r1"], 1, "r1"),
        (["r0", "r1"], 7, "r1"),
        ({"q": "mine", "*": "theirs"}, 0, "mine"),
        ({"other": "theirs", "*": ["r0", "r1"]}, 1, "r1"),
    ],
)
async def test_a_script_is_read_by_round_and_question(replies: Any, round: int, text: str) -> None:
    assert await scripted(replies, round=round) == text


@pytest.mark.parametrize("replies", [{"other": "x"}, [], {"*": []}])
async def test_a_reply_that_is_not_written_is_a_failure(replies: Any) -> None:
    message = await scripted(replies)
    assert "no reply is written" in message or "empty" in message


async def test_only_a_script_by_position_needs_the_debate() -> None:
    whole = ScriptedEngine(ScriptedModel(engine="scripted", replies="x"))
    by_round = ScriptedEngine(ScriptedModel(engine="scripted", replies=["x"]))
    assert (await complete_one(whole, request("?"))).text == "x"
    assert "needs the debate" in str((await complete_one(by_round, request("?"))).failure)


def recorded(**fields: Any) -> Turn:
    """A turn as a run has it."""
    return turn(**{"text": "936"} | fields)


def save_run(folder: Path, *turns: Turn) -> ReplayModel:
    """A run directory with these turns, and the spec that replays it."""
    (folder / "turns").mkdir()
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in turns)
    (folder / "turns" / "0.jsonl").write_bytes(lines)
    return ReplayModel(engine="replay", path=str(folder))


async def test_a_recorded_turn_is_found_by_its_place(tmp_path: Path) -> None:
    turns = [
        recorded(),
        recorded(agent="b", text="b's"),
        recorded(round=1, kind="revision", text="later"),
        recorded(round=1, kind="critique", about="b", text="about b"),
        recorded(seed=1, text="another seed"),
    ]
    engine = ReplayEngine(save_run(tmp_path, *turns))
    await engine.start()
    for each in turns:
        now = debate_state(
            seed=each.seed, round=each.round, kind=each.kind, agent=each.agent, about=each.about
        )
        assert (await complete_one(engine, request("?", debate_state=now))).text == each.text
    await engine.close()


async def test_a_replay_may_speak_as_another_agent(tmp_path: Path) -> None:
    spec = save_run(tmp_path, recorded(agent="b", text="b's"))
    engine = ReplayEngine(spec.model_copy(update={"agent": "b"}))
    await engine.start()
    assert (await complete_one(engine, request("?", debate_state=debate_state()))).text == "b's"


async def test_of_several_cells_one_that_did_not_fail_is_replayed(tmp_path: Path) -> None:
    broken = Failure(boundary="here", message="lost")
    engine = ReplayEngine(
        save_run(tmp_path, recorded(failure=broken), recorded(cell="x", text="whole"))
    )
    await engine.start()
    assert (await complete_one(engine, request("?", debate_state=debate_state()))).text == "whole"


async def test_what_failed_or_was_not_recorded_fails(tmp_path: Path) -> None:
    broken = Failure(boundary="here", message="lost")
    engine = ReplayEngine(save_run(tmp_path, recorded(failure=broken)))
    await engine.start()
    assert (await complete_one(engine, request("?", debate_state=debate_state()))).failure == broken
    absent = await complete_one(
        engine, request("?", debate_state=debate_state(round=4, kind="revision"))
    )
    assert absent.failure is not None
    assert "4:revision:a" in absent.failure.message


async def test_a_directory_without_turns_cannot_be_replayed(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no finished run"):
        await ReplayEngine(ReplayModel(engine="replay", path=str(tmp_path))).start()


async def calculated(text: str, **place: Any) -> str:
    """What the calculator says to a question whose target is a lie."""
    question = Question(id="q", text=text, kind="number", target="-1")
    engine = CalculatorEngine(CalculatorModel(engine="calculator"))
    now = debate_state(question=question, **place)
    return (await complete_one(engine, request("?", debate_state=now))).text


@pytest.mark.parametrize(
    ("text", "answer"), [("347+589", "936"), (" 12*3\n", "36"), ("h+c*k", "v")]
)
async def test_the_calculator_is_exact_and_never_reads_the_target(text: str, answer: str) -> None:
    assert await calculated(text) == f"Answer: {answer}"


@pytest.mark.parametrize("text", ["Who wrote Hamlet?", "", "7%0", "__import__('os')", "9" * 9999])
async def test_the_calculator_abstains_from_anything_else(text: str) -> None:
    assert await calculated(text) == "no answer"


async def test_the_calculator_gives_verdicts() -> None:
    for value, verdict in (("936", "correct"), ("926", "incorrect")):
        subject = recorded(agent="b", answer=Answer(value=value))
        said = await calculated("347+589", kind="critique", about="b", subject=subject)
        assert said.splitlines()[-1] == f"Verdict: {verdict}"
