"""The URL of an endpoint, checked where it is written and taken apart where it is asked."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """Return the parts of an endpoint's URL. Raises ValueError for what cannot be asked.

    The value is not repeated: it may hold a key.

    >>> split_url("http://localhost:8000/v1").port
    8000
    """
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "a url begins with http:// or https:// and a host, as in http://localhost:8000/v1"
        )
    return parts
