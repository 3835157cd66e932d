"""What is done with what was heard: conformity, revisions, and what each flip goes back to.

A disagreement event is a turn of an agent with an answer of its own that heard at least one peer
with another answer (2510.07517). C is the share that adopts a peer's answer, O the share that
keeps its own. Identity bias is (C - O) with speaker names minus (C - O) without.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from debate.analysis.design import Controls
from debate.analysis.estimate import Estimate, estimate
from debate.analysis.heard import from_peers
from debate.analysis.measure import Measure
from debate.analysis.quantity import Missing
from debate.analysis.states import num_questions, transitions
from debate.analysis.sums import Sums, grouped_rates, grouped_sums

_SOURCE = "arXiv 2510.07517"
_UNIT = (0.0, 1.0)
NO_EVENTS = "disagreement between an agent and what it heard (column heard)"


_ALL = (
    Measure(
        name="conformity", words="conformity (adopts)", kind="proportion", limits=_UNIT,
        source=_SOURCE, lacking=NO_EVENTS,
        formula="share of disagreement events in which a peer's answer is adopted",
    ),
    Measure(
        name="obstinacy", words="obstinacy (keeps)", kind="proportion", limits=_UNIT,
        source=_SOURCE, lacking=NO_EVENTS,
        formula="share of disagreement events in which the own answer is kept",
    ),
    Measure(
        name="identity_bias", words="identity bias", kind="contrast", is_signed=True,
        source=_SOURCE, lacking=NO_EVENTS,
        formula="(conformity − obstinacy) with speakers named − the same with anonymous speakers",
    ),
    Measure(
        name="harmful_revision", words="harmful revision", kind="proportion", limits=_UNIT,
        source=_SOURCE, lacking=NO_EVENTS,
        formula="P(wrong at t | right at 0, has heard a wrong peer)",
    ),
    Measure(
        name="beneficial_revision", words="beneficial revision", kind="proportion", limits=_UNIT,
        source=_SOURCE, lacking=NO_EVENTS,
        formula="P(right at t | wrong at 0, has heard a right peer)",
    ),
)  # fmt: skip
HEARING: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _ALL})
"""Measures of what is done with what was heard."""


def disagreements(heard: pl.DataFrame) -> pl.DataFrame:
    """The disagreement events: one row for each turn, with `adopted` and `kept`."""
    other = from_peers(heard).filter(pl.col("critic_answer") != pl.col("previous_answer"))
    adopted = (pl.col("answer") == pl.col("critic_answer")).fill_null(False)
    kept = (pl.col("answer") == pl.col("previous_answer")).fill_null(False)
    events = other.group_by("cell", "question_code", "trajectory", "round").agg(
        adopted=adopted.any(), kept=kept.any()
    )
    return events.with_columns(
        lean=pl.col("adopted").cast(pl.Float64) - pl.col("kept").cast(pl.Float64)
    )


def first_seen(heard: pl.DataFrame) -> pl.DataFrame:
    """For each trajectory and outcome, the round in which it first heard a peer in that state."""
    return (
        from_peers(heard)
        .group_by("trajectory", saw="critic_outcome")
        .agg(seen_in=pl.col("round").min())
    )


def conformity(states: pl.DataFrame, events: pl.DataFrame, controls: Controls) -> list[Estimate]:
    """`conformity`, `obstinacy` and `identity_bias` of each cell over its `disagreements`."""
    num = num_questions(states)
    summed = grouped_sums(events, ["cell"], ["adopted", "kept", "lean"], num)
    by_cell = {cell: sums for (cell,), sums in summed.items()}
    leans = {cell: sums["lean"] for cell, sums in by_cell.items()}
    estimates: list[Estimate] = []
    for cell in sorted(states["cell"].unique()):
        for name, column in (("conformity", "adopted"), ("obstinacy", "kept")):
            sums = by_cell[cell][column] if cell in by_cell else None
            estimates.append(_share(name, cell, sums))
        estimates.append(_identity_bias(cell, leans, controls))
    return estimates


def _share(name: str, cell: str, sums: Sums | None) -> Estimate:
    found = Missing(NO_EVENTS) if sums is None else sums.quantity("proportion", limits=_UNIT)
    return estimate(HEARING[name], found, cell=cell)


def _identity_bias(cell: str, leans: Mapping[str, Sums], controls: Controls) -> Estimate:
    twin, measure = controls.anonymous.get(cell), HEARING["identity_bias"]
    if twin is None:
        return estimate(measure, Missing("the same arm with anonymous speakers"), cell=cell)
    if cell not in leans or twin not in leans:
        return estimate(measure, Missing(NO_EVENTS), cell=cell)
    gap = leans[cell].quantity(limits=(-1.0, 1.0)).minus(leans[twin].quantity(limits=(-1.0, 1.0)))
    return estimate(measure, gap, cell=cell)


def revisions(states: pl.DataFrame, seen: pl.DataFrame) -> list[Estimate]:
    """`harmful_revision` P(wrong_t | correct_0, saw wrong) and `beneficial_revision`, by round.

    `seen` is what `first_seen` gives.
    """
    harmful = _revised(states, seen, before="correct", saw="wrong", after="wrong")
    beneficial = _revised(states, seen, before="wrong", saw="correct", after="correct")
    return [
        *_by_round("harmful_revision", harmful, states),
        *_by_round("beneficial_revision", beneficial, states),
    ]


def _revised(
    states: pl.DataFrame, seen: pl.DataFrame, *, before: str, saw: str, after: str
) -> pl.DataFrame:
    since = seen.filter(pl.col("saw") == saw)
    told = ("cell", "round", "question_code", "trajectory", "outcome", "opening_outcome")
    exposed = states.select(*told).filter(
        (pl.col("opening_outcome") == before) & (pl.col("outcome") != "failed")
    )
    at_risk = exposed.join(since, on="trajectory").filter(pl.col("round") >= pl.col("seen_in"))
    return at_risk.with_columns(revised=pl.col("outcome") == after)


def _by_round(name: str, rows: pl.DataFrame, states: pl.DataFrame) -> list[Estimate]:
    summed = grouped_sums(rows, ["cell", "round"], ["revised"], num_questions(states))
    found = [
        estimate(
            HEARING[name], sums["revised"].quantity("proportion", limits=_UNIT), cell=cell,
            round=round_,
        )
        for (cell, round_), sums in summed.items()
    ]  # fmt: skip
    known = {cell for cell, _ in summed}
    lacking = sorted(set(states["cell"].unique()) - known)
    return found + [estimate(HEARING[name], Missing(NO_EVENTS), cell=cell) for cell in lacking]


FLIP = (
    pl.when((pl.col("previous_outcome") == "correct") & (pl.col("outcome") == "wrong"))
    .then(pl.lit("right_to_wrong"))
    .when((pl.col("previous_outcome") == "wrong") & (pl.col("outcome") == "correct"))
    .then(pl.lit("wrong_to_right"))
)
AT_RISK = (
    pl.when(pl.col("previous_outcome") == "correct")
    .then(pl.lit("right_to_wrong"))
    .when(pl.col("previous_outcome") == "wrong")
    .then(pl.lit("wrong_to_right"))
)
SOURCE = [
    "critic",
    "ref",
    "kind",
    "relation",
    "critic_answer",
    "critic_outcome",
    "critic_confidence",
]
TURN = ["cell", "question", "seed", "agent", "round"]


def flip_sources(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """One row for each flip and source: the heard turns that held the new answer, in equal shares.

    A flip to an answer that nobody heard held has one row without a critic: the agent's own doing.
    So the shares of a flip add up to 1.
    """
    told = (*TURN, "trajectory", "carried", "answer", "outcome", "confidence")
    before = ("previous_answer", "previous_outcome", "previous_confidence")
    flips = transitions(states.select(*told, *before)).with_columns(flip=FLIP)
    flips = flips.filter(pl.col("flip").is_not_null())
    held = heard.filter(
        (pl.col("critic_answer") == pl.col("answer")) & (pl.col("critic") != pl.col("agent"))
    )
    held = held.select("trajectory", "round", *SOURCE)
    flips = flips.select(
        *TURN, "trajectory", "flip", before="previous_answer", after="answer",
        confidence_before="previous_confidence", confidence_after="confidence",
    )  # fmt: skip
    joined = flips.join(held, on=["trajectory", "round"], how="left")
    shared = joined.with_columns(share=1.0 / pl.len().over("trajectory", "round"))
    return shared.drop("trajectory").sort(*TURN, "ref", nulls_last=True)


def credit(sources: pl.DataFrame) -> pl.DataFrame:
    """Flips by cell and by who they go back to: number, and share of the flips of that kind."""
    by = ["cell", "flip", "relation", "critic_outcome"]
    grouped = sources.group_by(by).agg(flips=pl.col("share").sum())
    whole = pl.col("flips").sum().over("cell", "flip")
    relation = pl.col("relation").fill_null("nobody_heard")
    credited = grouped.with_columns(share=pl.col("flips") / whole, relation=relation)
    return credited.sort(by, nulls_last=True)


def hazards(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """P(flip) for each kind of edge that a turn at risk heard over, with clustered intervals.

    Kinds of edge: relation (self, same_model, other_model; nothing_heard for turns that heard
    nobody), protocol kind, whether the critic was right, whether it was surer than the author.
    A turn that heard several critics counts once for each.
    """
    exposed = heard.with_columns(surer=pl.col("critic_confidence") > pl.col("previous_confidence"))
    told = ("cell", "question_code", "carried", "outcome", "previous_outcome", "heard")
    silent = transitions(states.select(*told)).filter(pl.col("heard").list.len().fill_null(0) == 0)
    silent = silent.with_columns(
        relation=pl.lit("nothing_heard"),
        kind=pl.lit(None, pl.String),
        critic_outcome=pl.lit(None, pl.String),
        surer=pl.lit(None, pl.Boolean),
    )
    by = ["cell", "transition", "relation", "kind", "critic_outcome", "surer"]
    columns = ["cell", "question_code", *by[2:], "previous_outcome", "outcome"]
    both = pl.concat([exposed.select(columns), silent.select(columns)])
    return grouped_rates(_at_risk(both), by, "flipped")


def edges(heard: pl.DataFrame) -> pl.DataFrame:
    """For each edge critic -> author: P(flip) either way, and P(adopt | the two disagree)."""
    by = ["cell", "transition", "critic", "author"]
    flips = _at_risk(heard).with_columns(author="agent")
    other = heard.filter(
        (pl.col("critic") != pl.col("agent"))
        & (pl.col("critic_answer") != pl.col("previous_answer"))
    )
    adopted = other.with_columns(
        author="agent",
        transition=pl.lit("adoption"),
        adopted=(pl.col("answer") == pl.col("critic_answer")).fill_null(False),
    )
    return pl.concat([grouped_rates(flips, by, "flipped"), grouped_rates(adopted, by, "adopted")])


def _at_risk(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns(transition=AT_RISK).filter(pl.col("transition").is_not_null())
    return rows.with_columns(flipped=FLIP.eq(pl.col("transition")).fill_null(False))
