"""Verdicts on the hypotheses that were stated beforehand. Nothing else is a finding.

A verdict is read from one printed interval, at level 1 − .05/k for the k hypotheses of the file,
those that could not be computed included (Bonferroni; Holm's p of "no effect" may stand beside it).
Claims that were dropped or reworded while the run went on are judged, and corrected for, with the
others. Where too many turns state no answer, the interval is that around the best and worst case;
an estimate that has none then decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from debate.analysis.intervals import LEVEL, Interval, get_t_quantile
from debate.analysis.measures import CONTRASTED, Measures
from debate.analysis.paired import adjust_holm, compute_detectable_effect, compute_zero_p
from debate.analysis.power import (
    Conclusion,
    compute_level,
    conclude,
    count_questions_to_decide,
)
from debate.analysis.quantity import Quantity, Unavailable
from debate.analysis.registry import MEASURES
from debate.analysis.schema import Estimate
from debate.analysis.sums import NO_ANSWERS
from debate.analysis.unanswered import (
    COUNT_EVERYTHING,
    ArmTurns,
    Doubt,
    bound_quantity,
    count_turns,
    doubt_estimate,
    doubt_quantity,
)
from debate.config.run import HypothesisSpec

RENAMED = {"entrenchment_alone": "entrenchment"}
"""Names of estimates that older files hold, and what they are called now."""
WHERE_STATED = {"entrenchment": "entrenchment_stated"}
"""What stands in where no belief was probed: the same on the probability scale, in bounds."""


class OtherEstimator(NamedTuple):
    """The value of a hypothesis under another estimator of confidence. It carries no verdict."""

    confidence: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One hypothesis and what became of it.

    low, high: the interval that the verdict is read from, at `level`; where part of what is
    averaged is not known, around all that it may be (`value` is then of what is known, or None).
    p_value: of "equal to the reference"; p_holm: corrected. detectable: where undecided, the
    smallest true effect that a study of this size finds in 80 % of cases; needed: about how many
    questions would have to be asked to decide, at the same effect, where `num_questions` of
    `num_asked` bear on it. cell, control, round, subject: as in the hypothesis. confidence: the
    estimator analysed, None where the number depends on none; others: the same under every other
    one recorded. unanswered: of each arm and round concerned, the turns and how many stated no
    answer. reason: why there is no verdict, or what tempers it.
    """

    name: str
    statement: str
    estimate: str
    what: str
    direction: Literal["above", "below", "equal"]
    smallest: float
    verdict: Conclusion | Literal["not computed"]
    reference: float = 0.0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float = LEVEL
    is_bounded: bool = False
    num_questions: int = 0
    num_asked: int = 0
    cell: str | None = None
    control: str | None = None
    round: int | None = None
    subject: str | None = None
    p_value: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    needed: int | None = None
    confidence: str | None = None
    others: tuple[OtherEstimator, ...] = ()
    unanswered: tuple[ArmTurns, ...] = ()
    reason: str = ""
    source: str = ""


class LackingValue(NamedTuple):
    """The reason why a hypothesis has no number, and the turns that it would rest on."""

    reason: str
    doubt: Doubt


class HypothesisValue(NamedTuple):
    """The number of a hypothesis: its value, the interval of its verdict, and the exact p.

    doubt: the turns behind it; where that says why they do not suffice, `bounded` is the interval
    around the best and worst case, None where there is none. is_exact: the interval excludes 0 only
    where the sign-flip test does. num_asked: questions, whether they bear on the number or not.
    """

    value: float | None
    interval: Interval
    is_bounded: bool
    p_value: float | None
    note: str = ""
    doubt: Doubt = Doubt()
    bounded: Interval | None = None
    is_exact: bool = False
    num_asked: int = 0


