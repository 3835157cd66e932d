"""Questions: where they come from, how answers to them are read and scored."""

from debate.tasks.loading import load_questions
from debate.tasks.parsing import parse_answer
from debate.tasks.scoring import is_correct, list_candidates, normalise, score_answer

__all__ = [
    "is_correct",
    "list_candidates",
    "load_questions",
    "normalise",
    "parse_answer",
    "score_answer",
]
