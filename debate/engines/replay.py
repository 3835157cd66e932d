"""A finished run's turns, given again."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import msgspec

from debate.config.models import ReplayModel
from debate.engines.at_once import AtOnceEngine
from debate.engines.base import Completion, Request, Scene
from debate.errors import EngineError, boundary
from debate.log.layout import TURNS, shard_files
from debate.log.lines import read_values
from debate.types import Failure, Kind, Usage, turn_ref


class Place(NamedTuple):
    """What names a turn in every cell alike."""

    question: str
    seed: int
    ref: str


class RecordedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay needs of a line of `turns/*.jsonl`."""

    question: str
    seed: int
    round: int
    kind: Kind
    agent: str
    about: str | None = None
    text: str = ""
    finish_reason: str | None = None
    failure: Failure | None = None
    usage: Usage = msgspec.field(default_factory=Usage)

    @property
    def place(self) -> Place:
        """The turn's place in its debate."""
        ref = turn_ref(round=self.round, kind=self.kind, agent=self.agent, about=self.about)
        return Place(self.question, self.seed, ref)


class ReplayEngine(AtOnceEngine[ReplayModel]):
    """Speaks as a recorded agent. What was not recorded, or had failed, fails."""

    def __init__(self, spec: ReplayModel) -> None:
        super().__init__(spec)
        self._turns: dict[Place, RecordedTurn] = {}

    @property
    def place(self) -> str:
        """It names the run."""
        return f"replay of {self.spec.path}"

    async def start(self) -> None:
        """Read the run. Raises EngineError where there is none."""
        with boundary(EngineError, self.place):
            self._turns = await asyncio.to_thread(recorded_turns, Path(self.spec.path))

    async def close(self) -> None:
        """Forget the run."""
        self._turns = {}

    def reply(self, request: Request) -> Completion:
        """What was recorded at the request's place in the debate."""
        assert request.scene is not None, "a replay was given no scene"
        place = self._place(request.scene)
        turn = self._turns.get(place)
        if turn is None:
            raise EngineError(
                f"turn {place.ref} on question {place.question}, seed {place.seed}, "
                "is not in the recorded run"
            )
        return Completion(
            id=request.id,
            text=turn.text,
            finish_reason=turn.finish_reason or "stop",
            usage=turn.usage,
            failure=turn.failure,
        )

    def _place(self, scene: Scene) -> Place:
        agent = self.spec.agent or scene.agent
        ref = turn_ref(round=scene.round, kind=scene.kind, agent=agent, about=scene.about)
        return Place(scene.question.id, scene.seed, ref)


def recorded_turns(directory: Path) -> dict[Place, RecordedTurn]:
    """The turns of a run by place; of several cells the first, one that did not fail if any.

    Raises EngineError for a directory without turns.
    """
    files = shard_files(directory, TURNS)
    if not files:
        raise EngineError(f"{directory} holds no finished run: there is no {TURNS}/*.jsonl in it")
    found: dict[Place, RecordedTurn] = {}
    for file in files:
        for turn in read_values(file, RecordedTurn):
            earlier = found.get(turn.place)
            if earlier is None or (earlier.failure and not turn.failure):
                found[turn.place] = turn
    return found
