"""The questions that people bring to a run, each answered by a sentence with its numbers.

Did debating help over the best vote of the openings, at what price, did rereading amplify errors,
and who was right against the majority? Where several arms could answer, the level of their
intervals is shared among them (Bonferroni), so that a word such as "above" holds for all arms
together; all are named, or counted with both extremes. Where a run cannot say, the answer is what
is lacking.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from debate.analysis.design import IS_CONTROL
from debate.analysis.effects import (
    MOST_ARMS,
    ArmEffect,
    MainAnswer,
    describe_effects,
    find_claim,
    get_interval,
    holds_zero,
    lack_answer,
    list_debating_arms,
    list_rereading_arms,
)
from debate.analysis.paired import compute_detectable_effect
from debate.analysis.price import answer_price, join_extremes
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.votes import MAJORITY, TIES_SHARED
from debate.text import format_count, format_decimal, format_percent, join_names, shorten

MAJORITIES = {MAJORITY, TIES_SHARED}
"""Rules of one score: a tie scores the share of the tied answers that are right in both."""


def answer_main_questions(analysis: Analysis) -> tuple[MainAnswer, ...]:
    """The answers in the order in which people ask."""
    if analysis.is_reference_free:
        lacking = "No question has a target, so nothing here is about being right."
        return (lack_answer("Did debating help?", lacking, "confidence"),)
    return (
        answer_gain(analysis),
        answer_price(analysis),
        answer_amplification(analysis),
        answer_minority(analysis),
    )


def answer_gain(analysis: Analysis) -> MainAnswer:
    """Whether the vote at the end is better than the best rule makes of the openings."""
    question = "Did debating help over the best vote of the openings?"
    arms = list_debating_arms(analysis)
    gains = {cell: analysis.find("gain_over_best_rule", cell=cell) for cell in arms}
    effects = [
        ArmEffect(analysis.labels.arm(cell), get_interval(found), find_claim(analysis, found))
        for cell, found in gains.items()
        if found is not None and found.low is not None
    ]
    if not arms:
        lacking = "No arm has agents that hear one another and answer again."
        return lack_answer(question, lacking, "votes")
    if not effects:
        missing = next((e.missing for e in gains.values() if e and e.missing), None)
        return lack_answer(question, f"That would need {missing or 'more questions'}.", "votes")
    words = ("better", "worse", "not distinguishable")
    told = describe_effects(effects, words)
    is_told = len(effects) <= MOST_ARMS
    first = _describe_votes(analysis, arms) if is_told else ""
    best = _describe_best_rules(analysis, gains) if is_told else ""
    what = "The vote at the end minus the best vote of the openings"
    parts = (first, best, f"{what}: {told}", _describe_detectable(effects))
    return MainAnswer(question=question, sentence=" ".join(filter(None, parts)), section="votes")


def _describe_votes(analysis: Analysis, arms: Sequence[str]) -> str:
    """Both votes of each arm by the run's own rule, in absolute numbers."""
    own = {c.cell: c for c in analysis.comparisons if c.is_own and "vote_T" in c.family}
    told = [
        f"{analysis.labels.arm(cell)} from {format_decimal(own[cell].second_value)} to "
        f"{format_decimal(own[cell].first_value)} ({shorten(own[cell].method)}, "
        f"{format_count(own[cell].num_questions)} questions)"
        for cell in arms
        if cell in own
    ]
    return f"The run's own vote went in {join_names(told)}." if told else ""


def _describe_best_rules(analysis: Analysis, gains: Mapping[str, Estimate | None]) -> str:
    """The best vote of each arm's openings, which the gain takes off, and its rule."""
    own = {c.cell: c for c in analysis.comparisons if c.is_own and "vote_T" in c.family}
    rules = dict(analysis.tables["opening_rules"].iter_rows())
    told = [
        f"{format_decimal((own[cell].first_value or 0.0) - gain.value)} in "
        f"{analysis.labels.arm(cell)} ({_name_best_rules(analysis, cell, rules[cell])})"
        for cell, gain in gains.items()
        if gain is not None and gain.value is not None and cell in own and cell in rules
    ]
    return f"The best vote of the openings was {join_names(told)}." if told else ""


