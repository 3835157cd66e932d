"""Sentences in which a speaker states an answer, a confidence or a verdict of its own.

A sentence counts only if all of it is known: what comes before "the answer is" must be one of the
phrases below, and what comes after must be a value. "Agent 2 says the answer is 7", "If …, the
answer is 7" and "The answer is not 7" therefore are nobody's answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from debate.tasks.marks import Mark
from debate.tasks.ownership import ACCOUNTS, OTHERS, Ownership
from debate.tasks.values import MAX_TEXT_LENGTH

MAX_SENTENCES = 2000
"""A text with more sentences about an answer states none."""

MAX_INVERTED = 60
"""Characters of a value before "is the answer"."""

_LOOK_BACK = 300
_KIND = r"(?:final|correct|right|best|revised|updated|new|overall|most likely)"
_TRIGGER = re.compile(
    r"\b(?P<subject>(?:the |my |our )?(?:KIND,? ){0,3}(?:answer|option|choice)"
    r"(?: to (?:the|this|your) (?:question|problem|exercise))?)[*_]{0,4} {0,2}"
    r"(?:(?:is|remains|must be)\b(?!n['’]t)|(?P<mark>[:：]))".replace("KIND", _KIND),
    re.IGNORECASE,
)
_BOUNDARY = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)[.!?][\"”)*_]{0,4}(?=\s)|\n|[;]\s")
_SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"'”’)*_\]}]|\Z)|\n|;\s")
_I_THINK = (
    r"(?:i|we) (?:(?:can|still|now|also|therefore|thus|do|must) ){0,2}"
    r"(?:conclude|would say|think|believe|maintain|find|say|confirm|see|agree"
    r"(?: with (?:you|him|her|them|everyone|everybody|(?:the )?others"
    r"|agents? \w{1,12}(?: and (?:agent )?\w{1,12})?))?"
    r"|(?:am|are) (?:\w{1,12} )?(?:confident|sure|certain))(?: that)?"
)
_OPENER = (
    r"(?:so|thus|hence|therefore|finally|overall|now|and|clearly|ok|okay|yes|in conclusion"
    r"|in summary|in short|to conclude|to summari[sz]e|in the end|as a result|consequently"
    r"|accordingly|it follows that|it is clear that|(?:this|that|which) (?:means|shows|gives)"
    r"(?: us)?(?: that)?|step [0-9]{1,2}|conclusion|solution|result|summary|explanation|reasoning"
    rf"|final|end|{_I_THINK})"
)
_OPENERS = re.compile(rf"(?:{_OPENER}[*_]{{0,2}}[,:]?[*_]{{0,2}} {{0,2}}){{0,4}}", re.IGNORECASE)
_SO_LEAD = re.compile(
    r"(?P<lead>.{1,250})[,;] {0,2}(?:and )?(?:so|thus|hence|therefore|which means|meaning)"
    r"(?: that)?,? ?",
    re.IGNORECASE | re.DOTALL,
)
_AND_LEAD = re.compile(
    r"(?P<lead>.{1,250})[,;] {0,2}(?:and|then) (?:the )?", re.IGNORECASE | re.DOTALL
)
"""What may stand before "answer: 18", but not before "the answer is 18"."""
_FACT_LEAD = re.compile(
    r"(?!(?:with|without|in|on|for|under|at|once|then|as|given|take|leave|let|one|another|some|he"
    r"|she|they|others?|here|there)\b)"
    r"(?P<lead>[^,;]{1,120}?(?:\b(?:is|are|equals)\b|=)[^,;]{1,120}), {0,2}and ",
    re.IGNORECASE,
)
"""A plain statement before "and the answer is 18", which supposes no other case."""
_INVERTED = re.compile(
    rf"[*_\"”’]{{0,4}} is (?:the|my) (?:{_KIND},? ){{0,3}}(?:answer|option|choice)"
    r"(?: to (?:the|this|your) (?:question|problem|exercise))?[*_]{0,4}(?=[.!;\n]|\s{0,8}\Z)",
    re.IGNORECASE,
)
_TERM = (
    r"(?:[0-9][0-9.,]{0,12}|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
)
_OPERATION = r"(?: ?[-+*/×·÷−x] ?| (?:times|plus|minus|divided by|multiplied by|added to) )"
_EQUATION = re.compile(
    r"(?:(?:so|thus|hence|therefore),? )?(?:the )?"
    rf"(?:{_TERM}(?:{_OPERATION}{_TERM}){{1,4}}|(?:sum|product|difference) of {_TERM} and {_TERM})"
    r"(?: (?:is equal to|is|equals|makes|gives)| ?=)(?: (?:exactly|simply|just))? ?"
    r"(?P<value>[^\n=]{1,60})",
    re.IGNORECASE,
)
_SINCE_LEAD = re.compile(
    r"(?:since|because|by|adding|multiplying|subtracting|dividing)\b"
    r"(?P<lead>.{1,250}), ?(?:we get )?",
    re.IGNORECASE | re.DOTALL,
)
_UNSETTLED = re.compile(
    r"\b(?:if|unless|assum\w*|suppos\w*|imagine|when|whenever|would|could|might|may|maybe|perhaps"
    r"|should|not|never|nor|neither|cannot|provided|depending|otherwise|wrong|incorrect|false"
    r"|hypothetical\w*)\b|n['’]t\b|[\"“‘?]",
    re.IGNORECASE,
)
_SUPPOSES = re.compile(
    r"[\s*_-]{0,8}(?:suppose|assume|assuming|imagine|say|what if"
    r"|let['’]s (?:say|suppose|assume))\b",
    re.IGNORECASE,
)
_LABEL = re.compile(r"[\s*_#-]{0,8}([A-Z][\w.]{0,20}(?: [A-Z0-9][\w.]{0,20})?)[*_]{0,4}[:：]\s")
_OWN_LABELS = frozenset(
    [
        "answer",
        "final",
        "solution",
        "explanation",
        "reasoning",
        "conclusion",
        "result",
        "note",
        "check",
        "calculation",
        "therefore",
        "thought",
        "work",
        "verdict",
        "confidence",
        "question",
        "given",
        "step",
        "summary",
        "so",
        "thus",
        "hence",
        "problem",
        "analysis",
        "steps",
        "computation",
        "total",
        "end",
    ]
)
_QUALIFIER = re.compile(
    r"(?:[:：]|\b(?:still|indeed|therefore|thus|now|simply|just|clearly|hence|also|equal to)\b"
    r"|[ \t*_]){0,6}",
    re.IGNORECASE,
)
_REASON = re.compile(
    r",? (?:because|since|as)\b.*|, (?:not|i (?:think|believe)) .*"
    r"|[ ,;(]{1,3}(?:my )?confidence\b.*",
    re.IGNORECASE | re.DOTALL,
)


_DOUBTS = re.compile(
    r"\b(?:but|however|maybe|perhaps|unsure|not (?:sure|certain|right|correct|true)|doubt\w*|odd"
    r"|strange|wrong|incorrect|mistaken?|would (?:be|have been)|could be|might be|kidding|no)\b"
    r"|\?",
    re.IGNORECASE,
)
"""Words that make a sentence before them less than a statement."""

_OFFERS = re.compile(
    r"(?:would you|do you|is there|can i|may i|shall i|how (?:can|may) i|if you|let me know"
    r"|feel free|please)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_LOOK_AHEAD = 400


class Sentence(NamedTuple):
    """A sentence about an answer: where it begins, and the value that it names.

    `is_own` is False where the speaker does not state it: an account, a condition, a denial. A
    sentence that `is_inverted` names the value first: "18 is the answer."
    """

    start: int
    mark: Mark
    is_own: bool
    is_inverted: bool = False


def find_answer_sentences(text: str, start: int, owner: Ownership) -> list[Sentence] | None:
    """Return the sentences that name an answer, in order; None where they are too many."""
    found: list[Sentence] = []
    for pattern, read in ((_TRIGGER, _read_sentence), (_INVERTED, _read_inverted)):
        matches = list(islice(pattern.finditer(text, start), MAX_SENTENCES + 1))
        if len(matches) > MAX_SENTENCES:
            return None
        found += [each for match in matches if (each := read(text, start, match, owner))]
    return sorted(found)


def _read_sentence(
    text: str, start: int, match: re.Match[str], owner: Ownership
) -> Sentence | None:
    """Return the sentence around "the answer is"; None where it names no value."""
    begin = _find_begin(text, start, match.start())
    if match["mark"] and _is_line_begin(text, begin, match.start()):
        return None  # a marked line, which is read as one
    limit = match.end() + MAX_TEXT_LENGTH
    closing = _SENTENCE_END.search(text, match.end(), limit)
    end = closing.start() if closing else min(limit, len(text))
    skipped = _QUALIFIER.match(text, match.end(), end)
    first = skipped.end() if skipped else match.end()
    value = _REASON.sub("", text[first:end])
    value = value.strip(" \t\r*_\"'”’“‘")
    if not value:
        return None
    first = text.index(value, first)
    mark = Mark(first, first + len(value), value, "sentence", match.start())
    is_question = closing is not None and "?" in closing[0]
    is_own = (
        not is_question
        and owner.is_own(match.start())
        and _is_own_clause(text[begin : match.start()], is_mark=match["mark"] is not None)
        and not _UNSETTLED.search(value)
        and _is_settled(text, start, begin, end)
    )
    return Sentence(begin, mark, is_own)


def _is_settled(text: str, start: int, begin: int, end: int) -> bool:
    """Return whether what stands around the sentence [begin, end) leaves it a statement."""
    return not (
        _follows_supposition(text, start, begin)
        or _has_foreign_label(text, start, begin)
        or _DOUBTS.search(_find_rest(text, end))
    )


def _read_inverted(
    text: str, start: int, match: re.Match[str], owner: Ownership
) -> Sentence | None:
    """Return the sentence that ends in "is the answer"; None where its value is not a short one."""
    begin = _find_begin(text, start, match.start())
    head = text[begin : match.start()]
    lead = _SO_LEAD.match(head) or _OPENERS.match(head.lstrip())
    indent = len(head) - len(head.lstrip()) if lead and lead.re is _OPENERS else 0
    own = begin + indent + (lead.end() if lead else 0)
    value = text[own : match.start()].strip(" \t\r\n*_\"'”’“‘")
    if not value or len(value) > MAX_INVERTED:
        return None
    first = text.index(value, own)
    mark = Mark(first, first + len(value), value, "sentence", begin)
    is_own = (
        owner.is_own(match.start())
        and _is_own_clause(text[begin:own])
        and not (_UNSETTLED.search(value) or ACCOUNTS.search(value))
        and _is_settled(text, start, begin, match.end())
    )
    return Sentence(begin, mark, is_own, is_inverted=True)


def read_equation_clause(text: str) -> str | None:
    """Return the result of a calculation that is told in words or signs; None for another text.

    >>> read_equation_clause("Three times 2 is 6."), read_equation_clause("It is 6.")
    ('6.', None)
    """
    match = _EQUATION.fullmatch(text.strip())
    return None if match is None else match["value"]


def _find_begin(text: str, start: int, at: int) -> int:
    """Return where the sentence begins that holds `at`, at most _LOOK_BACK before it."""
    low = max(start, at - _LOOK_BACK)
    begin = low
    for boundary in _BOUNDARY.finditer(text, low, at):
        is_wrapped = boundary[0] == "\n" and _is_wrapped(text, low, boundary.start(), at)
        begin = begin if is_wrapped else boundary.end()
    return begin


def _is_wrapped(text: str, low: int, newline: int, at: int) -> bool:
    """Return whether a line goes on after this newline: the next word is in lower case."""
    before, after = text[low:newline].rstrip(" \t\r"), text[newline + 1 : at + 1].lstrip(" \t*_")
    return bool(before) and before[-1] not in ".!?:\n" and after[:1].islower()


def _is_line_begin(text: str, begin: int, at: int) -> bool:
    """Return whether nothing but signs stands between the beginning of the line and `at`."""
    is_first = begin == 0 or text[begin - 1] == "\n"
    return is_first and not text[begin:at].strip(" \t*_#-+•\"'“`([【0123456789.)")


def _is_own_clause(before: str, *, is_mark: bool = False) -> bool:
    """Return whether the words before "the answer is" leave it the speaker's own statement."""
    plain = before.strip().lstrip('*_#-+•> \t"“').strip() if before.count('"') <= 1 else before
    if ">" in before[:4]:
        return False
    if not plain or _OPENERS.fullmatch(f"{plain} "):
        return True
    for pattern in (_SO_LEAD, _SINCE_LEAD, _AND_LEAD if is_mark else _FACT_LEAD):
        match = pattern.fullmatch(f"{plain} ")
        if match:
            lead = match["lead"]
            return not _UNSETTLED.search(lead) and not ACCOUNTS.search(lead)
    return False


