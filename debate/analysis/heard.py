"""What was heard just before a turn, joined with what its speaker held.

A ref "1:revision:b" is b's own answer of round 1. A ref "1:critique:u:v" is u's critique of v;
there u's own answer is the one that it held before, after round 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import polars as pl

from debate.analysis.states import transitions
from debate.errors import InputError
from debate.types import Kind

SPEAKER = ("answer", "outcome", "confidence", "model")
PARSED = {"ref": pl.String, "kind": pl.String, "critic": pl.String, "source_round": pl.Int64}
TURN = (
    "cell", "question_code", "trajectory", "agent", "round", "answer", "outcome",
    "previous_answer", "previous_outcome", "previous_confidence",
)  # fmt: skip


def hearings(states: pl.DataFrame, everyone: pl.DataFrame | None = None) -> pl.DataFrame:
    """One row for each turn and each turn that it heard: columns of the hearer and of the critic.

    `everyone` holds the states of those who may be heard (judges too); the hearers' by default.
    kind: exchange or critique; relation: self, same_model, other_model; critic_answer, _outcome,
    _confidence are null where the critic's own answer is not known. Raises InputError for a ref
    that is none.
    """
    rows = transitions(states.select("debate", "model", "carried", *TURN, ref="heard"))
    rows = rows.filter(pl.col("ref").list.len() > 0).explode("ref", empty_as_null=False)
    rows = rows.join(_parsed(rows["ref"].unique()), on="ref", how="left")
    held = {f"critic_{c}": pl.col(c) for c in SPEAKER}
    speakers = (states if everyone is None else everyone).select(
        "debate", critic="agent", source_round="round", **held
    )
    rows = rows.join(speakers, on=["debate", "critic", "source_round"], how="left")
    return rows.with_columns(relation=_relation()).drop(
        "debate", "carried", "source_round", "model", "critic_model"
    )


def _relation() -> pl.Expr:
    return (
        pl.when(pl.col("critic") == pl.col("agent"))
        .then(pl.lit("self"))
        .when(pl.col("critic_model") == pl.col("model"))
        .then(pl.lit("same_model"))
        .when(pl.col("critic_model").is_not_null())
        .then(pl.lit("other_model"))
    )


def from_peers(heard: pl.DataFrame) -> pl.DataFrame:
    """The hearings whose speaker is another agent with an answer that is known."""
    return heard.filter(
        (pl.col("critic") != pl.col("agent")) & pl.col("critic_answer").is_not_null()
    )


def _parsed(refs: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame([parse_ref(ref) for ref in refs], schema=PARSED, orient="row")


def parse_ref(ref: str) -> dict[str, object]:
    """The parts of a turn ref that say whose answer stood behind it.

    >>> parse_ref("1:critique:u:v")
    {'ref': '1:critique:u:v', 'kind': 'critique', 'critic': 'u', 'source_round': 0}
    """
    parts = ref.split(":")
    if len(parts) not in (3, 4) or not parts[0].isdecimal() or parts[1] not in get_args(Kind):
        raise InputError(f'heard: "{ref}" names no turn; write round:kind:agent, as "1:revision:b"')
    is_critique = parts[1] == "critique"
    source = max(0, int(parts[0]) - 1) if is_critique else int(parts[0])
    kind = "critique" if is_critique else "exchange"
    return {"ref": ref, "kind": kind, "critic": parts[2], "source_round": source}
