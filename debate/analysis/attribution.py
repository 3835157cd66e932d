"""Attribution: the turns heard before each turn, the sources of flips, and where errors grew.

A ref "1:revision:b" is b's own answer of round 1. A ref "1:critique:u:v" is u's critique of v;
there u's own answer is the one that it held before, after round 0.

Error growth is ranked by questions, categories, agents, edges, rounds and turns. Each trajectory's
contribution to EAI is its change of confident-error mass over the number of trajectories of its
cell, so every ranking adds up to the cell's EAI after its last round. Each line of a ranking names
its steepest turn, the one at which mass rose most. A rise that is shown as 0.00 is none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, get_args

import polars as pl

from debate.analysis.members import compute_error_mass
from debate.analysis.states import select_transitions
from debate.analysis.sums import compute_group_rates, split_sorted
from debate.errors import InputError
from debate.text import split_names
from debate.types import Kind

SPEAKER = ("answer", "outcome", "confidence", "model")
REF_SCHEMA = {"ref": pl.String, "kind": pl.String, "critic": pl.String, "source_round": pl.Int64}
HEARER = split_names(
    "cell question_code trajectory agent round answer outcome previous_answer previous_outcome "
    "previous_confidence"
)


def join_hearings(
    states: pl.DataFrame,
    everyone: pl.DataFrame | None = None,
    past: Collection[tuple[str, str]] = (),
) -> pl.DataFrame:
    """One row for each turn and each turn that it heard: columns of the hearer and of the critic.

    `everyone` holds the states of those who may be heard (judges too); the hearers' by default.
    `past` has the pairs of an agent and the one of which it is a past version.
    kind: exchange or critique; relation: self, past, same_model, other_model; critic_answer,
    _outcome, _confidence are null where the critic's own answer is not known. Raises InputError for
    a ref that is none.
    """
    rows = select_transitions(states.select("debate", "model", "carried", *HEARER, ref="heard"))
    rows = rows.filter(pl.col("ref").list.len() > 0).explode("ref", empty_as_null=False)
    rows = rows.join(_parse_refs(rows["ref"].unique()), on="ref", how="left")
    held = {f"critic_{c}": pl.col(c) for c in SPEAKER}
    speakers = (states if everyone is None else everyone).select(
        "debate", critic="agent", source_round="round", **held
    )
    rows = rows.join(speakers, on=["debate", "critic", "source_round"], how="left")
    return rows.with_columns(relation=_tell_relation(past)).drop(
        "debate", "carried", "source_round", "model", "critic_model"
    )


def _tell_relation(past: Collection[tuple[str, str]]) -> pl.Expr:
    pairs = [(pl.col("critic") == one) & (pl.col("agent") == other) for one, other in past]
    return (
        pl.when(pl.col("critic") == pl.col("agent"))
        .then(pl.lit("self"))
        .when(pl.any_horizontal(pl.lit(False), *pairs))
        .then(pl.lit("past"))
        .when(pl.col("critic_model") == pl.col("model"))
        .then(pl.lit("same_model"))
        .when(pl.col("critic_model").is_not_null())
        .then(pl.lit("other_model"))
    )


def select_peers(heard: pl.DataFrame) -> pl.DataFrame:
    """The hearings whose speaker is another agent with an answer that is known."""
    return heard.filter(
        (pl.col("critic") != pl.col("agent")) & pl.col("critic_answer").is_not_null()
    )


def _parse_refs(refs: Iterable[str]) -> pl.DataFrame:
    return pl.DataFrame([parse_ref(ref) for ref in refs], schema=REF_SCHEMA, orient="row")


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


def find_disagreements(heard: pl.DataFrame) -> pl.DataFrame:
    """The disagreement events: one row for each turn, with `adopted` and `kept`."""
    other = select_peers(heard).filter(pl.col("critic_answer") != pl.col("previous_answer"))
    adopted = (pl.col("answer") == pl.col("critic_answer")).fill_null(False)
    kept = (pl.col("answer") == pl.col("previous_answer")).fill_null(False)
    events = other.group_by("cell", "question_code", "trajectory", "round").agg(
        adopted=adopted.any(), kept=kept.any()
    )
    return events.with_columns(
        lean=pl.col("adopted").cast(pl.Float64) - pl.col("kept").cast(pl.Float64)
    )


def find_first_seen(heard: pl.DataFrame) -> pl.DataFrame:
    """For each trajectory and outcome, the round in which it first heard a peer in that state."""
    return (
        select_peers(heard)
        .group_by("trajectory", saw="critic_outcome")
        .agg(seen_in=pl.col("round").min())
    )


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
HEARD_COLUMNS = split_names(
    "critic ref kind relation critic_answer critic_outcome critic_confidence"
)
FLIP_TURN = ["cell", "question", "seed", "agent", "round"]


def find_flip_sources(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """One row for each flip and source: the heard turns that held the new answer, in equal shares.

    A flip to an answer that nobody heard held has one row without a critic: the agent's own doing.
    So the shares of a flip add up to 1.
    """
    told = (*FLIP_TURN, "trajectory", "carried", "answer", "outcome", "confidence")
    before = ("previous_answer", "previous_outcome", "previous_confidence")
    flips = select_transitions(states.select(*told, *before)).with_columns(flip=FLIP)
    flips = flips.filter(pl.col("flip").is_not_null())
    held = heard.filter(
        (pl.col("critic_answer") == pl.col("answer")) & (pl.col("critic") != pl.col("agent"))
    )
    held = held.select("trajectory", "round", *HEARD_COLUMNS)
    flips = flips.select(
        *FLIP_TURN,
        "trajectory",
        "flip",
        before="previous_answer",
        after="answer",
        confidence_before="previous_confidence",
        confidence_after="confidence",
    )
    joined = flips.join(held, on=["trajectory", "round"], how="left")
    shared = joined.with_columns(share=1.0 / pl.len().over("trajectory", "round"))
    return shared.drop("trajectory").sort(*FLIP_TURN, "ref", nulls_last=True)


def credit_flips(sources: pl.DataFrame) -> pl.DataFrame:
    """Flips by cell and by who they go back to: number, and share of the flips of that kind."""
    by = ["cell", "flip", "relation", "critic_outcome"]
    grouped = sources.group_by(by).agg(flips=pl.col("share").sum())
    whole = pl.col("flips").sum().over("cell", "flip")
    relation = pl.col("relation").fill_null("nobody_heard")
    credited = grouped.with_columns(share=pl.col("flips") / whole, relation=relation)
    return credited.sort(by, nulls_last=True)


def compute_hazards(states: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """P(flip) for each kind of edge that a turn at risk heard over, with clustered intervals.

    Kinds of edge: relation (self, past, same_model, other_model; nothing_heard for turns that heard
    nobody), protocol kind, whether the critic was right, whether it was surer than the author.
    A turn that heard several critics counts once for each.
    """
    exposed = heard.with_columns(surer=pl.col("critic_confidence") > pl.col("previous_confidence"))
    told = ("cell", "question_code", "carried", "outcome", "previous_outcome", "heard")
    silent = select_transitions(states.select(*told)).filter(
        pl.col("heard").list.len().fill_null(0) == 0
    )
    silent = silent.with_columns(
        relation=pl.lit("nothing_heard"),
        kind=pl.lit(None, pl.String),
        critic_outcome=pl.lit(None, pl.String),
        surer=pl.lit(None, pl.Boolean),
    )
    by = ["cell", "transition", "relation", "kind", "critic_outcome", "surer"]
    columns = ["cell", "question_code", *by[2:], "previous_outcome", "outcome"]
    both = pl.concat([exposed.select(columns), silent.select(columns)])
    return compute_group_rates(_select_at_risk(both), by, "flipped")


def compute_edges(heard: pl.DataFrame) -> pl.DataFrame:
    """For each edge critic -> author: P(flip) either way, and P(adopt | the two disagree)."""
    by = ["cell", "transition", "critic", "author"]
    flips = _select_at_risk(heard).with_columns(author="agent")
    other = heard.filter(
        (pl.col("critic") != pl.col("agent"))
        & (pl.col("critic_answer") != pl.col("previous_answer"))
    )
    adopted = other.with_columns(
        author="agent",
        transition=pl.lit("adoption"),
        adopted=(pl.col("answer") == pl.col("critic_answer")).fill_null(False),
    )
    return pl.concat(
        [compute_group_rates(flips, by, "flipped"), compute_group_rates(adopted, by, "adopted")]
    )


def _select_at_risk(rows: pl.DataFrame) -> pl.DataFrame:
    rows = rows.with_columns(transition=AT_RISK).filter(pl.col("transition").is_not_null())
    return rows.with_columns(flipped=FLIP.eq(pl.col("transition")).fill_null(False))


LEAST_RISE = 0.005
"""Less than this rise of mass at a turn reads as 0.00."""
TURN = ("question", "seed", "agent", "round")
STEEPEST = tuple(f"steepest_{name}" for name in TURN)
STEP = split_names("cell question category seed agent model round rise step contribution")
STATE = split_names(
    "previous_answer answer target previous_outcome outcome previous_confidence confidence heard"
)


class Rankings(NamedTuple):
    """The rankings, largest contribution first; the hot spots, and the turns of the rankings.

    hotspots: turns (cell, question, seed, agent, round), with what each heard, and confidence and
    answer before and after. links: the same of the steepest turn of each line of a ranking.
    """

    questions: pl.DataFrame
    categories: pl.DataFrame
    agents: pl.DataFrame
    edges: pl.DataFrame
    rounds: pl.DataFrame
    hotspots: pl.DataFrame
    links: pl.DataFrame


def rank_error_growth(states: pl.DataFrame, heard: pl.DataFrame, *, limit: int = 50) -> Rankings:
    """All rankings; `limit` bounds the lines and hot spots given for each cell."""
    steps = compute_mass_steps(states)
    moved = split_over_edges(steps, heard)
    rankings = {
        "questions": rank_contributions(steps, "question", "category"),
        "categories": rank_contributions(steps, "category"),
        "agents": rank_contributions(steps, "agent", "model"),
        "edges": rank_contributions(moved, "critic", "author", "relation"),
        "rounds": rank_contributions(steps, "round"),
    }
    cut = {n: t.group_by("cell", maintain_order=True).head(limit) for n, t in rankings.items()}
    links = select_linked(steps, cut.values())
    spots = rank_hotspots(steps, limit=limit)
    return Rankings(**cut, hotspots=_add_states(spots, states), links=_add_states(links, states))


def compute_mass_steps(states: pl.DataFrame) -> pl.DataFrame:
    """The turns after round 0 with `contribution`: the step of mass over the cell's trajectories.

    Trajectories with unknown mass at the opening or at the end are left out, as in EAI; a state
    of unknown mass in between (a failed turn) keeps the mass before it. `rise`: the whole
    trajectory's change.
    """
    turn = ("cell", "trajectory", *TURN, "category", "model")
    rows = states.select(*turn, mass=compute_error_mass())
    last = pl.col("round") == pl.col("round").max().over("cell")
    ends = rows.filter(last & pl.col("mass").is_not_null()).select("trajectory")
    openings = rows.filter((pl.col("round") == 0) & pl.col("mass").is_not_null())
    known = rows.join(ends, on="trajectory", how="semi")
    known = known.join(openings.select("trajectory"), on="trajectory", how="semi")
    known = known.sort("trajectory", "round").with_columns(
        pl.col("mass").fill_null(strategy="forward")
    )
    step = pl.col("mass") - pl.col("mass").shift(1)
    known = known.with_columns(
        step=step, size=pl.col("trajectory").n_unique().over("cell").cast(pl.Float64)
    )
    later = known.filter(pl.col("round") > 0)
    return later.with_columns(
        contribution=pl.col("step") / pl.col("size"), rise=pl.col("step").sum().over("trajectory")
    )


def rank_contributions(steps: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Contributions by cell and `by`, with the steepest turn of each; null where nothing rose."""
    top = pl.col("contribution").arg_max()
    rose = (pl.col("contribution").max() > 0) & (pl.col("step").get(top) >= LEAST_RISE)
    grouped = steps.group_by("cell", *by).agg(
        pl.col("contribution").sum().alias("total"),
        *(pl.when(rose).then(pl.col(name).get(top)).alias(f"steepest_{name}") for name in TURN),
        trajectories=pl.col("trajectory").n_unique(),
    )
    ordered = grouped.sort(["cell", "total", *by], descending=[False, True, *(False for _ in by)])
    return ordered.select("cell", *by, "trajectories", *STEEPEST, contribution="total")


