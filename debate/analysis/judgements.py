"""Judgements of openings, one row each, and how each critic judges each author's answers.

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
    labels              whose answers are said to be where authors are named: honest, swapped, own
                        or others
    setting             equal in cells that differ in nothing but whose answers are said to be
    told_own            whether the critic was told that the answer is its own; null for anonymous
    alternatives, k     what was shown beside the answer: alone, own, others or padding; how many
    question_code       integers from 0, alike in all cells

In the cross-critique matrix rows are critics, columns authors; the diagonal is oneself. An
abstention accepts nothing and rejects nothing: it lowers both accept rates and the balanced
accuracy. Failed calls are left out and counted. Intervals are clustered by question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from debate.analysis.intervals import (
    ABSENT,
    Codes,
    Interval,
    LinearStatistic,
    compute_clustered_interval,
    compute_rate,
    linearise_mean,
    map_inside_unit,
    sum_by_code,
)
from debate.analysis.schema import Estimate, from_interval
from debate.analysis.scores import compute_auroc
from debate.analysis.sums import split_groups
from debate.log import Run
from debate.text import split_names
from debate.types import BELIEF_AFTER

ANSWER_KEY = ("cell", "question", "seed")
JUDGED_COLUMNS = split_names(
    "cell question seed round kind agent about answer correct failed accepts heard belief "
    "prompt_tokens generated_tokens shared_with text"
)
SAMPLE = "sample-"
ALONE = "alone"
DESIGN_SCHEMA = {
    "cell": pl.String,
    "anonymous": pl.Boolean,
    "labels": pl.String,
    "setting": pl.String,
    "alternatives": pl.String,
    "k": pl.Int64,
}


def read_judgements(run: Run, *, cells: pl.Series) -> pl.DataFrame | None:
    """The judgements of a run in these cells; None where it has none."""
    spec = run.manifest.spec
    if not any(_may_judge(protocol) for protocol in _get_protocols(spec).values()):
        return None
    turns = run.turns().filter(pl.col("cell").is_in(cells.implode()))
    found = build_judgements(turns, read_designs(spec, cells))
    return None if found.is_empty() else found


def list_protocols(spec: Mapping[str, Any], cells: pl.Series) -> dict[str, str]:
    """The name of the protocol of each of these cells, by a recorded configuration."""
    found = _get_protocols(spec)
    return {cell: str(found.get(cell, found[""]).get("name", "")) for cell in cells}


def _get_protocols(spec: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Each cell's protocol in a recorded configuration; the run's own under an empty name."""
    whole = spec.get("protocol") or {}
    cells = spec.get("cells") or {}
    return {"": whole} | {n: (cell or {}).get("protocol") or whole for n, cell in cells.items()}


def _may_judge(protocol: Mapping[str, Any]) -> bool:
    name = str(protocol.get("name", ""))
    return name in ("critique", "cross_critique", "filter") or "." in name


def read_designs(spec: Mapping[str, Any], cells: pl.Series) -> pl.DataFrame:
    """The recorded configuration of what critics are told, by cell; columns: `DESIGN_SCHEMA`."""
    protocols = _get_protocols(spec)
    rows = []
    for cell in cells:
        protocol = protocols.get(cell, protocols[""])
        judging = protocol.get("judging") or {}
        kind = judging.get("alternatives")
        rows.append(
            {
                "cell": cell,
                "anonymous": bool(protocol.get("anonymous", True)),
                "labels": judging.get("labels") or "honest",
                "setting": _name_setting(spec, cell, protocol),
                "alternatives": kind or ALONE,
                "k": judging.get("k", 0) if kind else 0,
            }
        )
    return pl.DataFrame(rows, schema=DESIGN_SCHEMA)


def _name_setting(spec: Mapping[str, Any], cell: str, protocol: Mapping[str, Any]) -> str:
    """All of a cell's configuration that decides its judgements, but for the names in them."""
    own = (spec.get("cells") or {}).get(cell) or {}
    fields = {name: own.get(name) for name in ("agents", "topology", "rounds", "arm", "author")}
    judging = {n: v for n, v in (protocol.get("judging") or {}).items() if n != "labels"}
    said = {n: v for n, v in protocol.items() if n not in ("anonymous", "judging")}
    return json.dumps([fields, said, judging], sort_keys=True, default=str)


