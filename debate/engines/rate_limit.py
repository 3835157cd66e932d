"""When to send a request and when to try again: rate limits, back-off, Retry-After."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class RateLimiter:
    """Lets calls pass at a steady rate: a token bucket that holds one token.

    In any minute at most `per_minute` + 1 calls pass. Without a rate no call waits.
    """

    def __init__(self, per_minute: float | None) -> None:
        self._interval_s = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0

    def reserve(self, now: float) -> float:
        """Take the next place in line; return the seconds to wait for it from `now` on.

        >>> limiter = RateLimiter(per_minute=30)
        >>> [limiter.reserve(now=100.0) for _ in range(3)]
        [0.0, 2.0, 4.0]
        """
        at = max(now, self._next)
        self._next = at + self._interval_s
        return at - now

    async def acquire(self) -> None:
        """Wait for the next place in line."""
        if self._interval_s:
            await asyncio.sleep(self.reserve(time.monotonic()))


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """The wait before another attempt: doubling from `base_s` up to `cap_s`, ± 50 %."""

    base_s: float = 0.5
    cap_s: float = 30.0

    def compute_delay_s(self, request_id: str, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt` (from 0) has failed.

        The jitter depends on the request and the attempt alone.
        """
        jitter = random.Random(f"{request_id}/{attempt}").uniform(0.5, 1.5)
        return jitter * min(self.cap_s, self.base_s * 2.0 ** min(attempt, 60))


class SharedPace:
    """Holds back all calls to one model while its server asks for patience.

    After a pause, calls leave at a distance, which shrinks with each that is answered.
    """

    _SHARE, _MOST_S, _LEAST_S, _EASE = 1 / 20, 1.0, 1e-3, 0.8

    def __init__(self) -> None:
        self._resume_at = 0.0
        self._interval_s = 0.0
        self._num_holds = 0

    def hold(self, delay_s: float, now: float) -> None:
        """Let no call leave for so long from `now` on.

        >>> pace = SharedPace()
        >>> pace.hold(4.0, now=100.0)
        >>> [round(pace.reserve(now=101.0), 1) for _ in range(3)]
        [3.0, 3.2, 3.4]
        """
        self._num_holds += 1
        self._resume_at = max(self._resume_at, now + delay_s)
        self._interval_s = max(self._interval_s, min(self._MOST_S, delay_s * self._SHARE))

    def ease(self) -> None:
        """Note that a call was answered."""
        eased = self._interval_s * self._EASE
        self._interval_s = eased if eased > self._LEAST_S else 0.0

    def reserve(self, now: float) -> float:
        """Take the next place in line; return the seconds to wait for it from `now` on."""
        at = max(now, self._resume_at)
        if self._interval_s:
            self._resume_at = at + self._interval_s
        return at - now

    async def wait(self) -> None:
        """Wait for the next place in line, and for a new one where a pause began meanwhile."""
        num_holds = -1
        while num_holds != self._num_holds:
            num_holds = self._num_holds
            delay_s = self.reserve(time.monotonic())
            if delay_s > 0:
                await asyncio.sleep(delay_s)


_UNITS_S = {"ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|h|d|)(?![a-z])")
_DURATIONS = re.compile(r"(\d{1,12}(?!\d)(\.\d{1,9}(?!\d))?\s*(ms|s|m|h|d|)\s*)+")
_RESET = re.compile(r"(?:x-)?(?:[a-z]+-)?ratelimit-(?:reset-?([a-z-]*)|([a-z-]+)-reset)")
_EPOCH_S, _EPOCH_MS = 1e9, 1e12
"""A reset of at least so much is no duration, but a time: seconds or milliseconds since 1970."""
_ASKED_IN_WORDS = re.compile(
    r"(?:try|retry) again (?:in|after)\s+((?:\d+(?:\.\d+)?\s*(?:ms|s|m|h)(?![a-z])\s*)+)"
    r"|(?:try|retry) again (?:in|after)\s+(\d+(?:\.\d+)?\s*s)econds?"
    r'|"retryDelay":\s*"((?:\d+(?:\.\d+)?(?:ms|s|m|h))+)"',
    re.IGNORECASE,
)


def parse_retry_after(headers: Mapping[str, str], body: str = "") -> float | None:
    """Parse the seconds that a server asks to wait; None where it does not say.

    They stand in `retry-after-ms`, in `Retry-After` (RFC 9110, 10.2.3) as seconds or a date, in the
    words of the error, as in "try again in 1m20s" and `"retryDelay": "34s"`, or else in
    `x-ratelimit-reset-requests` and its like, of the limit that is used up. What cannot be read
    counts as absent.

    >>> parse_retry_after({"Retry-After": "7"}), parse_retry_after({"retry-after-ms": "250"})
    (7.0, 0.25)
    >>> parse_retry_after({"x-ratelimit-reset-requests": "6m0s"})
    360.0
    """
    named = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = named.get("retry-after-ms", "")
    if re.fullmatch(r"\d{1,12}(\.\d+)?", milliseconds):
        return float(milliseconds) / 1000
    value = named.get("retry-after", "")
    asked = _parse_duration_s(value) if _DURATIONS.fullmatch(value) else _parse_date(value)
    if asked is None and (match := _ASKED_IN_WORDS.search(body)):
        asked = _parse_duration_s(next(filter(None, match.groups())))
    return _find_reset(named) if asked is None else asked


def _find_reset(named: Mapping[str, str]) -> float | None:
    """Find when the limit that is used up is full again; of several that may be it, the soonest."""
    resets, spent = [], []
    for name, value in named.items():
        match = _RESET.fullmatch(name)
        reset = _parse_reset(value) if match else None
        if match is None or reset is None:
            continue
        resets.append(reset)
        remaining = named.get(name.replace("reset", "remaining"), "")
        if re.fullmatch(r"0+(\.0+)?", remaining):
            spent.append(reset)
    return max(spent) if spent else min(resets, default=None)


def _parse_reset(value: str) -> float | None:
    """Parse a duration, a date, or a time since 1970 as seconds from now on, at least 0."""
    is_number = re.fullmatch(r"\d{1,16}(\.\d{1,9})?", value)
    if not is_number and not _DURATIONS.fullmatch(value):
        return _parse_date(value)
    seconds = float(value) if is_number else _parse_duration_s(value)
    if seconds < _EPOCH_S:
        return seconds
    at = seconds / 1000 if seconds >= _EPOCH_MS else seconds
    return max(0.0, at - time.time())


def _parse_duration_s(text: str) -> float:
    """Parse a duration such as `7`, `1.5s`, `20ms` or `1m20s`."""
    return sum(
        float(number) * _UNITS_S[unit.lower()] for number, unit in _DURATION.findall(text.lower())
    )


def _parse_date(value: str) -> float | None:
    """Return the seconds until a date of HTTP or ISO 8601, at least 0; None where it is none."""
    try:
        is_iso = re.match(r"\d{4}-\d\d-\d\dT", value)
        date = datetime.fromisoformat(value) if is_iso else parsedate_to_datetime(value)
        aware = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, (aware - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
