"""Questions: where they come from, how answers to them are read and scored."""

from debate.deprecated import make_getattr
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

_RENAMED = {
    "AnswerFormat": "debate.tasks.answer_format.AnswerFormat",
    "closed_candidates": "debate.tasks.list_candidates",
    "correct": "debate.tasks.is_correct",
    "score": "debate.tasks.score_answer",
}
__getattr__ = make_getattr(__name__, _RENAMED)
