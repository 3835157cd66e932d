"""Runs made at different times, brought to common names: questions by content, models by spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from debate.errors import InputError
from debate.log import Run, read_table
from debate.types import Question

SEPARATOR = "/"
FEWEST = 2


@dataclass(frozen=True, kw_only=True)
class Source:
    """One run, or one table of transcripts, under the label that it is shown by.

    contents: what each question asks, by its id; runs ask the same where these are equal. spec:
    the configuration, empty for a table. status: how far a run came.
    """

    label: str
    path: Path
    trajectories: pl.DataFrame
    verdicts: pl.DataFrame | None
    contents: Mapping[str, str]
    spec: Mapping[str, Any]
    status: str = "complete"

    @property
    def cells(self) -> tuple[str, ...]:
        """The arms, in order."""
        return tuple(sorted(self.trajectories["cell"].unique()))


def read_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """The sources at these paths, with labels of their own. Raises InputError."""
    if len(paths) < FEWEST:
        raise InputError("a comparison takes two runs or more, as in `debate compare RUN RUN`")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("the same run is named twice; name different ones")
    found = [_read(path) for path in paths]
    labels = _labels(paths)
    named = [replace(each, label=label) for each, label in zip(found, labels, strict=True)]
    return tuple(_with_common_models(_with_common_questions(named)))


def _read(path: Path) -> Source:
    if path.is_dir():
        run = Run(path)
        trajectories = run.trajectories()
        if trajectories.is_empty():
            raise InputError(f"{path}: no agent has stated an answer, so nothing can be compared")
        return Source(
            label="", path=path, trajectories=trajectories,
            verdicts=run.verdicts().rename({"answer": "value"}),
            contents={id: _content(question) for id, question in run.questions_by_id.items()},
            spec=run.manifest.spec, status=run.manifest.status,
        )  # fmt: skip
    if not path.exists():
        raise InputError(f"{path}: there is no such run directory or table")
    table = read_table(path)
    contents = {
        str(id): f"{id}\n{target}"
        for id, target in table.select("question", "target").unique().iter_rows()
    }
    return Source(
        label="", path=path, trajectories=table, verdicts=None, contents=contents, spec={}
    )


def _content(question: Question) -> str:
    """All that is asked, and the answer that is looked for."""
    return "\n".join((question.kind, question.text, *question.options, question.target or ""))


def _labels(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many of each as tell all of them apart."""
    parts = [path.resolve().with_suffix("").parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        labels = ["_".join(part[-length:]).replace(SEPARATOR, "") for part in parts]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}_{part[-1]}" for number, part in enumerate(parts, 1)]


def _with_common_questions(sources: Sequence[Source]) -> list[Source]:
    """Equal questions under one id; an id that stands for different ones is told apart."""
    id_of: dict[str, str] = {}
    taken: dict[str, str] = {}
    for source in sources:
        for id, content in source.contents.items():
            if content not in id_of:
                free = id if id not in taken else f"{source.label}{SEPARATOR}{id}"
                id_of[content] = free
                taken[free] = content
    return [_renamed(source, id_of) for source in sources]


def _renamed(source: Source, id_of: Mapping[str, str]) -> Source:
    names = {id: id_of[content] for id, content in source.contents.items()}
    column = pl.col("question").replace(names)
    verdicts = None if source.verdicts is None else source.verdicts.with_columns(column)
    return replace(
        source,
        trajectories=source.trajectories.with_columns(column),
        verdicts=verdicts,
        contents={names[id]: content for id, content in source.contents.items()},
    )


def _with_common_models(sources: Sequence[Source]) -> list[Source]:
    """A name that stands for different models in different runs is told apart."""
    specs: dict[str, list[Any]] = {}
    for source in sources:
        for name, model in (source.spec.get("models") or {}).items():
            specs.setdefault(name, []).append(model)
    clashing = [name for name, found in specs.items() if any(each != found[0] for each in found)]
    return [
        replace(
            source,
            trajectories=source.trajectories.with_columns(
                pl.col("model").replace(
                    {name: f"{source.label}{SEPARATOR}{name}" for name in clashing}
                )
            ),
        )
        for source in sources
    ]
