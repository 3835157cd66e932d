"""Measures that are means over members' turns: levels after a round, and changes since round 0.

Each is an expression over a row of `build_states`, null where the row takes no part. So the table
by round, the contrast of two conditions and the hypothesis average the very same thing; and a
team's own answer, seated in an agent's place, is measured as a member is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from debate.analysis.quantity import SIGNED_UNIT, UNIT, Bounds, Measure, define_share

LOG_FLOOR = 1e-6
"""Confidences nearer to 0 or 1 than this are moved to it before a logarithm is taken."""
LOGIT_FLOOR = 1e-3
"""Stated 0 % and 100 % have no logit: confidences nearer to 0 or 1 than this are moved to it."""
ROUND_0 = "openings"
_OUTCOME, _CONFIDENCE, _SCORE = pl.col("outcome"), pl.col("confidence"), pl.col("score")
_CAME_BACK = _OUTCOME != "failed"
_COMPLETED = ~_OUTCOME.is_in(["failed", "cut"])
_STATED = pl.when(_COMPLETED).then(_CONFIDENCE)
_LATER = pl.col("round") > 0
_WRONG_AT_0 = pl.col("opening_outcome") == "wrong"
_SAME_ANSWER = (pl.col("answer") == pl.col("opening_answer")).fill_null(False)


def compute_logit(p: pl.Expr, *, floor: float = LOGIT_FLOOR) -> pl.Expr:
    """log(p / (1 - p)) with p clipped to [floor, 1 - floor]."""
    clipped = p.clip(floor, 1 - floor)
    return (clipped / (1 - clipped)).log()


def compute_error_mass(prefix: str = "", *, unknown: float | None = None) -> pl.Expr:
    """Confident-error mass of the state whose columns start with `prefix`.

    0 where right, confidence where wrong. A right answer without a confidence is as unknown as a
    wrong one without: otherwise rows would be chosen by their outcome. Abstentions and cut replies
    assert nothing and weigh 0. unknown: what a wrong answer without a confidence is taken for (a
    right one then weighs 0 either way); by default nothing is, and the mass is null.
    """
    outcome, confidence = pl.col(f"{prefix}outcome"), pl.col(f"{prefix}confidence")
    right = pl.lit(0.0) if unknown is not None else pl.when(confidence.is_not_null()).then(0.0)
    wrong = confidence if unknown is None else confidence.fill_null(unknown)
    return (
        pl.when(outcome == "wrong")
        .then(wrong)
        .when(outcome == "correct")
        .then(right)
        .when(outcome.is_in(["abstained", "cut", "tied"]))
        .then(pl.lit(0.0))
    )


_MASS_CHANGE = pl.when(_LATER).then(compute_error_mass() - compute_error_mass("opening_"))
_MASS_BOUNDS = Bounds(
    pl.when(_LATER).then(
        compute_error_mass(unknown=0.0) - compute_error_mass("opening_", unknown=1.0)
    ),
    pl.when(_LATER).then(
        compute_error_mass(unknown=1.0) - compute_error_mass("opening_", unknown=0.0)
    ),
)
_WRONG_NOW = _OUTCOME == "wrong"
_ANSWERS = ("correct", "wrong", "tied")
_ANSWERED_ONCE = _OUTCOME.is_in(_ANSWERS) | pl.col("opening_outcome").is_in(_ANSWERS)
ERROR_PARTS: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "kept": _WRONG_AT_0 & _WRONG_NOW & _SAME_ANSWER,
        "moved": _WRONG_AT_0 & _WRONG_NOW & ~_SAME_ANSWER,
        "introduced": ~_WRONG_AT_0 & _WRONG_NOW,
        "removed": _WRONG_AT_0 & ~_WRONG_NOW,
    }
)
"""How a change of confident-error mass came about: the same error, another error, right or
abstaining before, not wrong any more. The four add up to the whole."""
_LOG_ODDS = pl.col("log_odds") - pl.col("opening_log_odds")
_OPENED_WRONG = _LATER & _WRONG_AT_0
_STATED_CHANGE = _CONFIDENCE - pl.col("opening_confidence")
_KNOWN_AT_0 = pl.col("opening_confidence").is_not_null()
_STATED_BOUNDS = Bounds(
    pl.when(_OPENED_WRONG & _KNOWN_AT_0 & _CAME_BACK).then(
        pl.when(_SAME_ANSWER & _CONFIDENCE.is_not_null())
        .then(_STATED_CHANGE)
        .otherwise(-pl.col("opening_confidence"))
    ),
    pl.when(_OPENED_WRONG & _KNOWN_AT_0 & _CAME_BACK).then(
        pl.when(_SAME_ANSWER & _CONFIDENCE.is_not_null())
        .then(_STATED_CHANGE)
        .when(_SAME_ANSWER | _CONFIDENCE.is_null())
        .then(1 - pl.col("opening_confidence"))
        .otherwise(1 - _CONFIDENCE - pl.col("opening_confidence"))
    ),
)
_SURVIVOR_CHANGE = compute_logit(_CONFIDENCE) - compute_logit(pl.col("opening_confidence"))
_TOOK_TURN = (
    ~pl.col("carried")
    & pl.col("previous_outcome").is_not_null()
    & _CAME_BACK
    & (pl.col("previous_outcome") != "failed")
)
NO_LEVELS = "belief in the target on at least two rounds, as a level (see the caveats)"
NO_BELIEFS = "the probe `belief`: log-probabilities of the opening answer and of the target"
NO_CONFIDENCE = "confidence on at least one answer"
BOTH_ENDS = "a confidence at round 0 and now, whatever the outcome"
_MEMBERS = (
    define_share(
        "accuracy",
        "accuracy, all",
        "mean of 1[right] over all turns due: abstained, cut, failed, missing are wrong",
        value=_SCORE,
    ),
    define_share(
        "accuracy_completed",
        "accuracy, completed",
        "mean of 1[right] over the turns that neither failed nor were cut off",
        value=pl.when(_COMPLETED).then(_SCORE),
    ),
    define_share(
        "accuracy_answered",
        "accuracy, answered",
        "mean of 1[right] over the turns that stated an answer",
        value=pl.when(_OUTCOME.is_in(["correct", "wrong"])).then(_SCORE),
        lacking="turns that stated an answer",
    ),
    define_share(
        "abstention_rate",
        "abstained",
        "share without one readable answer, of the turns that neither failed nor were cut",
        value=pl.when(_COMPLETED).then(_OUTCOME == "abstained"),
    ),
    define_share(
        "cut_rate",
        "cut off",
        "share cut at max_tokens before the answer was closed, of the turns that came back",
        value=pl.when(_CAME_BACK).then(_OUTCOME == "cut"),
    ),
    define_share(
        "tied_rate",
        "tied",
        "share in which several answers weigh the same, up to rounding",
        value=pl.when(_CAME_BACK).then(_OUTCOME == "tied"),
    ),
    define_share(
        "failure_rate", "failed", "share of the turns due whose call failed", value=~_CAME_BACK
    ),
    define_share(
        "copied_rate",
        "answer stands in the working",
        "share of answers that the reply states before the place of the answer: there, "
        "answer_token and belief_after measure copying",
        value=pl.when(~pl.col("carried")).then("copied"),
        lacking="texts of answers, and confidence taken where they stand",
        is_optional=True,
    ),
    define_share(
        "carried_rate",
        "kept from before",
        "share of states kept from an earlier round, nobody having spoken since",
        value=pl.col("carried"),
    ),
    Measure(
        "confidence",
        "confidence",
        "mean confidence of the turns that carry one",
        kind="mean",
        limits=UNIT,
        of_confidence=True,
        value=_STATED,
        lacking=NO_CONFIDENCE,
    ),
    Measure(
        "over_confidence",
        "over-confidence",
        "mean of c − 1[right] over the turns that carry a confidence",
        kind="gap",
        is_signed=True,
        limits=SIGNED_UNIT,
        of_confidence=True,
        value=_STATED,
        source="interval: MOVER, Zou & Donner 2008",
        lacking=NO_CONFIDENCE,
    ),
    Measure(
        "brier",
        "Brier",
        "mean of (c − 1[right])²",
        kind="mean",
        limits=UNIT,
        of_confidence=True,
        value=(_STATED - _SCORE) ** 2,
        source="Brier 1950",
        lacking="an answer with a confidence",
    ),
    Measure(
        "nll",
        "NLL",
        "mean of −log p(outcome), c clipped to [1e-6, 1 − 1e-6]",
        unit="nat",
        kind="mean",
        limits=(0.0, float("inf")),
        of_confidence=True,
        value=-(
            _SCORE * _STATED.clip(LOG_FLOOR, 1 - LOG_FLOOR).log()
            + (1 - _SCORE) * (1 - _STATED.clip(LOG_FLOOR, 1 - LOG_FLOOR)).log()
        ),
        lacking="an answer with a confidence",
    ),
    Measure(
        "confidence_when_wrong",
        "confidence when wrong (naive)",
        "mean confidence of those that are wrong now",
        kind="mean",
        limits=UNIT,
        of_confidence=True,
        value=pl.when(_WRONG_NOW).then(_CONFIDENCE),
        lacking=NO_CONFIDENCE,
        caveats=("the cohort changes from round to round: a rise is no evidence of amplification",),
    ),
    Measure(
        "belief_mass",
        "mass of the candidates",
        "mean of Σ exp(log p) over the candidates scored: the rest is anything else",
        kind="mean",
        limits=UNIT,
        value=pl.col("belief_mass"),
        lacking=NO_BELIEFS,
    ),
    Measure(
        "generated_tokens",
        "generated tokens",
        "mean generated tokens of a turn",
        unit="tokens",
        kind="mean",
        value=pl.col("generated_tokens"),
        lacking="token counts",
    ),
    Measure(
        "accuracy_change",
        "change of accuracy",
        "mean of 1[right now] − 1[right at round 0], over all turns due",
        kind="difference",
        is_signed=True,
        limits=SIGNED_UNIT,
        value=pl.when(_LATER & pl.col("opening_outcome").is_not_null()).then(
            _SCORE - pl.col("opening_score")
        ),
        needs=_ANSWERED_ONCE,
        lacking="openings and later states",
    ),
    Measure(
        "accuracy_step",
        "step of accuracy",
        "mean of 1[right now] − 1[right a round before], over all turns due: what one more round "
        "adds; near 0 where improvement is saturated",
        kind="difference",
        is_signed=True,
        limits=SIGNED_UNIT,
        value=pl.when(_LATER & pl.col("previous_outcome").is_not_null()).then(
            _SCORE - (pl.col("previous_outcome") == "correct").cast(pl.Float64)
        ),
        needs=_ANSWERED_ONCE,
        lacking="states in successive rounds",
    ),
    Measure(
        "eai",
        "error amplification",
        "mean of c_t·1[wrong at t] − c_0·1[wrong at 0], over rows whose confidence "
        "is known at both ends whatever the outcome; bounds: unknown errors sure at one end, "
        "unsure at the other",
        kind="difference",
        is_signed=True,
        limits=SIGNED_UNIT,
        of_confidence=True,
        value=_MASS_CHANGE,
        bounds=_MASS_BOUNDS,
        needs=_MASS_CHANGE.is_not_null() & _ANSWERED_ONCE,
        lacking=BOTH_ENDS,
    ),
    *(
        Measure(
            f"eai_{part}",
            words,
            f"the part of error amplification {words}",
            kind="mean",
            is_signed=True,
            limits=SIGNED_UNIT,
            of_confidence=True,
            value=pl.when(_MASS_CHANGE.is_not_null()).then(
                pl.when(ERROR_PARTS[part]).then(_MASS_CHANGE).otherwise(0.0)
            ),
            needs=_MASS_CHANGE.is_not_null() & _ANSWERED_ONCE,
            lacking=BOTH_ENDS,
        )
        for part, words in (
            ("kept", "by the same error"),
            ("moved", "by another error"),
            ("introduced", "by errors introduced"),
            ("removed", "by errors removed"),
        )
    ),
    Measure(
        "entrenchment",
        "entrenchment (log-odds)",
        "over all who were wrong at round 0: mean change since round 0 of log p(opening "
        "answer) − log p(target)",
        unit="nat",
        kind="difference",
        is_signed=True,
        value=pl.when(_OPENED_WRONG).then(_LOG_ODDS),
        lacking=NO_BELIEFS,
    ),
    Measure(
        "entrenchment_stated",
        "entrenchment (stated confidence, bounds)",
        "over all who were wrong at round 0: mean change of confidence in the opening "
        "answer, which is c while it is still given and somewhere in [0, 1 − c] otherwise",
        kind="mean",
        is_signed=True,
        limits=SIGNED_UNIT,
        of_confidence=True,
        bounds=_STATED_BOUNDS,
        lacking="a confidence of those wrong at round 0",
    ),
    Measure(
        "survivor_change",
        "surviving errors, change of logit confidence (selected)",
        "among those wrong at round 0 that still give that answer: mean change of logit c, "
        "c clipped to [.001, .999]",
        unit="logit",
        kind="mean",
        is_signed=True,
        of_confidence=True,
        value=pl.when(_OPENED_WRONG & _SAME_ANSWER).then(_SURVIVOR_CHANGE),
        lacking="a confidence at both ends of an error that was kept",
        caveats=(
            "each condition keeps its own survivors, so a difference of conditions may be "
            "selection alone",
        ),
    ),
    Measure(
        "change_when_right",
        "change of log p of right openings",
        "over all who were right at round 0: mean change since round 0 of log p(opening answer)",
        unit="nat",
        kind="difference",
        is_signed=True,
        lacking=NO_BELIEFS,
        value=pl.when(_LATER & (pl.col("opening_outcome") == "correct")).then(
            pl.col("log_p_own") - pl.col("opening_log_p_own")
        ),
    ),
    Measure(
        "drift",
        "drift of belief per round",
        "mean of p_t(target) − p_{t−1}(target) over the turns taken",
        kind="mean",
        is_signed=True,
        limits=SIGNED_UNIT,
        value=pl.when(_TOOK_TURN).then(pl.col("belief_target") - pl.col("previous_belief_target")),
        lacking=NO_LEVELS,
        source="Debate or Vote, arXiv 2508.17536",
    ),
)
MEMBERS: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _MEMBERS})
"""Measures of members' turns by name."""
CHANGES = frozenset(
    [
        "accuracy_change",
        "accuracy_step",
        "eai",
        *(f"eai_{p}" for p in ERROR_PARTS),
        "entrenchment",
        "entrenchment_stated",
        "survivor_change",
        "change_when_right",
        "drift",
    ]
)
"""Measures of what changed: they have no value at round 0."""
OVER_ALL_ROUNDS = frozenset(["drift"])
"""Measures that, without a round, pool all of them."""
