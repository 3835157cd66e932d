"""What became of the hypotheses that were stated beforehand. Nothing else is a finding.

Two tests for each: is the effect zero (two-sided), and is it smaller than the smallest one of
interest (two one-sided tests, Schuirmann 1987). Each kind is corrected by Holm over all hypotheses
of the file, those that could not be tested included, at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from debate.analysis.estimate import Estimate
from debate.analysis.intervals import Interval
from debate.analysis.measure import Lack, Measure
from debate.analysis.measures import NAMES, Measures
from debate.analysis.paired import detectable_effect, holm, tost, zero_p_value
from debate.config.hypotheses import HypothesisSpec

LEVEL = 0.05
Verdict = Literal["supported", "contradicted", "equivalent to nothing", "undecided", "not computed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One hypothesis and what became of it.

    value, low, high: of the estimate, 95 %, not corrected. p_holm, p_equivalence_holm: of the two
    tests, corrected. detectable: where undecided, the smallest true effect that a study of this
    size finds in 80 % of cases at the corrected level. reason: why there is no verdict, or what
    tempers it.
    """

    name: str
    statement: str
    estimate: str
    what: str
    direction: str
    smallest: float
    verdict: Verdict
    reference: float = 0.0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    num_questions: int = 0
    p_value: float | None = None
    p_holm: float | None = None
    p_equivalence: float | None = None
    p_equivalence_holm: float | None = None
    detectable: float | None = None
    reason: str = ""
    source: str = ""


def findings(
    hypotheses: Mapping[str, HypothesisSpec], measures: Measures, estimates: list[Estimate]
) -> tuple[Finding, ...]:
    """A finding for each hypothesis, in their order."""
    read = {
        name: _interval(hypothesis, measures, estimates) for name, hypothesis in hypotheses.items()
    }
    tested = {name: _tested(name, hypotheses[name], found) for name, found in read.items()}
    zero = _corrected([finding.p_value for finding in tested.values()])
    near = _corrected([finding.p_equivalence for finding in tested.values()])
    return tuple(
        _judged(
            replace(finding, p_holm=p, p_equivalence_holm=q), _se(read[finding.name]), len(tested)
        )
        for finding, p, q in zip(tested.values(), zero, near, strict=True)
    )


def _corrected(p_values: list[float | None]) -> list[float | None]:
    """Holm over the whole family: a hypothesis that could not be tested counts as not rejected."""
    if not p_values:
        return []
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return [None if p is None else q for p, q in zip(p_values, adjusted, strict=True)]


def _se(found: Interval | Lack) -> float | None:
    return None if isinstance(found, Lack) else found.se


def _interval(
    hypothesis: HypothesisSpec, measures: Measures, estimates: list[Estimate]
) -> Interval | Lack:
    """The estimate's interval, with the control's taken off; or what it lacks."""
    if hypothesis.cell is None or hypothesis.estimate not in NAMES:
        return _estimated(hypothesis, estimates)
    measure = _measured(hypothesis, hypothesis.cell, measures)
    if isinstance(measure, Lack) or hypothesis.control is None:
        return measure if isinstance(measure, Lack) else measure.interval()
    control = _measured(hypothesis, hypothesis.control, measures)
    return control if isinstance(control, Lack) else measure.minus(control).interval()


def _measured(hypothesis: HypothesisSpec, cell: str, measures: Measures) -> Measure | Lack:
    return measures.find(
        hypothesis.estimate, cell=cell, round=hypothesis.round, subject=hypothesis.subject
    )


