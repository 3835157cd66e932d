"""Judgements of openings, one row each: who judged whose answer, how, and knowing what.

A judgement is a turn of kind critique about an opening. Columns:

    cell, question, seed, critic, author      text, seed integer
    own                 the critic judges its own answer
    claim, own_answer   the answer that is judged; the critic's own opening answer, or null
    right               whether the claim is right
    accepts             the verdict; null where none could be read
    accepted, rejected  1 or 0, both 0 for an abstention; null for a failed call
    p_true              P(True) from the verdict's log-probability, or null
    log_likelihood      mean log-probability (nats per character) that the critic gives to the claim
                        in its own opening's context; null without the probe `belief`
    tokens              prompt and generated tokens of the judgement and of the samples made for it
    shared              whether the call was made for another cell
    told_own            whether the critic was told that the answer is its own; null for anonymous
    alternatives, k     what was shown beside the answer: alone, own, others or padding; how many
    question_code       integers from 0, alike in all cells
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from debate.log import Run

ANSWER = ("cell", "question", "seed")
NEEDED = (
    "cell", "question", "seed", "round", "kind", "agent", "about", "answer", "correct", "failed",
    "accepts", "heard", "belief", "prompt_tokens", "generated_tokens", "shared_with", "text",
)  # fmt: skip
SAMPLE = "sample-"
ALONE = "alone"
DESIGN = {"cell": pl.String, "anonymous": pl.Boolean, "swapped": pl.Boolean,
          "alternatives": pl.String, "k": pl.Int64}  # fmt: skip


def read_judgements(run: Run, *, cells: pl.Series) -> pl.DataFrame | None:
    """The judgements of a run in these cells; None where it has none."""
    spec = run.manifest.spec
    if not any(_may_judge(protocol) for protocol in _protocols(spec).values()):
        return None
    turns = run.turns().filter(pl.col("cell").is_in(cells.implode()))
    found = judgements(turns, designs(spec, cells))
    return None if found.is_empty() else found


def _protocols(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Each cell's protocol in a recorded configuration; the run's own under an empty name."""
    whole = spec.get("protocol") or {}
    cells = spec.get("cells") or {}
    return {"": whole} | {n: (cell or {}).get("protocol") or whole for n, cell in cells.items()}


def _may_judge(protocol: Mapping[str, Any]) -> bool:
    name = str(protocol.get("name", ""))
    return name in ("critique", "cross_critique") or "." in name


def designs(spec: Mapping[str, Any], cells: pl.Series) -> pl.DataFrame:
    """What critics were told in each cell, by the recorded configuration; columns: `DESIGN`."""
    protocols = _protocols(spec)
    rows = []
    for cell in cells:
        protocol = protocols.get(cell, protocols[""])
        judging = protocol.get("judging") or {}
        kind = judging.get("alternatives")
        rows.append(
            {
                "cell": cell,
                "anonymous": bool(protocol.get("anonymous", True)),
                "swapped": judging.get("labels") == "swapped",
                "alternatives": kind or ALONE,
                "k": judging.get("k", 0) if kind else 0,
            }
        )
    return pl.DataFrame(rows, schema=DESIGN)


def judgements(turns: pl.DataFrame, designs: pl.DataFrame) -> pl.DataFrame:
    """The judgements among these turns; `designs` says what critics were told in each cell.

    A claim that cannot be scored, because its question has no target, is left out.
    """
    turns = turns.select(*(c for c in (*NEEDED, "confidence_p_true") if c in turns.columns))
    if "confidence_p_true" not in turns.columns:
        turns = turns.with_columns(confidence_p_true=pl.lit(None, pl.Float64))
    said = turns.filter((pl.col("kind") == "opening") & pl.col("answer").is_not_null())
    claims = said.select(*ANSWER, "correct", author="agent", claim="answer")
    claims = claims.rename({"correct": "right"}).filter(pl.col("right").is_not_null())
    own = said.select(*ANSWER, critic="agent", own_answer="answer")
    about_openings = pl.col("heard").list.first().str.starts_with("0:opening:").fill_null(False)
    made = turns.filter((pl.col("kind") == "critique") & about_openings)
    found = (
        made.select(
            *ANSWER, "accepts", "failed", "prompt_tokens", "generated_tokens",
            critic="agent", author="about", p_true="confidence_p_true",
            shared=pl.col("shared_with").is_not_null(),
        )
        .join(claims, on=[*ANSWER, "author"])
        .join(own, on=[*ANSWER, "critic"], how="left")
        .join(_likelihoods(turns), on=[*ANSWER, "critic", "claim"], how="left")
        .join(designs, on="cell", how="left")
    )  # fmt: skip
    return _with_outcomes(_with_tokens(found, turns)).sort(*ANSWER, "critic", "author")


def _likelihoods(turns: pl.DataFrame) -> pl.DataFrame:
    """How likely each critic finds each candidate answer in the context of its own opening."""
    measured = turns.filter(
        pl.col("kind").is_in(["probe", "opening"])
        & (pl.col("round") == 0)
        & (pl.col("belief").list.len() > 0)
    )
    each = measured.select(*ANSWER, "belief", critic="agent").explode("belief").unnest("belief")
    length = pl.max_horizontal(pl.col("candidate").str.len_chars(), 1)
    mean = each.with_columns(log_likelihood=pl.col("log_p") / length)
    return mean.group_by(*ANSWER, "critic", claim="candidate").agg(pl.col("log_likelihood").first())


def _with_tokens(found: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """With what each judgement cost, the critic's samples shared out evenly over its judgements."""
    samples = turns.filter((pl.col("kind") == "probe") & pl.col("about").str.starts_with(SAMPLE))
    cost = pl.col("prompt_tokens") + pl.col("generated_tokens")
    sampled = samples.group_by(*ANSWER, critic="agent").agg(sampled=cost.sum())
    found = found.join(sampled, on=[*ANSWER, "critic"], how="left")
    share = pl.col("sampled") / pl.len().over(*ANSWER, "critic")
    return found.with_columns(tokens=cost + share.fill_null(0.0)).drop("sampled")


def _with_outcomes(found: pl.DataFrame) -> pl.DataFrame:
    own = pl.col("critic") == pl.col("author")
    verdict = pl.col("accepts")
    return found.with_columns(
        own=own,
        accepted=pl.when(~pl.col("failed")).then(verdict.fill_null(False).cast(pl.Float64)),
        rejected=pl.when(~pl.col("failed")).then((~verdict).fill_null(False).cast(pl.Float64)),
        p_true=pl.when(~pl.col("failed")).then("p_true"),
        told_own=pl.when(~pl.col("anonymous")).then(own ^ pl.col("swapped")),
        question_code=pl.col("question").rank("dense").cast(pl.Int64) - 1,
    )
