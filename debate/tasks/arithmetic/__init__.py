"""Arithmetic questions with exact answers: families, slips, and a split by hash.

A question is a short text such as `347+589`, `347*8`, `947%558` or `h+c-k`; its answer is a
string. Letters `a` to `w` stand for the residues 0 to 22 of the chains modulo 23. Whether a
question belongs to the train, validation or test split depends on its text alone.
"""

from debate.tasks.arithmetic.drawing import ArithmeticQuestion, Split, draw, questions, split
from debate.tasks.arithmetic.families import FAMILIES, Family, family
from debate.tasks.arithmetic.slips import slip
from debate.tasks.arithmetic.values import RESIDUES, value

__all__ = [
    "FAMILIES",
    "RESIDUES",
    "ArithmeticQuestion",
    "Family",
    "Split",
    "draw",
    "family",
    "questions",
    "slip",
    "split",
    "value",
]
