"""Going on when enough critics have spoken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from debate.orchestrator.shared_future import wait_for_quorum
from tests.support import by_ref, run, scripted

NEVER = 3600.0
QUICK = [scripted(name, f"Answer: {number}") for number, name in enumerate("abc")]
SLOW = scripted("slow", "Wrong.", latency_s=NEVER, role="critic")
TO_A = {"edges": ["slow, b, c -> a"], "uncritiqued": "allow"}


def protocol(quorum: int) -> dict[str, object]:
    return {"name": "critique", "quorum": quorum}


def test_an_author_goes_on_with_its_quorum_and_the_late_critic_is_recorded(
    tmp_path: Path,
) -> None:
    ran = run(tmp_path, [*QUICK, SLOW], topology=TO_A, rounds=1, protocol=protocol(2))
    turn = by_ref(ran)["1:revision:a"]
    assert turn.heard == ("1:critique:b:a", "1:critique:c:a")
    assert turn.late == ("slow",)


def test_a_resumed_run_hears_whom_it_heard(tmp_path: Path) -> None:
    fields = {"topology": TO_A, "rounds": 2, "protocol": protocol(2)}
    first = by_ref(run(tmp_path, [*QUICK, SLOW], **fields))
    again = by_ref(run(tmp_path, [*QUICK, SLOW], **fields))
    assert again == first
    assert first["2:revision:a"].late == ("slow",)


def test_a_quorum_of_everybody_waits_for_everybody(tmp_path: Path) -> None:
    agents = [*QUICK, scripted("slow", "Answer: 1", latency_s=0.2)]
    turns = by_ref(run(tmp_path, agents, rounds=1, protocol={"quorum": 3}))
    assert [turn.late for turn in turns.values()] == [()] * 8
    assert all(len(turns[f"1:revision:{agent}"].heard) == 3 for agent in ("a", "b", "c", "slow"))


def test_a_critic_that_failed_has_not_spoken(tmp_path: Path) -> None:
    broken = scripted("broken", "Wrong.", latency_s=NEVER, timeout_s=0.01, role="critic")
    topology = {"edges": ["broken, b, c -> a"], "uncritiqued": "allow"}
    turns = by_ref(
        run(tmp_path, [*QUICK, broken], topology=topology, rounds=1, protocol=protocol(2))
    )
    assert turns["1:revision:a"].heard == ("1:critique:b:a", "1:critique:c:a")


async def test_whoever_is_not_waited_for_is_left_alone() -> None:
    loop = asyncio.get_running_loop()
    slow, quick = loop.create_future(), loop.create_future()
    quick.set_result("quick")
    found = await wait_for_quorum(
        [asyncio.shield(slow), asyncio.shield(quick)], 1, counts=bool, late="late"
    )
    slow.set_result("slow")
    assert found == ["late", "quick"]
    assert await slow == "slow"


async def test_an_error_of_somebody_who_is_there_is_raised() -> None:
    async def broken() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await wait_for_quorum([broken()], 1, counts=bool, late="late")


def test_a_call_given_up_in_one_cell_is_still_made_for_another(tmp_path: Path) -> None:
    agents = [*QUICK, scripted("slow", "Wrong.", latency_s=0.5, role="critic")]
    sweep = {"protocol": {"two": protocol(2), "all": protocol(3)}}
    ran = run(tmp_path, agents, topology=TO_A, rounds=1, sweep=sweep)
    impatient, patient = (by_ref(ran, cell=cell)["1:revision:a"] for cell in ("two", "all"))
    assert impatient.late == ("slow",)
    assert patient.heard == ("1:critique:b:a", "1:critique:c:a", "1:critique:slow:a")
