"""What in a reply is not its speaker's own word: quotations, accounts, what is taken back.

Nothing here decides what an answer is. It says where a stated one is nobody's: between quotation
marks, in a block that a line such as "Agent 2 wrote:" introduces, or before words such as "Wait,"
by which the speaker takes back what stands above.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from debate.tasks.answer_format import AnswerFormat
from debate.tasks.marks import is_mark_line

_WHO = (
    r"agents?|debaters?|critics?|judges?|reviewers?|solvers?|assistants?|users?|humans?|models?"
    r"|students?|teachers?|textbook|somebody|someone"
)
_SAYS = (
    r"says|said|saying|writes|wrote|states|stated|claims|claimed|claim|repl(?:ies|ied)|responds"
    r"|responded|argues?|argued|thinks|thought|believes|believed|suggests|suggested|proposes"
    r"|proposed|answers|answered|concludes|concluded|according"
)
_YOU = (
    r"you(?! (?:(?:can|should|must|need|have|will|may|simply|just|first|then|also|only|now) ){0,2}"
    r"(?:to )?(?:add|multiply|subtract|divide|take|count|find|start|begin|use|calculate|compute"
    r"|look|combine|sum|double|convert|determine|solve|eat|bake|cook|buy|sell|pay|spend|save"
    r"|earn|need|have left|walk|run|drive|fill)\b)"
)
"""Somebody who is spoken to, but not anybody who reckons or acts: "you multiply 3 by 6"."""

ACCOUNTS = re.compile(
    rf"\b(?:agents?|debaters?|critics?|judges?|reviewers?|students?|textbook|somebody|someone"
    rf"|(?:other|another|the) models?|the others|{_YOU}|{_SAYS})\b",
    re.IGNORECASE,
)
"""Words in an account of what somebody else says."""

OTHERS = re.compile(
    r"\b(?:agents?|debaters?|critics?|reviewers?|(?:other|another|the) models?|somebody|someone"
    r"|the others|(?:student|peer|teacher)s?['’]s? (?:answer|solution|reasoning|work|attempt))\b",
    re.IGNORECASE,
)
"""Words that name others who answer."""

_EARLIER = r"previous|earlier|prior|original|initial|first|last|old"
_WORK = r"answers?|solutions?|repl(?:y|ies)|responses?|reasoning|work|attempt|statement|argument"
_INTRODUCES = re.compile(
    rf"\b(?:agents?|debaters?|critics?|students?|reviewers?|other models?|{_SAYS}|examples?"
    r"|(?:format|template|sample)s? (?:is|was|looks?)"
    rf"|(?:{_EARLIER}|his|her|their|your|others?['’]?) (?:\w+ )?(?:{_WORK}))\b",
    re.IGNORECASE,
)
_OWN_HEAD = re.compile(
    rf"\b(?:my|our|the (?:final|correct|corrected|right))\b(?!\s+(?:{_EARLIER}|review|view of))"
    r"|\b(?:i|we) (?:would|will|can|get|find)\b",
    re.IGNORECASE,
)
_NAMED_HEAD = re.compile(
    rf"[\W_]*(?:{_WHO})\s?\w{{0,3}}(?:['’]s?(?: \w+){{1,2}})?[\W_]*", re.IGNORECASE
)
_LABEL = re.compile(
    rf"[\s*_#>-]{{0,8}}(?:{_WHO})\s?\w{{0,3}}(?:['’]s(?: \w+){{1,2}})?\s?(?:\([^)\n]{{0,40}}\))?"
    r"[*_]{0,4}\s?[:：]",
    re.IGNORECASE,
)
_OWN_VOICE = re.compile(
    r"[\s*_#]{0,8}(?:my|i|i['’]m|we|however|but|let me|let['’]s|now|so|therefore|thus|hence|finally"
    r"|in conclusion|overall|correct|corrected|final|conclusion|the correct|the final)\b",
    re.IGNORECASE,
)
_RECITES = re.compile(
    r"[\s*_#\"“-]{0,8}(?:your|my|the|his|her|their) (?:own )?"
    rf"(?:{_EARLIER}) (?:{_WORK}) (?:was|is|were)[*_]{{0,4}}[:：][*_]{{0,4}}[ \t]{{0,8}}\n"
    r"(?![ \t]{0,8}\S{1,12}[ \t]{0,8}\n)",
    re.IGNORECASE,
)
"""A text that begins by giving an earlier answer again, in more than a word."""

_FENCE = re.compile(r'[\s>]{0,8}(?:"{3,}|”{3,})')
_PAIR = re.compile(r'"[^"]*"|“[^”]*”|«[^»]*»')
_PARAGRAPH = re.compile(r"\n[ \t\r]*\n")

_BEGINS = r"(?:^|(?<=[.!?…:;*_)\n—])[ \t\n]{1,3}|(?<=[*_(—]))[ \t*_(\"-]{0,4}"
_SIGH = r"(?:(?:but|oh|hm+|no|oops|ah|so|and|well|however)\b[,.…!]{0,3} {0,2}){0,2}"
_CHANGED_MIND = (
    r"wait\b(?! (?:for|until))|hold on\b|actually\b|correction\b|scratch that|on second thoughts?"
    r"|oops\b|sorry\b|apologies|no[,.!:—–]|hm+\b[,.…]|i (?:made|see) (?:a|an|my) (?:mistake|error)"
    r"|my mistake|i (?:was|am) (?:wrong|mistaken)|i['’]m (?:wrong|mistaken|no longer)"
    r"|i am no longer"
    r"|i take (?:that|it|this|it all) back|i take back|i (?:need|have) to correct|i withdraw"
    r"|let me (?:correct|recalculate|re-?check|reconsider|recount|redo|try again|count again"
    r"|start over|fix|rethink)"
)
_REFUTES = (
    r"(?:(?:that|this|it)(?: (?:answer|result|solution|number))?|(?:the|my) (?:answer|result)"
    r"(?: (?:above|i gave))?)(?:['’]s| is| was| seems| looks| cannot be| can['’]t be) "
    r"(?:not (?:right|correct|what|true)|wrong|incorrect|false|a mistake|impossible)"
    rf"|(?:that|this|it)(?:['’]s| is| was) (?:what|how|from|according to)\b[^.\n]{{0,40}}"
    rf"\b(?:{_WHO}|he|she|they)\b"
)
_TAKES_BACK = re.compile(
    rf"{_BEGINS}{_SIGH}(?:{_CHANGED_MIND}|(?P<refutes>{_REFUTES}))", re.IGNORECASE | re.MULTILINE
)
_NO = re.compile(r"\b(?:no|oops)\b", re.IGNORECASE)
_RECENT = 200
_MARGIN = 8


_WORD = re.compile(r"[a-z]+")
_ACCOUNT_WORDS = frozenset(re.findall(r"[a-z]+", f"{_WHO} {_SAYS} {_EARLIER} {_WORK}")) | {
    *(
        "example",
        "examples",
        "format",
        "template",
        "sample",
        "formats",
        "agent",
        "agents",
        "student",
        "students",
        "reply",
        "replies",
    ),
    *("solution", "solutions", "response", "responses", "answers", "user", "model", "human"),
    *("replied", "respond", "argue", "argued", "argues", "claims", "his", "her", "their", "your"),
    *(f"{word}s" for word in ("debater", "critic", "judge", "reviewer", "solver", "assistant")),
    *("users", "humans", "models", "teachers"),
}
"""A text without any of these has no account of what somebody else says."""

_CHANGE_WORDS = frozenset(
    [
        "wait",
        "hold",
        "actually",
        "correction",
        "scratch",
        "second",
        "oops",
        "sorry",
        "apologies",
        "no",
        "mistake",
        "mistaken",
        "wrong",
        "longer",
        "back",
        "correct",
        "withdraw",
        "let",
        "this",
        "that",
        "it",
    ]
)
"""A text without any of these, and without "hm", takes nothing back."""


class Ownership(NamedTuple):
    """Where a text is not its speaker's own word.

    `quoted` and `told` are spans in order: between quotation marks, and in accounts of others.
    What stands before `taken_back` is withdrawn; what stands from `tail` on is marks alone. A
    verdict, which is always about somebody's answer, is withdrawn before `changed_mind` only: "This
    is wrong." does not take it back.
    """

    quoted: list[tuple[int, int]]
    told: list[tuple[int, int]]
    taken_back: int
    changed_mind: int
    tail: int

    def is_quoted(self, at: int) -> bool:
        """Return whether this place is between quotation marks."""
        return _covers(self.quoted, at)

    def is_told(self, at: int) -> bool:
        """Return whether this place is in an account of what somebody else says."""
        return _covers(self.told, at)

    def is_own(self, at: int) -> bool:
        """Return whether this place is the speaker's own word, and is not taken back."""
        return at >= self.taken_back and not self.is_quoted(at) and not self.is_told(at)

    def for_verdicts(self) -> Ownership:
        """Return the same for verdicts and confidences."""
        return self._replace(taken_back=self.changed_mind)


