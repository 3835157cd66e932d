"""The team's own answer by round, under every decision rule that needs no further call.

A tied vote has no answer, and counting it as wrong makes of every vote over openings a straw man:
three experts who each know something else tie nearly always. So a tie scores its expected value,
the share of the tied answers that are right, and stays an outcome of its own. Openings hold more
than a majority of them shows, so votes before and after stand side by side under each rule, and the
gain is also taken over the rule that does best on the openings, chosen on other questions: the
run's own unless another is clearly better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from debate.analysis.intervals import Array, Codes, compute_clustered_se
from debate.analysis.members import MEMBERS
from debate.analysis.quantity import SIGNED_UNIT, Measure, Quantity, Unavailable, take_quotient
from debate.analysis.schema import OPTIONAL, UNANSWERED, verdicts_frame
from debate.analysis.states import build_states
from debate.analysis.sums import NO_ANSWERS, ClusterSums, split_groups, sum_by_question
from debate.text import split_names

Mask = NDArray[np.bool_]
KEY = ["cell", "question", "seed", "round"]
DEBATE = ["cell", "question", "seed"]
_PLACE = ["debate", "round"]
"""The same as KEY in integers."""
MAJORITY, CONFIDENCE_WEIGHTED, LOG_OPINION_POOL = (
    "majority",
    "confidence_weighted",
    "log_opinion_pool",
)
TIES_SHARED = "majority_ties_shared"
"""A majority whose ties score their expected value, where the run's own rule resolves them."""
SAME_WEIGHT = 1e-9
"""Weights that differ by less than this share of the largest are equal: rounding alone."""
LEAST_KNOWN = 0.9
"""A rule over confidences is computed where at least this share of the answers carry one."""
_OF_TURNS = (set(OPTIONAL) - {"confidence"}) | {"log_odds"}
"""Columns of the states that say nothing of a vote."""
NUM_FOLDS = 5
FEWEST_CLUSTERS = 2
"""Questions that a standard error needs."""
VOTE_PREFIX = "vote_"
OF_MEMBERS = split_names(
    "accuracy accuracy_completed abstention_rate tied_rate confidence over_confidence brier nll"
)


def name_vote(name: str) -> str:
    """Name a member's measure when it is taken of the team's answer.

    >>> name_vote("accuracy")
    'vote_accuracy'
    """
    return f"{VOTE_PREFIX}{name}"


_GAINS = (
    replace(
        MEMBERS["accuracy_change"],
        name="vote_gain",
        words="vote, end − openings",
        formula="mean of score at t − score at round 0 of the same rule, a tie scoring the share "
        "of the tied answers that are right",
        lacking="votes after a round beyond the openings",
    ),
    Measure(
        "gain_over_best_rule",
        "vote, end − best rule of the openings",
        "mean of the vote's score at the end − that of the openings under the run's own rule or, "
        "where another is better on the other four fifths of the questions by more than one "
        "standard error of their paired difference, under that one",
        kind="difference",
        is_signed=True,
        limits=SIGNED_UNIT,
        lacking="votes after a round beyond the openings",
    ),
    replace(
        MEMBERS["accuracy"],
        name="vote_0",
        words="vote of the openings",
        formula="mean score of the vote over the openings",
    ),
    replace(
        MEMBERS["accuracy"],
        name="vote_T",
        words="vote at the end",
        formula="mean score of the vote after the last round",
    ),
)
VOTES: Mapping[str, Measure] = MappingProxyType(
    {
        **{
            name_vote(name): replace(
                MEMBERS[name],
                name=name_vote(name),
                words=f"vote: {MEMBERS[name].words}",
                of_confidence=False,
            )
            for name in OF_MEMBERS
        },
        **{measure.name: measure for measure in _GAINS},
    }
)
"""Measures of the team's answer by name."""


