"""The frames that analysis reads and writes: columns, checks, and what absence becomes.

A trajectories frame has one row for each (cell, question, seed, agent, round):

    question, cell, agent          text            required (question_id and arm are accepted)
    round                          integer >= 0    required
    answer                         text or null    required
    outcome                        correct | wrong | abstained | cut | failed; of verdicts, tied
    score                          number in [0, 1]: 1 where right; made where it is absent
    correct, target                of either, outcome is made where it is absent
    seed, model                    0 and the agent's id where absent
    confidence                     number in [0, 1] or null; the estimator that is analysed
    confidence_<source>            the same by further estimators
    belief_own, belief_target      numbers in [0, 1] or null
    log_p_own, log_p_target        the same in nats; `log_p_own` is of the opening answer
    belief_mass                    what all candidates scored hold of the model's probability
    copied                         whether the answer stands in the working before it, or null
    cluster                        the unit above the question that intervals cluster by
    prompt_set                     which wording of the prompts the turn was asked with
    category, prompt_tokens, cached_tokens, generated_tokens, num_options
    kind                           "judgment" marks the turns of judges, who are no members
    heard                          list of turn refs ("1:revision:b"), or text parted by blanks

A verdicts frame has cell, question, seed, round, method, value (or answer), outcome, confidence;
tied (the answers of equal weight) and score where they are recorded.

An `Estimate` is what comes out: one number with its interval, what it rests on, and what it lacks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from debate.analysis.intervals import ABSENT, Interval
from debate.analysis.quantity import Measure, Quantity, Unavailable
from debate.errors import InputError, suggest
from debate.log.frames import is_estimator
from debate.log.table_answers import read_answers

ALIASES = {"question_id": "question", "arm": "cell"}
VERDICT_ALIASES = {**ALIASES, "answer": "value"}
KEY = ("cell", "question", "seed", "agent", "round")
REQUIRED = ("cell", "question", "agent", "round", "answer")
UNANSWERED = ("abstained", "cut", "failed")
"""Outcomes of turns that stated no answer."""
OUTCOMES = ("correct", "wrong", "abstained", "tied", "cut", "failed")
OPTIONAL: Mapping[str, pl.DataType] = {
    "target": pl.String(),
    "category": pl.String(),
    "confidence": pl.Float64(),
    "belief_own": pl.Float64(),
    "belief_target": pl.Float64(),
    "log_p_own": pl.Float64(),
    "log_p_target": pl.Float64(),
    "belief_mass": pl.Float64(),
    "copied": pl.Boolean(),
    "cluster": pl.String(),
    "prompt_tokens": pl.Int64(),
    "cached_tokens": pl.Int64(),
    "generated_tokens": pl.Int64(),
    "heard": pl.List(pl.String()),
}
VERDICT_COLUMNS = ("cell", "question", "seed", "round", "method", "value", "outcome")


def trajectories_frame(frame: pl.DataFrame, *, is_checked: bool = False) -> pl.DataFrame:
    """The frame with every column of the schema, checked; raises InputError where it is wrong.

    Turns of which nothing says whether they are right (a question without a target) are left out;
    it is an error if that is all of them. is_checked: leave out the checks of values and keys.
    """
    frame = _rename_columns(frame, REQUIRED, "trajectories", ALIASES)
    frame = _add_outcome(_add_defaults(frame))
    if frame["outcome"].null_count() == frame.height:
        raise InputError("trajectories: no question has a target; at least one is needed to score")
    frame = frame.filter(pl.col("outcome").is_not_null())
    if is_checked:
        return frame
    _check_outcomes(frame, "trajectories")
    for column in list_probability_columns(frame):
        _check_probability(frame, column)
    _check_keys(frame, KEY, "trajectories")
    return frame


def verdicts_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """The verdicts with their columns checked and `confidence` there; raises InputError."""
    frame = _rename_columns(frame, VERDICT_COLUMNS, "verdicts", VERDICT_ALIASES)
    if "confidence" not in frame.columns:
        frame = frame.with_columns(confidence=pl.lit(None, pl.Float64))
    frame = frame.with_columns(
        _cast_text("cell"), _cast_text("question"), _cast_text("method"), _cast_text("value")
    )
    frame = frame.with_columns(_cast_number(frame, "confidence"))
    frame = frame.filter(pl.col("outcome").is_not_null())
    _check_outcomes(frame, "verdicts")
    _check_probability(frame, "confidence")
    _check_keys(frame, ("cell", "question", "seed", "round", "method"), "verdicts")
    return frame


def list_probability_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold probabilities: the confidences and the beliefs."""
    named = ("confidence", "belief_own", "belief_target")
    return [c for c in frame.columns if c in named or is_estimator(c)]


