"""Whatever stands in a cell of a foreign table, it is read or refused in words."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from debate.errors import InputError, TaskError
from debate.log.table import read_table
from debate.log.table_columns import COLUMNS
from tests.hostile.corpus import NASTY

LARGE = (10_001, 20_000_000, 2**31, 2**53, 2**63, -(2**63) - 1, 2**64, 10**30, -1)
CELLS: tuple[Any, ...] = (
    *LARGE,
    *map(str, LARGE),
    *(f"{number}:opening:b" for number in LARGE),
    *(["a"], [["a"]], [f"{10**20}:opening:b"], [None], [], {}, {"a": {"b": []}}),
    *(None, True, "", " ", "nan", "inf", 1e308, 5e-324, -0.0, 0.5, "1e999", "0x10", "١"),
    *NASTY,
)
ROWS = [
    {
        "question_id": f"q{question}",
        "round": round,
        "agent": agent,
        "answer": "4",
        "target": "4",
        "confidence": 0.7,
    }
    for question in range(3)
    for round in range(2)
    for agent in "ab"
]


@given(
    column=st.sampled_from(sorted(COLUMNS)),
    cell=st.sampled_from(CELLS) | st.integers() | st.floats() | st.text(),
    rows=st.sets(st.integers(0, len(ROWS) - 1), min_size=1),
)
@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
def test_any_cell_of_any_column_is_read_or_refused(
    column: str, cell: object, rows: set[int]
) -> None:
    changed = [row | ({column: cell} if n in rows else {}) for n, row in enumerate(ROWS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in changed))
        with suppress(InputError):
            read_table(path)


def test_a_round_beyond_all_debates_is_refused_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, ROWS[0] | {"round": 10**9}]))
    with pytest.raises(TaskError, match=r"row 13: round is 1000000000; it must lie in 0"):
        read_table(path)
