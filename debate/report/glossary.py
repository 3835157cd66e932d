"""The glossary as the page shows it, and what the headings of tables mean.

The words stand once, in docs/glossary.md, and what each measure is in the registry of measures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from debate.analysis.registry import MEASURES
from debate.text import split_names

PAGE = "glossary.md"
_HEADING = re.compile(r"^#{2,3} (.+?)$", re.MULTILINE)
_TERM = re.compile(r"^- \*\*(.+?)\*\*(?: \((.+?)\))?: (.+?)(?=^- |^#|\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `(.+?)` \| (.+?) \|$", re.MULTILINE)
_LINK = re.compile(r"\[(.+?)\]\(.+?\)")

COLUMN_TERMS: Mapping[str, str] = {
    "arm": "condition",
    "vote, openings": "vote_0",
    "vote, end": "vote_T",
    "error amplification": "amplification",
    "hypothesis": "hypothesis",
    "outcome": "conclusion",
    "estimate": "estimate",
    "round": "round",
    "agent": "agent",
    "model": "model",
    "critic": "edge",
    "author": "edge",
    "seed": "seed",
    "rule": "rule",
    "question": "question",
    "questions": "question",
    "abstained": "abstention",
    "cut off": "cut",
    "failed": "failure",
}
"""Headings that are no measure, and the term of the glossary that explains them."""
COLUMN_WORDS: Mapping[str, str] = {
    "claim": "the estimate that decides, in which arm, against which control, and on which side",
    "p, no effect": "probability of a difference as large if there were no effect, after Holm",
    "detectable": "the least true effect whose interval lies off 0 in 80 % of studies of this size",
    "questions to decide": "about how many questions asked would decide, at the same effect; where "
    "only some bear on the claim, below stands how many of those asked do",
    "another round?": "whether the last round's gain says that a further round would pay",
    "first": "the number of what stands first in the comparison",
    "second": "the number of what stands second in the comparison",
    "difference": "first − second, by question, with its 95 % interval",
    "comparison": "what is taken off what, each of the same debates",
    "p (Holm)": "exact probability of a difference as large by chance, corrected for the family",
    "p (McNemar)": "exact probability by the questions on which the two differ",
    "turns": "how many turns the tokens were used for",
    "kind": "what a turn states: an opening, a critique, a revision, a judgment, a probe",
    "heard": "whom the agent had heard just before",
    "n": "number of cases that the number is made of",
    "": "a measure, one a line",
    "models": "the models of the team, each with the number of its seats",
    "team": "whether the members are of one model or of several, or a team's name",
    "best member": "the accuracy of the member that is right most often, in its openings",
    "against": "the arm whose number is taken off",
    "by way of": "the kind of turn by which the critic was heard, such as an opening or a critique",
    "the critic was": "what became of the critic's answer that was heard: right, wrong, or none",
    "and surer?": "whether the critic was surer than the hearer before",
    "flip": "the direction in which an answer changed between right and wrong",
    "goes back to": "who among those heard had stated the answer that was flipped to",
    "that was": "the kind of turn by which that answer was heard",
    "flips": "how many flips; one that several critics may have caused is shared among them",
    "share": "the part of all flips of this direction in the arm",
    "edge": "critic → author: the author heard the critic",
    "adoption": "the share of hearings after which the author states the critic's answer, of those "
    "in which it had stated another",
    "prompt tokens": "tokens of all prompts, those that a cache held among them",
    "of them cached": "tokens of prompts that the model's server took from its cache",
    "generated tokens": "tokens of all replies",
    "steepest turn": "the turn at which confidence in an error rose most, and by how much",
    "heard just before": "whom the agent had heard before that turn",
    "adds to EAI": "its part of error amplification in the arm; all parts of an arm add up to it",
    "trajectories": "how many trajectories, each one agent's states in one debate, it is made of",
    "category": "the category of the questions",
    "p (martingale test)": "probability of a mean change as far from zero if belief had no drift",
    "label": "under whose name the critic was shown the answer",
    "judged": "how many answers were judged",
    "judgements": "how many judgements",
    "lacks": "what is missing for the number",
    "tokens": "mean tokens of a debate in the arm",
    "tokens there": "mean tokens of a debate in the arm that it is compared with",
    "gain": "the difference that is regressed on the error correlation",
    "of the line": "slope, or the correlation at which the line crosses zero",
    "notes": "what tempers the number",
    "value": "the number with its 95 % interval",
    "balanced accuracy on others'": "balanced accuracy of judgements on answers of others",
}
"""Headings that are neither a measure nor a term of the glossary."""
_SUFFIXES = split_names(", openings|, end|, before|, after|, change", separator="|")


class Term(NamedTuple):
    """One word with its meaning; names: what stands for it in frames and files."""

    word: str
    names: str
    told: str


class Part(NamedTuple):
    """A part of the glossary: its heading, its terms, and its listed values with their words."""

    title: str
    terms: tuple[Term, ...]
    values: tuple[Term, ...]


@cache
def read_glossary() -> tuple[Part, ...]:
    """Return the parts of docs/glossary.md that have terms or values, in its order."""
    text = _find_page().read_text(encoding="utf-8")
    heads = list(_HEADING.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    parts = (
        _read_part(head[1], text[head.end() : end]) for head, end in zip(heads, ends, strict=True)
    )
    return tuple(part for part in parts if part.terms or part.values)


def _find_page() -> Path:
    """The page in an installed package, else in the checkout's docs."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "shipped" / PAGE
    return installed if installed.is_file() else package.parent / "docs" / PAGE


def _read_part(title: str, text: str) -> Part:
    terms = [Term(word, _plain(names), _plain(told)) for word, names, told in _TERM.findall(text)]
    rows = text.partition("|---|")[2]
    values = [Term(name, "", _plain(told)) for name, told in _ROW.findall(rows)]
    return Part(title, tuple(terms), tuple(values))


def _plain(markdown: str) -> str:
    """The text on one line, without the marks of links and code."""
    return _LINK.sub(r"\1", " ".join(markdown.split())).replace("`", "")


def list_values(heading: str) -> dict[str, str]:
    """Return the values listed under a heading of the glossary, each with its words."""
    found = [part.values for part in read_glossary() if part.title == heading]
    return {value.word: value.told for values in found for value in values}


@cache
def explain_column(heading: str) -> str:
    """Return what a table's heading means, in a sentence; empty where the page does not know it.

    >>> explain_column("vote, end")[:53]
    'vote_T: The score of the verdict after the last round'
    >>> explain_column("no such heading")
    ''
    """
    bare = next((heading.removesuffix(s) for s in _SUFFIXES if heading.endswith(s)), heading)
    for name in (heading, bare):
        if told := COLUMN_WORDS.get(name) or _explain_term(name) or _explain_measure(name):
            return told
    return ""


def _explain_term(heading: str) -> str:
    terms = {term.word: term for part in read_glossary() for term in part.terms}
    found = terms.get(COLUMN_TERMS.get(heading, ""))
    return f"{found.word}: {found.told}" if found else ""


def _explain_measure(words: str) -> str:
    """The first measure that is shown under these words, with its formula and unit."""
    for measure in MEASURES.values():
        if words in (measure.words, measure.name):
            unit = f" Unit: {measure.unit}." if measure.unit else ""
            return f"{measure.name}: {measure.formula}.{unit}"
    return ""
