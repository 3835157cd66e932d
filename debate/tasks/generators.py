"""Generated questions as items."""

from __future__ import annotations

from debate.config.task import GeneratorTask
from debate.errors import TaskError
from debate.tasks.arithmetic import FAMILIES, RESIDUES, questions
from debate.tasks.items import Item


def generated_items(spec: GeneratorTask) -> list[Item]:
    """Arithmetic questions of the families asked for. Raises TaskError for an unknown one.

    An answer in letters is a text out of all residues, so that belief over it is exact.
    """
    families = spec.families or tuple(FAMILIES)
    try:
        drawn = questions(families, spec.n, spec.seed, split=spec.split)
    except ValueError as cause:
        raise TaskError(f"task.families: {cause}") from None
    return [
        Item(
            id=question.id,
            text=question.text,
            kind="text" if question.answer in RESIDUES else "number",
            target=question.answer,
            options=tuple(RESIDUES) if question.answer in RESIDUES else (),
            category=question.family,
        )
        for question in drawn
    ]
