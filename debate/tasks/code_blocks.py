"""Fenced blocks of a reply: programs that it gives as its answer, or has a tool run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

PYTHON = frozenset({"python", "py", "python3"})
"""What models call Python behind a fence."""

_FENCE = re.compile(r"[ \t]{0,8}(`{3,}|~{3,})[ \t]*([\w+.-]*)[^`\n]*")


class CodeBlock(NamedTuple):
    """A block: its language in small letters, what it holds, and its characters with the fences.

    `is_closed` says whether its second fence is there.
    """

    language: str
    source: str
    start: int
    end: int
    is_closed: bool


def find_blocks(text: str, start: int = 0) -> Iterator[CodeBlock]:
    r"""Yield the fenced blocks of a text from a character on, in their order.

    >>> [(b.language, b.source) for b in find_blocks("So:\n```Python\nx = 1\n```\n")]
    [('python', 'x = 1')]
    """
    opened: re.Match[str] | None = None
    inside: list[str] = []
    begun = at = start
    for line in text[start:].splitlines(keepends=True):
        plain = line.rstrip("\r\n")
        fence = _FENCE.fullmatch(plain)
        if opened is None and fence is not None:
            opened, inside, begun = fence, [], at
        elif opened is not None and _closes(plain, opened[1]):
            yield _make_block(opened, inside, begun, at + len(line), is_closed=True)
            opened = None
        elif opened is not None:
            inside.append(line)
        at += len(line)
    if opened is not None:
        yield _make_block(opened, inside, begun, at, is_closed=False)


def _closes(line: str, fence: str) -> bool:
    mark = line.strip()
    return len(mark) >= len(fence) and mark == fence[0] * len(mark)


def _make_block(
    opened: re.Match[str], inside: list[str], start: int, end: int, *, is_closed: bool
) -> CodeBlock:
    source = normalise_code("".join(inside))
    return CodeBlock(opened[2].casefold(), source, start, end, is_closed)


def normalise_code(code: str) -> str:
    r"""Return a program without blanks at the ends of lines and without blank lines around it.

    >>> normalise_code("\ndef f():  \n\treturn 1\r\n\n")
    'def f():\n\treturn 1'
    """
    return "\n".join(line.rstrip() for line in code.splitlines()).strip("\n")