def conclude_hypotheses(
    hypotheses: Mapping[str, HypothesisSpec],
    measures: Measures,
    estimates: list[Estimate],
    *,
    confidence: str | None = None,
    others: Mapping[str, Measures] | None = None,
) -> tuple[Finding, ...]:
    """A finding for each hypothesis, in their order.

    confidence: the estimator that `measures` are of; others: the measures under every other one.
    """
    level = compute_level(max(1, len(hypotheses)))
    told = []
    for name, hypothesis in hypotheses.items():
        number = measure_hypothesis(hypothesis, measures, estimates, level=level)
        if isinstance(number, Unavailable):
            arms = count_turns(hypothesis, get_estimate_name(hypothesis), measures)
            lacking = LackingValue(number.reason, Doubt(arms))
            finding = _conclude_finding(name, hypothesis, lacking, level)
        else:
            finding = _conclude_finding(name, hypothesis, number, level)
        is_stated = isinstance(number, HypothesisValue) and bool(number.note)
        if is_stated or _depends_on_confidence(hypothesis):
            beside = tuple(_measure_under_others(hypothesis, others or {}))
            finding = replace(finding, confidence=confidence, others=beside)
        told.append(finding)
    adjusted = _correct_p_values([finding.p_value for finding in told])
    return tuple(replace(f, p_holm=p) for f, p in zip(told, adjusted, strict=True))


def _depends_on_confidence(hypothesis: HypothesisSpec) -> bool:
    measure = MEASURES.get(get_estimate_name(hypothesis))
    return measure is not None and measure.of_confidence


def _measure_under_others(
    hypothesis: HypothesisSpec, others: Mapping[str, Measures]
) -> list[OtherEstimator]:
    found = []
    for source, measures in others.items():
        number = measure_hypothesis(hypothesis, measures, [], level=LEVEL)
        if isinstance(number, HypothesisValue):
            found.append(
                OtherEstimator(source, number.value, number.interval.low, number.interval.high)
            )
    return found


def _correct_p_values(p_values: list[float | None]) -> list[float | None]:
    """Holm over the whole family: a hypothesis that could not be tested counts as not rejected."""
    if not p_values:
        return []
    adjusted = adjust_holm([1.0 if p is None else p for p in p_values])
    return [None if p is None else q for p, q in zip(p_values, adjusted, strict=True)]


def get_estimate_name(hypothesis: HypothesisSpec) -> str:
    """Return the name that the hypothesis's estimate has now; older files hold former ones."""
    return RENAMED.get(hypothesis.estimate, hypothesis.estimate)


def measure_hypothesis(
    hypothesis: HypothesisSpec, measures: Measures, estimates: list[Estimate], *, level: float
) -> HypothesisValue | Unavailable:
    """The number that a hypothesis is about, with the control's taken off; or what it lacks."""
    if hypothesis.cell is None or get_estimate_name(hypothesis) not in CONTRASTED:
        return _read_estimate(hypothesis, measures, estimates, level)
    chosen = choose_quantity(hypothesis, measures)
    if isinstance(chosen, Unavailable):
        return chosen
    found, measure = chosen.quantity, CONTRASTED[chosen.name]
    value = None if measure.value is None and measure.bounds is not None else found.value
    is_bounded = found.bounds is not None
    p_value = _compute_p_value(found, hypothesis.reference)
    bounded = None if chosen.imputed is None else chosen.imputed.bounded(level)
    return HypothesisValue(
        value,
        found.bounded(level),
        is_bounded,
        p_value,
        chosen.note,
        chosen.doubt,
        bounded,
        is_exact=found.kind in ("difference", "contrast"),
        num_asked=measures.num_questions,
    )


class ChosenQuantity(NamedTuple):
    """The quantity that a hypothesis is judged by, the measure's name, and what stands in.

    doubt: the turns behind it; where they do not suffice, `imputed` is the quantity with the bounds
    of the best and worst case, None where there are none.
    """

    name: str
    quantity: Quantity
    note: str = ""
    doubt: Doubt = Doubt()
    imputed: Quantity | None = None


def choose_quantity(hypothesis: HypothesisSpec, measures: Measures) -> ChosenQuantity | Unavailable:
    """The quantity of a hypothesis, or what stands in where its own cannot be had."""
    name = get_estimate_name(hypothesis)
    if hypothesis.cell is None or name not in CONTRASTED:
        return Unavailable(
            f"a sum by question in one condition, which {hypothesis.estimate} is not"
        )
    found = find_quantity(hypothesis, measures)
    if isinstance(found, Quantity) or name not in WHERE_STATED:
        return _add_doubt(hypothesis, measures, name, found)
    name = WHERE_STATED[name]
    found = find_quantity(hypothesis.model_copy(update={"estimate": name}), measures)
    note = f"no belief was probed: bounds from stated confidence ({name}, probability scale)"
    return _add_doubt(hypothesis, measures, name, found, note)


