"""Nothing that an engine tells is lost on the way to the frames: every field arrives."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from debate.engines.base import Completion, Token
from debate.engines.replica_queue import with_timings
from debate.log import CallCache
from debate.log.codec import NOT_SHOWN, TurnStruct, decode_line, encode_line
from debate.log.frames import build_turn_frame
from debate.orchestrator.call_store import CallStore, PendingTurn, sum_usages
from debate.types import (
    Answer,
    Belief,
    CallResult,
    Confidence,
    DebateKey,
    Failure,
    HeardAs,
    Message,
    ToolCall,
    ToolStep,
    Turn,
    Usage,
    Verdict,
)

USAGE = Usage(prompt_tokens=1, cached_tokens=2, generated_tokens=3, queued_s=4.0, running_s=5.0)
RESULT = CallResult(
    text="said",
    finish_reason="length",
    is_cut=True,
    answer=Answer(value=None, matched=("4",)),
    correct=False,
    accepts=True,
    confidences=(Confidence(source="verbal", value=0.5),),
    belief=Belief(log_p={"4": -1.0}),
    usage=USAGE,
    failure=Failure(boundary="b", message="m"),
    reasoning="thought",
    final_line="Answer: 4",
    served_by="m-2024 fp_1",
    tool_steps=(
        ToolStep(
            said="asked",
            calls=(ToolCall(tool="python", source="1", outcome="done", output="1", took_s=0.5),),
            told="1",
            reasoning="thought before",
        ),
    ),
    notes=("without top_p",),
)
PLACE = Turn(
    cell="c",
    question="q",
    seed=1,
    round=2,
    kind="critique",
    agent="a",
    about="b",
    model="m",
    heard=("0:opening:b",),
    late=("d",),
    heard_as=(HeardAs(ref="0:opening:b", carries=("rationale",), hides_answer=True),),
    dropped=("e",),
    prompt_hash="f",
    prompt=(Message(role="user", content="g"),),
    sampling_seed=3,
    shared_with="h",
    simulated=True,
    started_at=1.5,
    finished_at=2.5,
)
WHOLE = PLACE.with_result(RESULT)
IN_OTHER_WORDS = {
    "answer": "answer",
    "is_cut": "cut",
    "confidences": "confidence",
    "usage": "prompt_tokens",
}
"""Fields of a turn whose columns are called otherwise, or are several."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LongerUsage(Usage):
    """A usage as a later version may have it."""

    reasoning_tokens: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LongerCompletion(Completion):
    """A completion as a later version may have it."""

    warning: str = ""


def is_default(each: Any, value: Any) -> bool:
    default = each.default_factory() if callable(each.default_factory) else each.default
    return bool(value == default)


def test_the_examples_here_fill_every_field() -> None:
    for example in (USAGE, RESULT, WHOLE):
        for each in fields(example):
            assert not is_default(each, getattr(example, each.name)), each.name


def test_a_new_field_of_a_completion_and_of_its_usage_outlives_the_clients_times() -> None:
    usage = LongerUsage(prompt_tokens=3, reasoning_tokens=7)
    given = LongerCompletion(id="r", tokens=(Token(text="4", log_p=0.0),), usage=usage, warning="!")
    kept = with_timings(given, 0.5, 1.5)
    assert kept == replace(given, usage=replace(usage, queued_s=0.5, running_s=1.5))
    assert type(kept) is LongerCompletion
    assert type(kept.usage) is LongerUsage


def test_a_new_field_of_a_usage_is_added_up() -> None:
    parts = [LongerUsage(prompt_tokens=1, reasoning_tokens=n) for n in (3, 4)]
    assert sum_usages(parts) == LongerUsage(prompt_tokens=2, reasoning_tokens=7)
    assert sum_usages([*parts, LongerUsage()]) == LongerUsage()
    assert sum_usages([]) == Usage()


def test_what_a_call_gives_is_a_part_of_a_turn() -> None:
    of_turn = {each.name: each.type for each in fields(Turn)}
    assert {each.name: each.type for each in fields(CallResult)}.items() <= of_turn.items()
    assert WHOLE.result == RESULT
    assert WHOLE.with_result(PLACE.result) == PLACE


def test_a_turn_comes_back_from_its_line_whole() -> None:
    assert decode_line(encode_line(WHOLE), Turn) == WHOLE


def test_a_row_of_a_frame_has_every_field_of_a_turn() -> None:
    row: Any = decode_line(encode_line(WHOLE), TurnStruct)
    for each in fields(Turn):
        if each.name not in NOT_SHOWN:
            assert plain(getattr(row, each.name)) == plain(getattr(WHOLE, each.name)), each.name


def plain(value: Any) -> Any:
    """A value without the types of its parts."""
    names = getattr(value, "__struct_fields__", None) or getattr(value, "__dataclass_fields__", ())
    if names:
        return {name: plain(getattr(value, name)) for name in names}
    return [plain(each) for each in value] if isinstance(value, tuple) else value


