"""What two runs have in common: the debates that are compared, and how far they are pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import polars as pl

from debate.errors import InputError
from debate.experiments.sources import SEPARATOR, Source

KEY = ["question", "seed"]


class Pairing(NamedTuple):
    """Two runs cut to what is compared.

    questions: in both. of_first, of_second: questions of each. by_seed: the same seeds too.
    """

    first: Source
    second: Source
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
        """How they are compared, in a sentence."""
        if not self.is_paired:
            return "unpaired: no question is in both, so the runs are independent samples"
        part = f"paired on {self.questions} questions"
        if (self.of_first, self.of_second) != (self.questions, self.questions):
            part += f" (of {self.of_first} and {self.of_second})"
        return part if self.by_seed else f"{part}; their seeds differ"


def pairing(first: Source, second: Source) -> Pairing:
    """The debates on questions that both have, and on the seeds that both have where they do."""
    mine, theirs = (source.trajectories.select(KEY).unique() for source in (first, second))
    common = mine.select("question").unique().join(theirs, on="question", how="semi")
    shared = mine.join(theirs, on=KEY)
    same_seeds = shared["question"].n_unique() == common.height
    kept = (shared, KEY) if same_seeds else (common, ["question"])
    whole = Pairing(
        first=first,
        second=second,
        questions=common.height,
        of_first=mine["question"].n_unique(),
        of_second=theirs["question"].n_unique(),
        by_seed=same_seeds,
    )
    if not whole.is_paired:
        return whole
    return whole._replace(first=_cut(first, *kept), second=_cut(second, *kept))


def _cut(source: Source, kept: pl.DataFrame, on: list[str]) -> Source:
    verdicts = source.verdicts
    return replace(
        source,
        trajectories=source.trajectories.join(kept, on=on, how="semi"),
        verdicts=None if verdicts is None else verdicts.join(kept, on=on, how="semi"),
    )


def cells_in_common(first: Source, second: Source) -> list[tuple[str, str]]:
    """The arms that are compared: those of one name, or the only one of each run.

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


def together(*sources: Source) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """All trajectories and verdicts in one frame each, arms called label/arm."""
    rows = pl.concat([_labelled(s.trajectories, s) for s in sources], how="diagonal")
    given = [_labelled(s.verdicts, s) for s in sources if s.verdicts is not None]
    whole = pl.concat(given, how="diagonal") if len(given) == len(sources) else None
    return rows, whole


def _labelled(frame: pl.DataFrame, source: Source) -> pl.DataFrame:
    return frame.with_columns(cell=pl.lit(f"{source.label}{SEPARATOR}") + pl.col("cell"))


def cell_name(source: Source, cell: str) -> str:
    """An arm's name among those of several runs."""
    return f"{source.label}{SEPARATOR}{cell}"
