"""Keep keys out of what is written down: by the field's name, and in addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"

_SECRET_NAME = re.compile(
    r"(^|[_-])((api|access|private|secret)[_-]?key|(access|api|auth|hf|refresh)[_-]token"
    r"|secret|password|passwd|authorization|credentials?|bearer|cookie)$|^token$",
    re.IGNORECASE,
)
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_KEY_IN_QUERY = re.compile(r"(?<=[?&])([\w-]*(?:key|token|secret))=[^&#\s]+", re.IGNORECASE)


def redacted(value: Any, name: str = "") -> Any:
    """The same value as plain data with what looks like a secret hidden.

    A string is hidden if its field is named like a key, a token or a password; the user and
    password in front of a host, and keys in a query, are hidden in any string.

    >>> redacted({"api_key": "sk-1", "api_key_env": "MY_KEY", "url": "http://me:pw@host/v1"})
    {'api_key': '(hidden)', 'api_key_env': 'MY_KEY', 'url': 'http://(hidden)@host/v1'}
    """
    if isinstance(value, Mapping):
        return {str(key): redacted(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(each, name) for each in value]
    if not isinstance(value, str):
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    return _KEY_IN_QUERY.sub(rf"\1={HIDDEN}", _USER_IN_ADDRESS.sub(HIDDEN, value))
