"""The questions that all arms of a run have debated to the end, where a budget has stopped it."""

from __future__ import annotations

import polars as pl

from debate.errors import InputError
from debate.log import Run

ITEM = ["question", "seed"]

NOTHING_WHOLE = (
    "no question was debated to the end in every arm, so there is nothing to analyse yet"
)


def find_whole_items(run: Run, verdicts: pl.DataFrame) -> pl.DataFrame:
    """Find the questions and seeds that every arm of the configuration has debated to the end.

    verdicts: those of the run, with `final`.
    """
    cells = list(run.manifest.spec.get("cells") or verdicts["cell"].unique())
    ended = verdicts.filter(pl.col("final"), pl.col("cell").is_in(cells))
    counted = ended.group_by(ITEM, maintain_order=True).agg(num=pl.col("cell").n_unique())
    return counted.filter(pl.col("num") == len(cells)).select(ITEM)


def has_whole_questions(run: Run) -> bool:
    """Whether some question has been debated to the end in every arm."""
    return not find_whole_items(run, run.verdicts()).is_empty()


def keep_whole(run: Run, rows: pl.DataFrame) -> pl.DataFrame:
    """Keep the rows of whole questions and seeds, where a budget has stopped the run.

    Of any other run all are kept. Raises InputError where no question is whole.
    """
    if run.manifest.status != "budget":
        return rows
    whole = find_whole_items(run, run.verdicts())
    if whole.is_empty():
        raise InputError(f"{run.directory}: the budget stopped the run, and {NOTHING_WHOLE}")
    return rows.join(whole, on=ITEM, how="semi", maintain_order="left")


def warn_of_parts(num_begun: int, num_whole: int) -> str:
    """Say how many questions are left out of every arm, so that the arms stay paired.

    >>> print(warn_of_parts(12, 10))
    The budget stopped the run: of 12 questions × seeds begun, 2 were not debated to the end in \
every arm and are left out of every arm; the 10 others are counted.
    """
    num_lost = num_begun - num_whole
    were, are = ("was", "is") if num_lost == 1 else ("were", "are")
    rest = "other is" if num_whole == 1 else "others are"
    return (
        f"The budget stopped the run: of {num_begun:,} questions × seeds begun, "
        f"{num_lost:,} {were} not debated to the end in every arm and {are} left out of "
        f"every arm; the {num_whole:,} {rest} counted."
    )