def _find_rest(text: str, end: int) -> str:
    """Return what follows a sentence, up to what offers further help."""
    return _OFFERS.sub("", text[end : end + _LOOK_AHEAD])


def _follows_supposition(text: str, start: int, begin: int) -> bool:
    """Return whether what stands before supposes something, or tells of somebody else's words.

    That is the sentence before, and of others who answer the paragraph so far.
    """
    low = max(start, begin - 4 * _LOOK_BACK)
    paragraph = max(low, text.rfind("\n\n", low, begin))
    if OTHERS.search(text, paragraph, begin):
        return True
    low = max(start, begin - _LOOK_BACK)
    before = text[low:begin].rstrip()
    ends = [boundary.end() for boundary in _BOUNDARY.finditer(before[:-1])]
    sentence = before[ends[-1] if ends else 0 :]
    return bool(_SUPPOSES.match(sentence) or ACCOUNTS.search(sentence))


def _has_foreign_label(text: str, start: int, begin: int) -> bool:
    """Return whether the line begins with somebody's name and a colon, as in a script."""
    low = max(start, begin - 2000)
    line = max(low, text.rfind("\n", low, begin) + 1)
    label = _LABEL.match(text, line)
    return label is not None and label[1].split(" ")[0].casefold() not in _OWN_LABELS