def _rename_columns(
    frame: pl.DataFrame, required: tuple[str, ...], what: str, aliases: Mapping[str, str]
) -> pl.DataFrame:
    renames = {a: name for a, name in aliases.items() if a in frame.columns}
    frame = frame.rename({a: n for a, n in renames.items() if n not in frame.columns})
    for name in required:
        if name not in frame.columns:
            raise InputError(f'{what}: column "{name}" is missing; {suggest(name, frame.columns)}')
    if frame.is_empty():
        raise InputError(f"{what}: the table has no rows; at least one is needed")
    return frame


def _add_defaults(frame: pl.DataFrame) -> pl.DataFrame:
    if "seed" not in frame.columns:
        frame = frame.with_columns(seed=pl.lit(0, pl.Int64))
    if "model" not in frame.columns:
        frame = frame.with_columns(model=pl.col("agent"))
    frame = frame.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in OPTIONAL.items()
        if name not in frame.columns
    )
    if frame.schema["heard"] == pl.String:
        frame = frame.with_columns(pl.col("heard").str.extract_all(r"\S+"))
    texts = ("cell", "question", "agent", "model", "answer", "target", "category", "cluster")
    integers = ("seed", "round", "prompt_tokens", "cached_tokens", "generated_tokens")
    try:
        return frame.with_columns(
            *(_cast_text(name) for name in texts),
            *(pl.col(name).cast(pl.Int64) for name in integers),
            *(_cast_number(frame, name) for name in list_probability_columns(frame)),
            *(_cast_number(frame, name) for name in ("log_p_own", "log_p_target", "belief_mass")),
            pl.col("heard").cast(pl.List(pl.String)),
            pl.col("copied").cast(pl.Boolean),
        )
    except pl.exceptions.InvalidOperationError as cause:
        raise InputError(f"trajectories: a column has values of the wrong type: {cause}") from cause


def _cast_text(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String)


def _cast_number(frame: pl.DataFrame, name: str) -> pl.Expr:
    """A column of floats in which the nan of foreign tables is null."""
    return pl.col(name).cast(pl.Float64).fill_nan(None)


def _add_outcome(frame: pl.DataFrame) -> pl.DataFrame:
    if "outcome" not in frame.columns:
        if "correct" not in frame.columns:
            unknown = frame.with_columns(correct=pl.lit(None, pl.Boolean))
            frame = read_answers(unknown, None, name="trajectories").drop("correct")
        frame = frame.with_columns(outcome=_derive_outcome(frame))
    frame = frame.with_columns(
        _cast_text("outcome"), correct=(pl.col("outcome") == "correct").fill_null(False)
    )
    right = pl.col("correct").cast(pl.Float64)
    told = pl.col("score").cast(pl.Float64).fill_null(right) if "score" in frame.columns else right
    return frame.with_columns(score=told)


def _derive_outcome(frame: pl.DataFrame) -> pl.Expr:
    if "correct" in frame.columns:
        right = pl.col("correct").cast(pl.Boolean)
    elif frame["target"].null_count() < frame.height:
        right = pl.col("answer") == pl.col("target")
    else:
        raise InputError(
            "trajectories: nothing says what is right; "
            'give a column "outcome", "correct" or "target"'
        )
    answered = pl.when(right).then(pl.lit("correct")).when(~right).then(pl.lit("wrong"))
    return pl.when(pl.col("answer").is_null()).then(pl.lit("abstained")).otherwise(answered)


def _check_outcomes(frame: pl.DataFrame, what: str) -> None:
    for value in map(str, frame["outcome"].unique()):
        if value not in OUTCOMES:
            raise InputError(f'{what}: outcome "{value}" is unknown; {suggest(value, OUTCOMES)}')


def _check_probability(frame: pl.DataFrame, column: str) -> None:
    bad = frame.filter(~pl.col(column).is_between(0.0, 1.0))
    if bad.height:
        place = _name_row(bad, [c for c in KEY if c in bad.columns])
        raise InputError(
            f"{place}: {column} is {bad[column][0]:g}; it must lie in [0, 1]"
            + (" (percentages must be divided by 100)" if bad[column][0] > 1 else "")
        )


def _check_keys(frame: pl.DataFrame, key: tuple[str, ...], what: str) -> None:
    for column in set(key) & set(frame.columns):
        if frame[column].null_count():
            raise InputError(f'{what}: column "{column}" has empty values; every row needs one')
    if (frame["round"] < 0).any():
        raise InputError(
            f"{what}: round {frame['round'].to_numpy().min()} is negative; openings are round 0"
        )
    ordered = frame.select(key).sort(key)
    doubles = ordered.filter(pl.all_horizontal(pl.col(c) == pl.col(c).shift(1) for c in key))
    if doubles.height:
        raise InputError(
            f"{_name_row(doubles, list(key))}: {what} has this row twice; it must be unique"
        )


