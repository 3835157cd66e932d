"""Rates and back-off, without a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.engines.rate_limit import Backoff, RateLimiter, SharedPace, parse_retry_after


@given(
    st.lists(st.floats(min_value=0, max_value=30), min_size=2, max_size=60),
    st.floats(min_value=1, max_value=600),
)
def test_a_limiter_lets_no_two_calls_pass_closer_than_its_rate(
    gaps: list[float], per_minute: float
) -> None:
    limiter, now, passed = RateLimiter(per_minute), 0.0, []
    for gap in gaps:
        now += gap
        passed.append(now + limiter.reserve(now))
    distances = [later - earlier for earlier, later in pairwise(passed)]
    assert min(distances) >= 60 / per_minute - 1e-6


def test_without_a_rate_no_call_waits() -> None:
    limiter = RateLimiter(None)
    assert [limiter.reserve(5.0) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_back_off_doubles_up_to_its_cap_and_differs_between_requests() -> None:
    backoff = Backoff(base_s=1, cap_s=8)
    delays = [backoff.compute_delay_s("a", attempt) for attempt in range(2000)]
    assert all(0.5 * 2**n <= delays[n] <= 1.5 * 2**n for n in range(3))
    assert max(delays) <= 12
    assert delays == [backoff.compute_delay_s("a", attempt) for attempt in range(2000)]
    assert delays[0] != backoff.compute_delay_s("b", 0)


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "1.2.3"])
def test_an_unusable_retry_after_is_none(value: str) -> None:
    assert parse_retry_after({"Retry-After": value}) is None


def test_retry_after_may_be_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    found = parse_retry_after({"Retry-After": date})
    assert found is not None
    assert 3500 < found <= 3600


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"x-ratelimit-reset-requests": "1s"}, 1.0),
        ({"x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"X-RateLimit-Reset": "20ms"}, 0.02),
        ({"ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "6m0s"}, 1.0),
        (
            {
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-tokens": "0",
            },
            360.0,
        ),
        ({"Retry-After": "3", "x-ratelimit-reset-requests": "1s"}, 3.0),
        ({"retry-after": "3"}, 3.0),
        ({"anthropic-ratelimit-requests-reset": "1999-01-01T00:00:00Z"}, 0.0),
        ({"x-ratelimit-reset": "946684800"}, 946684800.0),
        ({"x-ratelimit-reset": "1000000001"}, 0.0),
        ({"x-ratelimit-reset": "1000000000001"}, 0.0),
        ({"x-ratelimit-reset-requests": "soon"}, None),
        ({"x-ratelimit-limit-requests": "60"}, None),
    ],
)
def test_the_reset_of_a_limit_that_is_used_up_is_the_wait(
    headers: dict[str, str], wanted: float | None
) -> None:
    assert parse_retry_after(headers) == wanted


def test_a_pause_that_begins_while_a_call_waits_holds_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pace, slept, now = SharedPace(), list[float](), [100.0]

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)
        now[0] += delay_s
        if len(slept) == 1:
            pace.hold(7.0, now[0])

    pace.hold(2.0, now[0])
    with monkeypatch.context() as patched:
        patched.setattr("asyncio.sleep", sleep)
        patched.setattr("time.monotonic", lambda: now[0])
        with pytest.raises(StopIteration):
            pace.wait().send(None)
    assert slept == [2.0, 7.0]