_WORD = r"(?P<word>(?:not )?(?:correct|right|accurate)|incorrect|wrong|inaccurate)"
_VERDICT = re.compile(
    r"(?:(?:the|your|this|that|his|her|their|agent \w{1,12}['’]s)"
    r"(?: (?:own|previous|earlier|given|proposed|final|last|student['’]s)){0,2}"
    r"|my (?:own )?(?:previous|earlier|last)) answer"
    r"(?: of [^\s.,;]{1,20})?,? (?:is|was) (?:(?:indeed|therefore|thus|also|in fact) )?"
    rf"{_WORD}",
    re.IGNORECASE,
)
_NAMES = re.compile(r"\bagent \w{1,12}", re.IGNORECASE)


class VerdictSentence(NamedTuple):
    """A sentence such as "The answer is wrong.": where its word stands, and what it says."""

    start: int
    end: int
    accepts: bool


def read_answer_clause(text: str) -> str | None:
    """Return the value of a clause such as "The final answer is 18. I hope that helps."

    >>> read_answer_clause("The final answer is 18. I hope that helps."), read_answer_clause("18")
    ('18', None)
    """
    match = _TRIGGER.match(text)
    if match is None or match["mark"]:
        return None
    closing = _SENTENCE_END.search(text, match.end())
    end = closing.start() if closing else len(text)
    is_settled = not (closing and "?" in closing[0]) and not _DOUBTS.search(text, end)
    value = _REASON.sub("", text[match.end() : end]).strip(" \t\r:*_\"'”’“‘")
    return value if value and is_settled and not _UNSETTLED.search(value) else None


