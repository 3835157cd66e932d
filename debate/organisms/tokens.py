"""The character vocabulary that every organism shares."""

from __future__ import annotations

from collections.abc import Iterable

from debate.tasks.arithmetic import RESIDUES

PAD, BOS, EOS, UNKNOWN = "<pad>", "<bos>", "<eos>", "<unk>"
CHARACTERS = "\nQPCAVy0123456789+-*%" + RESIDUES
"""Every character that a document may contain; each is one token."""

TOKENS: tuple[str, ...] = (PAD, BOS, EOS, UNKNOWN, *CHARACTERS)
IDS: dict[str, int] = {token: index for index, token in enumerate(TOKENS)}
PAD_ID, BOS_ID, EOS_ID, UNKNOWN_ID = (IDS[token] for token in (PAD, BOS, EOS, UNKNOWN))
NEWLINE_ID = IDS["\n"]


def encode(text: str) -> list[int]:
    """Token ids of a text, one for each character, without <bos> or <eos>.

    >>> encode("Q3")
    [5, 14]
    """
    return [IDS[character] for character in text]


def decode(ids: Iterable[int]) -> str:
    """The text of token ids; special tokens are dropped.

    >>> decode(encode("Q347+589"))
    'Q347+589'
    """
    return "".join(TOKENS[i] for i in ids if i > UNKNOWN_ID)