def _estimated(hypothesis: HypothesisSpec, estimates: list[Estimate]) -> Interval | Lack:
    """The one estimate of the analysis that the hypothesis names."""
    if hypothesis.control is not None:
        return Lack(f"a contrast of {hypothesis.estimate} between arms; leave out `control`")
    named = [e for e in estimates if e.name == hypothesis.estimate]
    found = [e for e in named if e.cell == hypothesis.cell]
    if not found:
        cells = sorted({e.cell for e in named if e.cell})
        return Lack(f"{hypothesis.estimate} in {', '.join(cells)}: name the `cell`" if cells
                    else f"an estimate {hypothesis.estimate} in this run")  # fmt: skip
    found = [e for e in found if e.subject == hypothesis.subject] or found
    chosen = _at_round(found, hypothesis.round)
    if chosen is None:
        return Lack(f"{hypothesis.estimate} after round {hypothesis.round}")
    if chosen.missing or chosen.value is None:
        return Lack(chosen.missing or "observations")
    return Interval(chosen.value, chosen.low, chosen.high, chosen.se, chosen.num_questions)


def _at_round(found: list[Estimate], round: int | None) -> Estimate | None:
    if round is not None:
        return next((e for e in found if e.round == round), None)
    whole = [e for e in found if e.round is None]
    return whole[0] if whole else max(found, key=lambda e: e.round or 0)


def _tested(name: str, hypothesis: HypothesisSpec, found: Interval | Lack) -> Finding:
    blank = Finding(
        name=name, statement=hypothesis.statement, estimate=hypothesis.estimate,
        what=described(hypothesis), direction=hypothesis.direction, smallest=hypothesis.smallest,
        reference=hypothesis.reference, source=hypothesis.source, verdict="not computed",
    )  # fmt: skip
    if isinstance(found, Lack):
        return replace(blank, reason=f"needs {found.reason}")
    if found.value is None or found.se is None:
        return replace(
            blank, value=found.value, low=found.low, high=found.high,
            num_questions=found.num_questions, reason="needs variation over more questions",
        )  # fmt: skip
    moved = found._replace(value=found.value - hypothesis.reference)
    return replace(
        blank, value=found.value, low=found.low, high=found.high,
        num_questions=found.num_questions, p_value=zero_p_value(moved),
        p_equivalence=tost(moved, margin=hypothesis.smallest),
    )  # fmt: skip


def described(hypothesis: HypothesisSpec) -> str:
    """The estimate with its arms, as in `eai: peer − self, round 3, author`."""
    arms = f"{hypothesis.cell or ''}{f' − {hypothesis.control}' if hypothesis.control else ''}"
    parts = [arms, "" if hypothesis.round is None else f"round {hypothesis.round}"]
    named = ", ".join(part for part in (*parts, hypothesis.subject or "") if part)
    return f"{hypothesis.estimate}: {named}" if named else hypothesis.estimate


def _judged(finding: Finding, se: float | None, num_tests: int) -> Finding:
    """The verdict. Equivalence goes first: a certain effect may still be too small to matter."""
    if finding.p_holm is None or finding.p_equivalence_holm is None or finding.value is None:
        return finding
    effect = finding.value - finding.reference
    is_small, is_there = finding.p_equivalence_holm < LEVEL, finding.p_holm < LEVEL
    if finding.direction == "equal":
        return _judged_equal(finding, se, num_tests, is_small=is_small, is_there=is_there)
    if is_small:
        note = "there is an effect, smaller than the smallest of interest" if is_there else ""
        return replace(finding, verdict="equivalent to nothing", reason=note)
    if is_there:
        agrees = (effect > 0) == (finding.direction == "above")
        return replace(finding, verdict="supported" if agrees else "contradicted")
    return _undecided(finding, se, num_tests)


def _judged_equal(
    finding: Finding, se: float | None, num_tests: int, *, is_small: bool, is_there: bool
) -> Finding:
    """The claim is that there is nothing: equivalence supports it."""
    if is_small:
        return replace(finding, verdict="supported", reason="equivalent to the reference")
    if is_there:
        return replace(finding, verdict="contradicted")
    return _undecided(finding, se, num_tests)


def _undecided(finding: Finding, se: float | None, num_tests: int) -> Finding:
    assert se is not None
    level = 1 - LEVEL / num_tests
    return replace(finding, verdict="undecided", detectable=detectable_effect(se, level=level))
