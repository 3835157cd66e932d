"""Questions: where they come from, how answers to them are read and scored."""

from debate.tasks.loading import fingerprint, load_questions
from debate.tasks.parsing import AnswerFormat, parse_answer
from debate.tasks.scoring import closed_candidates, correct, normalise, score

__all__ = [
    "AnswerFormat",
    "closed_candidates",
    "correct",
    "fingerprint",
    "load_questions",
    "normalise",
    "parse_answer",
    "score",
]