def build_judgements(turns: pl.DataFrame, designs: pl.DataFrame) -> pl.DataFrame:
    """The judgements among these turns; `designs` says what critics were told in each cell.

    A claim that cannot be scored, because its question has no target, is left out. Of one critic's
    judgements of one opening the first counts: an answer that stands is judged in each round.
    """
    turns = turns.select(*(c for c in (*JUDGED_COLUMNS, "confidence_p_true") if c in turns.columns))
    if "confidence_p_true" not in turns.columns:
        turns = turns.with_columns(confidence_p_true=pl.lit(None, pl.Float64))
    stated = turns.filter((pl.col("kind") == "opening") & pl.col("answer").is_not_null())
    claims = stated.select(*ANSWER_KEY, "correct", author="agent", claim="answer")
    claims = claims.rename({"correct": "right"}).filter(pl.col("right").is_not_null())
    own = stated.select(*ANSWER_KEY, critic="agent", own_answer="answer")
    about_openings = pl.col("heard").list.first().str.starts_with("0:opening:").fill_null(False)
    made = turns.filter((pl.col("kind") == "critique") & about_openings).sort("round")
    made = made.unique([*ANSWER_KEY, "agent", "about"], keep="first", maintain_order=True)
    found = (
        made.select(
            *ANSWER_KEY,
            "accepts",
            "failed",
            "prompt_tokens",
            "generated_tokens",
            critic="agent",
            author="about",
            p_true="confidence_p_true",
            shared=pl.col("shared_with").is_not_null(),
        )
        .join(claims, on=[*ANSWER_KEY, "author"])
        .join(own, on=[*ANSWER_KEY, "critic"], how="left")
        .join(_compute_likelihoods(turns), on=[*ANSWER_KEY, "critic", "claim"], how="left")
        .join(designs, on="cell", how="left")
    )
    return _add_outcomes(_add_tokens(found, turns)).sort(*ANSWER_KEY, "critic", "author")


def _compute_likelihoods(turns: pl.DataFrame) -> pl.DataFrame:
    """Likelihood of each candidate answer in the context of each critic's own opening."""
    measured = turns.filter(
        pl.col("kind").is_in(["probe", "opening"])
        & (pl.col("round") == 0)
        & (pl.col("belief").list.len() > 0)
        & (pl.col("about") != BELIEF_AFTER).fill_null(True)
    )
    each = measured.select(*ANSWER_KEY, "belief", critic="agent").explode("belief").unnest("belief")
    length = pl.max_horizontal(pl.col("candidate").str.len_chars(), 1)
    mean = each.with_columns(log_likelihood=pl.col("log_p") / length)
    return mean.group_by(*ANSWER_KEY, "critic", claim="candidate").agg(
        pl.col("log_likelihood").first()
    )


