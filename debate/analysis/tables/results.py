"""Tables of what came out: hypotheses, before and after, votes, comparisons, tokens."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from debate.analysis.contrasts import Comparison
from debate.analysis.factors import FACTORS
from debate.analysis.flips import advise
from debate.analysis.hypotheses import Finding, OtherEstimator
from debate.analysis.registry import get_words
from debate.analysis.replies import ReplyCounts, list_reasons
from debate.analysis.schema import Estimate
from debate.analysis.summary import Analysis
from debate.analysis.tables import (
    Entry,
    Table,
    add_bounds,
    build_table,
    format_p_value,
    show_estimate,
    show_interval,
    sort_by_cell,
    tabulate_by_round,
    write_confidence_note,
)
from debate.analysis.tokens import TOKENS
from debate.text import (
    clean,
    format_count,
    format_decimal,
    format_dollars,
    format_percent,
    join_names,
    quote,
    shorten,
    split_names,
)


def tabulate_findings(analysis: Analysis) -> Table:
    """One line for each hypothesis: what became of it, the interval that says so, what it lacks."""
    columns = split_names(
        "hypothesis|outcome|claim|estimate|p, no effect|detectable|questions to decide",
        separator="|",
    )
    rows = [_show_finding(finding) for finding in analysis.findings]
    note = _write_findings_note(analysis.findings)
    telling = ("detectable", "questions to decide")
    title = "What was claimed beforehand"
    return build_table(title, columns, rows, names=3, note=note, telling=telling)


def _write_findings_note(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    return (
        f"Each outcome is read from the interval shown, at {100 * found[0].level:.3g} %: "
        f"1 − .05/{len(found)}, all hypotheses of the file together. p, no effect: exact for "
        "paired differences, corrected by Holm. Detectable: what a study of this size finds in "
        "80 % of cases; a dash where it finds nothing, whatever there is. Questions to decide: "
        "about how many would have to be asked, at the same effect and with as large a share of "
        "them that bear on it. Under "
        "other estimators of confidence a claim carries no outcome of its own. Nothing else may "
        "be called a finding."
    )


def _show_finding(finding: Finding) -> list[object]:
    what = show_interval(finding.value, finding.low, finding.high, signed=True)
    if finding.is_bounded and finding.low is not None:
        what = add_bounds(
            what._replace(under="", ends=None), finding.low, finding.high, signed=True
        )
    told = [clean(finding.reason), *map(_show_other_estimator, finding.others)]
    return [
        Entry(finding.name, clean(finding.statement)),
        Entry(finding.verdict, "; ".join(filter(None, told))),
        Entry(_name_claim(finding.what), f"{describe_claim(finding)}{_name_estimator(finding)}"),
        what,
        format_p_value(finding.p_holm),
        format_decimal(finding.detectable),
        _show_needed(finding),
    ]


def _show_needed(finding: Finding) -> Entry:
    """The questions to ask; below them how many of those asked bear on the claim, if not all do."""
    is_share = finding.needed is not None and finding.num_questions < finding.num_asked
    share = f"{format_count(finding.num_questions)} of {format_count(finding.num_asked)} count"
    return Entry(format_count(finding.needed), share if is_share else "")


def _name_claim(what: str) -> str:
    """What a claim is about, in words first: "error amplification (eai): self − repeat"."""
    name, colon, arms = clean(what).partition(":")
    words = get_words(name)
    told = name if words in (name, name.replace("_", " ")) else f"{words} ({name})"
    return f"{told}{colon}{arms}"


def _name_estimator(finding: Finding) -> str:
    return f", confidence: {clean(finding.confidence)}" if finding.confidence else ""


def _show_other_estimator(other: OtherEstimator) -> str:
    ends = f"[{format_decimal(other.low, signed=True)}, {format_decimal(other.high, signed=True)}]"
    return f"by {clean(other.confidence)} {format_decimal(other.value, signed=True)} {ends}"


def describe_claim(finding: Finding) -> str:
    """The claim about the number, as in "above 0, of interest from 0.02"."""
    if finding.direction == "equal":
        return f"within {finding.smallest:g} of {finding.reference:g}"
    return f"{finding.direction} {finding.reference:g}, of interest from {finding.smallest:g}"


BY_ROUND = split_names(
    "accuracy accuracy_completed accuracy_answered confidence over_confidence abstention_rate "
    "cut_rate failure_rate copied_rate"
)


def tabulate_replies(analysis: Analysis) -> Table:
    """What became of the replies and probes of each agent, where not all of them were read."""
    columns = split_names(
        "agent|of|all|read|abstained|cut off|failed|share read|not read, for example",
        separator="|",
    )
    rows = [
        [
            shorten(each.agent),
            each.what,
            *map(format_count, (each.num, each.read, each.abstained, each.cut, each.failed)),
            format_percent(each.share_read),
            _show_unread(each),
        ]
        for each in analysis.replies
    ]
    is_whole = all(each.read == each.num for each in analysis.replies)
    note = (
        "Calls that conditions share are counted once. Abstained: the reply came back whole and no "
        "single answer, verdict or confidence could be read of it. The last column holds the most "
        "frequent reason of failures and the first texts that were not read."
    )
    return build_table("What was read", columns, [] if is_whole else rows, names=2, note=note)


def _show_unread(each: ReplyCounts) -> Entry:
    """The most frequent reason of failures and the first text not read, or the first two texts."""
    reasons = [shorten(reason) for reason in list_reasons(each)[:1]]
    texts = [quote(text) for texts in each.samples.values() for text in texts]
    first, second, *_ = (*reasons, *texts, "", "")
    return Entry(first, second)


def write_unanswered_note(analysis: Analysis) -> str:
    """A sentence on the arm and round with most turns that state no answer; empty of none."""
    lost: dict[tuple[str, int], float] = {}
    for answered in analysis.select("accuracy_answered"):
        if answered.subject is None and answered.cell is not None and answered.round is not None:
            due = analysis.find("accuracy", cell=answered.cell, round=answered.round)
            if due is not None and due.n:
                lost[answered.cell, answered.round] = 1 - answered.n / due.n
    most = max(lost.values(), default=0.0)
    if not most:
        return ""
    places = [place for place, share in lost.items() if share == most]
    first, *others = (f"arm {cell}, round {round}" for cell, round in places)
    where = f"{first}{f', tied with {len(others)} others' if others else ''}"
    return (
        f"Up to {format_percent(most)} of turns state no answer ({where}): accuracy "
        "of all takes them for wrong, accuracy of the answered leaves them out, and a difference "
        "of either may be theirs alone."
    )


def tabulate_headline(analysis: Analysis) -> Table:
    """A row for each condition: vote and members before and after, and what became of errors."""
    columns = split_names(
        "arm|questions|vote, openings|vote, end|vote, end − openings|"
        "vote, end − best rule of the openings|accuracy, openings|accuracy, end|"
        "over-confidence, openings|over-confidence, end|error amplification|another round?",
        separator="|",
    )
    rows = [_show_headline(analysis, cell) for cell in analysis.cells]
    unanswered = write_unanswered_note(analysis)
    if unanswered:
        place = columns.index("accuracy, end") + 1
        columns = (*columns[:place], "accuracy of answered, end", *columns[place:])
        for row, cell in zip(rows, analysis.cells, strict=True):
            answered = select_by_round(analysis, "accuracy_answered", cell)
            row.insert(place, show_estimate(answered[-1] if len(answered) > 1 else None))
    note = (
        "The vote is by the run's own rule; a tie scores the share of the tied answers that are "
        "right, and stands with each vote. The best rule of the openings is the run's own unless "
        "another is clearly better on other questions than it is scored on. "
        f"{describe_members(analysis)} Failures, cut replies "
        "and abstentions count as wrong. Error amplification (EAI) is the change of "
        "confident-error mass since the openings: above 0, the debate amplified errors. With each "
        "number its 95 % interval, clustered by question."
    )
    told = " ".join(filter(None, (write_confidence_note(analysis, ["eai"]), unanswered, note)))
    return build_table("Before and after", columns, rows, note=told)


def describe_members(analysis: Analysis) -> str:
    """A sentence on whose accuracies and confidences are shown."""
    about = {analysis.labels.arm(c) for c in analysis.cells if c in analysis.authors}
    if not about:
        return "Accuracies are of all members."
    what = "Accuracies, over-confidence and error amplification are of the author alone"
    if len(about) == len(analysis.cells):
        return f"{what}, votes of all who vote."
    return (
        f"{what} in {join_names(sorted(about))}, of all members elsewhere; votes of all who vote."
    )


def _show_headline(analysis: Analysis, cell: str) -> list[object]:
    votes = [
        c for c in analysis.comparisons if c.cell == cell and "vote_T" in c.family and c.is_own
    ]
    gain = analysis.find("next_round_gain", cell=cell)
    accuracy, over, eai = (
        select_by_round(analysis, name, cell) for name in ("accuracy", "over_confidence", "eai")
    )
    return [
        analysis.labels.arm(cell),
        format_count(accuracy[0].num_questions if accuracy else None),
        *(_show_votes(votes[0]) if votes else ["–"] * 3),
        show_estimate(analysis.find("gain_over_best_rule", cell=cell)),
        show_estimate(accuracy[0] if accuracy else None),
        show_estimate(accuracy[-1] if len(accuracy) > 1 else None),
        show_estimate(over[0] if over else None),
        show_estimate(over[-1] if len(over) > 1 else None),
        show_estimate(eai[-1] if eai else None),
        advise(gain.low, gain.high) if gain else "–",
    ]


def _show_votes(found: Comparison) -> list[object]:
    """Both votes with the share of ties, and the gain."""
    return [
        Entry(format_decimal(found.second_value), f"{format_percent(found.second_tied)} tied"),
        Entry(format_decimal(found.first_value), f"{format_percent(found.first_tied)} tied"),
        show_interval(found.value, found.low, found.high, signed=True),
    ]


def select_by_round(analysis: Analysis, name: str, cell: str) -> list[Estimate]:
    """One estimate about the whole cell in its rounds, in order."""
    found = analysis.select(name, cell=cell)
    whole = [(e.round, e) for e in found if e.subject is None and e.round is not None]
    return [e for _, e in sorted(whole, key=lambda pair: pair[0])]


def tabulate_accuracy(analysis: Analysis) -> Table:
    """Both accuracies, confidence, over-confidence and what was not answered, by round."""
    note = write_unanswered_note(analysis)
    return tabulate_by_round(analysis, "Accuracy and confidence by round", BY_ROUND, note=note)


def tabulate_across_factors(analysis: Analysis) -> Table:
    """The last round with intervals that speak of other models or prompts, too."""
    note = "Clustered by question and by model, or prompt set, where there are six or more."
    return tabulate_by_round(
        analysis, "For other models and prompts, too", tuple(FACTORS), note=note
    )


def tabulate_confidence_alone(analysis: Analysis) -> Table:
    """Confidence by round where nothing says what is right, and its sum over the sides."""
    about = ("confidence", "confidence_sum_excess")
    names = [f"{name}{part}" for name in about for part in ("", "_change")]
    note = "Sides of which exactly one wins are calibrated only if their confidences add up to 1."
    return tabulate_by_round(analysis, "Confidence by round, without a truth", names, note=note)


VOTE_SCORES = split_names(
    "accuracy tied_rate abstention_rate confidence over_confidence brier nll ece debiased_ece "
    "smooth_ece auroc aurc"
)


def tabulate_votes(analysis: Analysis) -> Table:
    """Every method's accuracy and confidence by round, with proper scores."""
    names = [f"vote_{name}" for name in VOTE_SCORES]
    found: dict[tuple[str, str, int], dict[str, Estimate]] = {}
    for e in analysis.select(*names):
        found.setdefault((e.cell or "", e.subject or "", e.round or 0), {})[e.name] = e
    rows = [
        [
            analysis.labels.arm(cell),
            shorten(method),
            str(round_),
            *(show_estimate(named.get(name)) for name in names),
        ]
        for (cell, method, round_), named in sorted(found.items())
    ]
    columns = ["arm", "rule", "round", *map(get_words, VOTE_SCORES)]
    return build_table("The team's answer by round", columns, rows, names=3)


