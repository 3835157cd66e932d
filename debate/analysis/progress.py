"""A run in progress: the debates that are through, which are all that can be counted fairly."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from debate.log import Run

_DEBATE = ["cell", "question", "seed"]


class Through(NamedTuple):
    """Rows and verdicts of the debates that are over, and what to say where some are not."""

    trajectories: pl.DataFrame
    verdicts: pl.DataFrame
    caveat: str | None = None


def through(run: Run, trajectories: pl.DataFrame | None = None) -> Through:
    """What is over of a run that is not complete; all of one that is.

    A debate under way has no answers yet in its later rounds; counted, they would be wrong ones.
    Of `trajectories`, read earlier, the cells are kept. Verdicts are read first, so that all turns
    of every debate that is over are there when its turns are read.
    """
    is_complete = run.manifest.status == "complete"
    verdicts = run.verdicts().rename({"answer": "value"})
    ended = verdicts.filter(pl.col("final")).select(_DEBATE).unique()
    if is_complete or ended.is_empty():
        rows = run.trajectories() if trajectories is None else trajectories
        return Through(rows, verdicts.join(rows.select("cell").unique(), on="cell", how="semi"))
    rows = run.trajectories()
    if trajectories is not None:
        rows = rows.filter(pl.col("cell").is_in(trajectories["cell"].unique().to_list()))
    begun = rows.select(_DEBATE).unique()
    ended = ended.join(begun, on=_DEBATE, how="semi")
    return Through(
        rows.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        verdicts.join(ended, on=_DEBATE, how="semi", maintain_order="left"),
        _caveat(begun.height, ended.height),
    )


def _caveat(num_begun: int, num_ended: int) -> str:
    return (
        f"The run is not complete: of {num_begun:,} debates begun, the {num_ended:,} that are over "
        "are counted."
    )
