"""Whether a directory holds the run that is asked for: its manifest and its own questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from debate.errors import RunConflict, TaskError
from debate.log.codec import CorruptLine, decode, encode
from debate.log.differences import differences, listed
from debate.log.disk import on_disk, replace_file
from debate.log.environment import environment
from debate.log.layout import MANIFEST, QUESTIONS, TURNS, place, shard_files
from debate.log.lines import read_lines
from debate.log.manifest import Manifest, Start, now, plain, read_manifest, write_manifest
from debate.types import Question


def settle_identity(
    directory: Path, wanted: Manifest, questions: Sequence[Question], *, ignoring: Iterable[str]
) -> Manifest:
    """Write a new run's manifest and questions, or check that the ones there are the same run's.

    Raises RunConflict with the differences where they are not.
    """
    _require_distinct(questions)
    start = Start(at=now(), environment=environment())
    if (directory / MANIFEST).exists():
        manifest = read_manifest(directory)
        _require_same_spec(directory, manifest.spec, wanted.spec, ignoring)
        _require_same_questions(directory, questions)
    else:
        _require_no_turns(directory)
        replace_file(directory / QUESTIONS, b"".join(map(encode, questions)))
        manifest = wanted
    started = replace(manifest, status="running", starts=(*manifest.starts, start))
    write_manifest(directory, started)
    return started


def new_manifest(
    spec: Mapping[str, Any],
    *,
    seeds: Iterable[int] = (),
    agents: Iterable[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Manifest:
    """The manifest of a run that begins now."""
    return Manifest(
        created_at=now(),
        spec=plain(spec),
        seeds=tuple(seeds),
        agents=tuple(agents),
        extra=plain(extra or {}),
    )


def read_questions(directory: Path) -> tuple[Question, ...]:
    """The run's own copy of its questions. Raises LogError, TaskError with the line."""
    path = directory / QUESTIONS
    questions = []
    with on_disk(path, "read"):
        for line in read_lines(path):
            try:
                questions.append(decode(line.raw, Question))
            except CorruptLine as error:
                raise TaskError(f"{path}:{line.number}: not a question: {error}") from error
    return tuple(questions)


def _require_distinct(questions: Iterable[Question]) -> None:
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise TaskError(f'question id "{question.id}" occurs twice; ids must be distinct')
        seen.add(question.id)


def _require_same_spec(
    directory: Path, old: Mapping[str, Any], new: Mapping[str, Any], ignoring: Iterable[str]
) -> None:
    if clauses := differences(old, new, ignoring=ignoring):
        raise RunConflict(
            f"{directory} holds a run of another configuration (there → here):\n"
            f"{listed(clauses)}\nname another directory, or go back to the configuration there"
        )


def _require_same_questions(directory: Path, questions: Sequence[Question]) -> None:
    old = {question.id: _as_data(question) for question in read_questions(directory)}
    new = {question.id: _as_data(question) for question in questions}
    if clauses := differences(old, new):
        raise RunConflict(
            f"{directory} holds a run of other questions (there → here):\n{listed(clauses)}\n"
            "name another directory, or go back to the questions there"
        )


def _as_data(question: Question) -> dict[str, Any]:
    return decode(encode(question), dict[str, Any])


def _require_no_turns(directory: Path) -> None:
    for path in shard_files(directory, TURNS):
        if path.stat().st_size:
            raise RunConflict(
                f"{directory} has turns ({place(path)}) but no {MANIFEST}, so nobody can tell "
                "which run they belong to; name another directory"
            )
