"""Options of a choice as data files write them, and which of them a target means."""

from __future__ import annotations

import ast
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

from debate.errors import TaskError, Undecided
from debate.tasks.choice import LETTERS
from debate.tasks.values import fold_case
from debate.text import format_percent
from debate.types import Question

MAX_WRITTEN_LENGTH = 100_000
"""A longer text is not read as a list of options."""
YES_NO = ("yes", "no")
"""The options of a question whose target is true or false."""
READINGS = ("label", "letter", "index", "number", "text")
"""How a target may name its option: by the label, letter, place (from 0 or 1) or text."""

DESCRIPTIONS: Mapping[str, str] = {
    "label": "the option's label",
    "letter": "the option's letter",
    "index": "its place, counted from 0 (`target_as: index`)",
    "number": "its place, counted from 1 (`target_as: number`)",
    "text": "the option's text",
}
"""The readings in words."""

_TEXT_NAMES = ("text", "value", "content", "option")
_LABEL_NAMES = ("label", "key", "id", "letter")
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_PLACE = re.compile(r"([0-9]{1,2})(?:\.0)?")
_MEANINGS = {
    "index": "index (which counts from 0)",
    "number": "number (which counts from 1)",
}
_NO_COMMA = re.compile(r"['\"]\s+['\"]")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


class Options(NamedTuple):
    """The texts of options in the order of their letters, and their labels where they have some."""

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()


def read_options(cell: Any) -> Options:
    """Return options from a list, a mapping by label, lists of texts and labels, or a text of one.

    Raises ValueError for anything else, with what it is.

    >>> read_options({"text": ["Rome", "Paris"], "label": ["1", "2"]}).labels
    ('1', '2')
    >>> read_options("['Rome', 'Paris']").texts
    ('Rome', 'Paris')
    """
    written = _parse_written(cell) if isinstance(cell, str) else cell
    texts, labels = _split_labels(written)
    while texts and texts[-1] in (None, ""):
        texts, labels = texts[:-1], labels[: len(texts) - 1]
    options = Options(tuple(map(_to_option, texts)), tuple(map(_to_option, labels)))
    if not 2 <= len(texts) <= len(LETTERS) or not all(options.texts):
        raise ValueError(
            f"options are {_shorten(list(texts))}; 2 to {len(LETTERS)} non-empty ones are needed"
        )
    if len(set(options.labels)) < len(options.labels):
        raise ValueError(f"labels are {list(options.labels)}; each must occur once")
    return options


def read_option_columns(cells: Mapping[str, Any], names: Sequence[str]) -> Options:
    """Return options that stand in one column each; a target may name the column of the right one.

    >>> read_option_columns({"opa": "Rome", "opb": "Paris"}, ["opa", "opb"]).labels
    ('opa', 'opb')
    """
    options = read_options([cells[name] for name in names])
    has_labels = all(len(name) > 1 and not name.isdigit() for name in names)
    return Options(options.texts, tuple(names)[: len(options.texts)] if has_labels else ())