def _add_doubt(
    hypothesis: HypothesisSpec,
    measures: Measures,
    name: str,
    found: Quantity | Unavailable,
    note: str = "",
) -> ChosenQuantity | Unavailable:
    """The quantity with the turns that it rests on and, where they do not suffice, its bounds."""
    if isinstance(found, Unavailable):
        return found
    arms = count_turns(hypothesis, name, measures)
    if name not in COUNT_EVERYTHING and arms and all(arm.share == 1 for arm in arms):
        return Unavailable(NO_ANSWERS)
    value = found.bounded().value if found.value != found.value else found.value
    effect = (value or 0.0) - hypothesis.reference
    doubt = doubt_quantity(hypothesis, name, measures, effect)
    imputed = bound_quantity(hypothesis, name, measures, found) if doubt.why else None
    return ChosenQuantity(name, found, note, doubt, imputed)


def find_quantity(hypothesis: HypothesisSpec, measures: Measures) -> Quantity | Unavailable:
    """The quantity of a hypothesis about one condition, or about one against its control."""
    assert hypothesis.cell is not None
    about = {"round": hypothesis.round, "subject": hypothesis.subject}
    own = measures.find(get_estimate_name(hypothesis), cell=hypothesis.cell, **about)  # type: ignore[arg-type]
    if isinstance(own, Unavailable) or hypothesis.control is None:
        return own
    control = measures.find(get_estimate_name(hypothesis), cell=hypothesis.control, **about)  # type: ignore[arg-type]
    return control if isinstance(control, Unavailable) else own.minus(control)


def _compute_p_value(quantity: Quantity, reference: float) -> float | None:
    if quantity.bounds is not None:
        return None
    if reference == 0:
        return quantity.p_value()
    interval = quantity.interval()
    if interval.value is None:
        return None
    return compute_zero_p(interval._replace(value=interval.value - reference))


def _read_estimate(
    hypothesis: HypothesisSpec, measures: Measures, estimates: list[Estimate], level: float
) -> HypothesisValue | Unavailable:
    """The one estimate of the analysis that the hypothesis names, its interval at `level`."""
    if hypothesis.control is not None:
        return Unavailable(f"a contrast of {hypothesis.estimate} between arms; leave out `control`")
    named = [e for e in estimates if e.name == hypothesis.estimate]
    found = [e for e in named if e.cell == hypothesis.cell]
    if not found:
        cells = sorted({e.cell for e in named if e.cell})
        return Unavailable(
            f"{hypothesis.estimate} in {', '.join(cells)}: name the `cell`"
            if cells
            else f"an estimate {hypothesis.estimate} in this run"
        )
    found = [e for e in found if e.subject == hypothesis.subject] or found
    chosen = _choose_round(found, hypothesis.round)
    if chosen is None:
        return Unavailable(f"{hypothesis.estimate} after round {hypothesis.round}")
    if chosen.missing or (chosen.value is None and chosen.bound_low is None):
        return Unavailable(chosen.missing or "observations")
    is_bounded = chosen.bound_low is not None
    low, high = (chosen.bound_low, chosen.bound_high) if is_bounded else (chosen.low, chosen.high)
    num = chosen.num_questions if chosen.df is None else chosen.df + 1
    wide = widen(Interval(chosen.value, low, high, chosen.se, num, chosen.method), level)
    told = wide._replace(num_questions=chosen.num_questions)
    doubt = doubt_estimate(hypothesis, measures, chosen, estimates)
    num_asked = measures.num_questions
    return HypothesisValue(chosen.value, told, is_bounded, None, doubt=doubt, num_asked=num_asked)


def widen(interval: Interval, level: float) -> Interval:
    """A 95 % interval at another level: each half as much wider as Student's quantiles are.

    >>> widen(Interval(0.0, -1.0, 1.0, None, 10_000), 0.99).high > 1.3
    True
    """
    value, low, high, num = interval.value, interval.low, interval.high, interval.num_questions
    if low is None or high is None or num < 2:
        return interval
    factor = get_t_quantile(level, num - 1) / get_t_quantile(LEVEL, num - 1)
    middle = (low + high) / 2 if value is None else value
    return interval._replace(
        low=middle - factor * (middle - low), high=middle + factor * (high - middle)
    )


