"""A model's chat template, from a file: messages as the text that a server makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from debate.errors import EngineError
from debate.input_files import find_file_problem
from debate.types import Message

_TOKENIZER = "tokenizer_config.json"
"""The file beside a template that says how the model's tokens are written."""


class ChatTemplate(NamedTuple):
    """A compiled template, and how the token that ends a turn is written in it."""

    template: Any
    eos_token: str


def render_chat(path: str, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
    """Render messages by a chat template up to where the reply begins. Raises EngineError.

    `options` are passed to the template by name. The token that begins a text is left to the
    server, which adds it.
    """
    from jinja2 import TemplateError

    said = [{"role": each.role, "content": each.content} for each in messages]
    loaded = load_template(path)
    values = {"bos_token": "", "eos_token": loaded.eos_token, "add_generation_prompt": True}
    try:
        return str(loaded.template.render(**{**values, **options, "messages": said}))
    except TemplateError as cause:
        raise EngineError(f"chat_template {path}: {cause}") from cause


@lru_cache(maxsize=32)
def load_template(path: str) -> ChatTemplate:
    """Load a chat template. Raises EngineError where it cannot be read.

    Where it writes `eos_token`, the tokenizer's configuration beside it must say what that is.
    """
    from jinja2 import TemplateError, meta
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    if problem := find_file_problem(Path(path)):
        raise EngineError(f"chat_template {path} cannot be read: {problem}")
    try:
        written = Path(path).read_text(encoding="utf-8")
        names = meta.find_undeclared_variables(environment.parse(written))
        template = environment.from_string(written)
    except (OSError, UnicodeDecodeError, TemplateError) as cause:
        raise EngineError(f"chat_template {path} cannot be read: {cause}") from cause
    return ChatTemplate(template, _read_eos_token(path) if "eos_token" in names else "")


def _raise_exception(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _read_eos_token(path: str) -> str:
    """Read how the token that ends a turn is written. Raises EngineError where nothing tells."""
    beside = Path(path).parent / _TOKENIZER
    try:
        config = (
            None if find_file_problem(beside) else json.loads(beside.read_text(encoding="utf-8"))
        )
    except (OSError, ValueError):
        config = None
    told = config.get("eos_token") if isinstance(config, Mapping) else None
    token = told.get("content") if isinstance(told, Mapping) else told
    if not isinstance(token, str):
        raise EngineError(
            f"chat_template {path} writes eos_token; put the model's {_TOKENIZER} beside it, which "
            "says what that is"
        )
    return token