def _split_labels(written: Any) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the texts and the labels that a list or a mapping holds."""
    if isinstance(written, Mapping):
        texts, labels = written.get("text"), written.get("label")
        if isinstance(texts, list) and isinstance(labels, list):
            if len(texts) != len(labels):
                raise ValueError(f"options have {len(texts)} texts and {len(labels)} labels")
            return texts, labels
        if not any(isinstance(each, list | dict) for each in written.values()):
            is_lettered = sorted(written) == list(LETTERS[: len(written)])
            names = sorted(written) if is_lettered else list(written)
            return [written[name] for name in names], names
    if isinstance(written, list):
        texts = _collect(written, _TEXT_NAMES)
        return (written, ()) if texts is None else (texts, _collect(written, _LABEL_NAMES) or ())
    raise ValueError(
        f"options are {_shorten(written)}; a list is needed, or one column for each option"
    )


def _collect(written: Sequence[Any], names: Sequence[str]) -> list[Any] | None:
    """Return what all of these objects hold under the first of the names that some of them have.

    None where these are no objects, or none has such a name.
    """
    if not written or not all(isinstance(each, Mapping) for each in written):
        return None
    name = next((name for name in names if any(name in each for each in written)), None)
    if name is None:
        return None
    if not all(name in each for each in written):
        raise ValueError(f"options are {_shorten(written)}; some have no {name}")
    return [each[name] for each in written]


def _parse_written(text: str) -> Any:
    """Return the list or mapping that a text writes, as JSON or as Python does; else the text."""
    if not text.lstrip().startswith(("[", "{", "(", "array(")):
        return text
    if len(text) > MAX_WRITTEN_LENGTH:
        raise ValueError(
            f"the text of the options is longer than {MAX_WRITTEN_LENGTH:,} characters"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        found = _evaluate(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(
            f"options are the text {_shorten(text)}, which is no list as JSON or Python writes it"
        ) from None
    if isinstance(found, list) and len(found) == 1 and _NO_COMMA.search(text):
        raise ValueError(f"options are the text {_shorten(text)}, which lacks commas between them")
    return found


def _evaluate(node: ast.expr) -> Any:
    """Return the plain value that is written, also in the arrays that pandas writes."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_evaluate(each) for each in node.elts]
    if isinstance(node, ast.Dict) and all(node.keys):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        if len(set(keys)) < len(keys):
            raise ValueError
        return dict(zip(map(str, keys), map(_evaluate, node.values), strict=True))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "array":
        return _evaluate(node.args[0]) if len(node.args) == 1 else None
    if isinstance(node, ast.Name) and node.id == "nan":
        return None
    return ast.literal_eval(node)


def _to_option(cell: Any) -> str:
    if isinstance(cell, bool | list | dict | tuple | bytes):
        raise ValueError(f"the option {_shorten(cell)} is neither a text nor a number")
    return "" if cell is None else str(cell).strip()


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:199] + "…"


def read_truth(target: object) -> bool | None:
    """Return the truth value that a target states, written as true, false, yes or no; else None."""
    return _TRUTH.get(str(target).strip().lower())


def read_target(target: object, options: Options) -> Mapping[str, str]:
    """Return the letter of the option that a target means, by each reading that fits.

    >>> read_target(2, Options(("Rome", "Paris", "Oslo")))
    {'index': 'C', 'number': 'B'}
    """
    text = str(target).strip()
    place, letter = _PLACE.fullmatch(text), _LETTER.fullmatch(text)
    folded = fold_case(text)
    labels = [label.casefold() for label in options.labels]
    same = [i for i, option in enumerate(options.texts) if fold_case(option) == folded]
    at = {
        "label": labels.index(text.casefold()) if text.casefold() in labels else None,
        "letter": LETTERS.index(letter[1].upper()) if letter else None,
        "index": int(place[1]) if place else None,
        "number": int(place[1]) - 1 if place else None,
        "text": same[0] if len(same) == 1 else None,
    }
    return {
        how: LETTERS[i] for how, i in at.items() if i is not None and 0 <= i < len(options.texts)
    }


def find_target(target: object, options: Options, readings: Sequence[str] = READINGS) -> str:
    """Return the letter of the option that a target means, by one of these readings.

    Raises ValueError where none fits, or where two that do disagree.
    """
    found = {how: at for how, at in read_target(target, options).items() if how in readings}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    if found:
        raise ValueError(f"target {target!r} {_tell_readings(found)}; {_advise(found)}")
    offered = ", ".join(map(repr, options.texts))
    labels = f" labelled {', '.join(options.labels)}" if options.labels else ""
    raise ValueError(
        f"target {target!r} is none of the options A to {LETTERS[len(options.texts) - 1]}: "
        f"{offered}{labels} (`target_as: {readings[0] if len(readings) == 1 else 'auto'}`)"
    )


def _tell_readings(found: Mapping[str, str]) -> str:
    said = " or ".join(f"{letter} as {_MEANINGS.get(how, how)}" for how, letter in found.items())
    return f"may mean {said}"


def _advise(found: Mapping[str, str]) -> str:
    names = list(found)
    return f"set `target_as` to {', '.join(names[:-1])} or {names[-1]}"