def tabulate_comparisons(analysis: Analysis) -> Table:
    """Every paired comparison with its tests and the smallest difference it could have found."""
    columns = split_names(
        "arm|rule|comparison|first|second|difference|p (Holm)|p (McNemar)|detectable|questions",
        separator="|",
    )
    rows = [
        [
            analysis.labels.arm(c.cell),
            Entry(shorten(c.method), "" if c.is_own else "not the run's"),
            f"{_name_side(c, c.first)} − {_name_side(c, c.second)}",
            Entry(format_decimal(c.first_value), f"{format_percent(c.first_tied)} tied"),
            Entry(format_decimal(c.second_value), f"{format_percent(c.second_tied)} tied"),
            show_interval(c.value, c.low, c.high, signed=True),
            format_p_value(c.p_holm),
            format_p_value(c.p_mcnemar),
            format_decimal(c.detectable),
            format_count(c.num_questions),
        ]
        for c in analysis.comparisons
    ]
    note = (
        "Each rule against itself; a tie scores the share of the tied answers that are right. "
        "p (Holm): exact, by sign-flips of each question's difference. Detectable: the smallest "
        "true difference that a study of this size finds in 80 % of cases; a dash where it finds "
        "nothing, whatever there is."
    )
    title = "Paired comparisons of accuracy"
    return build_table(title, columns, rows, names=3, note=note, telling=("detectable",))


