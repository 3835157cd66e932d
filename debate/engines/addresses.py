"""Where an endpoint is and how it is reached: URLs, headers with keys, proxies, certificates."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib import request as proxies_of_urllib
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from debate.config.models import VARIABLE_IN_TEXT, OpenaiModel
from debate.config.urls import split_url
from debate.engines.dialects import Dialect
from debate.errors import EngineError
from debate.input_files import find_file_problem

_CHAT = "/chat/completions"
_CALL = re.compile(r"/+(chat/completions|completions|responses|messages)/*$", re.IGNORECASE)
"""The end of the address of a call, where what is needed is the address above it."""
_AZURE_VERSION = "2024-10-21"
_PLACEHOLDERS = frozenset({"lm-studio", "not-needed", "no-key-required", "sk-no-key-required"})
_LEAST_SECRET_LENGTH = 8
"""Shorter keys are placeholders such as EMPTY, or occur in any text by chance, as 1234 does."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """An endpoint's addresses, each with the query of the configured URL."""

    chat: str
    completions: str
    models: str
    root: str

    def at_root(self, path: str) -> str:
        """Return the address of a path beside the version, such as `/tokenize`."""
        parts = urlsplit(self.root)
        return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def make_address(url: str, model: str, dialect: Dialect | None) -> Address:
    """Make the addresses of an endpoint, also from that of one of its calls.

    Raises EngineError for a URL that holds a password.

    >>> make_address("https://host/v1/chat/completions?v=2", "m", None).completions
    'https://host/v1/completions?v=2'
    """
    parts = _split_url(url)
    base = _CALL.sub("", parts.path).rstrip("/")
    if dialect is not None and dialect.name == "azure":
        base, parts = _complete_azure(base, parts, model)
    root = re.sub(r"/v\d+(beta|alpha)?$", "", base)

    def at(path: str) -> str:
        return urlunsplit(parts._replace(path=path))

    return Address(
        chat=at(base + _CHAT),
        completions=at(f"{base}/completions"),
        models=at(f"{base}/models"),
        root=at(root or "/"),
    )


def _split_url(url: str) -> SplitResult:
    parts = split_url(url)
    if parts.username or parts.password:
        raise EngineError("the url must not hold a password; name a variable by api_key_env")
    return parts._replace(fragment="")


def _complete_azure(base: str, parts: SplitResult, model: str) -> tuple[str, SplitResult]:
    """Complete the path of a deployment, which the address of a resource alone lacks."""
    if re.search(r"/v\d+$", base):
        return base, parts
    if "/deployments/" not in base:
        base = f"{base.removesuffix('/openai')}/openai/deployments/{model}"
    if "api-version=" not in parts.query:
        query = "&".join(filter(None, (parts.query, f"api-version={_AZURE_VERSION}")))
        parts = parts._replace(query=query)
    return base, parts


def read_key(spec: OpenaiModel) -> str | None:
    """Read the model's key from the environment. Raises EngineError where it is missing."""
    if spec.api_key_env is None:
        return None
    told = f"; it must hold the key of {spec.url} (api_key_env names it)"
    return _read_variable(spec.api_key_env, told)


