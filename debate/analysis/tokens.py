"""Tokens: what a run spent, and what the same tokens buy without a word exchanged.

Self-consistency of a team's pool of models, and of its best single member (Self-MoA, 2502.00674),
taken from conditions in which nobody hears anybody, cut where they have generated as many tokens as
the debate that they are held against. They vote as teams do, a tie scoring the share of the tied
answers that are right: a vote is held against another of the same rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from debate.analysis.quantity import UNIT, Measure, Quantity, Unavailable, define_share
from debate.analysis.schema import Estimate
from debate.analysis.states import classify_teams
from debate.analysis.sums import sum_by_question
from debate.text import split_names

_FREE = {"prompt": 0.0, "generated": 0.0}
TOKENS = ("prompt_tokens", "cached_tokens", "generated_tokens")
DEBATE_KEY = ["cell", "question", "seed"]
TURN_COLUMNS = [*DEBATE_KEY, "round", "kind", "agent", "model", *TOKENS]
"""What tokens are counted by."""


def build_ledger(turns: pl.DataFrame) -> pl.DataFrame:
    """Turns, calls and tokens by cell, agent, model, kind and round; tokens are null where no turn
    tells them. Each use of tools within a turn is followed by a further call.

    turns: every turn, critiques and probes included, or the states where only answers are known.
    """
    spoken = turns.filter(~pl.col("carried")) if "carried" in turns.columns else turns
    known = "kind" in spoken.columns
    spoken = spoken if known else spoken.with_columns(kind=pl.lit(None, pl.String))
    calls = pl.len()
    if "tool_steps" in spoken.columns:
        calls = calls + pl.col("tool_steps").list.len().sum()
    by = ["cell", "agent", "model", "kind", "round"]
    summed = spoken.group_by(by).agg(
        turns=pl.len(), calls=calls, **{name: _sum_known(name) for name in TOKENS}
    )
    return summed.sort(by, nulls_last=True)


def fill_script_tokens(turns: pl.DataFrame, scripted: Collection[str]) -> pl.DataFrame:
    """Turns, or a ledger, in which agents that speak from a script call no model and use no tokens.

    A ledger's `calls` are 0 for them.
    """
    is_scripted = pl.col("agent").is_in(list(scripted))
    changed = {name: pl.col(name).fill_null(0) for name in TOKENS}
    if "calls" in turns.columns:
        changed["calls"] = pl.col("calls") * 0
    return turns.with_columns(
        pl.when(is_scripted).then(value).otherwise(pl.col(name)).alias(name)
        for name, value in changed.items()
    )


def add_dollars(ledger: pl.DataFrame, models: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame:
    """The ledger with `dollars`, null where tokens are not told; as it is where a model of it has
    no price. What calls no model costs nothing.

    models: the recorded specs by name; a price is dollars for a million tokens.
    """
    prices = {name: models.get(name, {}).get("price") for name in ledger["model"].unique()}
    if "calls" in ledger.columns:
        called = set(ledger.filter(pl.col("calls") > 0)["model"])
        prices |= {name: _FREE for name in prices if name not in called}
    if ledger.is_empty() or not all(prices.values()):
        return ledger
    parts = [
        pl.col(f"{side}_tokens")
        * pl.col("model").replace_strict(
            {name: float((price or {})[side]) for name, price in prices.items()},
            return_dtype=pl.Float64,
        )
        for side in ("prompt", "generated")
    ]
    return ledger.with_columns(dollars=(parts[0] + parts[1]) / 1e6)


def select_debate_turns(states: pl.DataFrame, turns: pl.DataFrame | None = None) -> pl.DataFrame:
    """The turns that debates take, critiques and judges among them, probes left out.

    states: of all who answer; they number the debates and questions (`debate`, `question_code`).
    turns: every turn of these debates, and maybe of others; by default those of the states.
    """
    columns = [*DEBATE_KEY, "question_code", "debate", "round", "agent", *TOKENS]
    if turns is None:
        return states.filter(~pl.col("carried")).select(columns)
    numbers = states.select(*DEBATE_KEY, "question_code", "debate").unique()
    spoken = turns.filter(pl.col("kind").ne_missing("probe"))
    return spoken.join(numbers, on=DEBATE_KEY, maintain_order="left").select(columns).sort("cell")


def tabulate_costs(turns: pl.DataFrame) -> pl.DataFrame:
    """Tokens by cell: in all and for each debate, with the share of turns that tell them.

    turns: those of `select_debate_turns`.
    """
    told = pl.col("generated_tokens").is_not_null().mean()
    grouped = turns.group_by("cell").agg(
        turns=pl.len(),
        debates=pl.col("debate").n_unique(),
        share_told=told,
        **{name: _sum_known(name) for name in TOKENS},
    )
    each = (pl.col("generated_tokens") / pl.col("debates")).alias("generated_tokens_per_debate")
    return grouped.with_columns(each).sort("cell")


def _sum_known(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())


SAMPLE_COLUMNS = (
    *DEBATE_KEY,
    "round",
    "agent",
    "question_code",
    "carried",
    "answer",
    "outcome",
    "correct",
    "generated_tokens",
)


class SamplePool(NamedTuple):
    """A condition of independent samples. seats: models by seat, sorted. tokens: generated by the
    first 1, 2, … samples of a debate, on average; None where turns do not tell.
    """

    cell: str
    seats: tuple[str, ...]
    samples: pl.DataFrame
    tokens: tuple[float, ...] | None

    @property
    def num_samples(self) -> int:
        """The largest number of samples of a question."""
        return int(np.asarray(self.samples["sample"]).max()) + 1


class MatchedVote(NamedTuple):
    """A vote over samples at another condition's tokens."""

    cell: str
    num_samples: int
    share: float | None
    """Tokens of these samples over those of the debate; None where nothing tells tokens."""
    quantity: Quantity


