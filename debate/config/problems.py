"""What pydantic found, said with file, line, value and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from debate.config.document import Document, KeyPath, holds
from debate.config.secrets import redacted
from debate.errors import ConfigError, suggestion

M = TypeVar("M", bound=BaseModel)


def validate(model: type[M], document: Document, *, known: Sequence[KeyPath] = ()) -> M:
    """The document as a spec. Raises ConfigError that names every problem, one a paragraph.

    Problems below the `known` paths have been told already and are left out.
    """
    if not isinstance(document.value, dict):
        found = type(document.value).__name__ if document.value is not None else "nothing"
        raise ConfigError(f"{document.place(())}: expected a mapping of fields, found {found}")
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, document, model, known))) from None


def problems(
    error: ValidationError,
    document: Document,
    model: type[BaseModel],
    known: Sequence[KeyPath] = (),
) -> list[str]:
    """One line for each problem, in the order of the file, without repeats."""
    found = []
    for detail in error.errors(include_url=False):
        path = written_path(detail["loc"], document.value)
        if any(path[: len(told)] == told for told in known):
            continue
        place = document.place(path)
        found.append((place.source, place.line or 0, f"{place}: {_say(detail, path, model)}"))
    return [line for _, _, line in sorted(dict.fromkeys(found))]


def written_path(loc: Sequence[int | str], value: Any) -> KeyPath:
    """The part of pydantic's location that is in the document; union tags are not."""
    path: list[int | str] = []
    for key in loc:
        if not holds(value, key):
            continue
        value = value[key]
        path.append(key)
    return tuple(path)


def _say(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    name = ".".join(map(str, path)) or "the file"
    kind, context = detail["type"], detail.get("ctx", {})
    given = redacted(detail["input"], str(path[-1]) if path else "")
    if kind == "extra_forbidden":
        return f'"{name}" is not a field here; {suggestion(path[-1], _fields(detail, model))}'
    if kind == "missing":
        where = f" in {name}" if path else ""
        return f'the field "{detail["loc"][-1]}" is missing{where}'
    if kind == "literal_error":
        return f"{name} is {_short(given)}; {suggestion(given, _quoted(context['expected']))}"
    if kind == "union_tag_invalid":
        hint = suggestion(context["tag"], _quoted(context["expected_tags"]))
        return f"{name}.{_bare(context)} is {_short(redacted(context['tag']))}; {hint}"
    if kind == "union_tag_not_found":
        return f'{name} needs the field "{_bare(context)}"'
    if kind == "value_error":
        return f"{name}: {_in_short(str(context['error']))}"
    return f"{name} is {_short(given)}; {_plain(detail['msg'])}"


def _bare(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _in_short(message: str) -> str:
    """A message that quotes too much without its middle; its end says what would be right."""
    return message if len(message) <= 1200 else f"{message[:600]} … {message[-400:]}"


def _quoted(expected: str) -> list[str]:
    return [word.strip(" '\"") for word in expected.replace(" or ", ", ").split(",")]


def _fields(detail: ErrorDetails, model: type[BaseModel]) -> Iterable[str]:
    """Field names of the spec that an unknown field was written into."""
    owners = [model]
    for key in detail["loc"][:-1]:
        owners = [spec for owner in owners for spec in _children(owner, key)] or owners
    return sorted({name for owner in owners for name in owner.model_fields})


def _children(owner: type[BaseModel], key: int | str) -> list[type[BaseModel]]:
    """Specs under a field; a union's tag picks its member, list and mapping keys change nothing."""
    field = owner.model_fields.get(str(key))
    if field is None:
        tag = owner.model_fields.get("engine")
        return [owner] if tag is None or key in get_args(tag.annotation) else []
    return list(_specs(field.annotation))


def _specs(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _specs(part)