def build_vote_states(
    states: pl.DataFrame,
    verdicts: pl.DataFrame | None = None,
    *,
    opinions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """States in which the deciding rule takes the agent's place, so that all measures apply.

    The run's own rule (`is_own`) is that of the verdicts, without any the plurality of the members'
    answers. Beside it stand `majority`; `confidence_weighted` where answers carry confidences; and
    `log_opinion_pool` where `opinions` (columns: those of DEBATE, agent, round, candidate, log_p)
    are given. A verdict stays when its debate stops. `unsure` says of a vote, and `opening_unsure`
    of that over the openings, that the ballots of turns without an answer could have turned it.
    """
    given = None if verdicts is None or verdicts.is_empty() else verdicts_frame(verdicts)
    if given is not None:
        given = given.filter(pl.col("cell").is_in(states["cell"].unique().to_list()))
    tally, debates = _tally_answers(states), _list_debates(states)
    rules = [
        _vote_by_majority(tally, debates),
        _vote_by_confidence(tally, debates, states),
        _pool_opinions(states, debates, opinions),
    ]
    computed = pl.concat([rule for rule in rules if not rule.is_empty()])
    if given is None or given.is_empty():
        frame = computed.with_columns(is_own=pl.col("method") == MAJORITY)
    else:
        own = _drop_unspoken(_add_scores(given, states), states).with_columns(is_own=pl.lit(True))
        others = _select_other_rules(computed, own)
        frame = pl.concat([own, others.with_columns(is_own=pl.lit(False))])
    vote_states = frame.select(
        *KEY,
        "outcome",
        "score",
        "confidence",
        "is_own",
        agent="method",
        model="method",
        answer="value",
    )
    found = _add_codes(build_states(vote_states, is_checked=True), states)
    found = found.drop(c for c in found.columns if {c, c.split("_", 1)[-1]} & _OF_TURNS)
    return _add_unsure(found, states, tally)


def _add_unsure(
    vote_states: pl.DataFrame, states: pl.DataFrame, tally: pl.DataFrame
) -> pl.DataFrame:
    """The votes with whether missing ballots could have turned them.

    Of a majority, as many as its lead could; of other rules, whose weights are their own, one.
    """
    most = pl.col("votes").cast(pl.Int64).sort(descending=True)
    leads = tally.group_by(_PLACE).agg(lead=most.first() - most.slice(1).first().fill_null(0))
    lacking = pl.col("outcome").is_in(UNANSWERED).sum().cast(pl.Int64)
    missing = states.group_by(*_PLACE).agg(*(pl.col(n).first() for n in DEBATE), missing=lacking)
    places = missing.join(leads, on=_PLACE, how="left").select(
        *KEY, "missing", lead=pl.col("lead").fill_null(0)
    )
    is_counted = pl.col("agent").is_in([MAJORITY, TIES_SHARED])
    enough = pl.when(is_counted).then(pl.col("lead").clip(lower_bound=1)).otherwise(1)
    joined = vote_states.join(places, on=KEY, how="left", maintain_order="left")
    unsure = pl.col("outcome").is_in(UNANSWERED) | (pl.col("missing") >= enough).fill_null(False)
    found = joined.with_columns(unsure=unsure).drop("missing", "lead")
    first = found.filter(pl.col("round") == 0).select("trajectory", opening_unsure="unsure")
    return found.join(first, on="trajectory", how="left", maintain_order="left")


def _select_other_rules(computed: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """The computed rules that are not the run's own, on the rounds that it has verdicts of.

    A majority whose ties the run itself resolves is another rule than one whose ties are shared.
    """
    others = computed.join(own.select(KEY).unique(), on=KEY, how="semi")
    named = own.select("cell", "method").unique()
    kept = others.join(named, on=["cell", "method"], how="anti")
    ties = others.filter((pl.col("method") == MAJORITY) & (pl.col("outcome") == "tied"))
    decided = ties.join(
        own.filter((pl.col("method") == MAJORITY) & (pl.col("outcome") != "tied")), on=KEY
    )
    resolved = others.join(decided.select("cell").unique(), on="cell", how="semi")
    shared = resolved.filter(pl.col("method") == MAJORITY)
    return pl.concat([kept, shared.with_columns(method=pl.lit(TIES_SHARED))])


def _add_codes(vote_states: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The seated states under the clusters of the members' questions."""
    codes = states.select("question", "question_code").unique()
    return vote_states.drop("question_code").join(
        codes, on="question", how="inner", maintain_order="left"
    )


def find_own_methods(vote_states: pl.DataFrame) -> dict[str, str]:
    """The rule by which each condition was decided."""
    own = (
        vote_states.filter(pl.col("is_own")).select("cell", "agent").unique().sort("cell", "agent")
    )
    return dict(own.iter_rows())


def _list_answers(states: pl.DataFrame) -> pl.DataFrame:
    """Each answer that was stated in a debate: whether it is right, and since which round."""
    stated = states.select(*DEBATE, "answer", "correct", "round").drop_nulls("answer")
    return stated.group_by(*DEBATE, "answer").agg(pl.col("correct").any(), pl.col("round").min())


def _add_scores(verdicts: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """Verdicts with `score`: of a tie, the share of the tied answers that are right."""
    if "tied" not in verdicts.columns:
        verdicts = verdicts.with_columns(tied=pl.lit(None, pl.List(pl.String)))
    tied = verdicts.filter(pl.col("outcome") == "tied").select(*KEY, "method", answer="tied")
    parts = tied.explode("answer").join(
        _list_answers(states).drop("round"), on=[*DEBATE, "answer"], how="left"
    )
    shares = parts.group_by(*KEY, "method").agg(
        share=pl.col("correct").fill_null(False).cast(pl.Float64).mean()
    )
    joined = verdicts.join(shares, on=[*KEY, "method"], how="left", maintain_order="left")
    right = (pl.col("outcome") == "correct").cast(pl.Float64)
    recorded = pl.col("score") if "score" in joined.columns else pl.lit(None, pl.Float64)
    score = pl.coalesce(recorded, pl.when(pl.col("outcome") == "tied").then("share"), right)
    return joined.with_columns(score=score).select(
        *KEY, "method", "value", "outcome", "score", "confidence"
    )


def _drop_unspoken(verdicts: pl.DataFrame, states: pl.DataFrame) -> pl.DataFrame:
    """The verdicts without those on rounds after the last in which anybody of the cell answered.

    Where critics judge in private, or nobody hears anybody, such rounds repeat the verdict before:
    comparing the two is no finding, and must not weigh on those that are.
    """
    spoken = pl.col("round").filter(~pl.col("carried"))
    last = states.group_by("cell").agg(last_spoken=spoken.max())
    joined = verdicts.join(last, on="cell", how="left", maintain_order="left")
    return joined.filter((pl.col("round") <= pl.col("last_spoken")).fill_null(True)).drop(
        "last_spoken"
    )


def _tally_answers(states: pl.DataFrame) -> pl.DataFrame:
    """For each answer in each debate and round: its votes, their confidence, is it right."""
    told = states.select(*_PLACE, "answer", "outcome", "correct", "confidence")
    spoken = told.filter(pl.col("answer").is_not_null() & (pl.col("outcome") != "failed"))
    # In order: sums of the same confidences in another order differ in their last digit.
    return spoken.group_by(*_PLACE, "answer", maintain_order=True).agg(
        pl.col("correct").any(),
        votes=pl.len(),
        confident=pl.col("confidence").count(),
        confidence=pl.col("confidence").sum(),
    )


def _vote_by_majority(tally: pl.DataFrame, debates: pl.DataFrame) -> pl.DataFrame:
    """The vote in which each answer weighs 1."""
    weighed = tally.select(
        *_PLACE, "answer", "correct", "votes", weight=pl.col("votes").cast(pl.Float64)
    )
    return _decide(weighed, debates, MAJORITY)


def _vote_by_confidence(
    tally: pl.DataFrame, debates: pl.DataFrame, states: pl.DataFrame
) -> pl.DataFrame:
    """Votes weighed by confidence in the conditions whose answers carry one."""
    known = (
        states.select("cell", "answer", "confidence")
        .drop_nulls("answer")
        .group_by("cell")
        .agg(pl.col("confidence").is_not_null().mean())
        .filter(pl.col("confidence") >= LEAST_KNOWN)["cell"]
    )
    # An answer that comes without a confidence does not count.
    weighed = tally.filter(pl.col("confident") > 0).select(
        *_PLACE, "answer", "correct", votes="confident", weight="confidence"
    )
    inside = debates.filter(pl.col("cell").is_in(known.implode()))
    return _decide(weighed, inside, CONFIDENCE_WEIGHTED)


def _pool_opinions(
    states: pl.DataFrame, debates: pl.DataFrame, opinions: pl.DataFrame | None
) -> pl.DataFrame:
    """The logarithmic pool, Σ_m log p_m(a), over what somebody in the debate had stated so far.

    Only candidates that every voter's belief holds are compared. The target is none of them unless
    somebody stated it: scoring put it there, and no decision may learn it.
    """
    if opinions is None or opinions.is_empty():
        return _decide(_make_empty_tally(states), debates.clear(), LOG_OPINION_POOL)
    turns = states.filter(pl.col("answer").is_not_null())
    held = turns.select(*DEBATE, *_PLACE, "agent", "spoken_in").join(
        opinions.rename({"round": "spoken_in"}), on=[*DEBATE, "agent", "spoken_in"]
    )
    stated = turns.group_by("debate", candidate="answer").agg(
        pl.col("correct").any(), since=pl.col("round").min()
    )
    held = held.join(stated, on=["debate", "candidate"]).filter(pl.col("since") <= pl.col("round"))
    voters = held.group_by(_PLACE).agg(voters=pl.col("agent").n_unique())
    held = held.sort(*_PLACE, "agent", "candidate")
    pooled = held.group_by(*_PLACE, answer="candidate", maintain_order=True).agg(
        pl.col("log_p").mean(), pl.col("correct").any(), votes=pl.col("agent").n_unique()
    )
    pooled = pooled.join(voters, on=_PLACE).filter(pl.col("votes") == pl.col("voters"))
    weight = (pl.col("log_p") - pl.col("log_p").max().over(_PLACE)).exp()
    tally = pooled.select(*_PLACE, "answer", "correct", "votes", weight=weight)
    inside = debates.join(held.select("cell").unique(), on="cell", how="semi")
    return _decide(tally, inside, LOG_OPINION_POOL, shared=True)


def _make_empty_tally(states: pl.DataFrame) -> pl.DataFrame:
    columns = states.clear().select(*_PLACE, "answer", "correct", weight=pl.lit(0.0))
    return columns.with_columns(votes=pl.lit(0, pl.UInt32))


def _list_debates(states: pl.DataFrame) -> pl.DataFrame:
    """Each debate and round: how many completed a turn, and whether none did."""
    return states.group_by(_PLACE).agg(
        *(pl.col(name).first() for name in DEBATE),
        completed=(pl.col("outcome") != "failed").sum(),
        all_failed=(pl.col("outcome") == "failed").all(),
    )


def _decide(
    tally: pl.DataFrame, debates: pl.DataFrame, method: str, *, shared: bool = False
) -> pl.DataFrame:
    """From the weight of each answer to the verdict of each debate and round.

    No answer at all is an abstention or, where every turn failed, a failure. confidence: the
    winner's share of the weight times the share of completed turns that counted (`shared`: each
    voter counts for every answer).
    """
    weighed = tally.with_columns(most=pl.col("weight").max().over(_PLACE))
    leads = (pl.col("weight") >= pl.col("most") * (1 - SAME_WEIGHT)) & (pl.col("weight") > 0)
    counted = pl.col("votes").max() if shared else pl.col("votes").sum()
    decided = weighed.group_by(_PLACE).agg(
        pl.col("answer").filter(leads).first(),
        pl.col("most").first(),
        score=pl.col("correct").filter(leads).cast(pl.Float64).mean(),
        leaders=leads.sum(),
        total=pl.col("weight").sum(),
        counted=counted,
    )
    joined = debates.join(decided, on=_PLACE, how="left")
    has_one = pl.col("leaders") == 1
    outcome = (
        pl.when("all_failed")
        .then(pl.lit("failed"))
        .when(pl.col("leaders").fill_null(0) == 0)
        .then(pl.lit("abstained"))
        .when(~has_one)
        .then(pl.lit("tied"))
        .when(pl.col("score") > 0)
        .then(pl.lit("correct"))
        .otherwise(pl.lit("wrong"))
    )
    share = pl.col("most") / pl.col("total") * pl.col("counted") / pl.col("completed")
    return joined.select(
        *KEY,
        method=pl.lit(method),
        value=pl.when(has_one).then("answer"),
        outcome=outcome,
        score=pl.col("score").fill_null(0.0),
        confidence=pl.when(has_one).then(share.clip(0.0, 1.0)),
    )


def _draw_folds(num_questions: int) -> Codes:
    """The fold of each question."""
    return np.asarray(np.random.default_rng(0).permutation(num_questions) % NUM_FOLDS)


def _sum_rules(openings: pl.DataFrame, num_questions: int) -> dict[str, ClusterSums]:
    """The scores of each rule over the openings of one condition, the run's own rule first."""
    return {
        str(method): sum_by_question(part, "score", num_questions)
        for is_own in (True, False)
        for (method,), part in split_groups(openings.filter(pl.col("is_own") == is_own), "agent")
    }


def _choose_rules(rules: Mapping[str, ClusterSums], folds: Codes) -> list[str]:
    """For each fold, the rule that is chosen on the other folds."""
    return [_choose_rule(rules, folds != fold) for fold in range(NUM_FOLDS)]


def find_best_rules(vote_states: pl.DataFrame, num_questions: int) -> dict[str, str]:
    """For each condition, the rule that `find_best_rule_gain` takes on most folds."""
    openings = vote_states.filter(pl.col("round") == 0)
    folds = _draw_folds(num_questions)
    chosen = {
        str(cell): _choose_rules(_sum_rules(part, num_questions), folds)
        for (cell,), part in split_groups(openings, "cell")
    }
    return {cell: max(sorted(set(names)), key=names.count) for cell, names in chosen.items()}


def find_best_rule_gain(vote_states: pl.DataFrame, num_questions: int) -> Quantity | Unavailable:
    """The own vote at the end minus the openings' vote under the rule that does best on them.

    vote_states: the vote states of one condition. The rule is chosen on the other folds of
    questions: the best of several rules, chosen where it is scored, would make "debating hurts" of
    nothing. The run's own rule stands unless another is clearly better there (`_choose_rule`).
    """
    last = int(vote_states["round"].to_numpy().max()) if vote_states.height else 0
    if not last:
        return Unavailable("votes after a round beyond the openings")
    end = vote_states.filter(pl.col("is_own") & (pl.col("round") == last))
    openings = vote_states.filter(pl.col("round") == 0)
    after = sum_by_question(end, "score", num_questions)
    both = pl.concat([end, openings])
    if "outcome" in both.columns and both["outcome"].is_in(UNANSWERED).all():
        return Unavailable(NO_ANSWERS)
    rules = _sum_rules(openings, num_questions)
    folds = _draw_folds(num_questions)
    before = np.zeros(num_questions)
    for fold, name in enumerate(_choose_rules(rules, folds)):
        before[folds == fold] = rules[name].totals[folds == fold]
    table = np.stack([after.totals - before, after.counts], axis=1)
    return Quantity(sums=table, of=take_quotient, n=after.n, kind="difference", limits=SIGNED_UNIT)


def _choose_rule(rules: Mapping[str, ClusterSums], chosen_on: Mask) -> str:
    """The first rule, or one after it that is clearly better on the questions `chosen_on`.

    Clearly: by more than one standard error of their paired difference, by question. The mean
    alone would choose among near ties: a rule that is unlucky on the fold left out looks better on
    the rest, so that the choice would score below every rule there is.
    """
    best, *others = rules
    chosen_on = chosen_on & (rules[best].counts > 0)
    if chosen_on.sum() < FEWEST_CLUSTERS:
        return best
    for name in others:
        rule, held = rules[name], rules[best]
        moves = _compute_influence(rule, chosen_on) - _compute_influence(held, chosen_on)
        gain = _compute_mean(rule, chosen_on) - _compute_mean(held, chosen_on)
        if gain > compute_clustered_se(moves) + SAME_WEIGHT:
            best = name
    return best


def _compute_mean(rule: ClusterSums, among: Mask) -> float:
    return float(rule.totals[among].sum() / max(1.0, rule.counts[among].sum()))


def _compute_influence(rule: ClusterSums, among: Mask) -> Array:
    """The influence of each of these questions on the mean score."""
    counts = rule.counts[among]
    moved = rule.totals[among] - _compute_mean(rule, among) * counts
    return np.asarray(moved / max(1.0, counts.sum()))
