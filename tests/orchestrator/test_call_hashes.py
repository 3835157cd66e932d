"""What makes two calls one: all that decides a reply is hashed, and what does not is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from debate.agents.agent import Agent, derive_call_seed, hash_call
from debate.config.loader import load_run
from debate.engines.base import DebateState, Guided, Request, Sampling
from debate.engines.client import ModelClient
from debate.engines.registry import build_engine
from debate.engines.replica import LocalReplica
from debate.orchestrator.call_store import CallStore
from debate.orchestrator.question import debate_question
from debate.runner.plan import make_plan
from debate.types import Answer, Confidence, Message, Question, Turn, Verdict
from tests.log.builders import open_log
from tests.support import scripted

ADDER = Path(__file__).parents[2] / "agents" / "organisms" / "adder"
TURN = Turn(
    cell="main",
    question="q",
    seed=0,
    round=0,
    kind="opening",
    agent="b",
    model="m",
    answer=Answer(value="4"),
)
SCENE = DebateState(
    question=Question(id="q", text="2+2?", target="4"),
    seed=0,
    round=1,
    kind="revision",
    agent="a",
    heard=("0:opening:b",),
    turns=(TURN,),
)
REQUEST = Request(id="1", messages=(Message(role="user", content="2+2?"),), debate_state=SCENE)
PLACE: dict[str, Any] = {
    "seed": 0,
    "question": "q",
    "agent": "a",
    "round": 1,
    "kind": "critique",
    "about": "b",
}


def agent(**fields: Any) -> Agent:
    """A seat of a run, as the orchestrator has it."""
    config = {"agents": [scripted("a", "Answer: 4")], "task": {"generator": "arithmetic", "n": 1}}
    (cell,) = make_plan(load_run({**config, "topology": "self_loop", "rounds": 1})).cells
    return replace(cell.agents["a"], **fields)


def sampled(**fields: Any) -> Request:
    return replace(REQUEST, sampling=replace(Sampling(), **fields))


def placed(**fields: Any) -> Request:
    return replace(REQUEST, debate_state=replace(SCENE, **fields))


def heard(**fields: Any) -> Request:
    return placed(turns=(replace(TURN, **fields),))


OTHER_CALLS = {
    "messages": replace(REQUEST, messages=(Message(role="user", content="2+3?"),)),
    "role": replace(REQUEST, messages=(Message(role="system", content="2+2?"),)),
    "prefill": replace(REQUEST, prefill="I"),
    "candidates": replace(REQUEST, candidates=("4",)),
    "guided": replace(REQUEST, guided=Guided(regex="[0-9]")),
    "no scene": replace(REQUEST, debate_state=None),
    "temperature": sampled(temperature=0.5),
    "top_p": sampled(top_p=0.5),
    "top_k": sampled(top_k=5),
    "max_tokens": sampled(max_tokens=5),
    "stop": sampled(stop=("\n",)),
    "seed of the call": sampled(seed=5),
    "extra": sampled(extra=(("min_p", 0.1),)),
    "question": placed(question=replace(SCENE.question, id="r")),
    "text": placed(question=replace(SCENE.question, text="2+3?")),
    "target": placed(question=replace(SCENE.question, target="5")),
    "seed": placed(seed=1),
    "round": placed(round=2),
    "kind": placed(kind="critique"),
    "agent": placed(agent="c"),
    "about": placed(about="b"),
    "subject": placed(subject=TURN),
    "heard": placed(heard=()),
    "told whose it is": placed(told_own=True),
    "no turns": placed(turns=()),
    "turn heard": heard(agent="c"),
    "its answer": heard(answer=Answer(value="5")),
    "its verdict": heard(accepts=True),
    "its confidence": heard(confidences=(Confidence(source="verbal", value=0.5),)),
}


@pytest.mark.parametrize("other", OTHER_CALLS.values(), ids=OTHER_CALLS)
def test_whatever_decides_a_reply_makes_another_call(other: Request) -> None:
    assert hash_call(agent(), other) != hash_call(agent(), REQUEST)


def test_other_weights_make_another_call() -> None:
    assert hash_call(agent(identity="x"), REQUEST) != hash_call(agent(identity="y"), REQUEST)


def test_what_a_request_is_called_and_where_it_is_sent_make_no_other_call() -> None:
    named = replace(REQUEST, id="2", affinity="q/0")
    assert hash_call(agent(), named) == hash_call(agent(), REQUEST)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"question": "r"},
        {"agent": "b"},
        {"round": 2},
        {"kind": "probe"},
        {"about": "c"},
        {"about": None},
    ],
)
def test_a_call_s_seed_depends_on_its_whole_place(other: dict[str, Any]) -> None:
    assert derive_call_seed(**{**PLACE, **other}) != derive_call_seed(**PLACE)


class Watcher:
    """Keeps the turns that it is told of."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def on_turn(self, turn: Turn, *, replayed: bool) -> None:
        self.turns.append(turn)

    def on_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        return


async def debate_samples(
    folder: Path, temperature: float, *, num_seats: int = 2, probes: Sequence[str] = ()
) -> list[Turn]:
    """The openings of several seats of one trained model on questions that it does not know."""
    model = {"engine": "transformers", "path": str(ADDER), "dtype": "float32", "device": "cpu"}
    sampling = {"temperature": temperature, "max_tokens": 24}
    seat = {"model": "m", "prompts": "compact", "sampling": sampling}
    config = {
        "models": {"m": model},
        "agents": [{"id": name, **seat} for name in "ab"[:num_seats]],
        "topology": "self_loop",
        "task": {"generator": "arithmetic", "n": 12},
        "rounds": 0,
        "probes": list(probes),
    }
    plan, watcher = make_plan(load_run(config)), Watcher()
    client = ModelClient("m", [LocalReplica(build_engine(plan.models["m"]))])
    await client.start()
    with open_log(folder, questions=plan.questions) as log:
        calls = CallStore(clients={"m": client}, log=log, watcher=watcher)
        for question in plan.questions:
            await debate_question(question, plan.cells, calls, seed=0)
    await client.close()
    return watcher.turns


async def test_two_samples_of_one_model_are_two_calls(tmp_path: Path) -> None:
    turns = await debate_samples(tmp_path, 1.0)
    said = {name: [turn.text for turn in turns if turn.agent == name] for name in "ab"}
    assert [turn.shared_with for turn in turns] == [None] * 24
    assert said["a"] != said["b"]


async def test_one_model_asked_the_same_twice_without_chance_is_one_call(tmp_path: Path) -> None:
    turns = await debate_samples(tmp_path, 0.0)
    assert sum(turn.shared_with is None for turn in turns) == 12


async def test_samples_beside_the_debate_are_calls_of_their_own(tmp_path: Path) -> None:
    turns = await debate_samples(tmp_path, 1.0, num_seats=1, probes=["consistency"])
    assert len({turn.prompt_hash for turn in turns}) == len(turns) > 12
