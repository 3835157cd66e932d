"""An exact calculator for arithmetic questions: the tool that a debate can be anchored to."""

from __future__ import annotations

from debate.config.models import CalculatorModel
from debate.engines.at_once import AtOnceEngine
from debate.engines.base import Completion, Request
from debate.engines.utterance import utterance, verdict_on_subject

NO_ANSWER = "no answer"
"""What it says to a question that it cannot calculate: an abstention."""


class CalculatorEngine(AtOnceEngine[CalculatorModel]):
    """Calculates from the question's text alone; it never looks at the target."""

    def reply(self, request: Request) -> Completion:
        """The exact answer, with a verdict where a turn is under critique."""
        scene = request.scene
        assert scene is not None, "the calculator was given no scene"
        exact = calculated(scene.question.text)
        if exact is None:
            return Completion(id=request.id, text=NO_ANSWER, finish_reason="stop")
        text = utterance(exact, verdict=verdict_on_subject(scene, exact))
        return Completion(id=request.id, text=text, finish_reason="stop")


def calculated(text: str) -> str | None:
    """The exact answer to an arithmetic question; None for any other text.

    >>> calculated("347+589"), calculated("Who wrote Hamlet?")
    ('936', None)
    """
    from debate.tasks.arithmetic import value

    try:
        return value(text.strip())
    except ValueError:
        return None
