"""A run directory, analysed: its frames, and the hypotheses that it was begun with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from debate.analysis.design import design_of
from debate.analysis.judgements import read_judgements
from debate.analysis.judging import judging
from debate.analysis.progress import through
from debate.analysis.stated import claims_of, tempered
from debate.analysis.summary import Analysis, analyze
from debate.log import Run


def analyze_run(run: Run, trajectories: pl.DataFrame | None = None, **options: Any) -> Analysis:
    """The analysis of a run, finished or in progress, with what became of its hypotheses.

    trajectories: the run's, where the caller has read them already. options: those of `analyze`.
    Raises InputError where there is nothing to analyse.
    """
    rows, verdicts, caveat = through(run, trajectories)
    design = design_of(run.manifest.spec, rows["cell"].unique().to_list())
    options |= design.options(options)
    claims = claims_of(run.manifest, place=str(run.directory))
    told = {name: claim.hypothesis for name, claim in claims.items()}
    judged = judging(read_judgements(run, cells=rows["cell"].unique()))
    further = [*options.pop("further", ()), *judged.estimates]
    found = analyze(rows, verdicts, hypotheses=told, further=further, **options)
    said = (*filter(None, (caveat, design.caveat)), *found.caveats)
    return replace(
        found,
        tables={**found.tables, **judged.tables},
        caveats=said,
        findings=tempered(found.findings, claims),
    )
