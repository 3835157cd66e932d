"""Numbers in a log that can be none: found, told, and taken for absent.

A log may hold what an endpoint made up, or what was written into it by hand. Whoever reads it goes
on without such a number: a count of tokens beyond `MAX_TOKENS`, a time that is not finite, a
probability outside [0, 1]. A place in a debate is none where seed or round is beyond all bounds;
its line is corrupted, for there is nothing to go on with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from debate.types import LOG_P_SLACK, MAX_TOKENS, Usage

T = TypeVar("T")

MAX_SECONDS = 1e10
"""The longest time that a call or a wait can take; some three hundred years."""
MAX_DATE = 253_402_300_799.0
"""The last second of the year 9999, after which no calendar goes."""
MAX_SEED = 2**53
MAX_ROUND = 10_000
MAX_WEIGHT = 1e15
"""The largest weight of an answer in a verdict."""
MAX_FAILED = 10**9

_USAGE = tuple((each.name, each.name.endswith("_tokens")) for each in fields(Usage))


class SoundValue(NamedTuple, Generic[T]):
    """A value without the numbers that are none, and those in words."""

    value: T
    faults: tuple[str, ...] = ()


def find_false_place(value: Any) -> str | None:
    """Say what is wrong with the seed or the round of a line; None where nothing is.

    >>> from debate.types import DebateKey
    >>> find_false_place(DebateKey(cell="ring", question="q", seed=2**70))
    'seed is 1180591620717411303424'
    """
    for name, most in (("seed", MAX_SEED), ("round", MAX_ROUND)):
        number = getattr(value, name, 0)
        if not -most <= number <= most:
            return f"{name} is {number}"
    return None


def drop_false_numbers(value: T) -> SoundValue[T]:
    """Return a turn, a verdict or a part of one without the numbers that are none.

    >>> from debate.types import Turn
    >>> told = Turn(cell="c", question="q", seed=0, round=0, kind="opening", agent="a", model="m",
    ...             usage=Usage(prompt_tokens=2**62))
    >>> drop_false_numbers(told).faults
    ('prompt_tokens is 4611686018427387904',)
    """
    changes: dict[str, Any] = {}
    faults = [fault for check in _CHECKS for fault in check(value, changes)]
    return SoundValue(_replace(value, changes), tuple(faults)) if faults else SoundValue(value)


def is_time(number: float | None) -> bool:
    """Whether a number of seconds is one; absent ones are.

    >>> is_time(None), is_time(0.5), is_time(float("nan")), is_time(-1)
    (True, True, False, False)
    """
    return number is None or 0 <= number <= MAX_SECONDS


def is_count(number: int | None) -> bool:
    """Whether a number of tokens is one; absent ones are."""
    return number is None or 0 <= number <= MAX_TOKENS


def _check_usage(value: Any, changes: dict[str, Any]) -> Iterator[str]:
    usage = getattr(value, "usage", None)
    wrong: dict[str, None] = {}
    for name, is_tokens in _USAGE if usage is not None else ():
        number = getattr(usage, name)
        if not (is_count(number) if is_tokens else is_time(number)):
            wrong[name] = None
            yield f"{name} is {number}"
    if wrong:
        changes["usage"] = _replace(usage, wrong)


def _check_confidences(value: Any, changes: dict[str, Any]) -> Iterator[str]:
    found = getattr(value, "confidences", ())
    kept = tuple([each for each in found if 0 <= each.value <= 1]) if found else found
    if len(kept) < len(found):
        changes["confidences"] = kept
        for each in found:
            if not 0 <= each.value <= 1:
                yield f"{each.source} confidence is {each.value}; it must be in [0, 1]"


def _check_belief(value: Any, changes: dict[str, Any]) -> Iterator[str]:
    belief = getattr(value, "belief", None)
    for log_p in belief.log_p.values() if belief is not None else ():
        if not log_p <= LOG_P_SLACK:
            changes["belief"] = None
            yield f"a log-probability of its belief is {log_p}"
            return


def _check_dates(value: Any, changes: dict[str, Any]) -> Iterator[str]:
    for name in ("started_at", "finished_at"):
        number = getattr(value, name, 0.0)
        if not 0 <= number <= MAX_DATE:
            changes[name] = 0.0
            yield f"{name} is {number}"


def _check_verdict(value: Any, changes: dict[str, Any]) -> Iterator[str]:
    tally = getattr(value, "tally", None)
    if not isinstance(tally, Mapping):
        return
    wrong = {answer: w for answer, w in tally.items() if not (w <= MAX_WEIGHT)}
    if wrong:
        changes["tally"] = {answer: w for answer, w in tally.items() if answer not in wrong}
        yield from (f"the weight of an answer is {w}" for w in wrong.values())
    for name in ("score", "confidence"):
        number = getattr(value, name)
        if number is not None and not 0 <= number <= 1:
            changes[name] = None
            yield f"{name} is {number}; it must be in [0, 1]"
    if not 0 <= getattr(value, "num_failed", 0) <= MAX_FAILED:
        yield f"num_failed is {getattr(value, 'num_failed', 0)}"
        changes["num_failed"] = 0


_CHECKS = (_check_usage, _check_confidences, _check_belief, _check_dates, _check_verdict)


def _replace(value: Any, changes: Mapping[str, Any]) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.replace(value, **changes)
    return replace(value, **changes)


def find_false_sample(sample: Any) -> str | None:
    """Say which number of a sample of utilisation is none; None where all are numbers.

    Its counts and times have no values that stand for absent ones.
    """
    for each in fields(sample):
        number = getattr(sample, each.name)
        for one in number if isinstance(number, tuple) else (number,):
            if isinstance(one, int | float) and not _fits(each.name, one):
                return f"{each.name} is {one}"
    return None


def _fits(name: str, number: float) -> bool:
    if name == "at":
        return 0 <= number <= MAX_DATE
    return math.isfinite(number) and 0 <= number <= MAX_TOKENS
