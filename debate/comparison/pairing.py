"""Runs made at different times: read under common names, and cut to what two have in common.

Questions are the same where their content is, models where their specs are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from debate.analysis.design import (
    Design,
    find_scripted_seats,
    find_silent_seats,
    read_design,
)
from debate.analysis.tokens import TURN_COLUMNS, fill_script_tokens
from debate.analysis.whole_questions import keep_whole
from debate.errors import InputError
from debate.log import Run, read_table
from debate.types import Question

SEPARATOR = "/"
FEWEST = 2
KEY = ["question", "seed"]


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One run, or one table of transcripts, under the label that it is shown by.

    contents: what each question asks, by its id; runs ask the same where these are equal. spec:
    the configuration, empty for a table. turns: all of a run (`TURN_COLUMNS`), None of a table.
    silent: the agents whose answers are no ballots. design: what its arms are about. status: how
    far a run came.
    """

    label: str
    path: Path
    trajectories: pl.DataFrame
    verdicts: pl.DataFrame | None
    contents: Mapping[str, str]
    spec: Mapping[str, Any]
    turns: pl.DataFrame | None = None
    silent: frozenset[str] = frozenset()
    design: Design = field(default_factory=Design)
    status: str = "complete"

    @property
    def cells(self) -> tuple[str, ...]:
        """The arms, in order."""
        return tuple(sorted(self.trajectories["cell"].unique()))


def read_runs(paths: Sequence[Path]) -> tuple[ComparedRun, ...]:
    """Read the runs and tables at these paths, each with a label of its own. Raises InputError."""
    if len(paths) < FEWEST:
        raise InputError("a comparison takes two runs or more, as in `debate compare RUN RUN`")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("the same run is named twice; name different ones")
    found = [_read(path) for path in paths]
    labels = _make_labels(paths)
    named = [replace(each, label=label) for each, label in zip(found, labels, strict=True)]
    return tuple(_unify_models(_unify_questions(named)))


