"""Begin or resume a run in a directory, and refuse a directory that holds another run."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from debate.errors import RunConflict, TaskError
from debate.hashes import find_repeated
from debate.log.codec import CorruptLine, decode_line, encode_line
from debate.log.disk import open_replacement, wrap_disk_errors, write_in_chunks
from debate.log.files import MANIFEST, QUESTIONS, TURNS, list_shards, read_lines
from debate.log.manifest import (
    Manifest,
    RunStart,
    StatedHypotheses,
    detect_environment,
    format_now,
    read_manifest,
    to_plain_spec,
    write_manifest,
)
from debate.log.recipe import write_recipe
from debate.types import Question

FieldPath = tuple[str, ...]

_ABSENT = object()
_MAX_CLAUSES = 12
_MAX_VALUE_LENGTH = 60
Canonicalize = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes a configuration; returns the part of it that makes a run the same run."""

GROWING = ("cells", "agents", "models", "seeds")
"""Mappings of a canonical configuration that may gain entries later, but not lose or change any."""


def start_run(
    directory: Path,
    wanted: Manifest,
    questions: Sequence[Question],
    *,
    ignoring: Iterable[str],
    canonical: Canonicalize | None = None,
    code: Mapping[str, str] | None = None,
) -> Manifest:
    """Write a new run's manifest and questions, or check that those there are of the same run.

    With `canonical`, cells, agents, models and seeds may have been added, which the manifest then
    records. `code` has the digests of the run's custom code by name. Raises RunConflict with the
    differences where it is another run.
    """
    _require_distinct(questions)
    added: tuple[tuple[str, ...], ...] = ()
    if (directory / MANIFEST).exists():
        manifest = read_manifest(directory)
        old, new = (canonical or _keep_spec)(manifest.spec), (canonical or _keep_spec)(wanted.spec)
        added = find_additions(old, new, among=GROWING) if canonical else ()
        cells = manifest.spec.get("cells") or {} if canonical else {}
        _require_same_spec(directory, old, new, (*ignoring, *added), cells)
        _update_questions(directory, questions)
        if canonical:
            manifest = replace(manifest, spec=wanted.spec, seeds=wanted.seeds, agents=wanted.agents)
    else:
        _write_questions(directory, questions)
        manifest = wanted
    names = tuple(".".join(path) for path in added)
    start = RunStart(
        at=format_now(), environment=detect_environment(), added=names, code=dict(code or {})
    )
    started = replace(
        manifest,
        status="running",
        starts=(*manifest.starts, start),
        stated=_update_stated(directory, manifest, start.at),
    )
    write_manifest(directory, started)
    return started


def record_start(directory: Path) -> Manifest:
    """Record in the manifest that the run is added to; its totals are unset until it is closed."""
    manifest = read_manifest(directory)
    starts = (*manifest.starts, RunStart(at=format_now(), environment=detect_environment()))
    started = replace(manifest, starts=starts, totals=None)
    write_manifest(directory, started)
    return started