def _name_side(found: Comparison, name: str) -> str:
    """One side of a comparison: a condition, or the vote after a round."""
    kind, _, round_ = name.rpartition("_")
    if "vote_T" not in found.family or kind != "vote":
        return shorten(name, 40)
    return "vote of the openings" if round_ == "0" else f"vote after round {round_}"


TOKEN_COLUMNS = {
    "turns": "turns",
    "prompt_tokens": "prompt tokens",
    "cached_tokens": "cached prompt tokens",
    "generated_tokens": "generated tokens",
}
TURN_KINDS = {
    "opening": "openings",
    "critique": "critiques",
    "revision": "revisions",
    "judgment": "judgments",
    "probe": "probes",
}


def tabulate_tokens(analysis: Analysis) -> Table:
    """Turns and tokens by condition, agent, model and kind of turn, summed over rounds."""
    whole = sort_by_cell(analysis, analysis.tables["ledger"])
    by = ["cell", "agent", "model", "kind"]
    priced = ["dollars"] if "dollars" in whole.columns else []
    told = whole["generated_tokens"].is_not_null().any()
    unknown = [n for n in TOKEN_COLUMNS if told and whole[n].null_count() == whole.height]
    shown = {n: words for n, words in TOKEN_COLUMNS.items() if n not in unknown}
    known = [
        pl.when(pl.col(n).is_not_null().any()).then(pl.col(n).sum()).alias(n)
        for n in ("turns", *TOKENS, *priced)
    ]
    summed = whole.group_by(by, maintain_order=True).agg(known)
    rows = [
        [
            analysis.labels.arm(row["cell"]),
            analysis.labels.agent(row["cell"], row["agent"]),
            shorten(row["model"]),
            TURN_KINDS.get(row["kind"], "–"),
            *(format_count(row[name]) for name in shown),
            *("–" if row[name] is None else format_dollars(row[name]) for name in priced),
        ]
        for row in summed.iter_rows(named=True)
    ]
    note = "A turn that several arms share is counted in each of them."
    if not told:
        note += " Nothing tells how many tokens were used."
    if unknown:
        note += f" Not recorded: {', '.join(TOKEN_COLUMNS[n] for n in unknown)}."
    columns = ["arm", "agent", "model", "kind", *shown.values(), *priced]
    return build_table("Turns and tokens", columns, rows, names=4, note=note)