def find_debating_cells(states: pl.DataFrame) -> tuple[str, ...]:
    """The conditions in which some agent hears another one, in order."""
    told = states.select("cell", "agent", "heard")
    heard = told.filter(pl.col("heard").list.len() > 0)
    heard = heard.unique().explode("heard", empty_as_null=False)
    speaker = pl.col("heard").str.split(":").list.get(2, null_on_oob=True)
    return tuple(sorted(heard.filter(speaker != pl.col("agent"))["cell"].unique()))


def find_pools(states: pl.DataFrame) -> tuple[SamplePool, ...]:
    """The conditions whose turns are independent samples: nothing was heard after the openings."""
    listening = states["cell"].filter(states["heard"].list.len() > 0).unique().to_list()
    silent = sorted(set(states["cell"].unique()) - set(listening))
    return tuple(_make_pool(states.filter(pl.col("cell") == cell), cell) for cell in silent)


def list_seat_models(states: pl.DataFrame) -> tuple[str, ...]:
    """The models in the seats of one condition, one for each seat, sorted."""
    return tuple(sorted(states.select("agent", "model").unique()["model"]))


def _make_pool(states: pl.DataFrame, cell: str) -> SamplePool:
    order = (pl.struct("round", "agent").rank("dense") - 1).cast(pl.Int64)
    samples = states.select(*SAMPLE_COLUMNS).filter(~pl.col("carried")).with_columns(sample=order)
    return SamplePool(cell, list_seat_models(states), samples, _accumulate_tokens(samples))


def _accumulate_tokens(samples: pl.DataFrame) -> tuple[float, ...] | None:
    if samples["generated_tokens"].null_count():
        return None
    each = samples.group_by("sample").agg(pl.col("generated_tokens").sum()).sort("sample")
    debates = samples.select(DEBATE_KEY).unique().height
    return tuple(np.cumsum(each["generated_tokens"].to_numpy()) / debates)


