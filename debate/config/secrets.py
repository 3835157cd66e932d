"""Keys kept out of logs, manifests and messages: by the field's name, and in any text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "(hidden)"

_SECRET_NAME = re.compile(
    r"(^|[_-])((api|access|private|secret|auth)[_-]?key|(access|api|auth|hf|refresh|session)[_-]token"
    r"|secret|password|passwd|passphrase|authorization|credentials?|bearer|cookie)$|^token$",
    re.IGNORECASE,
)
_SECRET_VARIABLE = re.compile(r"^(?=.*(?:KEY|TOKEN|SECRET|PASSW|CREDENTIAL))[A-Z][A-Z0-9_]*$")
_KNOWN_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|gho|glpat|AKIA)[-_]?[A-Za-z0-9][A-Za-z0-9_-]{15,}"
)
_USER_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_KEY_IN_QUERY = re.compile(
    r"(?<=[?&])([\w-]*(?:key|token|secret|password))=[^&#\s]+", re.IGNORECASE
)
_KEY_IN_HEADER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a field or variable of this name holds a secret.

    >>> [is_secret_name(name) for name in ("api_key", "HF_TOKEN", "api_key_env", "max_tokens")]
    [True, True, False, False]
    """
    return bool(_SECRET_NAME.search(name) or _SECRET_VARIABLE.search(name))


def looks_like_key(text: str) -> bool:
    """Whether a text is a key itself, as the usual services write them.

    >>> looks_like_key("sk-proj-0123456789abcdefghij"), looks_like_key("MY_SERVICE_KEY")
    (True, False)
    """
    return bool(_KNOWN_KEY.fullmatch(text))


def redact(value: Any, name: str = "") -> Any:
    """Return the same value as plain data with what looks like a secret hidden.

    A string is hidden if its field is named like a key, a token or a password, or if it is written
    like a well-known kind of key; the user and password in front of a host, keys in a query, and
    authorisations are hidden in any string.

    >>> redact({"api_key": "sk-1", "api_key_env": "MY_KEY", "url": "http://me:pw@host/v1"})
    {'api_key': '(hidden)', 'api_key_env': 'MY_KEY', 'url': 'http://(hidden)@host/v1'}
    """
    if isinstance(value, Mapping):
        return {str(key): redact(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redact(each, name) for each in value]
    if not isinstance(value, str):
        return value
    return HIDDEN if is_secret_name(name) else redact_text(value)


def redact_text(text: str) -> str:
    """Return a text of any length with the keys in it hidden.

    >>> redact_text("GET http://me:pw@host/v1?api_key=1234 Bearer abcdefgh12345678")
    'GET http://(hidden)@host/v1?api_key=(hidden) Bearer (hidden)'
    """
    text = _KEY_IN_QUERY.sub(rf"\1={HIDDEN}", _USER_IN_ADDRESS.sub(HIDDEN, text))
    return _KNOWN_KEY.sub(HIDDEN, _KEY_IN_HEADER.sub(rf"\1 {HIDDEN}", text))