def _choose_round(found: list[Estimate], round: int | None) -> Estimate | None:
    if round is not None:
        return next((e for e in found if e.round == round), None)
    whole = [e for e in found if e.round is None]
    return whole[0] if whole else max(found, key=lambda e: e.round or 0)


def _conclude_finding(
    name: str, hypothesis: HypothesisSpec, found: HypothesisValue | LackingValue, level: float
) -> Finding:
    """The finding of one hypothesis, its p not yet corrected."""
    blank = Finding(
        name=name,
        statement=hypothesis.statement,
        estimate=hypothesis.estimate,
        level=level,
        what=describe_hypothesis(hypothesis),
        direction=hypothesis.direction,
        smallest=hypothesis.smallest,
        reference=hypothesis.reference,
        source=hypothesis.source,
        cell=hypothesis.cell,
        control=hypothesis.control,
        round=hypothesis.round,
        subject=hypothesis.subject,
        verdict="not computed",
    )
    counts = found.doubt.counts
    blank = replace(blank, unanswered=found.doubt.arms)
    if isinstance(found, LackingValue):
        return replace(blank, reason=_join(f"needs {found.reason}", counts))
    interval, blank = found.interval, replace(blank, reason=_join(found.note, counts))
    told = replace(
        blank,
        value=found.value,
        low=interval.low,
        high=interval.high,
        p_value=found.p_value,
        is_bounded=found.is_bounded,
        num_questions=interval.num_questions,
        num_asked=max(found.num_asked, interval.num_questions),
    )
    if interval.low is None or interval.high is None:
        lacking = interval.reason or "no interval"
        return replace(told, p_value=None, reason=_join(told.reason, lacking))
    verdict = conclude(
        interval.low,
        interval.high,
        direction=hypothesis.direction,
        smallest=hypothesis.smallest,
        reference=hypothesis.reference,
    )
    told = replace(told, verdict=verdict)
    if found.doubt.why:
        return _conclude_in_doubt(told, found, hypothesis)
    return _add_plan(told, found) if verdict == "undecided" else told


def _conclude_in_doubt(
    told: Finding, found: HypothesisValue, hypothesis: HypothesisSpec
) -> Finding:
    """The finding where too many turns state no answer: what it is in the best and worst case."""
    why, bounded = found.doubt.why, found.bounded
    if bounded is None or bounded.low is None or bounded.high is None:
        lacking = f"{why}, and what they would have made of this estimate has no bounds"
        return replace(told, verdict="undecided", p_value=None, reason=_join(told.reason, lacking))
    verdict = conclude(
        bounded.low,
        bounded.high,
        direction=hypothesis.direction,
        smallest=hypothesis.smallest,
        reference=hypothesis.reference,
    )
    held = f"{why}: the bounds take them for the best and for the worst"
    return replace(
        told,
        verdict=verdict,
        low=bounded.low,
        high=bounded.high,
        is_bounded=True,
        p_value=None,
        reason=_join(told.reason, held),
    )


def _join(*clauses: str) -> str:
    return "; ".join(filter(None, clauses))


def _add_plan(finding: Finding, found: HypothesisValue) -> Finding:
    """An undecided finding with what this study could find, and the questions that would decide.

    These are questions to ask, of which as large a share is taken to bear on the number as here.
    """
    if finding.is_bounded:
        told = "the bounds of what is not known do not agree"
        return replace(finding, reason=_join(finding.reason, told))
    interval, level = found.interval, finding.level
    needed = count_questions_to_decide(
        interval,
        direction=finding.direction,
        smallest=finding.smallest,
        reference=finding.reference,
        nothing_differs=finding.p_value == 1.0 and not interval.value,
        exact_level=level if found.is_exact else None,
    )
    if needed is not None:
        needed = -(-needed * finding.num_asked // interval.num_questions)
    least = compute_detectable_effect(interval, level=level, is_exact=found.is_exact)
    return replace(finding, detectable=least, needed=needed)


def describe_hypothesis(hypothesis: HypothesisSpec) -> str:
    """The estimate with its conditions, as in `eai: peer − self, round 3, author`."""
    arms = f"{hypothesis.cell or ''}{f' − {hypothesis.control}' if hypothesis.control else ''}"
    parts = [arms, "" if hypothesis.round is None else f"round {hypothesis.round}"]
    named = ", ".join(part for part in (*parts, hypothesis.subject or "") if part)
    return f"{hypothesis.estimate}: {named}" if named else hypothesis.estimate