def _read_variable(name: str, told: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise EngineError(f"environment variable {name} is not set{told}")
    if not (value.isascii() and value.isprintable()):
        raise EngineError(f"environment variable {name} holds no key: odd characters")
    return value


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The headers of each request, the proxy, and what of these must not be repeated anywhere."""

    headers: Mapping[str, str]
    proxy: str | None
    secrets: tuple[str, ...]


def read_credentials(spec: OpenaiModel, dialect: Dialect | None, url: str) -> Credentials:
    """Read keys, headers and proxy of a model. Raises EngineError for a missing variable."""
    key = read_key(spec)
    headers = {"Content-Type": "application/json"}
    secrets = [key] if key else []
    if key:
        own = dialect.key_header if dialect else "Authorization"
        headers[own] = f"Bearer {key}" if own == "Authorization" else key
    for name, value in spec.headers.items():
        filled, found = fill_variables(value, f" (headers: {name} names it)")
        headers = {each: v for each, v in headers.items() if each.lower() != name.lower()}
        headers[name] = filled
        secrets += found
    proxy, found = (None, list[str]())
    if spec.proxy:
        proxy, found = fill_variables(spec.proxy, " (proxy names it)")
        _check_proxy(proxy)
    else:
        proxy = find_environment_proxy(url)
    secrets += [*found, *_find_passwords(proxy)]
    kept = tuple(dict.fromkeys(each for each in secrets if _is_secret(each)))
    return Credentials(headers=headers, proxy=proxy, secrets=kept)


def list_secrets(specs: Iterable[object]) -> tuple[str, ...]:
    """List what no text of any model may show: keys, variables in headers, passwords of proxies.

    A value of fewer than 8 characters is left out, for it would occur in ordinary text by chance;
    and so is what the environment does not hold.
    """
    found: list[str] = []
    for spec in specs:
        if isinstance(spec, OpenaiModel):
            values = [os.environ.get(name, "").strip() for _, name in spec.list_variables()]
            found += values
            with suppress(ValueError):
                found += _find_passwords(next((v for v in values if "://" in v), None))
    return tuple(dict.fromkeys(each for each in found if _is_secret(each)))


def fill_variables(text: str, told: str) -> tuple[str, list[str]]:
    """Put environment variables in the place of their names; return the text, and their values.

    Raises EngineError for one that is not set; `told` says where it is named.
    """
    values: list[str] = []

    def read(match: re.Match[str]) -> str:
        values.append(_read_variable(match[1] or match[2], told))
        return values[-1]

    return VARIABLE_IN_TEXT.sub(read, text), values


def _is_secret(text: str) -> bool:
    return len(text) >= _LEAST_SECRET_LENGTH and text.lower() not in _PLACEHOLDERS


def find_environment_proxy(url: str) -> str | None:
    """Find the proxy that the environment names for a URL (`HTTPS_PROXY`, `NO_PROXY` and so on).

    The machine itself is asked directly. Raises EngineError for a proxy of a kind that is not
    supported.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = proxies_of_urllib.getproxies_environment()
    if _is_loopback(host) or not proxies:
        return None
    address = host if parts.port is None else f"{host}:{parts.port}"
    if proxies_of_urllib.proxy_bypass_environment(address, proxies):  # type: ignore[attr-defined]
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    _check_proxy(proxy)
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_proxy(proxy: str) -> None:
    scheme, separator, _ = proxy.partition("://")
    try:
        parts = urlsplit(proxy)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if scheme not in ("http", "https") or not separator or not host:
        shown = f"a {scheme} proxy" if separator and host else "a proxy that is no URL"
        raise EngineError(
            f"{shown} cannot be used (from proxy, HTTP_PROXY, HTTPS_PROXY or ALL_PROXY); "
            "one should look like http://proxy:3128"
        )


def _find_passwords(proxy: str | None) -> list[str]:
    password = urlsplit(proxy).password if proxy else None
    return [password, unquote(password)] if password else []


def make_ssl_context(ca_file: str | None) -> ssl.SSLContext:
    """Make what TLS connections trust: the system's certificates, and those of a file.

    The system's are those of `SSL_CERT_FILE`, where it is set. Raises EngineError for a file that
    is not there or holds no certificates.
    """
    named = os.environ.get("SSL_CERT_FILE")
    if named and not Path(named).is_file():
        raise EngineError(f'SSL_CERT_FILE names "{named}", which is no file')
    context = ssl.create_default_context()
    if ca_file is not None:
        if problem := find_file_problem(Path(ca_file)):
            raise EngineError(f'ca_file "{ca_file}" cannot be used: {problem}')
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as cause:
            raise EngineError(f'ca_file "{ca_file}" cannot be used: {cause}') from cause
    return context