class _Place(NamedTuple):
    location: str
    target: object
    found: Mapping[str, str]


@dataclass(slots=True)
class TargetTally:
    """Which readings fit the targets of a whole file, and where two that fit disagree."""

    num: int = 0
    num_fits: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, _Place] = field(default_factory=dict)
    """By reading of places, the first target that is a place under the other alone."""
    differing: dict[tuple[str, str], _Place] = field(default_factory=dict)
    """By pair of readings, the first target that they read differently."""

    def add(self, location: str, target: object, options: Options) -> None:
        """Count one question's target."""
        found = read_target(target, options)
        self.num += 1
        for how in found:
            self.num_fits[how] = self.num_fits.get(how, 0) + 1
        place = _Place(location, target, found)
        for pair in combinations(found, 2):
            if found[pair[0]] != found[pair[1]]:
                self.differing.setdefault(pair, place)
        for how, other in (("index", "number"), ("number", "index")):
            if other in found and how not in found and "text" not in found:
                self.unfit.setdefault(how, place)

    def choose_readings(self) -> tuple[str, ...]:
        """Return the readings by which every target is to be read.

        That is one where one fits all targets, and labels where these do. Raises TaskError where
        several fit all and disagree, and where some targets count from 0 and others from 1.
        """
        fitting = tuple(how for how in READINGS if self.num_fits.get(how) == self.num)
        if fitting and (fitting[0] == "label" or len(fitting) == 1):
            return fitting[:1]
        for pair, place in self.differing.items():
            if set(pair) <= set(fitting):
                found = {how: place.found[how] for how in fitting}
                raise Undecided(
                    f"{place.location}: target {place.target!r} {_tell_readings(found)}, and no "
                    f"row decides; {_advise(found)}",
                    field="target_as",
                    choices={
                        how: f"{place.target!r} means {letter} as {_MEANINGS.get(how, how)}"
                        for how, letter in found.items()
                    },
                )
        if len(self.unfit) == 2 and not fitting:
            index, number = self.unfit["number"], self.unfit["index"]
            raise TaskError(
                f"{index.location}: target {index.target!r} can only be an index, which counts "
                f"from 0, and at {number.location} {number.target!r} only a number, which counts "
                "from 1; write all of them alike"
            )
        return fitting[:1] or tuple(how for how in READINGS if how not in self.unfit)


def shuffle_options(question: Question, seed: int) -> Question:
    """Return the question with its options in an order drawn by seed and id; the target follows.

    >>> asked = Question(id="q", text="?", kind="choice", options=("yes", "n", "m"), target="A")
    >>> moved = shuffle_options(asked, 1)
    >>> moved.options["ABC".index(moved.target)]
    'yes'
    """
    if question.kind != "choice":
        return question
    order = list(range(len(question.options)))
    random.Random(f"{seed}/options/{question.id}").shuffle(order)
    target = question.target
    return replace(
        question,
        options=tuple(question.options[place] for place in order),
        target=None if target is None else LETTERS[order.index(LETTERS.index(target))],
    )


FEW_TARGETS = 3
"""Of fewer questions nothing is said about where their right options stand."""
MOST_TARGETS = 0.9
"""The share of right options at one letter from which on this is told, of 20 or more questions."""


def describe_same_target(questions: Iterable[Question]) -> str | None:
    """Return a warning where the right option is the same letter in all choices, or nearly all.

    Yes and no keep their places, so that only all of them being one is told.
    """
    letters, num_open = Counter[str](), 0
    for question in questions:
        if question.kind == "choice" and question.target is not None:
            letters[question.target] += 1
            num_open += question.options != YES_NO
    num = letters.total()
    if num < FEW_TARGETS:
        return None
    letter, most = letters.most_common(1)[0]
    if most < num and (num_open < num or num < 20 or most < MOST_TARGETS * num):
        return None
    where = f"all {num:,}" if most == num else f"{most:,} of {num:,}"
    always = "always right" if most == num else f"right in {format_percent(most / num)} of them"
    return (
        f"the right option is {letter} in {where} questions, so that who always says {letter} "
        f"is {always}; `shuffle_options: true` under `task` draws an order for each question"
    )