def _name_row(frame: pl.DataFrame, columns: list[str]) -> str:
    row = frame.row(0, named=True)
    return ", ".join(f"{column} {row[column]!r}" for column in columns)


ESTIMATE_SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "cell": pl.String,
    "round": pl.Int64,
    "subject": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "se": pl.Float64,
    "bound_low": pl.Float64,
    "bound_high": pl.Float64,
    "p_value": pl.Float64,
    "n": pl.Int64,
    "num_questions": pl.Int64,
    "df": pl.Int64,
    "unit": pl.String,
    "method": pl.String,
    "caveats": pl.List(pl.String),
    "missing": pl.String,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A named quantity of one cell; `value is None` means that it could not be had.

    `subject` names what it is about inside the cell (an agent, an edge, a pair, a rule).
    `low` and `high` bound a 95 % interval clustered by question, `se` is its standard error; None
    where there is none. Where part of what is averaged is not known, `bound_low` and `bound_high`
    bound a 95 % interval around all that it may be; a verdict is read from those.
    `n` counts observations, `missing` says which control or column is not there.
    `df`: degrees of freedom of the interval where they are not `num_questions` − 1.
    """

    name: str
    cell: str | None = None
    round: int | None = None
    subject: str | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    bound_low: float | None = None
    bound_high: float | None = None
    p_value: float | None = None
    n: int = 0
    num_questions: int = 0
    df: int | None = None
    unit: str = ""
    method: str = ""
    caveats: tuple[str, ...] = ()
    missing: str | None = None

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high, self.se, self.bound_low, self.bound_high)
        for number in (*numbers, self.p_value):
            assert number is None or not math.isnan(number), f"{self.name}: nan is not a number"

    @property
    def is_known(self) -> bool:
        """Whether there is a value at all."""
        return self.value is not None

    def excludes(self, number: float) -> bool:
        """Whether the interval lies wholly on one side of `number`.

        >>> Estimate(name="drift", value=.2, low=.1, high=.3).excludes(0)
        True
        """
        return (
            self.low is not None and self.high is not None and not self.low <= number <= self.high
        )


def from_interval(name: str, interval: Interval, *, n: int, **about: Any) -> Estimate:
    """The estimate that an interval and its context make; without one, the reason is a caveat."""
    caveats = tuple(about.pop("caveats", ()))
    if interval.value is not None and interval.low is None and interval.reason:
        caveats += (f"no interval: {interval.reason}",)
    return Estimate(
        name=name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        se=interval.se,
        p_value=about.pop("p_value", None),
        n=int(n),
        num_questions=interval.num_questions,
        caveats=caveats,
        **about,
    )


def make_estimate(measure: Measure, found: Quantity | Unavailable, **place: Any) -> Estimate:
    """The estimate of a measure at a place (cell, round, subject), or what it lacks."""
    if isinstance(found, Unavailable):
        return Estimate(name=measure.name, unit=measure.unit, missing=found.reason, **place)
    interval, bounded = found.interval(), None
    if measure.value is None and measure.bounds is not None:
        interval = ABSENT._replace(num_questions=interval.num_questions)
    caveats = measure.caveats
    if found.bounds is not None:
        bounded = found.bounded()
    made = from_interval(
        measure.name,
        interval,
        n=found.n,
        unit=measure.unit,
        caveats=caveats,
        method=f"{interval.method or measure.method or INTERVAL_METHODS[found.kind]}, by question",
        missing=None if interval.value is not None or bounded else measure.lacking,
        **place,
    )
    if bounded is None:
        return made
    return replace(made, bound_low=bounded.low, bound_high=bounded.high)


INTERVAL_METHODS = {
    "proportion": "Wilson at the clustered effective size",
    "mean": "clustered t",
    "difference": "Tango or clustered t",
    "gap": "MOVER",
    "contrast": "clustered t of the difference",
    "yule_q": "log odds ratio",
    "phi": "log odds ratio",
    "smooth": "delta method, clustered",
    "linear": "linearised, clustered",
    "inside_unit": "clustered t of the logit",
    "root": "linear in the square, clustered",
}
"""How the interval of each kind of quantity is made, where it does not say itself."""


def estimates_frame(estimates: Iterable[Estimate]) -> pl.DataFrame:
    """One row for each estimate, under the names of its fields.

    >>> estimates_frame([Estimate(name="drift", cell="ring", value=0.1)]).shape
    (1, 18)
    """
    rows = [asdict(estimate) for estimate in estimates]
    return pl.DataFrame(rows, schema=ESTIMATE_SCHEMA, orient="row")