def cut_pool(
    pool: SamplePool, *, tokens: float | None, turns: int, num_questions: int
) -> MatchedVote:
    """The vote over the first samples whose tokens come nearest to `tokens` for each debate.

    Where nothing tells tokens, as many samples are taken as the debate has `turns`.
    """
    if tokens is None or pool.tokens is None:
        size, share = min(turns, pool.num_samples), None
    else:
        size = int(np.argmin(np.abs(np.asarray(pool.tokens) - tokens))) + 1
        share = pool.tokens[size - 1] / tokens if tokens else None
    return MatchedVote(pool.cell, size, share, _vote_over_samples(pool, size, num_questions))


def _vote_over_samples(pool: SamplePool, size: int, num_questions: int) -> Quantity:
    """Plurality over the first samples; a tie scores the share of the tied that are right."""
    taken = pool.samples.filter(pl.col("sample") < size)
    spoken = taken.filter(pl.col("answer").is_not_null() & (pl.col("outcome") != "failed"))
    tally = spoken.group_by(*DEBATE_KEY, "answer").agg(
        pl.len().alias("votes"), pl.col("correct").any().cast(pl.Float64)
    )
    leaders = tally.filter(pl.col("votes") == pl.col("votes").max().over(DEBATE_KEY))
    scores = leaders.group_by(DEBATE_KEY).agg(score=pl.col("correct").mean())
    debates = taken.select(*DEBATE_KEY, "question_code").unique()
    rows = debates.join(scores, on=DEBATE_KEY, how="left").with_columns(
        pl.col("score").fill_null(0.0)
    )
    return sum_by_question(rows, "score", num_questions).quantity("proportion", limits=UNIT)


def match_mixed_pool(
    found: tuple[SamplePool, ...],
    seats: tuple[str, ...],
    *,
    tokens: float | None,
    turns: int,
    num_questions: int,
) -> MatchedVote | Unavailable:
    """Self-consistency of these seats, each model in the same share; of several such conditions
    the one nearest in tokens.
    """
    fitting = [
        cut_pool(pool, tokens=tokens, turns=turns, num_questions=num_questions)
        for pool in found
        if _compute_shares(pool.seats) == _compute_shares(seats)
    ]
    if not fitting:
        return Unavailable("an arm of the same seats, isolated, protocol repeat")
    return min(fitting, key=_compute_mismatch)


def _compute_shares(seats: tuple[str, ...]) -> dict[str, Fraction]:
    """The share of the seats that each model fills."""
    return {model: Fraction(seats.count(model), len(seats)) for model in seats}


def _compute_mismatch(matched: MatchedVote) -> float:
    return abs(1 - (matched.share if matched.share is not None else 1.0))


def match_best_single(
    found: tuple[SamplePool, ...],
    seats: tuple[str, ...],
    *,
    tokens: float | None,
    turns: int,
    num_questions: int,
) -> MatchedVote | Unavailable:
    """The best member alone, sampled until it has used the debate's tokens.

    Which one is best is settled on the other half of the questions, so that picking it does not
    flatter it; `cell` names the conditions that were picked.
    """
    candidates: dict[str, MatchedVote] = {}
    for pool in found:
        models = set(pool.seats)
        if len(models) == 1 and models <= set(seats):
            (model,) = models
            taken = cut_pool(pool, tokens=tokens, turns=turns, num_questions=num_questions)
            held = candidates.get(model)
            if held is None or _compute_mismatch(taken) < _compute_mismatch(held):
                candidates[model] = taken
    if missing := sorted(set(seats) - set(candidates)):
        return Unavailable(f"arms of {', '.join(missing)} alone, isolated, protocol repeat")
    return _cross_fit(list(candidates.values()), num_questions)


