"""placeholder until merged"""

from __future__ import annotations

import polars as pl


def describe_oracle_stopping(states: pl.DataFrame) -> str | None:
    return None
