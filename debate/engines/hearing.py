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
    return _is_review_of_itself(turn) or _is_heard_now(turn, scene, named)


def _is_review_of_itself(turn: Turn) -> bool:
    return turn.kind == "critique" and turn.about == turn.agent


def _is_heard_now(turn: Turn, scene: Scene, named: Collection[str]) -> bool:
    """Whether the agent's own answer comes back to it in the turn that is being made.

    A scene does not say so. Whoever heard itself at its last revision does so again; at the first
    revision an agent that has heard nobody else can only be hearing itself.
    """
    answers = [each for each in scene.turns if each.agent == scene.agent and speaks(each)]
    if scene.kind != "revision" or not answers or turn.ref != answers[-1].ref:
        return False
    if len(answers) > 1:
        return any(answer.ref in named for answer in answers)
    return all(each.agent == scene.agent for each in scene.turns)
