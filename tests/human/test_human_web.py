"""The page of a person over HTTP: who is let in, what is shown, what is handed in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra `serve` is not installed")
pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")

from debate.config.models import HumanModel
from debate.engines.base import Request
from debate.engines.human.human_page import MAX_BODY
from debate.engines.human.human_queue import HumanQueue
from debate.engines.human.human_web import HEADERS, WebFront
from debate.errors import ModelRefused
from debate.log import Run
from debate.types import Question, Turn
from tests.human.people import Browser, asked, running
from tests.support import by_ref

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
FORM = "application/x-www-form-urlencoded"


@asynccontextmanager
async def served(*requests: Request, **fields: Any) -> AsyncIterator[tuple[Browser, HumanQueue]]:
    """A page at a free port, with a queue in which these requests wait."""
    queue = HumanQueue()
    front = WebFront(HumanModel(engine="human", via="web", port=0, **fields), queue)
    await front.start()
    asking = [asyncio.create_task(queue.ask(each)) for each in requests]
    while len(queue.waiting) < len(requests):
        await queue.wait()
    async with Browser(front.place) as browser:
        yield browser, queue
    for each in asking:
        each.cancel()
    await front.close()


async def test_a_link_lets_one_browser_in_and_works_once() -> None:
    async with served(asked()) as (browser, _), Browser(browser.link) as other:
        assert await browser.open("/") == 403
        assert await browser.open() == 200
        assert browser.find("turn") == "1"
        assert await other.open() == 403
        assert "has been used" in other.text
        assert await browser.open("/") == 200


async def test_the_progress_has_a_link_that_works_after_the_first_was_used() -> None:
    queue = HumanQueue()
    front = WebFront(HumanModel(engine="human", via="web", port=0), queue)
    await front.start()
    async with Browser(front.place) as first:
        await first.open()
        async with Browser(front.place) as second:
            assert await second.open() == 200
    await front.close()


async def test_a_token_of_the_users_own_works_again_and_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAGE_TOKEN", "held-by-heart")
    async with served(asked(), token_env="PAGE_TOKEN") as (browser, _):
        assert browser.link.endswith("/?token=$PAGE_TOKEN")
        async with Browser(f"{browser.root}/?token=held-by-heart") as first:
            assert await first.open() == 200
        async with Browser(first.link) as second:
            assert await second.open() == 200


async def test_a_name_that_was_made_to_lead_here_is_refused() -> None:
    async with served(asked(), hosts=("lab.example",)) as (browser, _):
        await browser.open()
        assert await browser.open("/", Host="evil.example") == 421
        assert "347" not in browser.page
        assert await browser.open("/", Host="lab.example:80") in (200, 403)
        assert await browser.open("/", Host="localhost") in (200, 403)
        assert await browser.open("/", Host="") == 421


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_a_form_from_another_page_is_refused(headers: dict[str, str]) -> None:
    async with served(asked()) as (browser, queue):
        await browser.open()
        assert await browser.hand_in(headers, answer="936") == 403
        assert len(queue.waiting) == 1


async def test_a_form_without_the_secret_of_the_page_is_refused() -> None:
    async with served(asked()) as (browser, queue):
        await browser.open()
        assert await browser.hand_in(answer="936", secret="guessed") == 403
        assert len(queue.waiting) == 1


async def test_a_reply_that_is_too_long_is_refused() -> None:
    async with served(asked()) as (browser, queue):
        await browser.open()
        assert await browser.hand_in(reasoning="x" * (MAX_BODY + 1)) == 413
        assert len(queue.waiting) == 1


async def test_what_others_say_is_escaped_and_nothing_is_loaded_from_elsewhere() -> None:
    question = Question(id=HOSTILE, text=HOSTILE, kind="choice", options=(HOSTILE, "b"), target="B")
    async with served(asked(text=HOSTILE, question=question)) as (browser, _):
        async with browser.session.get(browser.link) as answer:
            browser.page = await answer.text()
            for name, value in HEADERS.items():
                assert answer.headers[name.decode()] == value.decode()
        assert await browser.hand_in(reasoning=HOSTILE, confidence=HOSTILE) == 422
    assert "<script>alert" not in browser.page
    assert browser.page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
    assert not re.search("[\x1b\u202e]", browser.page)
    assert re.findall(r'(?:src|href)="(?!/|data:,)', browser.page) == []


async def test_the_target_and_whose_answer_it_is_are_kept_from_the_person() -> None:
    question = Question(id="q", text="What is 347+589?", kind="number", target="936936")
    state = {"question": question, "kind": "critique", "about": "the-adder", "agent": "reviewer"}
    async with served(asked(**state)) as (browser, _):
        await browser.open()
    assert "For reviewer" in browser.text
    assert "936936" not in browser.page
    assert "the-adder" not in browser.page


async def test_a_confidence_that_is_none_is_corrected_in_place() -> None:
    async with served(asked()) as (browser, queue):
        await browser.open()
        assert await browser.hand_in(answer="936", confidence="very") == 422
        assert "write a percentage from 0 to 100" in browser.text
        assert 'value="936"' in browser.page
        assert await browser.hand_in(answer="936", confidence="") == 200
        assert queue.first is None


async def test_a_reply_after_its_time_is_not_used_and_not_lost_from_sight() -> None:
    async with served(asked("1"), asked("2")) as (browser, queue):
        await browser.open()
        first = queue.first
        assert first is not None
        first.future.cancel()
        assert await browser.hand_in(answer="936", reasoning="long thought") == 409
        assert "Nobody waits for that turn any longer" in browser.text
        assert "long thought" in browser.text
        assert browser.find("turn") == "2"


async def test_the_script_is_told_which_turns_wait() -> None:
    async with served(asked("1"), asked("2")) as (browser, _):
        assert await browser.open("/state") == 403
        await browser.open()
        assert await browser.open("/state") == 200
    assert browser.page == '{"waiting":[1,2]}'


async def test_without_a_turn_the_page_looks_again_by_itself() -> None:
    async with served() as (browser, _):
        await browser.open()
    assert "Nothing to answer yet" in browser.text
    assert '<meta http-equiv="refresh"' in browser.page


async def test_a_port_in_use_is_refused_by_name() -> None:
    async with served() as (browser, queue):
        port = int(browser.root.rpartition(":")[2])
        second = WebFront(HumanModel(engine="human", via="web", port=port), queue)
        with pytest.raises(ModelRefused, match=f"port {port} of 127.0.0.1: Address already in use"):
            await second.start()


# Whole runs.


def critiques(run: Run, cell: str = "main") -> dict[str, Turn]:
    turns = by_ref(run, cell=cell)
    return {ref: turn for ref, turn in turns.items() if turn.kind == "critique"}


async def test_what_was_answered_before_a_stop_is_not_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(tmp_path, capsys) as (_, browser):
        await browser.open()
        await browser.await_turn()
        await browser.hand_in(verdict="correct", confidence="70")
        assert "Handed in: verdict correct, confidence 70 %." in browser.text
        await browser.await_turn()
    async with running(tmp_path, capsys) as (going, browser):
        await browser.open()
        await browser.await_turn()
        assert "Answer: 5" in browser.text
        await browser.hand_in(verdict="incorrect", answer="4", reasoning="It is 4.")
        found = critiques(await going)
    assert found["1:critique:reviewer:a"].accepts is True
    assert found["1:critique:reviewer:b"].text == "It is 4.\n\nAnswer: 4\nVerdict: incorrect"
    assert found["1:critique:reviewer:b"].value == "4"
    assert found["1:critique:reviewer:b"].usage.prompt_tokens == 0


async def test_arms_that_ask_a_person_alike_ask_once_and_another_run_asks_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields: dict[str, Any] = {
        "cells": {"one": {}, "two": {"decision": "unanimity"}},
        "log": {"cache": str(tmp_path / "cache")},
    }
    for name in ("first", "second"):
        async with running(tmp_path, capsys, name=name, **fields) as (going, browser):
            await browser.open()
            for _ in "ab":
                await browser.await_turn()
                await browser.hand_in(verdict="correct")
            run = await going
        turns = [turn for cell in ("one", "two") for turn in critiques(run, cell).values()]
        asked_alone = [turn for turn in turns if turn.shared_with is None]
        assert {turn.about for turn in asked_alone} == {"a", "b"}
        assert len(asked_alone) == 2
        assert len(turns) == 4


async def test_a_quorum_goes_on_without_the_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields: dict[str, Any] = {
        "topology": {"edges": ["reviewer, b -> a"], "uncritiqued": "allow"},
        "protocol": {"name": "critique", "quorum": 1},
    }
    async with running(tmp_path, capsys, **fields) as (going, _):
        turns = by_ref(await going)
    assert turns["1:revision:a"].late == ("reviewer",)


async def test_a_person_who_stays_away_is_a_failed_turn_and_asked_again_by_the_next_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = {"person": {"model": {"timeout_s": 0.3}}}
    async with running(tmp_path, capsys, **away) as (going, _):
        failed = critiques(await going)
    assert {turn.outcome for turn in failed.values()} == {"failed"}
    async with running(tmp_path, capsys) as (going, browser):
        await browser.open()
        for _ in "ab":
            await browser.await_turn()
            await browser.hand_in(verdict="correct")
        found = critiques(await going)
    assert [turn.accepts for turn in found.values()] == [True, True]