def _keep_spec(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return spec


def _update_stated(directory: Path, manifest: Manifest, at: str) -> tuple[StatedHypotheses, ...]:
    """Return the wordings of the hypotheses so far, and the present one if it is new."""
    present = manifest.spec.get("hypotheses") or {}
    last = manifest.stated[-1].hypotheses if manifest.stated else {}
    if present == last:
        return manifest.stated
    files = list_shards(directory, TURNS)
    num_turns = sum(1 for path in files for _ in read_lines(path))
    return (*manifest.stated, StatedHypotheses(at=at, num_turns=num_turns, hypotheses=present))


def make_manifest(
    spec: Mapping[str, Any],
    *,
    seeds: Iterable[int] = (),
    agents: Iterable[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return the manifest of a run that begins now."""
    return Manifest(
        created_at=format_now(),
        spec=to_plain_spec(spec),
        seeds=tuple(seeds),
        agents=tuple(agents),
        extra=to_plain_spec(extra or {}),
    )


def read_questions(directory: Path) -> tuple[Question, ...]:
    """Read the run's own copy of its questions. Raises LogError, and TaskError with the line."""
    path = directory / QUESTIONS
    questions = []
    with wrap_disk_errors(path, "read"):
        for line in read_lines(path):
            try:
                questions.append(decode_line(line.raw, Question))
            except CorruptLine as error:
                raise TaskError(f"{path}:{line.number}: not a question: {error}") from error
    return tuple(questions)


def _require_distinct(questions: Sequence[Question]) -> None:
    twice = set(find_repeated(array("q", (hash(question.id) for question in questions))).tolist())
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
    cells: Mapping[str, Any],
) -> None:
    ignored = list(ignoring)
    if clauses := diff_fields(old, new, ignoring=ignored):
        changed = [path for path, _, _ in _find_differences(old, new, ignored)]
        raise RunConflict(
            f"{directory} holds a run of another configuration (there → here):\n"
            f"{format_clauses(clauses)}\n"
            f"{_describe_way_out(changed, old, new, cells)}name another directory, "
            "or go back to the configuration there"
        )


def _describe_way_out(
    changed: Iterable[FieldPath],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    cells: Mapping[str, Any],
) -> str:
    """Return how a change is made beside what has run; empty where no further cell can hold it."""
    recipe = write_recipe(list(changed), old, new, cells)
    if not recipe:
        return ""
    return (
        "keep what there is as it was, and add what is new beside it; it makes only those calls "
        f"that are new:\n{recipe}or "
    )


def _update_questions(directory: Path, questions: Sequence[Question]) -> None:
    """Check that the questions are the run's, and add clusters that the run lacks.

    A cluster enters no prompt, it only affects intervals. Raises RunConflict.
    """
    old = {question.id: _to_data(question) for question in read_questions(directory)}
    new = {question.id: _to_data(question) for question in questions}
    gained = [(id, "cluster") for id, question in old.items() if question["cluster"] is None]
    if clauses := diff_fields(old, new, ignoring=gained):
        raise RunConflict(
            f"{directory} holds a run of other questions (there → here):\n"
            f"{format_clauses(clauses)}\nname another directory, or go back to the questions there"
        )
    if old != new:
        _write_questions(directory, questions)


def _write_questions(directory: Path, questions: Sequence[Question]) -> None:
    with open_replacement(directory / QUESTIONS) as descriptor:
        write_in_chunks(descriptor, map(encode_line, questions))


def _to_data(question: Question) -> dict[str, Any]:
    return decode_line(encode_line(question), dict[str, Any])


def diff_fields(
    old: Mapping[str, Any], new: Mapping[str, Any], *, ignoring: Iterable[str | FieldPath] = ()
) -> list[str]:
    """Return one clause per differing field, as in `rounds: 3 → 4`.

    `ignoring` names fields to leave out, with dots for nested ones (or as a tuple of names) and
    `*` for any one name.

    >>> old = {"rounds": 3, "models": {"a": {"cpus": 1}}}
    >>> new = {"rounds": 4, "models": {"a": {"cpus": 2}}}
    >>> diff_fields(old, new, ignoring=["models.*.cpus"])
    ['rounds: 3 → 4']
    """
    return [
        f"{_join_path(path)}: {_format_value(before)} → {_format_value(after)}"
        for path, before, after in _find_differences(old, new, ignoring)
    ]


def _find_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], ignoring: Iterable[str | FieldPath]
) -> Iterator[tuple[FieldPath, Any, Any]]:
    ignored = [tuple(name.split(".")) if isinstance(name, str) else name for name in ignoring]
    for path, before, after in _iter_differences((), old, new):
        if not any(_covers(pattern, path) for pattern in ignored):
            yield path, before, after


def find_additions(
    old: Mapping[str, Any], new: Mapping[str, Any], *, among: Iterable[str]
) -> tuple[FieldPath, ...]:
    """Return the entries of the mappings `among` that only `new` has.

    >>> find_additions({"cells": {"a": 1}}, {"cells": {"a": 2, "b": 3}}, among=["cells"])
    (('cells', 'b'),)
    """
    return tuple(
        (name, str(key))
        for name in among
        for key in new.get(name, {})
        if key not in old.get(name, {})
    )


def format_clauses(clauses: Sequence[str]) -> str:
    """Write clauses as indented lines, the first dozen of them."""
    rest = len(clauses) - _MAX_CLAUSES
    more = [f"… and {rest} more"] if rest > 0 else []
    return "\n".join(f"  {clause}" for clause in [*clauses[:_MAX_CLAUSES], *more])


def _iter_differences(path: FieldPath, old: Any, new: Any) -> Iterator[tuple[FieldPath, Any, Any]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            child = (*path, str(name))
            yield from _iter_differences(child, old.get(name, _ABSENT), new.get(name, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for number, (before, after) in enumerate(zip_longest(old, new, fillvalue=_ABSENT)):
            yield from _iter_differences((*path, str(number)), before, after)
    elif old != new:
        yield path, old, new


def _covers(pattern: FieldPath, path: FieldPath) -> bool:
    pairs = zip(pattern, path, strict=False)
    return len(pattern) <= len(path) and all(wanted in ("*", name) for wanted, name in pairs)


def _join_path(path: FieldPath) -> str:
    return ".".join(path)


def _format_value(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[: _MAX_VALUE_LENGTH - 1]}…"