def _name_best_rules(analysis: Analysis, cell: str, rule: str) -> str:
    """The rule that makes most of an arm's openings, and those that make as much of them."""
    votes = analysis.select("vote_accuracy", cell=cell)
    scores = {e.subject: e.value for e in votes if e.round == 0 and e.subject is not None}
    best, same = scores.get(rule), MAJORITIES if rule in MAJORITIES else {rule}
    alike = [
        shorten(name)
        for name, score in scores.items()
        if name not in same and None not in (score, best) and math.isclose(score or 0, best or 0)
    ]
    return ", tied with ".join([shorten(rule), *([join_names(alike)] if alike else [])])


def _describe_detectable(effects: Sequence[ArmEffect]) -> str:
    """The difference that one arm that shows none would have shown."""
    if len(effects) != 1 or effects[0].claim or not holds_zero(effects[0].interval):
        return ""
    least = compute_detectable_effect(effects[0].interval)
    if least is None:
        return "In so few questions no difference would show, whatever it is."
    return f"A difference of {format_decimal(least)} would show in four of five such runs."


def answer_amplification(analysis: Analysis) -> MainAnswer:
    """Whether errors gained weight, where agents reread themselves and where they hear others."""
    question = "Did rereading amplify errors?"
    rereading, debating = list_rereading_arms(analysis), list_debating_arms(analysis)
    if not rereading:
        lacking = "No arm has agents that hear themselves alone; `self` as arm or topology does."
        rest = _describe_amplification(analysis, debating, "In arms that hear others")
        return lack_answer(question, f"{lacking} {rest}".strip(), "errors")
    told = _describe_amplification(analysis, rereading, "Rereading themselves")
    if not told:
        lacking = "That would need confidences: log-probabilities of the engine, or a probe."
        return lack_answer(question, lacking, "errors")
    others = _describe_amplification(analysis, debating, "Hearing others")
    control = _describe_lack_of_control(analysis, rereading)
    parts = (told, others, control, _describe_entrenchment(analysis, rereading))
    named = f" Confidence is {analysis.confidence}." if analysis.confidence else ""
    sentence = " ".join(filter(None, parts)) + named
    return MainAnswer(question=question, sentence=sentence, section="errors")


def _describe_amplification(analysis: Analysis, cells: Sequence[str], whose: str) -> str:
    """Error amplification at the end, over the control where there is one."""
    by_name: dict[str, list[ArmEffect]] = {"eai_over_control": [], "eai": []}
    for cell in cells:
        over = find_last(analysis, "eai_over_control", cell)
        name = "eai" if over is None or over.missing else "eai_over_control"
        found = find_last(analysis, name, cell)
        if found is None or (over is not None and over.missing == IS_CONTROL):
            continue
        interval = get_interval(found)
        if interval.low is not None:
            control = analysis.controls.resampling.get(cell)
            contrast = ("eai", control) if control and name == "eai_over_control" else None
            claim = find_claim(analysis, found, contrast=contrast)
            by_name[name].append(ArmEffect(analysis.labels.arm(cell), interval, claim))
    words = ("errors gained weight", "errors lost weight", "not distinguishable from no change")
    num = sum(map(len, by_name.values()))
    kinds = {"eai_over_control": " beyond resampling", "eai": ""}
    return " ".join(
        f"{whose}, error amplification{kinds[name]}: {describe_effects(effects, words, num=num)}"
        for name, effects in by_name.items()
        if effects
    )


def _describe_lack_of_control(analysis: Analysis, cells: Sequence[str]) -> str:
    last = [find_last(analysis, "eai_over_control", cell) for cell in cells]
    if any(e is not None and e.missing in (None, IS_CONTROL) for e in last):
        return ""
    return "How much of it is mere resampling an arm `repeat` would tell."


def _describe_entrenchment(analysis: Analysis, cells: Sequence[str]) -> str:
    """What entrenchment adds to its controls, by probed belief."""
    effects = [
        ArmEffect(
            f"{analysis.labels.arm(cell)} {e.subject}",
            get_interval(e),
            find_claim(
                analysis, e, contrast=("entrenchment", (e.subject or "").removeprefix("over "))
            ),
        )
        for cell in cells
        for e in _select_last(analysis.select("entrenchment_over_control", cell=cell))
        if e.low is not None
    ]
    if effects:
        words = ("entrenched", "loosened", "not distinguishable")
        told = describe_effects(effects, words)
        return f"Entrenchment against its controls, in log-odds: {told}"
    is_probed = any(e.is_known for e in analysis.select("entrenchment") if e.cell in cells)
    has_control = any(e.cell in cells for e in analysis.select("entrenchment_over_control"))
    lacking = [] if is_probed else ["`probes: [belief]`"]
    lacking += [] if has_control else ["an arm `restate` as control"]
    return f"Entrenchment would need {join_names(lacking)}." if lacking else ""