def _cross_fit(options: list[MatchedVote], num_questions: int) -> MatchedVote:
    """The option that is best on one half of the questions, judged on the other, both ways."""
    half = np.random.default_rng(0).permutation(num_questions) % 2
    sums, picked = np.zeros_like(options[0].quantity.sums), []
    for fold in (0, 1):
        totals = [option.quantity.sums[half != fold].sum(axis=0) for option in options]
        best = int(np.argmax([right / max(1.0, count) for right, count in totals]))
        picked.append(options[best])
        sums[half == fold] = options[best].quantity.sums[half == fold]
    quantity = replace(options[0].quantity, sums=sums, n=int(sums[:, 1].sum()))
    names = dict.fromkeys(option.cell for option in picked)
    return picked[0]._replace(cell=" / ".join(names), quantity=quantity)


AT_EQUAL_TOKENS: Mapping[str, Measure] = MappingProxyType(
    {
        measure.name: measure
        for measure in (
            define_share(
                "self_consistency",
                "pool without exchange, equal tokens",
                "vote over independent samples of the same seats at the debate's tokens",
            ),
            define_share(
                "best_single",
                "best member alone, equal tokens",
                "vote over samples of the member that is best on the other half of the questions",
                source="Self-MoA, arXiv 2502.00674",
            ),
            Measure(
                "gain_over_pool",
                "vote at the end − pool",
                "vote_T − self_consistency, paired by question",
                is_signed=True,
                kind="contrast",
            ),
            Measure(
                "gain_over_best",
                "vote at the end − best member",
                "vote_T − best_single, paired by question",
                is_signed=True,
                kind="contrast",
            ),
        )
    }
)
TEAM_TABLE = split_names(
    "mean_member best_member kappa_p error_correlation effective_votes vote_0 vote_T oracle"
)


def build_team_table(
    estimates: Iterable[Estimate], team: pl.DataFrame, costs: pl.DataFrame, methods: dict[str, str]
) -> pl.DataFrame:
    """One row for each cell of `costs` (`tabulate_costs`); null where a column has nothing to be
    computed from.

    team: the states of those who vote; the column says homogeneous or mixed, by the models in their
    seats. methods: the rule by which each condition was decided. best_member is picked on the same
    questions, which flatters it; a comparison at equal tokens needs its own condition (that member
    alone, sampled as often). kappa_p is the mean over pairs.
    """
    found, kinds, members = list(estimates), classify_teams(team), _average_members(team)
    rows = [
        {"cell": cell, "team": kinds.get(cell)}
        | {name: _read_cell_value(found, cell, name, methods.get(cell)) for name in TEAM_TABLE}
        | members.get(cell, {})
        for cell in costs["cell"]
    ]
    schema = {"cell": pl.String(), "team": pl.String()} | dict.fromkeys(TEAM_TABLE, pl.Float64())
    return pl.DataFrame(rows, schema=schema).join(costs, on="cell", how="left")


def _average_members(team: pl.DataFrame) -> dict[str, dict[str, float]]:
    """For each condition, the mean and the best accuracy of its voters at the openings."""
    openings = team.filter(pl.col("round") == 0)
    each = openings.group_by("cell", "agent").agg(pl.col("score").mean())
    both = each.group_by("cell").agg(
        mean_member=pl.col("score").mean(), best_member=pl.col("score").max()
    )
    return {row.pop("cell"): row for row in both.iter_rows(named=True)}


def _read_cell_value(
    estimates: list[Estimate], cell: str, column: str, method: str | None
) -> float | None:
    inside = [e for e in estimates if e.cell == cell and e.value is not None]
    if column in ("vote_0", "vote_T"):
        rounds = [e for e in inside if e.name == "vote_accuracy" and e.round is not None]
        ordered = sorted((e for e in rounds if e.subject == method), key=lambda e: e.round or 0)
        if not ordered:
            return None
        return ordered[0 if column == "vote_0" else -1].value
    named = [e.value for e in inside if e.name == column and e.round == 0]
    return _compute_mean([v for v in named if v is not None])


def _compute_mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
