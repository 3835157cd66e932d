"""A run directory or a foreign table, analysed."""

from __future__ import annotations

from pathlib import Path

from debate.analysis import Analysis, analyze
from debate.log import Run, read_table


def analyze_source(source: Path) -> Analysis:
    """The analysis of a run directory, or of a table of transcripts. Raises InputError."""
    if source.is_dir():
        run = Run(source)
        return analyze(run.trajectories(), run.verdicts().rename({"answer": "value"}))
    return analyze(read_table(source))