@lru_cache(maxsize=4)
def find_ownership(text: str, start: int, format: AnswerFormat) -> Ownership:
    """Find what of the text from `start` on is not its speaker's own word.

    The last few are remembered: answer, confidence and verdict are read from one text in turn.
    """
    lowered = text.lower()
    words = {*_WORD.findall(lowered)}
    has_quotes = any(sign in text for sign in "\"'“”‘«>")
    has_accounts = has_quotes or not _ACCOUNT_WORDS.isdisjoint(words)
    tail = _find_tail(text, start, format) if has_accounts else start
    blocks, told = _find_blocks(text, start, tail) if has_accounts else _Blocks([], [])
    quoted = _merge([*blocks, *_find_pairs(text, start, tail)]) if has_quotes else []
    whole = Ownership(quoted, told, start, start, tail)
    if _CHANGE_WORDS.isdisjoint(words) and "hm" not in lowered:
        return whole
    taken_back = changed_mind = start
    for match in _TAKES_BACK.finditer(text, start):
        if whole.is_quoted(match.start()) or whole.is_told(match.start()):
            continue
        if match["refutes"] is None or _NO.search(match[0]):
            taken_back = changed_mind = match.end()
        elif not _is_about_others(text, match):
            taken_back = match.end()
    return whole._replace(taken_back=taken_back, changed_mind=changed_mind)


