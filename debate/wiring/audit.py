"""A run debated once more from its own log: whoever heard, said or decided otherwise is named.

Nothing is asked of any model. Each turn that the debate comes to is looked up in the log and
compared with what the run's configuration makes of the turns before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from debate.errors import DebateError
from debate.log import Problem, read_questions, verify
from debate.log.manifest import Manifest, read_manifest
from debate.types import DebateKey, Question, Turn, Verdict
from debate.wiring.audit_cells import Rebuilt, rebuild
from debate.wiring.audit_replay import replay

MOST_STALE = 3
"""Prompts of a model that are named before one of its prompts is found to be as recorded."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What is wrong in a run directory, and what could not be looked at."""

    problems: tuple[Problem, ...]
    unchecked: tuple[str, ...]


def audit(directory: Path | str, *, custom_code: bool = False) -> Audit:
    """Everything that `verify` finds, and every turn and verdict that is not what it should be.

    A protocol of the user's own is imported only with `custom_code`. Raises InputError where there
    is no such directory.
    """
    directory = Path(directory)
    found = _rebuilt(directory, custom_code=custom_code)
    if isinstance(found, str):
        unchecked = (f"who heard whom, and the verdicts, were not recomputed: {found}",)
        return Audit(problems=tuple(verify(directory)), unchecked=unchecked)
    auditor = Auditor(found.manifest, found.cells, found.questions)
    problems = [*found.problems, *verify(directory, audit=auditor.problems_of)]
    problems += auditor.problems_of_the_whole()
    return Audit(problems=tuple(problems), unchecked=(*found.cells.unchecked, *auditor.unchecked()))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a directory says that its run was."""

    manifest: Manifest
    cells: Rebuilt
    questions: Mapping[str, Question]
    problems: tuple[Problem, ...]


def _rebuilt(directory: Path, *, custom_code: bool) -> _Found | str:
    """The run as its manifest tells it; in words, why it cannot be told."""
    try:
        manifest = read_manifest(directory)
        questions = {question.id: question for question in read_questions(directory)}
        cells = rebuild(manifest.spec, custom_code=custom_code)
    except DebateError as error:
        return str(error)
    problems = tuple(Problem(place="manifest.json", what=what) for what in cells.against(manifest))
    return _Found(manifest=manifest, cells=cells, questions=questions, problems=problems)


@dataclass
class _Hashes:
    """How many of a model's prompts are the recorded ones, and where some are not."""

    same: int = 0
    other: list[Problem] = field(default_factory=list)


class Auditor:
    """Debates again, one debate at a time, from the turns that are recorded of it."""

    def __init__(
        self, manifest: Manifest, rebuilt: Rebuilt, questions: Mapping[str, Question]
    ) -> None:
        self._manifest = manifest
        self._rebuilt = rebuilt
        self._questions = questions
        self._seen: set[DebateKey] = set()
        self._hashes: dict[str, _Hashes] = {}

    def problems_of(
        self, debate: DebateKey, turns: Sequence[Turn], verdicts: Sequence[Verdict]
    ) -> Iterator[Problem]:
        """What is wrong with one debate."""
        self._seen.add(debate)
        where = f'cell "{debate.cell}", question "{debate.question}", seed {debate.seed}'
        question = self._questions.get(debate.question)
        if debate.cell not in self._rebuilt.known:
            yield Problem(place=where, what=f'the configuration has no cell "{debate.cell}"')
        cell = self._rebuilt.cells.get(debate.cell)
        if cell is None or question is None:
            return
        found = replay(cell, question, debate, turns, verdicts)
        for place, what in found.differences:
            yield Problem(place=f"{where}, {place}", what=what)
        models = {turn.ref: turn.model for turn in turns}
        for ref, is_same in found.has_same_prompt.items():
            self._count(models[ref], f"{where}, turn {ref}", is_same=is_same)

    def problems_of_the_whole(self) -> Iterator[Problem]:
        """Debates that a complete run lacks, and prompts that are not the recorded ones."""
        if self._manifest.status == "complete":
            for key in self._wanted():
                if key not in self._seen:
                    what = f'question "{key.question}", seed {key.seed}: no turn, though complete'
                    yield Problem(place=f'cell "{key.cell}"', what=what)
        for hashes in self._hashes.values():
            yield from hashes.other if hashes.same else ()

    def unchecked(self) -> list[str]:
        """Models none of whose prompts has the recorded hash."""
        return [
            f"prompts of model {model} were not compared: its weights, its settings or the "
            "prompt set are not what they were"
            for model, hashes in self._hashes.items()
            if hashes.other and not hashes.same
        ]

    def _count(self, model: str, where: str, *, is_same: bool) -> None:
        hashes = self._hashes.setdefault(model, _Hashes())
        if is_same:
            hashes.same += 1
        elif len(hashes.other) < MOST_STALE or hashes.same:
            what = "its prompt, by its hash, is not what the debate before it makes"
            hashes.other.append(Problem(place=where, what=what))

    def _wanted(self) -> Iterator[DebateKey]:
        for cell in self._rebuilt.cells:
            for seed in self._manifest.seeds:
                for question in self._questions:
                    yield DebateKey(cell=cell, question=question, seed=seed)