def answer_minority(analysis: Analysis) -> MainAnswer:
    """Who was right against the majority of the openings, and how often that won."""
    question = "Who was right against the majority?"
    arms = list_debating_arms(analysis) or analysis.cells
    rights = [(cell, analysis.find("minority_right", cell=cell)) for cell in arms]
    known = [(cell, e) for cell, e in rights if e is not None and e.is_known]
    if not known:
        missing = next((e.missing for _, e in rights if e and e.missing), "votes")
        return lack_answer(question, f"That would need {missing}.", "votes")
    told = [_describe_minority(analysis, cell, right) for cell, right in known[:MOST_ARMS]]
    if len(known) > MOST_ARMS:
        told = [_describe_minority_range(analysis, known)]
    return MainAnswer(question=question, sentence=" ".join(told), section="votes")


def _describe_minority(analysis: Analysis, cell: str, right: Estimate) -> str:
    arm = analysis.labels.arm(cell)
    if not right.value:
        return (
            f"In none of the {format_count(right.n)} debates of {arm} was the openings' majority "
            "wrong and somebody right against it."
        )
    told = (
        f"In {_count_share(right, ' debates')} of {arm} the openings' majority was wrong and "
        "somebody right against it"
    )
    members = analysis.tables["minorities"].filter(pl.col("cell") == cell)
    if members.is_empty():
        return f"{told}."
    most = members.filter(pl.col("debates") == pl.col("debates").max())
    who = join_names([analysis.labels.agent(cell, agent) for agent in most["agent"]])
    each = " each, tied" if most.height > 1 else ""
    told += f", most often {who} ({format_count(most['debates'][0])}{each})"
    won = analysis.find("minority_won", cell=cell)
    if won is None or won.value is None:
        return f"{told}."
    if not won.value:
        return f"{told}; by the end the right answer had won in none of them."
    return f"{told}; by the end the right answer had won in {_count_share(won)}."


def _count_share(estimate: Estimate, noun: str = "") -> str:
    """A share as a count, then in percent: "2 of 60 debates (3 %, [1 %, 11 %])"."""
    value, num = estimate.value or 0.0, estimate.n or 0
    ends = ""
    if estimate.low is not None and estimate.high is not None:
        low, high = (format_percent(end, blank=" ") for end in (estimate.low, estimate.high))
        ends = f", [{low}, {high}]"
    told = format_percent(value, blank=" ")
    return f"{value * num:,.0f} of {format_count(num)}{noun} ({told}{ends})"


def _describe_minority_range(analysis: Analysis, known: Sequence[tuple[str, Estimate]]) -> str:
    shares = [right.value or 0.0 for _, right in known]
    wins = [
        e.value
        for cell, _ in known
        for e in analysis.select("minority_won", cell=cell)
        if e.value is not None
    ]
    if not any(shares):
        return (
            f"In none of the debates of {len(known)} arms was the openings' majority wrong and "
            "somebody right against it."
        )
    told = (
        f"In {join_extremes(shares, 3)} of debates, over {len(known)} arms, the "
        "openings' majority was wrong and somebody right against it"
    )
    if not wins:
        return f"{told}."
    if not any(wins):
        return f"{told}; by the end the right answer had won in none of them."
    return f"{told}; by the end the right answer had won in {join_extremes(wins, 3)} of them."


def find_last(analysis: Analysis, name: str, cell: str) -> Estimate | None:
    """The estimate of a whole condition after its last round."""
    found = [e for e in analysis.select(name, cell=cell) if e.subject is None]
    return max(found, key=lambda e: e.round or 0, default=None)


def _select_last(found: Sequence[Estimate]) -> list[Estimate]:
    last = max((e.round or 0 for e in found), default=0)
    return [e for e in found if (e.round or 0) == last]
