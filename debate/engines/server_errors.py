"""Errors of chat-completions servers, in all their shapes: also those inside a status of 200."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from debate.engines.chat_reply import choose, choose_message, is_list

_BROKEN_OFF = (
    *("error", "abort", "aborted", "cancelled", "canceled", "failed"),
    *("network_error", "insufficient_system_resource"),
)
_FINAL_CODES = frozenset({"400", "401", "402", "403", "404", "405", "413", "422", "501"})
_FINAL_TYPES = frozenset(
    {
        "invalid_request_error",
        "BadRequestError",
        "NotFoundError",
        "authentication_error",
        "permission_error",
        "not_found_error",
        "model_not_found",
        "invalid_api_key",
    }
)
_REPEATED = frozenset({"input", "request", "body", "messages", "prompt"})
"""Fields of an error that hold parts of the request."""

_SPENT = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_funds",
        "exceeded_current_quota_error",
        "billing_error",
        "arrearage",
        "account_deactivated",
        "payment_required",
        "quota_exceeded_permanently",
        "access_terminated",
        "credit_balance_too_low",
    }
)

_SPENT_IN_WORDS = re.compile(
    r"insufficient[ _](?:balance|credits?|quota|funds)|credit balance is too low|"
    r"billing hard limit|(?:monthly|hard) spending limit|used all available credits|"
    r"account (?:is |has been )?(?:suspended|deactivated|not active|in arrears)|"
    r"exceeded your current quota, please check your plan and billing",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class ServerError(Exception):
    """An error in a server's reply; `is_final` where another attempt will not help."""

    message: str
    is_final: bool = False

    def __str__(self) -> str:
        return self.message


def find_error(reply: Any) -> ServerError | None:
    """Find the error in a reply with status 200, or in one of its choices; None without one."""
    if not isinstance(reply, Mapping):
        return None
    choice = choose(reply.get("choices"))
    for error in (reply.get("error"), choice.get("error"), choose_message(choice).get("error")):
        if found := _describe_error(error):
            return found
    if not choice:
        return _find_bare_error(reply)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason.lower() in _BROKEN_OFF:
        return ServerError(message=f'the server broke the reply off (finish_reason "{reason}")')
    return None


def _find_bare_error(reply: Mapping[str, Any]) -> ServerError | None:
    """Find the error in a reply without a choice: in its fields, or that there is no choice."""
    errors = reply.get("errors")
    for error in (errors[0] if is_list(errors) and errors else errors, reply.get("base_resp")):
        if found := _describe_error(error):
            return found
    tells = isinstance(_find_message(reply), str | list) and bool(_find_message(reply))
    if tells or reply.get("object") == "error" or reply.get("type") == "error":
        return _describe_error(reply)
    if "choices" in reply or reply.get("object") == "chat.completion":
        return ServerError(message="no chat completion: the server sent no choice")
    return None


def _find_message(error: Mapping[str, Any]) -> Any:
    names = ("message", "detail", "msg", "status_msg", "error_msg")
    return next((error[name] for name in names if error.get(name)), None)


def _describe_error(error: Any) -> ServerError | None:
    if not error:
        return None
    if not isinstance(error, Mapping):
        return ServerError(message=f"the server reports an error: {error}")
    message = _find_message(error)
    names = ("code", "status", "type", "status_code", "error_code")
    codes = [error.get(name) for name in names if error.get(name) not in (None, "")]
    told = [str(code) for code in codes if code not in (0, 200, "0", "200")]
    if not told and (codes or not message):
        return None  # a code that stands for success
    is_final = not _FINAL_CODES.isdisjoint(told) or not (_FINAL_TYPES | _SPENT).isdisjoint(told)
    shown = " ".join(filter(None, [str(message or ""), f"({', '.join(told)})" if told else ""]))
    return ServerError(message=f"the server reports an error: {shown}", is_final=is_final)


def collect_words(error: Any) -> str:
    """Collect the texts of an error, without what it repeats of the request.

    >>> collect_words({"detail": [{"msg": "Extra inputs are not permitted", "input": "top_p"}]})
    'detail msg Extra inputs are not permitted'
    """
    if isinstance(error, Mapping):
        shown = [(str(k), v) for k, v in error.items() if k not in _REPEATED]
        return " ".join(filter(None, (f"{k} {collect_words(v)}".strip() for k, v in shown)))
    if is_list(error):
        return " ".join(filter(None, map(collect_words, error[:50])))
    return "" if error is None else str(error)


def is_quota_spent(reply: Any) -> bool:
    """Whether an error says that the account has nothing left, which no waiting mends.

    The status RESOURCE_EXHAUSTED stands for limits that pass, whatever its words are.

    >>> is_quota_spent({"error": {"code": "insufficient_quota"}})
    True
    """
    error = reply.get("error", reply) if isinstance(reply, Mapping) else None
    if not isinstance(error, Mapping):
        return isinstance(error, str) and bool(_SPENT_IN_WORDS.search(error))
    if any(str(error.get(name)).lower() in _SPENT for name in ("code", "type", "status")):
        return True
    if str(error.get("status")) == "RESOURCE_EXHAUSTED":
        return False
    message = error.get("message") or error.get("detail") or error.get("msg")
    return isinstance(message, str) and bool(_SPENT_IN_WORDS.search(message))