def _add_tokens(found: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """With what each judgement cost, the critic's samples shared out evenly over its judgements."""
    samples = turns.filter((pl.col("kind") == "probe") & pl.col("about").str.starts_with(SAMPLE))
    cost = pl.col("prompt_tokens") + pl.col("generated_tokens")
    sampled = samples.group_by(*ANSWER_KEY, critic="agent").agg(sampled=cost.sum())
    found = found.join(sampled, on=[*ANSWER_KEY, "critic"], how="left")
    share = pl.col("sampled") / pl.len().over(*ANSWER_KEY, "critic")
    return found.with_columns(tokens=cost + share.fill_null(0.0)).drop("sampled")


def _add_outcomes(found: pl.DataFrame) -> pl.DataFrame:
    own = pl.col("critic") == pl.col("author")
    verdict = pl.col("accepts")
    return found.with_columns(
        own=own,
        accepted=pl.when(~pl.col("failed")).then(verdict.fill_null(False).cast(pl.Float64)),
        rejected=pl.when(~pl.col("failed")).then((~verdict).fill_null(False).cast(pl.Float64)),
        p_true=pl.when(~pl.col("failed")).then("p_true"),
        told_own=pl.when(~pl.col("anonymous")).then(
            pl.when(pl.col("labels").is_in(["own", "others"]))
            .then(pl.col("labels") == "own")
            .otherwise(own ^ (pl.col("labels") == "swapped"))
        ),
        question_code=pl.col("question").rank("dense").cast(pl.Int64) - 1,
    )


OF_P_TRUE = ("judging_auroc", "judging_brier", "p_true_wrong")
JUDGING_METHOD = "judgements, clustered by question"
MATRIX_MEASURES = split_names(
    "accept_right accept_wrong judging_balanced_accuracy judging_auroc judging_brier "
    "judging_abstention judging_failure p_true_wrong"
)
"""Accept rates on right and wrong answers; balanced accuracy of the verdict; AUROC and Brier score
of P(true); how often no verdict could be read, and how often the call failed; mean P(true) on
wrong answers."""
NO_SCALE = "log-probabilities of the verdict"
NO_CLASS = "right and wrong answers to judge"


def estimate_matrix(judged: pl.DataFrame) -> list[Estimate]:
    """Every measure of each critic on each author, on all others, and over all critics.

    `subject` is "critic -> author", "critic -> others", "own" or "others", or None for everything.
    """
    return [
        _estimate_judging(name, rows, cell=cell, subject=subject)
        for cell, subject, rows in _split_subjects(judged)
        for name in MATRIX_MEASURES
    ]


def _split_subjects(judged: pl.DataFrame) -> Iterator[tuple[str, str | None, pl.DataFrame]]:
    for (cell,), rows in split_groups(judged, "cell"):
        yield str(cell), None, rows
        for own, part in split_groups(rows, "own"):
            yield str(cell), "own" if own[0] else "others", part
        for (critic, author), part in split_groups(rows, "critic", "author"):
            yield str(cell), name_edge(critic, author), part
        for (critic,), part in split_groups(rows.filter(~pl.col("own")), "critic"):
            yield str(cell), name_edge(critic, "others"), part


def name_edge(critic: str, author: str) -> str:
    """Name a pair of critic and author.

    >>> name_edge("adder", "modder")
    'adder -> modder'
    """
    return f"{critic} -> {author}"


def _estimate_judging(name: str, rows: pl.DataFrame, *, cell: str, subject: str | None) -> Estimate:
    interval, n = measure_judging(name, rows)
    missing = None
    if interval.value is None:
        has_scale = rows["p_true"].null_count() < rows.height
        missing = NO_CLASS if has_scale or name not in OF_P_TRUE else NO_SCALE
    return from_interval(
        name,
        interval,
        n=n,
        cell=cell,
        subject=subject,
        unit="probability",
        method=JUDGING_METHOD,
        missing=missing,
    )


def measure_judging(name: str, rows: pl.DataFrame) -> tuple[Interval, int]:
    """One measure of these judgements, and how many of them it rests on."""
    if name == "judging_failure":
        return _compute_judging_share(rows, "failed")
    rows = rows.filter(~pl.col("failed"))
    if name == "judging_abstention":
        return _compute_judging_share(
            rows.with_columns(silent=pl.col("accepts").is_null()), "silent"
        )
    if name in ("accept_right", "accept_wrong"):
        of = pl.col("right") if name == "accept_right" else ~pl.col("right")
        return _compute_judging_share(rows.filter(of), "accepted")
    if name == "p_true_wrong":
        rows = rows.filter(~pl.col("right"))
    linear, codes = linearise(name, rows)
    if linear is None:
        return ABSENT, 0
    plain = compute_clustered_interval(linear, codes)
    return (map_inside_unit(plain) if name == "judging_auroc" else plain), len(codes)


def linearise(name: str, rows: pl.DataFrame) -> tuple[LinearStatistic | None, Codes]:
    """A smooth measure of completed judgements with each one's influence, and their questions."""
    if name == "judging_balanced_accuracy":
        return compute_balanced_accuracy(rows), _get_codes(rows)
    rows = rows.filter(pl.col("p_true").is_not_null())
    p = rows["p_true"].to_numpy().astype(np.float64)
    right = rows["right"].to_numpy().astype(np.float64)
    if not len(p):
        return None, _get_codes(rows)
    if name == "judging_auroc":
        return compute_auroc(p, right), _get_codes(rows)
    if name == "judging_brier":
        return linearise_mean((p - right) ** 2), _get_codes(rows)
    return linearise_mean(p), _get_codes(rows)


def compute_balanced_accuracy(rows: pl.DataFrame) -> LinearStatistic | None:
    """Mean of the share of right answers accepted and of wrong ones rejected; None for one class.

    rows: completed judgements with `right`, `accepted` and `rejected`.
    """
    right = rows["right"].to_numpy().astype(bool)
    num_right, num_wrong = int(right.sum()), int((~right).sum())
    if not num_right or not num_wrong:
        return None
    hit = np.where(right, rows["accepted"].to_numpy(), rows["rejected"].to_numpy())
    means = float(hit[right].mean()), float(hit[~right].mean())
    influence = np.where(right, (hit - means[0]) / num_right, (hit - means[1]) / num_wrong) / 2
    return LinearStatistic((means[0] + means[1]) / 2, influence)


def _compute_judging_share(rows: pl.DataFrame, column: str) -> tuple[Interval, int]:
    """The share of a column of 0 and 1 by question."""
    if rows.is_empty():
        return ABSENT, 0
    codes = _get_codes(rows)
    hits = sum_by_code(codes, rows[column].cast(pl.Float64).to_numpy())
    return compute_rate(hits, np.bincount(codes).astype(np.float64)), rows.height


def _get_codes(rows: pl.DataFrame) -> Codes:
    return rows["question_code"].to_numpy().astype(np.int64)


def tabulate_matrix(estimates: list[Estimate]) -> pl.DataFrame:
    """A row for each cell, critic and author; each measure with its interval.

    Columns: own, the measures, <measure>_low, <measure>_high, n (judgements that completed).
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for estimate in estimates:
        critic, arrow, author = (estimate.subject or "").partition(" -> ")
        if not arrow or estimate.name not in MATRIX_MEASURES or author == "others":
            continue
        row = rows.setdefault(
            (estimate.cell or "", estimate.subject or ""),
            {"cell": estimate.cell, "critic": critic, "author": author, "own": critic == author},
        )
        row |= {
            estimate.name: estimate.value,
            f"{estimate.name}_low": estimate.low,
            f"{estimate.name}_high": estimate.high,
        }
        if estimate.name == "judging_abstention":
            row["n"] = estimate.n
    return pl.DataFrame(list(rows.values()), schema=MATRIX_SCHEMA)


MATRIX_SCHEMA = {
    "cell": pl.String,
    "critic": pl.String,
    "author": pl.String,
    "own": pl.Boolean,
    "n": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in MATRIX_MEASURES for end in ("", "_low", "_high")},
}
