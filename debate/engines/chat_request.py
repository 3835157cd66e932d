"""Requests as the bodies of chat-completions calls, in the words of a dialect.

What an endpoint refuses by name is left out from then on, for the model in question: `Concessions`
holds what that is so far.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debate.config.models import OpenaiModel
from debate.engines.base import Completion, Guided, Request
from debate.engines.chat_reply import read_json
from debate.engines.dialects import Dialect
from debate.engines.roles import FOLDED, fold_roles, is_role_refusal

_DROPPED_FIRST = (
    "logprobs",
    "top_k",
    "seed",
    "top_p",
    "stop",
    "reasoning_effort",
    "temperature",
    "max_tokens",
)
"""Parameters that can be left out, in the order in which they go where several are named."""

_UNSUPPORTED = re.compile(
    r"unsupport|not\W+support|n['o]t (be )?(supported|available|allowed|permitted|recogni[sz]ed)"
    r"|un(recogni[sz]ed|known|expected)|\bextra\b|can ?not (both )?be (used|set|specified)"
    r"|not permitted|not allowed|only one|deprecated|no such (parameter|field)|forbidden|disabled"
    r"|only the default|invalid (parameter|argument|field)|does not (accept|have|take)",
    re.IGNORECASE,
)
_OUT_OF_RANGE = re.compile(
    r"too (large|long|high|many|big)|at most|maximum (context|value|number|length)|context length"
    r"|exceed|(less|greater|smaller|larger) than|out of range"
    r"|must be (between|in|positive|>|<|≤|≥)",
    re.IGNORECASE,
)
_LIMITS = ("max_tokens", "max_completion_tokens")
_WRAPPED = "answer"
"""The field of the JSON in which a constrained reply comes from servers that know no other form."""


@dataclass(kw_only=True)
class Concessions:
    """What the endpoint has refused for this model, and is therefore left out or said otherwise."""

    dropped: set[str] = field(default_factory=set)
    limit_name: str | None = None
    refused_limits: set[str] = field(default_factory=set)
    folds_roles: bool = False


@dataclass(frozen=True, kw_only=True)
class ChatCall:
    """A body to send, and what tells it from what was asked.

    `names` maps the parameters in it that could be left out to their names in the body. `notes` say
    what was left out. `stop` holds the stop strings that are to be looked for here.
    """

    body: Mapping[str, Any]
    names: Mapping[str, str]
    notes: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    can_fold: bool = False


def build_call(
    request: Request, spec: OpenaiModel, dialect: Dialect, concessions: Concessions
) -> ChatCall:
    """Build the body of a request. `Sampling.extra` and then `extra_body` have the last word."""
    wanted = _list_parameters(request, spec)
    absent = _find_absent(spec, dialect, concessions)
    kept = {name: value for name, value in wanted.items() if name not in absent}
    notes = [f"without {name}, {absent[name]}" for name in wanted if name in absent]
    names = {name: _name_parameter(name, dialect, concessions) for name in kept}
    folds = concessions.folds_roles or spec.roles == "fold"
    folded = fold_roles(request.messages)
    can_fold = folded != request.messages
    messages = _make_messages(request, dialect, folds)
    body: dict[str, Any] = {"model": spec.model, "messages": messages, **dialect.neutral}
    for name, value in kept.items():
        body |= _write_parameter(name, names[name], value, dialect)
    if request.prefill:
        body |= dialect.prefill
    if request.guided is not None:
        body |= write_constraint(request.guided, dialect)
    if folds and can_fold and spec.roles != "fold":
        notes.append(FOLDED)
    return ChatCall(
        body=body | dict(request.sampling.extra) | spec.extra_body,
        names=names,
        notes=tuple(notes),
        stop=request.sampling.stop if "stop" in absent else (),
        can_fold=can_fold and not folds,
    )


def _list_parameters(request: Request, spec: OpenaiModel) -> dict[str, Any]:
    """List what the agent and the model ask for, by this package's names."""
    sampling = request.sampling
    wanted = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "logprobs": spec.logprobs or None,
        "reasoning_effort": spec.reasoning_effort,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _find_absent(spec: OpenaiModel, dialect: Dialect, concessions: Concessions) -> dict[str, str]:
    """Find the parameters that are not sent, and why."""
    absent = dict.fromkeys(dialect.lacks, f"which the dialect {dialect.name} has not")
    if dialect.reasoning_models and re.search(dialect.reasoning_models, spec.model):
        why = f"which reasoning models of the dialect {dialect.name} have not"
        absent |= dict.fromkeys(dialect.reasoning_lacks, why)
    return absent | dict.fromkeys(concessions.dropped, "which the endpoint refused")


def _name_parameter(name: str, dialect: Dialect, concessions: Concessions) -> str:
    if name == "max_tokens":
        return concessions.limit_name or dialect.max_tokens
    if name == "reasoning_effort":
        return dialect.effort[0]
    return dialect.seed if name == "seed" else name


def _write_parameter(name: str, called: str, value: Any, dialect: Dialect) -> dict[str, Any]:
    if name == "logprobs":
        return dict(dialect.logprobs)
    if name == "reasoning_effort":
        for inner in reversed(dialect.effort[1:]):
            value = {inner: value}
    return {called: value}


def _make_messages(request: Request, dialect: Dialect, folds: bool) -> list[dict[str, Any]]:
    messages = fold_roles(request.messages) if folds else request.messages
    made: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in messages]
    if request.prefill:
        made.append({"role": "assistant", "content": request.prefill, **dialect.prefill_mark})
    return made


