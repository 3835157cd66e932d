"""Everything about private judgements in one value, and the answer that they give in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from debate.analysis.alternatives import MEASURES as CHANGES
from debate.analysis.alternatives import alternatives, labels
from debate.analysis.estimate import Estimate
from debate.analysis.familiarity import TERMS, familiarity
from debate.analysis.matrix import MEASURES, matrix, matrix_table
from debate.analysis.overtrust import overtrust

MARGIN = 0.05
"""An over-trust gap that certainly lies within this of zero is called none."""
CHANCE = 0.5
NAMES = (
    *MEASURES, *TERMS, *CHANGES, "over_trust_gap", "over_trust_logit", "over_acceptance_gap",
    "false_accept_gap", "discernment_gap", "over_trust_gap_change", "label_effect",
    "judging_tokens",
)  # fmt: skip
"""Every estimate that is made of judgements."""
ANSWERS = {"cell": pl.String, "answer": pl.String}


class Judging(NamedTuple):
    """Estimates, and the tables `cross_critique` (a row for each cell, critic and author) and
    `cross_critique_answers` (a sentence for each cell).
    """

    estimates: list[Estimate]
    tables: dict[str, pl.DataFrame]


def judging(judged: pl.DataFrame | None) -> Judging:
    """What the judgements (columns: `debate.analysis.judgements`) tell; empty without any."""
    if judged is None or judged.is_empty():
        empty = {"cross_critique": matrix_table([]),
                 "cross_critique_answers": pl.DataFrame(schema=ANSWERS)}  # fmt: skip
        return Judging([], empty)
    found = matrix(judged)
    table = matrix_table(found)
    found += [*overtrust(judged), *familiarity(judged), *alternatives(judged), *labels(judged)]
    said = [{"cell": c, "answer": answer(found, c)} for c in sorted(judged["cell"].unique())]
    answers = pl.DataFrame(said, schema=ANSWERS)
    return Judging(found, {"cross_critique": table, "cross_critique_answers": answers})


def answer(estimates: Sequence[Estimate], cell: str) -> str:
    """Is it critique that fails, or critique of oneself? One sentence with its intervals."""
    found = {(e.name, e.subject): e for e in estimates if e.cell == cell}
    skill = found.get(("judging_balanced_accuracy", "others"))
    gap = found.get(("over_trust_gap", None))
    beyond = found.get(("own_effect_given_likelihood", None))
    return f"{_of_critique(skill)}; {_of_oneself(gap)}{_of_familiarity(gap, beyond)}."


def _of_critique(skill: Estimate | None) -> str:
    if skill is None or skill.value is None or skill.low is None or skill.high is None:
        return "Nothing tells whether critics know others' right answers from wrong ones"
    shown = f"balanced accuracy on others' answers {_shown(skill)}"
    if skill.low > CHANCE:
        return f"Critique works ({shown})"
    if skill.high < CHANCE:
        return f"Critique is worse than a coin ({shown})"
    return f"Critique is not shown to be better than a coin ({shown})"


def _of_oneself(gap: Estimate | None) -> str:
    if gap is None or gap.value is None or gap.low is None or gap.high is None:
        return "whether one is milder on oneself cannot be said: no " + _lacking(gap)
    shown = f"P(True) of own minus others' wrong answers to the same questions {_shown(gap)}"
    if gap.low > -MARGIN and gap.high < MARGIN:
        return f"one's own errors are judged like others', within {MARGIN:g} ({shown})"
    if gap.low > 0:
        return f"it fails more on oneself ({shown})"
    if gap.high < 0:
        return f"it fails less on oneself ({shown})"
    return f"whether it fails more on oneself is undecided ({shown})"


def _lacking(gap: Estimate | None) -> str:
    return gap.missing if gap is not None and gap.missing else "interval"


def _of_familiarity(gap: Estimate | None, beyond: Estimate | None) -> str:
    """Whether a gap is still there between answers that the critic finds equally likely."""
    if gap is None or gap.low is None or gap.low <= 0 or beyond is None or beyond.low is None:
        return ""
    shown = f"own effect {_shown(beyond)} logit"
    if beyond.low > 0:
        return f", also between answers that the critic finds equally likely ({shown})"
    return f", but not shown to between answers that the critic finds equally likely ({shown})"


def _shown(estimate: Estimate) -> str:
    sign = "" if estimate.name == "judging_balanced_accuracy" else "+"
    ends = f"[{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"
    return f"{estimate.value:{sign}.3f} {ends}"
