"""Fixed answers, written beforehand: one for all, one per round, or one per question."""

from __future__ import annotations

import random

from debate.config.models import ScriptedModel
from debate.engines.at_once import AtOnceEngine
from debate.engines.base import Completion, Request, Scene
from debate.engines.opinion import possible_answers
from debate.engines.utterance import utterance
from debate.errors import EngineError
from debate.tasks import closed_candidates
from debate.types import Question

OTHERS = "*"
"""The key of the replies to questions that have none of their own."""

NUM_WRONG = 3
"""Wrong answers to an open question from which the stated one is drawn."""


class ScriptedEngine(AtOnceEngine[ScriptedModel]):
    """Reads its replies out. Past the end of a list by round, the last reply is repeated."""

    def reply(self, request: Request) -> Completion:
        """What is written."""
        text = written_reply(self.spec, request.scene)
        return Completion(id=request.id, text=text, finish_reason="stop")


def written_reply(spec: ScriptedModel, scene: Scene | None) -> str:
    """The reply that is written for a scene. Raises EngineError where none is.

    >>> written_reply(ScriptedModel(engine="scripted", replies="Answer: 4"), None)
    'Answer: 4'
    """
    replies = spec.replies
    if isinstance(replies, str):
        return replies
    assert scene is not None, "a script by round or question was given no scene"
    if spec.states is not None:
        return utterance(stated_answer(scene.question, right=spec.states == "right"))
    if isinstance(replies, dict):
        question = scene.question.id
        found = replies.get(question, replies.get(OTHERS))
        if found is None:
            raise EngineError(f'no reply is written for question "{question}", and none for "*"')
        replies = [found] if isinstance(found, str) else found
    if not replies:
        raise EngineError("the list of replies is empty")
    return replies[min(scene.round, len(replies) - 1)]


def stated_answer(question: Question, *, right: bool) -> str:
    """The target, or one wrong answer that is the same for everybody who is asked.

    Raises EngineError for a question without a target.

    >>> question = Question(id="q", text="2+2", kind="number", target="4")
    >>> stated_answer(question, right=True), stated_answer(question, right=False) == "4"
    ('4', False)
    """
    if question.target is None:
        raise EngineError(f'question "{question.id}" has no target, so no answer to it is known')
    if right:
        return question.target
    closed = closed_candidates(question)
    known = closed or possible_answers(question, NUM_WRONG)
    wrong = [answer for answer in known if answer != question.target]
    if not wrong:
        raise EngineError(f'question "{question.id}" has no wrong answer')
    return random.Random(f"stated/{question.id}").choice(wrong)
