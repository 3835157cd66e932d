"""The registry of measures: every name that an analysis may print, told once.

Tables, contrasts, hypotheses, what things are called, the catalogue of names and the reference
page derive from it. A new measure is one entry in the file of its family.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from debate.analysis.calibration import CALIBRATION, RESAMPLED
from debate.analysis.contrasts import CONTRASTS
from debate.analysis.diversity import PAIRS, TEAM
from debate.analysis.factors import FACTORS
from debate.analysis.flips import FLIPS, HEARING
from debate.analysis.judging import JUDGING
from debate.analysis.measures import CONTRASTED, COST, OF_VOTE
from debate.analysis.members import MEMBERS
from debate.analysis.minority import MINORITIES
from debate.analysis.quantity import Measure
from debate.analysis.reference_free import REFERENCE_FREE
from debate.analysis.teams import DOSE
from debate.analysis.tokens import AT_EQUAL_TOKENS
from debate.analysis.verification import VERIFICATION

FAMILIES: Mapping[str, Mapping[str, Measure]] = MappingProxyType(
    {
        "Members, after a round and since round 0": MEMBERS,
        "For other models and prompts, too": FACTORS,
        "Conditions against their controls": CONTRASTS,
        "Calibration": CALIBRATION,
        "Change of calibration": RESAMPLED,
        "Flips": FLIPS,
        "Hearing": HEARING,
        "The team's answer": {name: CONTRASTED[name] for name in OF_VOTE},
        "How two members err": PAIRS,
        "How a team errs": TEAM,
        "Right against the majority": MINORITIES,
        "Equal tokens": AT_EQUAL_TOKENS,
        "Cost": COST,
        "Dose and response": DOSE,
        "Judgements": JUDGING,
        "What verdicts are worth": VERIFICATION,
        "Debates without a truth": REFERENCE_FREE,
    }
)
"""The measures by what they are about, in the order of the reference page."""
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {name: m for family in FAMILIES.values() for name, m in family.items()}
)
"""Every measure by name: what a hypothesis may be about."""
OTHER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "best_member": "best member",
        "nothing_heard": "nothing heard",
        "nobody_heard": "nobody heard",
    }
)
"""Columns of tables that are no measures."""


def get_words(name: str) -> str:
    """A measure's name, or another name of ours, as people read it.

    >>> get_words("eai_over_control"), get_words("vote_brier"), get_words("double_fault")
    ('error amplification over control', 'vote: Brier', 'double fault')
    """
    if name in MEASURES:
        return MEASURES[name].words
    return OTHER_WORDS.get(name, name.replace("_", " "))


def is_signed(name: str) -> bool:
    """Whether a measure may lie on either side of zero, so that its sign is always shown."""
    return name in MEASURES and MEASURES[name].is_signed


def write_reference() -> str:
    """The reference page of all measures, in Markdown."""
    return "\n".join(_write_lines()) + "\n"


def _write_lines() -> Iterator[str]:
    yield from (
        "# Estimates",
        "",
        "Every number that `debate analyze --all` prints and a hypothesis may name. Made from the",
        "registry of measures by `python -m debate.analysis.registry`; do not edit.",
        "",
        "c is the confidence of the estimator that is analysed, which every table names; round 0",
        "holds the openings. Intervals are 95 %, clustered by question, or by the `cluster` that",
        "the data name.",
        "",
        "Whose numbers: *members* are all who answer but judges; in an arm about an author, the",
        "author alone. The *team* are the members that vote. Confederates, such as scripted",
        "speakers, and tools are heard and have no ballot: they are not of the team. Votes, pairs,",
        "teams and samples at equal tokens are of the team; the tokens that samples are matched",
        "to, and those of a debate, are of all its turns, critiques and judgments among them, but",
        "probes. A script calls no model, and uses no tokens.",
    )
    for title, family in FAMILIES.items():
        yield from ("", f"## {title}", "")
        yield "| name | shown as | what it is | unit | interval | source |"
        yield "|---|---|---|---|---|---|"
        for m in family.values():
            made = m.method or INTERVAL_WORDS[m.kind]
            cells = (f"`{m.name}`", m.words, m.formula, m.unit or "–", made)
            shown = [cell.replace("|", "\\|") for cell in (*cells, m.source or "–")]
            yield f"| {' | '.join(shown)} |"


INTERVAL_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "proportion": "Wilson at the clustered effective size",
        "mean": "clustered t",
        "difference": "Tango (one pair a cluster) or clustered t with its floor; sign-flips",
        "gap": "MOVER",
        "contrast": "clustered t of the paired difference; sign-flips",
        "yule_q": "from the log odds ratio",
        "phi": "from the log odds ratio",
        "smooth": "delta method, clustered",
        "linear": "linearised, clustered",
        "inside_unit": "clustered t of the logit",
        "root": "clustered, linear in the square",
    }
)
"""How the interval of each kind of measure is made, as the reference page says it."""


if __name__ == "__main__":
    print(write_reference(), end="")
