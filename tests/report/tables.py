"""Tables of transcripts as someone else would bring them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl


def write_table(
    folder: Path,
    *,
    text: str = "so I say",
    agent: str = "a",
    arm: str = "main",
    rounds: int = 2,
    num_questions: int = 4,
    confidence: bool = True,
    answer: str = "5",
    name: str = "foreign.parquet",
) -> Path:
    """Two agents: one is right from the start, the other keeps an error and grows surer."""
    rows: list[dict[str, Any]] = []
    for question in range(num_questions):
        for round_ in range(rounds):
            for who, said, sure in (
                (agent, answer, min(0.95, 0.4 + 0.2 * round_)),
                ("z", "4", 0.8),
            ):
                rows.append(
                    {
                        "question_id": f"q{question}",
                        "arm": arm,
                        "seed": 0,
                        "round": round_,
                        "agent": who,
                        "model": f"model of {who}",
                        "answer": said,
                        "target": "4",
                        "confidence": sure if confidence else None,
                        "text": text,
                    }
                )
    path = folder / name
    frame = pl.DataFrame(rows, schema_overrides={"confidence": pl.Float64})
    frame.write_parquet(path)
    return path
