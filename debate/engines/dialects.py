"""Dialects of the chat-completions protocol: what each kind of server calls things, as values.

The protocol has one name and many speakers. A dialect says which parameters a server knows and by
which name, how log-probabilities and constraints are asked for, how the beginning of a reply is
given, where candidate replies are scored, and by what a server of this kind is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit

Constraint = Literal[
    "structured_outputs", "regex", "grammar", "json_schema", "regex_value", "regex_pattern"
]
"""How a constraint is sent: vLLM's field, SGLang's `regex`, llama.cpp's `grammar`, or a
`response_format` that is a JSON schema, TGI's regular expression, or Together's."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One kind of server.

    `lacks` names parameters that it has not, which are left out. `reasoning_lacks` are those that
    its models of a name like `reasoning_models` have not. `prefill` is added to a request whose
    last message is the beginning of the reply, `prefill_mark` to that message. `effort` is the path
    of the field for the effort of reasoning. `scores` says how the log-probabilities of a prompt
    are asked for at `/completions`: by `prompt_logprobs`, or by `echo`; `tokenize` is the path,
    from the server's root, at which messages become token ids. `echo_lacks_bos` says that an echo
    leaves out the token that begins a text, and is told by it. `neutral` are the fields that switch
    off what a server of this kind does to a model's distribution unasked.

    `hosts` are ends of host names, `owners` what `owned_by` says in its list of models, `headers`
    beginnings of names in the head of a reply, `marks` fields of a reply, and `fingerprint` a
    pattern of a reply's `system_fingerprint`, by each of which it is recognised.
    """

    name: str
    max_tokens: str = "max_tokens"
    seed: str = "seed"
    lacks: frozenset[str] = frozenset()
    reasoning_models: str | None = None
    reasoning_lacks: frozenset[str] = frozenset()
    effort: tuple[str, ...] = ("reasoning_effort",)
    logprobs: Mapping[str, Any] = field(default_factory=lambda: {"logprobs": True})
    constraint: Constraint = "json_schema"
    prefill: Mapping[str, Any] = field(default_factory=dict)
    prefill_mark: Mapping[str, Any] = field(default_factory=dict)
    key_header: str = "Authorization"
    scores: Literal["prompt_logprobs", "echo"] | None = None
    tokenize: str | None = None
    echo_lacks_bos: bool = False
    neutral: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    fingerprint: str | None = None


_CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
_OF_OPENAI: dict[str, Any] = {
    "max_tokens": "max_completion_tokens",
    "lacks": frozenset({"top_k"}),
    "reasoning_models": r"(^|/)(o[1-9]|gpt-([5-9]|\d\d))(?!.*chat)",
    "reasoning_lacks": frozenset({"temperature", "top_p", "logprobs", "stop"}),
}

PLAIN = Dialect(
    name="plain", constraint="structured_outputs", prefill=_CONTINUED, scores="prompt_logprobs"
)
"""The dialect of a server that is not recognised: the common names, and vLLM's for the rest."""

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        each.name: each
        for each in (
            Dialect(
                name="openai",
                **_OF_OPENAI,
                hosts=("api.openai.com",),
                owners=("openai", "openai-internal", "system"),
                headers=("openai-version", "openai-organization"),
            ),
            Dialect(
                name="azure",
                **_OF_OPENAI,
                key_header="api-key",
                hosts=(".openai.azure.com", ".cognitiveservices.azure.com", ".azure-api.net"),
                headers=("apim-request-id", "azureml-model"),
            ),
            Dialect(
                name="vllm",
                constraint="structured_outputs",
                prefill=_CONTINUED,
                scores="prompt_logprobs",
                tokenize="/tokenize",
                neutral={"repetition_penalty": 1.0},
                owners=("vllm",),
                marks=("prompt_logprobs", "kv_transfer_params"),
            ),
            Dialect(
                name="sglang",
                constraint="regex",
                prefill={"continue_final_message": True},
                scores="echo",
                tokenize="/tokenize",
                neutral={"repetition_penalty": 1.0},
                owners=("sglang",),
                marks=("matched_stop",),
            ),
            Dialect(
                name="llamacpp",
                logprobs={"logprobs": True, "top_logprobs": 1},
                constraint="grammar",
                scores="echo",
                echo_lacks_bos=True,
                neutral={"repeat_penalty": 1.0, "min_p": 0.0},
                owners=("llamacpp", "me"),
                headers=("server: llama.cpp",),
                marks=("timings",),
                fingerprint=r"b\d+-[0-9a-f]+",
            ),
            Dialect(
                name="ollama",
                lacks=frozenset({"top_k"}),
                hosts=("ollama.com",),
                owners=("library",),
                fingerprint="fp_ollama",
            ),
            Dialect(
                name="lmstudio",
                lacks=frozenset({"logprobs"}),
                neutral={"repeat_penalty": 1.0},
                owners=("organization_owner",),
                marks=("stats",),
            ),
            Dialect(
                name="tgi",
                lacks=frozenset({"top_k"}),
                constraint="regex_value",
                headers=("x-compute-type",),
                fingerprint=r"\d+\.\d+\.\d+(-\w+)*-(sha-\w+|native)",
            ),
            Dialect(
                name="together",
                logprobs={"logprobs": 1},
                constraint="regex_pattern",
                hosts=(".together.xyz", ".together.ai"),
                headers=("x-together-",),
            ),
            Dialect(
                name="openrouter",
                effort=("reasoning", "effort"),
                hosts=("openrouter.ai",),
                headers=("x-openrouter-",),
            ),
            Dialect(
                name="mistral",
                seed="random_seed",
                lacks=frozenset({"top_k", "logprobs"}),
                prefill_mark={"prefix": True},
                hosts=("api.mistral.ai",),
                owners=("mistralai",),
                headers=("mistral-correlation-id",),
            ),
            Dialect(
                name="anthropic",
                lacks=frozenset({"top_k", "seed", "logprobs"}),
                hosts=("api.anthropic.com",),
                owners=("anthropic",),
                headers=("anthropic-",),
            ),
            Dialect(
                name="gemini",
                lacks=frozenset({"top_k", "logprobs"}),
                hosts=("generativelanguage.googleapis.com",),
                owners=("google",),
            ),
        )
    }
)
"""The known dialects by name."""


