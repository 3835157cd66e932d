"""Whose an answer is: the measures of it, the four-way table, and what it says in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from debate.analysis.overtrust import list_designs
from debate.analysis.quantity import Measure
from debate.analysis.schema import Estimate
from debate.analysis.signal_detection import ANOTHERS, DETECTION, NOBODYS, OWN, list_ownerships

HAUTUS = "Hautus 1995; Macmillan & Creelman 2005"
MARGIN_OF_D_PRIME = 0.2
MARGIN_OF_CRITERION = 0.1
"""Changes that certainly lie within these of zero are called none."""

_LEVELS = {
    "d_prime": ("d′", "z(share of right answers accepted) − z(share of wrong ones accepted)"),
    "criterion": (
        "criterion c",
        "−(z(right accepted) + z(wrong accepted))/2: lower lets more pass",
    ),
    "d_a": (
        "d_a of P(True)",
        "mean logit P(True) of right − of wrong answers, in pooled deviations",
    ),
    "midpoint": ("midpoint of P(True)", "−the mean of the two means, in pooled deviations"),
}
_SAID = "same answers, said to be one's own − another's"
_WRITTEN = "answers to the same question, as right, under one name: one's own − another's"
_MODEL = "logit P(True) = item + terms, under both names, f·mean log p among them"
_COEFFICIENTS = {
    "written_by_logit": ("written by oneself (logit)", "shift by having written it"),
    "said_to_be_logit": (
        "said to be one's own (logit)",
        "shift by being told that it is one's own",
    ),
    "written_by_said_to_be_logit": ("both at once (logit)", "what the two shifts add jointly"),
    "written_by_logit_apart": (
        "written by oneself, right − wrong (logit)",
        "the first shift among right − among wrong answers",
    ),
    "said_to_be_logit_apart": (
        "said to be one's own, right − wrong (logit)",
        "the second shift among right − among wrong answers",
    ),
    "written_by_said_to_be_logit_apart": (
        "both at once, right − wrong (logit)",
        "what they add jointly among right − among wrong answers",
    ),
    "familiarity_logit": ("familiarity (logit per nat)", "shift by each nat of mean log p"),
}


def _define_measures() -> Iterator[Measure]:
    define = partial(Measure, unit="z", source=HAUTUS, is_signed=True)
    for name, (words, formula) in _LEVELS.items():
        yield define(f"judging_{name}", words, formula)
    for name, (words, _) in _LEVELS.items():
        yield define(
            f"said_to_be_{name}", f"{words}, said to be own − another's", f"{words}: {_SAID}"
        )
    for name, (words, _) in _LEVELS.items():
        yield define(
            f"written_by_{name}", f"{words}, written by oneself − another", f"{words}: {_WRITTEN}"
        )
    for name, (words, what) in _COEFFICIENTS.items():
        unit = "logit per nat" if name.startswith("familiarity") else "logit"
        source = "Wataoka et al., arXiv 2410.21819"
        yield define(name, words, f"{what}, in {_MODEL}", unit=unit, source=source)


WHOSE: tuple[Measure, ...] = tuple(_define_measures())
"""Measures of signal detection, and of what a name and having written an answer change."""
SHARES = ("accept_right", "accept_wrong")
FOUR_WAY_MEASURES = (*SHARES, *(f"judging_{name}" for name in DETECTION))
FOUR_WAY_SCHEMA: dict[str, Any] = {
    "arm": pl.String,
    "cell": pl.String,
    "critic": pl.String,
    "written_by": pl.String,
    "said_to_be": pl.String,
    "n": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in FOUR_WAY_MEASURES for end in ("", "_low", "_high")},
}


def tabulate_four_ways(judged: pl.DataFrame, estimates: Sequence[Estimate]) -> pl.DataFrame:
    """A row for each critic, and for all (null), each writer and each owner that is named.

    arm: the arm of which the contrasts are told; cell: where the judgements are from; written_by:
    own or another's; said_to_be: own, another's or nobody's; n: judgements that completed; each
    measure with its interval.
    """
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for e in estimates:
        if e.name in FOUR_WAY_MEASURES and e.subject is not None:
            found.setdefault((e.cell or "", e.subject), {})[e.name] = e
    critics = (None, *sorted(judged["critic"].unique()))
    rows = [
        _make_row(arm, cell, critic, is_own, said, found)
        for arm, cell, is_own, said in _list_places(judged)
        for critic in critics
    ]
    return pl.DataFrame([row for row in rows if row["n"]], schema=FOUR_WAY_SCHEMA)


def _list_places(judged: pl.DataFrame) -> Iterator[tuple[str, str, bool, str]]:
    """Arm, cell, whether the critic wrote the answers, and whose they are said to be."""
    labels = {each.cell: each.labels for each in list_designs(judged)}
    for arms in list_ownerships(judged):
        for is_own in (True, False):
            for cell in (arms.cell, arms.other):
                told = {"own": True, "others": False, "honest": is_own}.get(
                    labels[cell], not is_own
                )
                yield arms.cell, cell, is_own, OWN if told else ANOTHERS
            if arms.nobody is not None:
                yield arms.cell, arms.nobody, is_own, NOBODYS


def _make_row(
    arm: str,
    cell: str,
    critic: str | None,
    is_own: bool,
    said: str,
    found: dict[tuple[str, str], dict[str, Estimate]],
) -> dict[str, Any]:
    whom = "own" if is_own else "others"
    subject = whom if critic is None else f"{critic} -> {critic if is_own else whom}"
    named = found.get((cell, subject), {})
    row: dict[str, Any] = {"arm": arm, "cell": cell, "critic": critic, "said_to_be": said}
    row |= {"written_by": OWN if is_own else ANOTHERS}
    row["n"] = named["judging_d_prime"].n if "judging_d_prime" in named else 0
    for name, e in named.items():
        row |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
    return row


def summarize_ownership(estimates: Sequence[Estimate], cell: str) -> str:
    """What the name on an answer changes, and what having written it: a few sentences."""
    found = {e.name: e for e in estimates if e.cell == cell and e.subject is None}
    said, written = (
        _describe_side(found.get(f"{side}_criterion"), found.get(f"{side}_d_prime"))
        for side in ("said_to_be", "written_by")
    )
    between = found.get("written_by_logit")
    beyond = ""
    if between is not None and between.low is not None and between.high is not None:
        is_zero = between.low <= 0 <= between.high
        what = (
            "does not show" if is_zero else "stays" if (between.value or 0) > 0 else "is reversed"
        )
        beyond = (
            " Between answers that the critic finds equally likely, trust in what it wrote itself "
            f"{what} ({_format(between)} logit)."
        )
    return (
        f"Told that an answer is its own instead of another's, a critic {said}. "
        f"Of answers to one question, as right, under one name, on what it wrote itself instead of "
        f"another it {written}.{beyond}"
    )


def _describe_side(criterion: Estimate | None, d_prime: Estimate | None) -> str:
    passes = _choose(
        criterion,
        MARGIN_OF_CRITERION,
        below="lets more pass",
        above="lets less pass",
        none=f"lets as much pass, within {MARGIN_OF_CRITERION:g}",
        open="is not shown to let more or less pass",
    )
    tells = _choose(
        d_prime,
        MARGIN_OF_D_PRIME,
        below="tells right from wrong worse",
        above="tells right from wrong better",
        none=f"tells right from wrong as well, within {MARGIN_OF_D_PRIME:g}",
        open="is not shown to tell right from wrong better or worse",
    )
    if _is_one_call(criterion):
        return "says exactly the same: its prompts do not say whose an answer is"
    return f"{passes} (c {_format(criterion)}) and {tells} (d′ {_format(d_prime)})"


def _is_one_call(estimate: Estimate | None) -> bool:
    return estimate is not None and any(c.startswith("the calls are one") for c in estimate.caveats)


def _choose(
    estimate: Estimate | None, margin: float, *, below: str, above: str, none: str, open: str
) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return open
    if estimate.low > -margin and estimate.high < margin:
        return none
    if estimate.high < 0:
        return below
    return above if estimate.low > 0 else open


def _format(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.2f}"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