def _covers(spans: list[tuple[int, int]], at: int) -> bool:
    found = bisect_right(spans, (at, float("inf"))) - 1
    return found >= 0 and spans[found][0] <= at < spans[found][1]


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _is_about_others(text: str, match: re.Match[str]) -> bool:
    """Return whether "This is wrong." follows a sentence about somebody else."""
    recent = text[max(0, match.start() - _RECENT) : match.start()]
    sentences = re.split(r"[.!?]\s|\n", recent.rstrip(" .!?\n*_"))
    return ACCOUNTS.search(sentences[-1]) is not None


def _find_tail(text: str, start: int, format: AnswerFormat) -> int:
    """Return where the marked and blank lines begin with which the text ends."""
    tail = len(text)
    for _ in range(64):
        begin = text.rfind("\n", start, max(start, tail - 1)) + 1
        begin = max(begin, start)
        if tail <= start or not is_mark_line(text[begin:tail].rstrip("\n"), format):
            break
        tail = begin
    return tail


class _Blocks(NamedTuple):
    quoted: list[tuple[int, int]]
    told: list[tuple[int, int]]


def _find_blocks(text: str, start: int, tail: int) -> _Blocks:
    """Find the lines that are quoted (fences, `>`), and those that an account introduces.

    An account goes on until, after a blank line, the speaker's own voice is heard, or the marks
    begin with which the text ends; not so where the text begins by giving an earlier answer again,
    which these marks may end.
    """
    quoted: list[tuple[int, int]] = []
    told: list[tuple[int, int]] = []
    in_fence = is_told = has_begun = after_blank = False
    is_recital = _RECITES.match(text, start) is not None
    for begin, end in _iter_lines(text, start):
        line = text[begin:end]
        if _FENCE.match(line):
            quoted.append((begin, end))
            in_fence = in_fence != (line.count('"""') + line.count("”””") == 1)
            has_begun = True
        elif in_fence or line.lstrip().startswith(">"):
            quoted.append((begin, end))
        elif not line.strip():
            after_blank = True
            continue
        else:
            if is_told and after_blank and has_begun:
                is_told = not (_OWN_VOICE.match(line) or (begin >= tail and not is_recital))
            is_head = introduces(line)
            is_told = is_told or is_head or _LABEL.match(line) is not None
            has_begun = not is_head
            if is_told:
                told.append((begin, end))
        after_blank = False
    return _Blocks(quoted, told)


def _iter_lines(text: str, start: int) -> Iterator[tuple[int, int]]:
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield start, end + 1
        start = end + 1


def introduces(line: str) -> bool:
    """Return whether what follows the line is an account of what somebody else says.

    >>> [introduces(line) for line in ("Agent 2 wrote:", "### Agent 2", "Here is my answer:")]
    [True, True, False]
    """
    plain = line.strip(" \t\r\n*_#-")
    if len(plain) > _RECENT:
        return False
    if _NAMED_HEAD.fullmatch(plain):
        return True
    has_colon = plain.endswith((":", "："))
    return has_colon and bool(_INTRODUCES.search(plain)) and not _OWN_HEAD.search(plain)


def _find_pairs(text: str, start: int, tail: int) -> Iterator[tuple[int, int]]:
    """Yield what stands between quotation marks, paragraph by paragraph.

    A line that is nothing but a quotation is the speaker's own if only marks follow it.
    """
    if not any(sign in text for sign in '"“«'):
        return
    begin = start
    for gap in [*_PARAGRAPH.finditer(text, start), None]:
        end = gap.start() if gap else len(text)
        for pair in _PAIR.finditer(text, begin, end):
            if not _is_whole_line(text, pair, tail):
                yield pair.span()
        begin = gap.end() if gap else end


def _is_whole_line(text: str, pair: re.Match[str], tail: int) -> bool:
    """Return whether the pair is all of its line, up to list dashes, and only marks follow it."""
    before = text[max(0, pair.start() - _MARGIN) : pair.start()]
    after = text[pair.end() : pair.end() + _MARGIN]
    is_begun = "\n" in before or pair.start() < _MARGIN
    is_ended = "\n" in after or pair.end() + _MARGIN > len(text)
    around = before.rpartition("\n")[2] + after.partition("\n")[0]
    is_line = is_begun and is_ended and "\n" not in pair[0] and not around.strip(" \t\r*_-.")
    return is_line and pair.end() + len(after.partition("\n")[0]) + 1 >= tail