def guess_from_url(url: str) -> Dialect | None:
    """Return the dialect spoken at a URL, where its host or path tells; else None.

    >>> guess_from_url("https://api.mistral.ai/v1").name, guess_from_url("http://localhost:8000/v1")
    ('mistral', None)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    for dialect in DIALECTS.values():
        if any(host == end.lstrip(".") or host.endswith(_dot(end)) for end in dialect.hosts):
            return dialect
    is_azure = "/openai/deployments/" in parts.path or "api-version=" in parts.query
    return DIALECTS["azure"] if is_azure else None


def _dot(end: str) -> str:
    return end if end.startswith(".") else f".{end}"


def guess_from_reply(headers: Mapping[str, str], reply: Mapping[str, Any]) -> Dialect | None:
    """Return the dialect of a server by a reply of its, where something tells; else None.

    >>> guess_from_reply({}, {"system_fingerprint": "fp_ollama"}).name
    'ollama'
    """
    names = [f"{name.lower()}: {value.lower()}" for name, value in headers.items()]
    choices = reply.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    fields = {*reply, *(first if isinstance(first, Mapping) else ())}
    printed = reply.get("system_fingerprint")
    for dialect in DIALECTS.values():
        if any(name.startswith(begin) for name in names for begin in dialect.headers):
            return dialect
    for dialect in DIALECTS.values():
        pattern = dialect.fingerprint
        if pattern and isinstance(printed, str) and re.fullmatch(pattern, printed):
            return dialect
        if not fields.isdisjoint(dialect.marks):
            return dialect
    return None


def guess_from_models(listed: Any) -> Dialect | None:
    """Return the dialect of a server by its list of models, where `owned_by` tells; else None."""
    data = listed.get("data") if isinstance(listed, Mapping) else None
    owners = {
        str(each.get("owned_by")).lower() for each in _only_mappings(data) if each.get("owned_by")
    }
    for dialect in DIALECTS.values():
        if not owners.isdisjoint(dialect.owners):
            return dialect
    return None


def _only_mappings(values: Any) -> Iterable[Mapping[str, Any]]:
    return (
        [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []
    )
