"""Where questions come from, which of them are asked, and how answers are scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from debate.config.sandbox import SandboxSpec
from debate.config.spec import Spec
from debate.types import AnswerKind

ColumnValue = str | int | float | bool | None
Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ScoringSpec(Spec):
    """When an answer counts as right."""

    absolute: Tolerance = 0.0
    """The distance from the target within which a number is right."""
    relative: Tolerance = 0.0
    """The same as a share of the target's size; the wider of the two tolerances counts."""
    match: Literal["exact", "regex"] = "exact"
    """How texts are compared: as they stand, or the target is a pattern that the whole answer must
    match, ignoring case."""
    code: SandboxSpec = SandboxSpec()
    """With `kind: code`, where programs and their tests run, and what they may take."""


class ColumnsSpec(Spec):
    """The names of a table's columns. One that is not named is looked for under its usual names.
    `a.b` is the part b of a column of objects."""

    id: str | None = None
    """A unique id; by default `id`, or else a hash of the question's content."""
    question: str | None = None
    """The question's text; by default `question`, `problem`, `prompt` or `input`."""
    target: str | None = None
    """The reference answer; by default `target` or `answer`. With `kind: code`, a right program if
    there is one."""
    tests: str | None = None
    """With `kind: code`, Python that follows the program and raises where it is wrong, or a list of
    such; by default `tests`."""
    options: str | tuple[str, ...] | None = None
    """The options: one column each, or one column with lists, lists of text and label, or mappings
    by label, also written as texts; by default `options` or `choices`. Without any, a target that
    is true or false makes them yes and no."""
    category: str | None = None
    """What results are grouped by; by default `category` or `subject`."""
    cluster: str | None = None
    """What questions that are no independent draws have in common, such as their passage or their
    template: intervals cluster by it; by default `cluster`."""


class TaskBase(Spec):
    """What every source of questions has."""

    limit: PositiveInt | None = None
    """The most questions to ask; by default all."""
    filter: dict[str, ColumnValue | tuple[ColumnValue, ...]] = {}
    """Keep only rows whose columns have the values given here: one, or any of a list."""
    scoring: ScoringSpec = ScoringSpec()
    """When an answer counts as right."""

    @field_validator("filter", mode="before")
    @classmethod
    def _check_filter(cls, filter: Any) -> Any:
        for column, wanted in filter.items() if isinstance(filter, Mapping) else ():
            values = wanted if isinstance(wanted, list | tuple) else [wanted]
            if not values or not all(isinstance(value, ColumnValue) for value in values):
                raise ValueError(f"`{column}` must be followed by a value or a list of values")
        return filter


class FileTask(TaskBase):
    """Questions from a file."""

    path: str
    """The data file, relative to the YAML file that names it."""
    seed: int | None = None
    """Shuffle the questions with this seed before the limit; by default they keep the file's
    order."""
    shuffle_options: bool | None = None
    """Whether options stand in an order drawn from the seed and the question's id; by default only
    where a data set lists the right one first."""


class TableTask(FileTask):
    """Questions from a JSONL, JSON, CSV, TSV or Parquet file, by its columns; text ones may be
    gzipped."""

    kind: AnswerKind
    """The form of an answer: a number, one of the options, a text, `math`: an expression in LaTeX,
    read and compared by math-verify (the extra `math`), or `code`: a program in Python that passes
    the question's `tests`, which are run in a sandbox."""
    columns: ColumnsSpec = ColumnsSpec()
    """The names of the table's columns."""
    header: bool = True
    """Whether the first row of a CSV or TSV file holds names; without, columns are named by their
    places: "1", "2", …."""
    target_as: Literal["auto", "letter", "label", "index", "number", "text"] = "auto"
    """How a choice's target is written: `label` is one that the file gives an option, `index`
    counts from 0, `number` from 1; `auto` finds out, and refuses what can be read in two ways."""
    scored: bool = True
    """Whether each question must have a target; otherwise, those without one are not scored."""

    @model_validator(mode="after")
    def _check_scoring(self) -> TableTask:
        scoring = self.scoring
        if scoring.match == "regex" and self.kind != "text":
            raise ValueError(
                f"`match: regex` scores texts; with it write `kind: text`, not {self.kind}"
            )
        if (scoring.absolute or scoring.relative) and self.kind != "number":
            raise ValueError(f"a tolerance is for numbers; write `kind: number`, not {self.kind}")
        if self.kind != "code" and (self.columns.tests or scoring.code != SandboxSpec()):
            raise ValueError(f"tests are for programs; write `kind: code`, not {self.kind}")
        if self.target_as != "auto" and self.kind != "choice":
            raise ValueError(f"`target_as` is for choices; write `kind: choice`, not {self.kind}")
        if self.shuffle_options and self.kind != "choice":
            raise ValueError(
                f"`shuffle_options` is for choices; write `kind: choice`, not {self.kind}"
            )
        return self


class DatasetTask(FileTask):
    """Questions from a known data set's own file, as its authors published it."""

    code_fields = {"dataset": "datasets"}

    dataset: str
    """The data set's name: `arc`, `boolq`, `commonsenseqa`, `gpqa`, `gsm8k`, `hellaswag`, `math`,
    `mmlu`, `mmlu_pro`, `openbookqa`, `strategyqa`, `truthfulqa_mc1` or `truthfulqa_mc2`; one of an
    installed package's; or `module.function` of your own."""


class GeneratorTask(TaskBase):
    """Freshly generated questions with exact answers."""

    generator: Literal["arithmetic", "word_problems"]
    """The name of the generator: bare calculations, or problems in plain English."""
    n: Annotated[int, Field(ge=1, le=10_000_000)]
    """The number of questions."""
    families: tuple[str, ...] | dict[str, PositiveFloat] | None = None
    """Families of questions, with relative shares if it is a mapping; by default all of them."""
    seed: int = 0
    """Seed of the draw; the same seed gives the same questions."""
    split: Literal["train", "validation", "test"] = "test"
    """The split to draw from; the organisms saw `train` alone."""


def _get_task_kind(value: Any) -> str:
    """Return the class of task that is meant, by the key that it alone has."""
    keys = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    if "generator" in keys:
        return "GeneratorTask"
    return "DatasetTask" if "dataset" in keys else "TableTask"


TaskSpec = Annotated[
    Annotated[TableTask, Tag("TableTask")]
    | Annotated[DatasetTask, Tag("DatasetTask")]
    | Annotated[GeneratorTask, Tag("GeneratorTask")],
    Discriminator(_get_task_kind),
]