def write_constraint(guided: Guided, dialect: Dialect) -> dict[str, Any]:
    """Return the fields that hold a reply to a choice or pattern, in the dialect's words."""
    pattern = guided.regex if guided.regex is not None else "|".join(map(re.escape, guided.choice))
    match dialect.constraint:
        case "structured_outputs":
            constraint = {"choice": guided.choice} if guided.choice else {"regex": guided.regex}
            return {"structured_outputs": constraint}
        case "regex":
            return {"regex": f"({pattern})"}
        case "grammar" if guided.choice:
            return {"grammar": "root ::= " + " | ".join(map(_quote_literal, guided.choice))}
        case "grammar":
            schema = _make_schema(guided)["json_schema"]["schema"]
            return {"response_format": {"type": "json_object", "schema": schema}}
        case "regex_value":
            return {"response_format": {"type": "regex", "value": f"({pattern})"}}
        case "regex_pattern":
            return {"response_format": {"type": "regex", "pattern": f"({pattern})"}}
        case _:
            return {"response_format": _make_schema(guided)}


def _quote_literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _make_schema(guided: Guided) -> dict[str, Any]:
    """Make the response format of an object that holds the reply in its one field."""
    text: dict[str, Any] = {"type": "string"}
    text |= {"enum": list(guided.choice)} if guided.choice else {"pattern": f"^({guided.regex})$"}
    schema = {
        "type": "object",
        "properties": {_WRAPPED: text},
        "required": [_WRAPPED],
        "additionalProperties": False,
    }
    return {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": schema},
    }


def unwrap_constrained(text: str) -> str | None:
    """Return the reply inside the JSON that a schema asked for; None for any other text.

    >>> unwrap_constrained('{"answer": "B"}'), unwrap_constrained("B")
    ('B', None)
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        read = read_json(text.encode())
    except (ValueError, RecursionError):
        return None
    inner = read.get(_WRAPPED) if isinstance(read, Mapping) and len(read) == 1 else None
    return inner if isinstance(inner, str) else None


def find_ignored_constraint(guided: Guided | None, completion: Completion) -> str | None:
    """Say how a reply breaks the constraint that was sent; None where it keeps it, or was cut."""
    text = completion.text
    if guided is None or completion.finish_reason in ("length", "refusal"):
        return None
    shown = repr(text if len(text) <= 80 else text[:80] + "…")
    if guided.choice:
        if text.strip() in {each.strip() for each in guided.choice}:
            return None
        return f"the endpoint ignored sampling.choice: {shown} is none of {list(guided.choice)}"
    try:
        if guided.regex is None or re.fullmatch(guided.regex, text.strip()):
            return None
    except re.error:
        return None  # a pattern of another dialect of regular expressions
    return f"the endpoint ignored sampling.regex: {shown} does not match {guided.regex}"


def concede(message: str, error: Any, call: ChatCall, concessions: Concessions, roles: str) -> bool:
    """Take up what an endpoint refused by name, for all calls from now on.

    `message` is the error's text, `error` its JSON. Returns whether another try would differ from
    `call`.
    """
    if roles == "auto" and call.can_fold and is_role_refusal(message):
        concessions.folds_roles = True
        return True
    named = _find_named(message, error, call)
    if not named:
        return False
    name = next(each for each in _DROPPED_FIRST if each in named)
    if name != "max_tokens":
        concessions.dropped.add(name)
        return True
    concessions.refused_limits.add(call.names[name])
    other = next(each for each in _LIMITS if each != call.names[name])
    if other in concessions.refused_limits:
        concessions.dropped.add(name)
    else:
        concessions.limit_name = other
    return True


def _find_named(message: str, error: Any, call: ChatCall) -> set[str]:
    """Find the parameters of a call that an error refuses by name."""
    places = _list_places(error)
    exact = {name for name, called in call.names.items() if called in places}
    coded = "unsupported" in message or "extra_forbidden" in message
    if not _UNSUPPORTED.search(message) and not coded:
        return set()
    if _OUT_OF_RANGE.search(message) and not coded:
        return set()
    return exact or {
        name for name, called in call.names.items() if _is_named(called, message, name)
    }


def _is_named(called: str, message: str, name: str) -> bool:
    """Whether a message names a parameter; a common word only counts in quotation marks."""
    quoted = rf"[`'\"]{re.escape(called)}[`'\"]"
    if name in ("stop", "seed"):
        return bool(re.search(quoted, message))
    pattern = rf"(?<![\w.]){re.escape(called)}(?!\w)"
    if name == "logprobs":
        pattern = r"(?<![\w.])(top_)?logprobs(?!\w)|log ?prob(abilitie)?s"
    return bool(re.search(pattern, message, re.IGNORECASE))


def _list_places(error: Any) -> set[str]:
    """List the parameters that an error's JSON points at, by `param` or by the ends of `loc`."""
    places: set[str] = set()
    if isinstance(error, Mapping):
        places |= {str(error[name]).rpartition(".")[2] for name in ("param",) if error.get(name)}
        loc = error.get("loc")
        places |= {str(loc[-1])} if isinstance(loc, list) and loc else set()
        for inner in error.values():
            places |= _list_places(inner)
    elif isinstance(error, list):
        for inner in error[:20]:
            places |= _list_places(inner)
    return places
