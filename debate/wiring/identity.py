"""What makes a run the run that it is, whichever way its configuration was written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from debate.config.expand import OWN, expand
from debate.config.run import RunSpec
from debate.config.seating import seats

_DEFAULTS = ("sweep", *OWN)
"""What a run says for its cells: a complete cell holds it."""


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