def split_over_edges(steps: pl.DataFrame, heard: pl.DataFrame) -> pl.DataFrame:
    """Each step of mass split evenly over the turns heard just before it.

    Steps after hearing nobody have a null critic.
    """
    sources = heard.select("trajectory", "round", "critic", "relation")
    moved = steps.filter(pl.col("step") != 0)
    moved = moved.select("cell", "trajectory", *TURN, "step", "contribution", author="agent")
    joined = moved.join(sources, on=["trajectory", "round"], how="left")
    part = pl.col("contribution") / pl.len().over("trajectory", "round")
    return joined.with_columns(contribution=part)


def rank_hotspots(steps: pl.DataFrame, *, limit: int) -> pl.DataFrame:
    """The turns of each cell at which mass rose most, the steepest first; rows of `steps`."""
    risen = steps.filter(pl.col("step") >= LEAST_RISE).sort(
        ["cell", "step", "trajectory", "round"], descending=[False, True, False, False]
    )
    return risen.group_by("cell", maintain_order=True).head(limit)


def select_linked(steps: pl.DataFrame, rankings: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The steepest turns of these rankings, each once, in the order of cells and turns."""
    names = dict(zip(STEEPEST, TURN, strict=True))
    turns = pl.concat([table.select("cell", *STEEPEST) for table in rankings]).drop_nulls().unique()
    found = steps.join(turns.rename(names), on=["cell", *TURN], how="semi")
    return found.sort("cell", *TURN)


def _add_states(steps: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The turns with what they heard, and confidence and answer before and after."""
    held = states.select("trajectory", "round", *STATE)
    return steps.join(held, on=["trajectory", "round"], how="left", maintain_order="left").select(
        *STEP, *STATE
    )


def build_heard_tables(
    states: pl.DataFrame,
    everyone: pl.DataFrame,
    *,
    limit: int,
    past: Collection[tuple[str, str]] = (),
) -> dict[str, pl.DataFrame]:
    """The tables of attribution and of where, and `events` and `seen` for conformity.

    `everyone` holds the states of those who may be heard; `limit` bounds hot spots by cell; `past`
    has the pairs of an agent and the one of which it is a past version.
    """
    parts = list(_split_cells(states, everyone, limit=limit, past=past))
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def _split_cells(
    states: pl.DataFrame,
    everyone: pl.DataFrame,
    *,
    limit: int,
    past: Collection[tuple[str, str]],
) -> Iterator[dict[str, pl.DataFrame]]:
    heard = split_sorted(everyone, "cell")
    for cell, rows in split_sorted(states, "cell").items():
        yield _build_cell_tables(rows, heard[cell], limit=limit, past=past)


def _build_cell_tables(
    states: pl.DataFrame,
    everyone: pl.DataFrame,
    *,
    limit: int,
    past: Collection[tuple[str, str]],
) -> dict[str, pl.DataFrame]:
    heard = join_hearings(states, everyone, past)
    sources = find_flip_sources(states, heard)
    ranked = rank_error_growth(states, heard, limit=limit)
    return {
        "events": find_disagreements(heard),
        "seen": find_first_seen(heard),
        "hazards": compute_hazards(states, heard),
        "edges": compute_edges(heard),
        "flip_sources": sources,
        "credit": credit_flips(sources),
        "where_questions": ranked.questions,
        "where_categories": ranked.categories,
        "where_agents": ranked.agents,
        "where_edges": ranked.edges,
        "where_rounds": ranked.rounds,
        "hotspots": ranked.hotspots,
        "links": ranked.links,
    }
