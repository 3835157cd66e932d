"""Which turns of a scene have reached its agent's opinion."""

from __future__ import annotations

from collections.abc import Collection

from debate.engines.base import Scene
from debate.types import Turn, speaks


def heard_turns(scene: Scene) -> list[Turn]:
    """The turns that the agent has heard when it makes this one, oldest first.

    A turn that it only read in order to review it is not heard. Its own answers are heard where a
    self-loop brings them back, and a review of itself is written to be heard.
    """
    own = [turn for turn in scene.turns if turn.agent == scene.agent]
    named = {ref for turn in own if speaks(turn) for ref in turn.heard}
    reviewed = {ref for turn in own if turn.kind == "critique" for ref in turn.heard}
    if scene.subject is not None:
        reviewed.add(scene.subject.ref)
    return [turn for turn in scene.turns if _is_heard(turn, scene, named, reviewed)]


def _is_heard(turn: Turn, scene: Scene, named: Collection[str], reviewed: Collection[str]) -> bool:
    ref = turn.ref
    if ref in named:
        return True
    if turn.agent != scene.agent:
        return ref not in reviewed
    return _is_review_of_itself(turn) or (scene.kind == "revision" and ref in scene.heard)


def _is_review_of_itself(turn: Turn) -> bool:
    return turn.kind == "critique" and turn.about == turn.agent