def _read(path: Path) -> ComparedRun:
    if path.is_dir():
        return _read_run(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such run directory or table")
    table = read_table(path)
    contents = {
        str(id): f"{id}\n{target}"
        for id, target in table.select("question", "target").unique().iter_rows()
    }
    return ComparedRun(
        label="", path=path, trajectories=table, verdicts=None, contents=contents, spec={}
    )


def _read_run(path: Path) -> ComparedRun:
    run = Run(path)
    turns, scripted = run.narrow_turns(), find_scripted_seats(run)
    trajectories = fill_script_tokens(run.trajectories(turns), scripted)
    if trajectories.is_empty():
        raise InputError(f"{path}: no agent has stated an answer, so nothing can be compared")
    return ComparedRun(
        label="",
        path=path,
        trajectories=keep_whole(run, trajectories),
        verdicts=keep_whole(run, run.verdicts()).rename({"answer": "value"}),
        contents={id: _join_content(question) for id, question in run.questions_by_id.items()},
        spec=run.manifest.spec,
        turns=fill_script_tokens(keep_whole(run, turns.select(TURN_COLUMNS)), scripted),
        silent=frozenset(find_silent_seats(run)),
        design=read_design(run.manifest.spec, trajectories["cell"].unique().to_list()),
        status=run.manifest.status,
    )


def _join_content(question: Question) -> str:
    """All that is asked, and the answer that is looked for."""
    return "\n".join((question.kind, question.text, *question.options, question.target or ""))


def _make_labels(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths, as many of each as tell all of them apart."""
    parts = [path.resolve().with_suffix("").parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        labels = ["_".join(part[-length:]).replace(SEPARATOR, "") for part in parts]
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}_{part[-1]}" for number, part in enumerate(parts, 1)]


def _unify_questions(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Give equal questions one id; an id that stands for different ones is told apart."""
    id_of: dict[str, str] = {}
    taken: dict[str, str] = {}
    for run in runs:
        for id, content in run.contents.items():
            if content not in id_of:
                free = id if id not in taken else f"{run.label}{SEPARATOR}{id}"
                id_of[content] = free
                taken[free] = content
    return [_rename_questions(run, id_of) for run in runs]


def _rename_questions(run: ComparedRun, id_of: Mapping[str, str]) -> ComparedRun:
    names = {id: id_of[content] for id, content in run.contents.items()}
    column = pl.col("question").replace(names)
    return replace(
        _map_frames(run, lambda frame: frame.with_columns(column)),
        contents={names[id]: content for id, content in run.contents.items()},
    )


def _map_frames(run: ComparedRun, change: Callable[[pl.DataFrame], pl.DataFrame]) -> ComparedRun:
    """The run with each of its frames changed alike."""
    return replace(
        run,
        trajectories=change(run.trajectories),
        verdicts=None if run.verdicts is None else change(run.verdicts),
        turns=None if run.turns is None else change(run.turns),
    )


def _unify_models(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Tell apart a name that stands for different models in different runs."""
    specs: dict[str, list[Any]] = {}
    for run in runs:
        for name, model in (run.spec.get("models") or {}).items():
            specs.setdefault(name, []).append(model)
    clashing = [name for name, found in specs.items() if any(each != found[0] for each in found)]
    renamed = []
    for run in runs:
        names = {name: f"{run.label}{SEPARATOR}{name}" for name in clashing}
        column = pl.col("model").replace(names)
        renamed.append(replace(run, trajectories=run.trajectories.with_columns(column)))
    return renamed


class RunPairing(NamedTuple):
    """Two runs cut to what is compared.

    questions: in both. of_first, of_second: questions of each. by_seed: the same seeds too.
    """

    first: ComparedRun
    second: ComparedRun
    questions: int
    of_first: int
    of_second: int
    by_seed: bool

    @property
    def is_paired(self) -> bool:
        """Whether any question is in both."""
        return self.questions > 0

    @property
    def how(self) -> str:
        """The kind of comparison, in a sentence."""
        if not self.is_paired:
            return "unpaired: no question is in both, so the runs are independent samples"
        part = f"paired on {self.questions} questions"
        if (self.of_first, self.of_second) != (self.questions, self.questions):
            part += f" (of {self.of_first} and {self.of_second})"
        return part if self.by_seed else f"{part}; their seeds differ"


def pair_runs(first: ComparedRun, second: ComparedRun) -> RunPairing:
    """Cut two runs to the questions that both have, and to common seeds if each question has one.

    Runs that have no question in common stay whole.
    """
    mine, theirs = (run.trajectories.select(KEY).unique() for run in (first, second))
    common = mine.select("question").unique().join(theirs, on="question", how="semi")
    shared = mine.join(theirs, on=KEY)
    same_seeds = shared["question"].n_unique() == common.height
    kept = (shared, KEY) if same_seeds else (common, ["question"])
    whole = RunPairing(
        first=first,
        second=second,
        questions=common.height,
        of_first=mine["question"].n_unique(),
        of_second=theirs["question"].n_unique(),
        by_seed=same_seeds,
    )
    if not whole.is_paired:
        return whole
    return whole._replace(first=_keep(first, *kept), second=_keep(second, *kept))


def _keep(run: ComparedRun, kept: pl.DataFrame, on: list[str]) -> ComparedRun:
    return _map_frames(run, lambda frame: frame.join(kept, on=on, how="semi"))


def match_cells(first: ComparedRun, second: ComparedRun) -> list[tuple[str, str]]:
    """Match the arms that are compared: those of one name, or the only one of each run.

    Raises InputError where there are none.
    """
    both = [cell for cell in first.cells if cell in second.cells]
    if both:
        return [(cell, cell) for cell in both]
    if len(first.cells) == len(second.cells) == 1:
        return [(first.cells[0], second.cells[0])]
    raise InputError(
        f"{first.label} and {second.label} have no arm in common: "
        f"{', '.join(first.cells)} here, {', '.join(second.cells)} there"
    )


class JoinedRuns(NamedTuple):
    """Runs in one frame each, arms called label/arm.

    verdicts: None where a run has none. turns: None where there is no run; of a table its rows.
    """

    trajectories: pl.DataFrame
    verdicts: pl.DataFrame | None
    turns: pl.DataFrame | None


def concat_runs(*runs: ComparedRun) -> JoinedRuns:
    """All trajectories, verdicts and turns in one frame each."""
    rows = pl.concat([_label_cells(run.trajectories, run) for run in runs], how="diagonal")
    given = [_label_cells(run.verdicts, run) for run in runs if run.verdicts is not None]
    whole = pl.concat(given, how="diagonal") if len(given) == len(runs) else None
    if all(run.turns is None for run in runs):
        return JoinedRuns(rows, whole, None)
    turns = [
        _label_cells(run.trajectories if run.turns is None else run.turns, run) for run in runs
    ]
    return JoinedRuns(rows, whole, pl.concat(turns, how="diagonal_relaxed"))


def _label_cells(frame: pl.DataFrame, run: ComparedRun) -> pl.DataFrame:
    return frame.with_columns(cell=pl.lit(f"{run.label}{SEPARATOR}") + pl.col("cell"))


def label_cell(run: ComparedRun, cell: str) -> str:
    """An arm's name among those of several runs."""
    return f"{run.label}{SEPARATOR}{cell}"