def read_verdict_clause(text: str) -> bool | None:
    """Return what a clause such as "the previous answer is incorrect" says; None for another.

    >>> [read_verdict_clause(text) for text in ("The answer is not correct.", "It may be right")]
    [False, None]
    """
    match = _VERDICT.fullmatch(text.strip(" \t*_\"'.!"))
    return None if match is None else _is_acceptance(match["word"])


def _is_acceptance(word: str) -> bool:
    return word.casefold() in ("correct", "right", "accurate")


def find_verdict_sentences(text: str, start: int, owner: Ownership) -> Iterator[VerdictSentence]:
    """Yield the sentences in which the speaker finds an answer right or wrong."""
    for match in islice(_VERDICT.finditer(text, start), MAX_SENTENCES):
        begin = _find_begin(text, start, match.start())
        closing = _SENTENCE_END.search(text, match.end(), match.end() + 8)
        is_whole = (closing and not text[match.end() : closing.start()].strip(" *_")) or (
            not text[match.end() : match.end() + 9].strip(" *_")
        )
        if (
            is_whole
            and not (closing and "?" in closing[0])
            and owner.is_own(match.start())
            and _is_own_clause(text[begin : match.start()])
            and not _SUPPOSES.match(text, begin)
        ):
            yield VerdictSentence(*match.span("word"), _is_acceptance(match["word"]))