def test_every_field_of_a_turn_and_of_its_usage_has_a_column() -> None:
    frame = build_turn_frame([decode_line(encode_line(WHOLE), TurnStruct)], {}, ["verbal"])
    (row,) = frame.iter_rows(named=True)
    for each in fields(Turn):
        if each.name not in NOT_SHOWN:
            assert IN_OTHER_WORDS.get(each.name, each.name) in frame.columns
    for each in fields(Usage):
        assert row[each.name] == getattr(USAGE, each.name)
    assert (row["finish_reason"], row["cut"], row["abstained"]) == ("length", True, False)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_survives_in_every_field(number: float) -> None:
    turns = [replace(WHOLE, **{each.name: number}) for each in fields(Turn) if each.type == "float"]
    turns += [
        replace(WHOLE, usage=replace(USAGE, **{each.name: number}))
        for each in fields(Usage)
        if "float" in str(each.type)
    ]
    turns.append(replace(WHOLE, belief=Belief(log_p={"4": number})))
    turns.append(replace(WHOLE, confidences=(Confidence(source="s", value=number),)))
    for turn in turns:
        assert repr(decode_line(encode_line(turn), Turn)) == repr(turn)
    whole = Verdict(cell="c", question="q", seed=0, round=0, method="m", value=None)
    for changed in ({"score": number}, {"confidence": number}, {"tally": {"4": number}}):
        verdict = replace(whole, **changed)
        assert repr(decode_line(encode_line(verdict), Verdict)) == repr(verdict)


class _Log:
    """A log that has nothing and keeps everything."""

    def __init__(self) -> None:
        self.queued: list[Turn] = []

    def recorded(self, debate: DebateKey) -> dict[str, Turn]:
        return {}

    def queue(self, turn: Turn) -> None:
        self.queued.append(turn)

    async def append_verdicts(self, verdicts: Any) -> None:
        raise NotImplementedError

    def prune(self, debate: DebateKey, *, turns: Any, rounds: Any) -> None:
        raise NotImplementedError


class _Nobody:
    """A watcher that does not look."""

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        pass

    def on_verdicts(self, verdicts: Any) -> None:
        pass


def calls(cache: CallCache | None = None) -> CallStore:
    return CallStore(clients={}, log=_Log(), watcher=_Nobody(), cache=cache)


async def gives() -> CallResult:
    return replace(RESULT, failure=None)


async def gives_nothing() -> CallResult:
    raise AssertionError("the call was made twice")


def begun(**changes: Any) -> Turn:
    """A turn before its call, at a place of its own."""
    return replace(PLACE, shared_with=None, finished_at=0.0, **changes)


async def test_a_shared_call_gives_each_turn_all_that_it_gave_and_leaves_it_its_place() -> None:
    taking = calls()
    first, second = begun(), begun(cell="other", round=3, heard=("0:opening:x",), started_at=9.0)
    one = await taking.get_or_compute(PendingTurn(turn=first, compute=gives))
    other = await taking.get_or_compute(PendingTurn(turn=second, compute=gives_nothing))
    assert one.result == other.result == await gives()
    assert (one.shared_with, other.shared_with) == (None, "c:2:critique:a:b")
    for made, place in ((one, first), (other, second)):
        for each in fields(Turn):
            if each.name not in {*vars_of(CallResult), "shared_with", "finished_at"}:
                assert getattr(made, each.name) == getattr(place, each.name), each.name


def vars_of(kind: Any) -> set[str]:
    return {each.name for each in fields(kind)}


async def test_a_call_from_the_cache_gives_all_that_it_gave(tmp_path: Path) -> None:
    cache = CallCache(tmp_path)
    await calls(cache).get_or_compute(PendingTurn(turn=begun(), compute=gives))
    again = await calls(cache).get_or_compute(
        PendingTurn(turn=begun(cell="later"), compute=gives_nothing)
    )
    cache.close()
    assert again.result == await gives()
    assert (again.cell, again.shared_with, again.prompt) == ("later", "cache", PLACE.prompt)


def test_an_old_line_is_read_as_one_whose_end_is_not_known() -> None:
    old = b'{"cell":"c","question":"q","seed":0,"round":0,"kind":"opening","agent":"a","model":"m",'
    old += b'"text":"Answer: 4","answer":{"value":"4","matched":[]},"correct":true,"usage":{}}'
    turn = decode_line(old, Turn)
    assert (turn.finish_reason, turn.is_cut, turn.outcome) == (None, False, "correct")
    frame = build_turn_frame([decode_line(old, TurnStruct)], {}, [])
    assert frame.select("finish_reason", "cut").row(0) == (None, False)
    assert frame.schema["finish_reason"] == pl.String
