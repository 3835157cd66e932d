"""Private reasoning told apart from the reply that it leads to.

Models that reason write it before their reply, between marks. A server that knows the marks gives
it in a field of its own; of all other texts it is taken out here. An opening mark that is never
closed makes all that follows reasoning; a closing one that was never opened, because the prompt
ended with the opening one, all that comes before.
"""

from __future__ import annotations

import re
from dataclasses import replace

from debate.engines.base import Completion
from debate.engines.spans import CharacterSpan, replace_spans

_WORDS = (
    r"(?:[a-z]{1,20}[:_]){0,3}"
    r"(?:think|thinking|thought|thoughts|reasoning|scratchpad|inner_monologue)"
)
_PAIRS = (
    (rf"<{_WORDS}\s?>", rf"</{_WORDS}\s?>"),
    (r"\[THINK(?:ING)?\]", r"\[/THINK(?:ING)?\]"),
    ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
    (
        r"<\|(?:START_THINKING|begin_of_thought|thinking_start)\|>",
        r"<\|(?:END_THINKING|end_of_thought|thinking_end)\|>",
    ),
    (
        r"(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)(?:<\|message\|>)?",
        r"<\|end\|>",
    ),
    (r"\Aanalysis(?=[A-Z])", r"assistantfinal"),
    (r"<unused94>(?:thought)?", r"<unused95>"),
    (r"<\|channel>(?:thought|thinking|analysis)\b", r"<channel\|>"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
)
_MARKS = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in _PAIRS
)
_FRAME = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>final(?:<\|message\|>)?|<\|(?:START|END)_RESPONSE\|>"
    r"|<\|(?:begin|end)_of_solution\|>"
)
"""Marks around the reply itself, which belong to neither."""

SCORED_AS_THOUGHTS = (
    "candidates cannot be scored: the chat template begins the model's private reasoning, so they "
    "would be scored as thoughts; switch it off, as by template_options: {enable_thinking: false} "
    "(of an endpoint: extra_body: {chat_template_kwargs: {enable_thinking: false}})"
)
"""Why a prompt that ends inside reasoning has no scores."""

_MAX_MARK = 80
"""Characters at the end of a prompt among which an opening mark is looked for."""

_HINT = re.compile(r"[<\[\u25c1]|\Aanalysis[A-Z]")


def split_reasoning(completion: Completion, *, is_opened: bool = False) -> Completion:
    """Return the completion with reasoning in `reasoning`, and only the reply in text and tokens.

    `is_opened` says that the prompt ended with an opening mark. What stands in `reasoning` already
    comes first.

    >>> split_reasoning(Completion(id="1", text="<think>2+2</think>\\nAnswer: 4")).text
    'Answer: 4'
    """
    text = completion.text
    if not is_opened and not _HINT.search(text):
        return completion
    spans, is_open = find_reasoning(text, is_opened=is_opened)
    if not spans:
        return completion
    thoughts = [_strip_marks(text[start:end]) for start, end in spans]
    thoughts = [each for each in (completion.reasoning or "", *thoughts) if each]
    removed = _widen(text, _merge([*spans, *(match.span() for match in _FRAME.finditer(text))]))
    shown, tokens = replace_spans(text, completion.tokens, removed)
    return replace(
        completion,
        text=shown,
        tokens=tokens,
        reasoning="\n\n".join(thoughts) or None,
        is_reasoning_open=is_open,
    )


def ends_open(prompt: str, prefill: str = "") -> bool:
    """Whether a prompt, with the beginning of the reply behind it, ends inside reasoning.

    >>> ends_open("<|assistant|>\\n<think>\\n"), ends_open("<think>\\n\\n</think>\\n\\n")
    (True, False)
    >>> ends_open("<think>\\n", "Answer: "), ends_open("<think>\\n", "</think>\\n\\nAnswer: ")
    (True, False)
    """
    if prefill:
        is_opened = ends_open(prompt)
        return ends_open(prefill) or (is_opened and find_reasoning(prefill, is_opened=True)[1])
    end = prompt[-_MAX_MARK:].rstrip()
    return any(match.end() == len(end) for o, _ in _MARKS for match in o.finditer(end))


def find_reasoning(text: str, *, is_opened: bool = False) -> tuple[list[CharacterSpan], bool]:
    """Find the spans of reasoning with their marks, and whether the last one is never closed."""
    spans: list[CharacterSpan] = []
    is_open = False
    for opening, closing in _MARKS:
        found, open_here = _find_pairs(text, opening, closing)
        spans += found
        is_open = is_open or open_here
    if is_opened and not any(start == 0 for start, _ in spans):
        # The prompt opened it and nothing has closed it.
        return [(0, len(text))], True
    return _merge(spans), is_open


def _find_pairs(
    text: str, opening: re.Pattern[str], closing: re.Pattern[str]
) -> tuple[list[CharacterSpan], bool]:
    """Find what stands between the marks of one kind, and whether the last is never closed.

    A second opening mark in a row opens nothing; a second closing one ends the same reasoning where
    there was such a mark, and is otherwise a stray.
    """
    marks = [(match.start(), match.end(), True) for match in opening.finditer(text)]
    marks += [(match.start(), match.end(), False) for match in closing.finditer(text)]
    spans: list[CharacterSpan] = []
    begun: int | None = None
    num_inner = 0
    for start, end, opens in sorted(marks):
        if opens:
            num_inner += begun is not None
            begun = start if begun is None else begun
        elif begun is not None or not spans:
            spans.append((begun or 0, end))
            begun = None
        elif num_inner:
            spans[-1] = (spans[-1][0], end)
            num_inner -= 1
        else:
            spans.append((start, end))
    is_open = begun is not None and _begins_line(text, begun)
    return ([*spans, (begun or 0, len(text))] if is_open else spans), is_open


def _begins_line(text: str, start: int) -> bool:
    return not text[:start].rpartition("\n")[2].strip()


def _strip_marks(text: str) -> str:
    for opening, closing in _MARKS:
        text = closing.sub("", opening.sub("", text))
    return text.strip()


def _merge(spans: list[CharacterSpan]) -> list[CharacterSpan]:
    """Return the spans in order, those that overlap as one."""
    merged: list[CharacterSpan] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _widen(text: str, spans: list[CharacterSpan]) -> list[CharacterSpan]:
    """Take with each span the white space after it, where nothing but that comes before it."""
    widened: list[CharacterSpan] = []
    for start, end in spans:
        if not text[:start].strip() or (widened and not text[widened[-1][1] : start].strip()):
            rest = text[end:]
            end += len(rest) - len(rest.lstrip())
        widened.append((start, end))
    return _merge(widened)
