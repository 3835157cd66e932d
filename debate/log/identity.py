"""Whether a directory holds the run that is asked for: its manifest and its own questions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from debate.errors import RunConflict, TaskError
from debate.hashes import repeated
from debate.log.codec import CorruptLine, decode, encode
from debate.log.differences import additions, differences, listed
from debate.log.disk import on_disk, replacing, write_in_chunks
from debate.log.environment import environment
from debate.log.layout import MANIFEST, QUESTIONS, TURNS, place, shard_files
from debate.log.lines import read_lines
from debate.log.manifest import (
    Manifest,
    Start,
    Stated,
    now,
    plain,
    read_manifest,
    write_manifest,
)
from debate.types import Question

Canonical = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A recorded or a present configuration as what makes it the run that it is."""

GROWS = ("cells", "agents", "models", "seeds")
"""Mappings of a canonical configuration that may gain entries later, and lose or change none."""


def settle_identity(
    directory: Path,
    wanted: Manifest,
    questions: Sequence[Question],
    *,
    ignoring: Iterable[str],
    canonical: Canonical | None = None,
) -> Manifest:
    """Write a new run's manifest and questions, or check that the ones there are the same run's.

    With `canonical`, cells, agents, models and seeds may have been added, which the manifest then
    says. Raises RunConflict with the differences where it is another run.
    """
    _require_distinct(questions)
    added: tuple[tuple[str, ...], ...] = ()
    if (directory / MANIFEST).exists():
        manifest = read_manifest(directory)
        old, new = (canonical or _as_it_is)(manifest.spec), (canonical or _as_it_is)(wanted.spec)
        added = additions(old, new, among=GROWS) if canonical else ()
        _require_same_spec(directory, old, new, (*ignoring, *added))
        _settle_questions(directory, questions)
        if canonical:
            manifest = replace(manifest, spec=wanted.spec, seeds=wanted.seeds, agents=wanted.agents)
    else:
        _require_no_turns(directory)
        _write_questions(directory, questions)
        manifest = wanted
    names = tuple(".".join(path) for path in added)
    start = Start(at=now(), environment=environment(), added=names)
    started = replace(
        manifest,
        status="running",
        starts=(*manifest.starts, start),
        stated=_stated(directory, manifest, start.at),
    )
    write_manifest(directory, started)
    return started


def note_start(directory: Path) -> None:
    """Note that the run is added to now; its totals are told again when it is closed."""
    manifest = read_manifest(directory)
    starts = (*manifest.starts, Start(at=now(), environment=environment()))
    write_manifest(directory, replace(manifest, starts=starts, totals=None))


def _as_it_is(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return spec


def _stated(directory: Path, manifest: Manifest, at: str) -> tuple[Stated, ...]:
    """The wordings of the hypotheses so far, and the present one if it is new."""
    present = manifest.spec.get("hypotheses") or {}
    last = manifest.stated[-1].hypotheses if manifest.stated else {}
    if present == last:
        return manifest.stated
    files = shard_files(directory, TURNS)
    num_turns = sum(1 for path in files for _ in read_lines(path))
    return (*manifest.stated, Stated(at=at, num_turns=num_turns, hypotheses=present))


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


def _require_distinct(questions: Sequence[Question]) -> None:
    twice = set(repeated(array("q", (hash(question.id) for question in questions))).tolist())
    seen: set[str] = set()
    for question in questions if twice else ():
        if question.id in seen:
            raise TaskError(f'question id "{question.id}" occurs twice; ids must be distinct')
        if hash(question.id) in twice:
            seen.add(question.id)


def _require_same_spec(
    directory: Path,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    ignoring: Iterable[str | tuple[str, ...]],
) -> None:
    if clauses := differences(old, new, ignoring=ignoring):
        raise RunConflict(
            f"{directory} holds a run of another configuration (there → here):\n"
            f"{listed(clauses)}\nname another directory, or go back to the configuration there"
        )


def _settle_questions(directory: Path, questions: Sequence[Question]) -> None:
    """Check that the questions are the run's; clusters that it lacks are taken over.

    A cluster enters no prompt: it only says how intervals are made. Raises RunConflict.
    """
    old = {question.id: _as_data(question) for question in read_questions(directory)}
    new = {question.id: _as_data(question) for question in questions}
    gained = [(id, "cluster") for id, question in old.items() if question["cluster"] is None]
    if clauses := differences(old, new, ignoring=gained):
        raise RunConflict(
            f"{directory} holds a run of other questions (there → here):\n{listed(clauses)}\n"
            "name another directory, or go back to the questions there"
        )
    if old != new:
        _write_questions(directory, questions)


def _write_questions(directory: Path, questions: Sequence[Question]) -> None:
    with replacing(directory / QUESTIONS) as descriptor:
        write_in_chunks(descriptor, map(encode, questions))


def _as_data(question: Question) -> dict[str, Any]:
    return decode(encode(question), dict[str, Any])


def _require_no_turns(directory: Path) -> None:
    for path in shard_files(directory, TURNS):
        if path.stat().st_size:
            raise RunConflict(
                f"{directory} has turns ({place(path)}) but no {MANIFEST}, so nobody can tell "
                "which run they belong to; name another directory"
            )
