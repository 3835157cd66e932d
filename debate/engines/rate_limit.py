"""When to send a request and when to try again: rate limits, back-off, Retry-After."""

from __future__ import annotations

import asyncio
import random
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


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Parse the seconds that a `Retry-After` header (RFC 9110, 10.2.3) asks for; None without one.

    A header that cannot be read counts as none.

    >>> parse_retry_after({"Retry-After": "7"})
    7.0
    """
    value = headers.get("Retry-After", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
