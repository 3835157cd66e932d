"""What makes a run the run that it is, whichever way its configuration was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from debate.config.expand import OWN, expand
from debate.config.run import RunSpec
from debate.config.seating import seats
from debate.log import RunLog
from debate.wiring.plan import Plan

NOT_IDENTITY = (
    "output",
    "cluster",
    "max_debates",
    "description",
    "hypotheses",
    "log.cache",
    "agents.*.description",
    "agents.*.card",
    *(f"models.*.{field}" for field in ("host", "replicas", "gpus", "cpus", "max_in_flight")),
    *(f"models.*.{field}" for field in ("timeout_s", "max_restarts", "price", "threads")),
)
"""Fields that change where and how fast a run goes, not what it is."""

_DEFAULTS = ("sweep", *OWN)
"""What a run says for its cells: a complete cell holds it."""


def open_log(plan: Plan, directory: Path) -> RunLog:
    """The log of the plan's run in this directory, begun or gone on with.

    Raises RunConflict where the directory holds another run, LogError where the disk refuses.
    """
    return RunLog.open(
        directory,
        spec=plan.spec.model_dump(mode="json"),
        questions=plan.questions,
        seeds=plan.spec.seeds,
        agents=[agent.id for agent in plan.agents],
        identity_ignores=NOT_IDENTITY,
        canonical=canonical,
    )


def canonical(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded configuration with complete cells, and everything that may grow under names.

    Cells written out and cells of a sweep are alike if they are the same treatment. Fields that
    a later version has added stand at their defaults. What cannot be read stays as it is.
    """
    try:
        whole = expand(RunSpec.model_validate(spec)).spec
    except ValidationError:
        return spec
    plain = whole.model_dump(mode="json", exclude=set(_DEFAULTS))
    cell_fields = {"agents", *OWN}
    return {
        **plain,
        "agents": {seat.id: seat.model_dump(mode="json") for seat in seats(whole)},
        "cells": {
            name: cell.model_dump(mode="json", include=cell_fields)
            for name, cell in whole.cells.items()
        },
        "seeds": {str(seed): True for seed in whole.seeds},
    }