_PERCENT = (
    r"(?:about |around |approximately |roughly |~ ?|≈ ?)?"
    r"(?P<value>[0-9]{1,3}(?:\.[0-9]{1,10})? ?(?:\\?%|percent|per cent))"
)
_THIS = (
    r"(?:it|my (?:last |previous )?answer|the (?:last |previous )?answer|this(?: answer)?|that)"
    r"(?: (?:is|being) (?:correct|right))?"
)
_REPLIES = (
    r"i(?: am|['’]m) PERCENT (?:confident|sure|certain)(?: (?:that|in|of) THIS)?",
    r"(?:the|my) (?:answer|confidence|probability|likelihood|certainty|chance)"
    r"(?: (?:level|score))?(?: (?:that|in|of) THIS)? is:? PERCENT",
    r"there(?: is|['’]s) an? PERCENT (?:chance|probability|likelihood)(?: that THIS)?",
    r"it is PERCENT (?:likely|certain|probable) that THIS",
    r"(?:i(?:['’]d| would) say )?PERCENT(?: (?:correct|right|confident|sure|certain))?",
    r"PERCENT is (?:the|my) (?:answer|confidence|probability|likelihood|certainty|chance)",
)
_CHANCES = tuple(
    re.compile(each.replace("THIS", _THIS).replace("PERCENT", _PERCENT), re.IGNORECASE)
    for each in _REPLIES
)


def read_chance_clause(text: str) -> str | None:
    """Return the percentage of a sentence that replies to "how sure are you?"; None for another.

    >>> [read_chance_clause(text) for text in ("I'm about 95% sure", "100% wrong")]
    ['95%', None]
    """
    plain = text.strip(" \t\r\n*_\"'.!")
    found = (pattern.fullmatch(plain) for pattern in _CHANCES)
    return next((match["value"] for match in found if match), None)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text, each without the sign that ends it, but with "?"."""
    parts, at = [], 0
    for match in islice(_SENTENCE_END.finditer(text), MAX_SENTENCES):
        parts.append(text[at : match.start()] + ("?" if "?" in match[0] else ""))
        at = match.end()
    return [part for part in [*parts, text[at:]] if part.strip()]
