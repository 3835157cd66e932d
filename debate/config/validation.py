"""Documents validated as specs: what is wrong, with file, line, value, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from debate.config.document import ConfigDocument, KeyPath, has_key
from debate.config.hints import (
    explain_form,
    explain_meaning,
    explain_missing,
    explain_unknown,
    explain_value,
    find_meaning,
    find_place,
    find_specs,
)
from debate.config.models import ENGINES
from debate.config.secrets import redact
from debate.config.spec import CUSTOM_TAG
from debate.errors import ConfigError, suggest

M = TypeVar("M", bound=BaseModel)


def validate_document(
    model: type[M], document: ConfigDocument, *, known: Sequence[KeyPath] = ()
) -> M:
    """Return the document as a `model`. Raises ConfigError that names every problem, one a line.

    Problems below the `known` paths have been reported already and are left out.
    """
    if not isinstance(document.value, dict):
        found = type(document.value).__name__ if document.value is not None else "nothing"
        found = _NOUNS.get(found, found)
        raise ConfigError(f"{document.locate(())}: expected a mapping of fields, found {found}")
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError("\n".join(describe_errors(error, document, model, known))) from None


_NOUNS = {"str": "a text", "list": "a list", "int": "a number", "float": "a number"}


class _Found(NamedTuple):
    """One thing that is wrong: pydantic's detail, and where it stands in the document."""

    detail: ErrorDetails
    path: KeyPath


def describe_errors(
    error: ValidationError,
    document: ConfigDocument,
    model: type[BaseModel],
    known: Sequence[KeyPath] = (),
) -> list[str]:
    """Return one line for each problem, in the order of the file, without repeats."""
    details = list(_add_hidden(error.errors(include_url=False)))
    words = _Words(model, details)
    lines: dict[tuple[str, int, str], list[str]] = {}
    for detail in details:
        path = find_written_path(detail["loc"], document.value)
        told = words.describe(_Found(detail, path))
        if told is None or any(path[: len(reported)] == reported for reported in known):
            continue
        location = document.locate(path)
        what, _, wanted = told.partition(_THEN)
        place = (location.source, location.line or 0, f"{location}: {what}")
        lines.setdefault(place, []).append(wanted)
    return [
        "; ".join(filter(None, [place[-1], ", or ".join(dict.fromkeys(wanted))]))
        for place, wanted in sorted(lines.items(), key=lambda each: each[0])
    ]


_FEW = 10
"""Fields up to which all are listed, although the one that is meant is told."""
_THEN = "\0"
"""Stands between what was found and what is needed, where several needs may come together."""


def _add_hidden(details: Iterable[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Add the unknown fields of models without a known engine, which hides them."""
    fields = {name for spec in ENGINES.values() for name in spec.model_fields}
    for detail in details:
        yield detail
        written = detail["input"]
        if detail["type"].startswith("union_tag") and isinstance(written, Mapping):
            for key, value in written.items():
                if key not in fields:
                    loc = (*detail["loc"], key)
                    yield ErrorDetails(type="extra_forbidden", loc=loc, msg="", input=value)


def find_written_path(loc: Sequence[int | str], value: Any) -> KeyPath:
    """Return the part of pydantic's location that is in the document; union tags are not."""
    path: list[int | str] = []
    for key in loc:
        if not has_key(value, key):
            continue
        value = value[key]
        path.append(key)
    return tuple(path)


class _Words:
    """The words for what is wrong in one document; one thing may be the reason of another."""

    def __init__(self, model: type[BaseModel], details: Sequence[ErrorDetails]) -> None:
        self._model = model
        self._missing = {d["loc"] for d in details if d["type"] == "missing"}
        self._missing |= {
            (*d["loc"], "engine") for d in details if d["type"] == "union_tag_not_found"
        }
        self._meant = {
            (*d["loc"][:-1], name)
            for d in details
            if d["type"] == "extra_forbidden"
            for name in self._find_meaning(d) or ()
        }

    def describe(self, found: _Found) -> str | None:
        """Return the problem in words; None where another line tells it."""
        detail, path = found
        name = ".".join(map(str, path)) or "the file"
        kind, context = detail["type"], detail.get("ctx", {})
        given = redact(detail["input"], str(path[-1]) if path else "")
        if kind == "extra_forbidden":
            return self._describe_unknown(detail, path)
        if kind in ("missing", "union_tag_not_found"):
            return self._describe_missing(detail, path)
        if kind == "literal_error":
            expected = _split_expected(context["expected"])
            hint = explain_value(detail["loc"], given) or suggest(given, expected)
            return f"{name} is {_quote(given)}; {hint}"
        if kind == "union_tag_invalid":
            tag, field = redact(context["tag"]), _get_discriminator(context)
            expected = _split_expected(context["expected_tags"])
            hint = explain_value((field,), tag) or suggest(tag, expected)
            return f"{name}.{field} is {_quote(tag)}; {hint}"
        if kind == "value_error":
            return f"{name}: {_cut_middle(str(context['error']))}"
        return f"{name} is {_quote(given)}{_THEN}{self._describe_need(found)}"

    def _find_meaning(self, detail: ErrorDetails) -> tuple[str, ...] | None:
        *around, word = detail["loc"]
        place = find_place(self._model, around)
        if place is None:
            return None
        missing = {str(loc[-1]) for loc in self._missing if list(loc[:-1]) == around}
        fields = _list_fields(detail, self._model)
        return find_meaning(str(word), place, fields, missing=missing)

    def _describe_unknown(self, detail: ErrorDetails, path: KeyPath) -> str:
        *around, word = detail["loc"]
        place, meaning = find_place(self._model, around), self._find_meaning(detail)
        fields = _list_fields(detail, self._model)
        if place is not None and meaning is not None:
            hint = explain_meaning(meaning, place, redact(detail["input"], str(word)))
            hint += f"; known: {', '.join(fields)}" if len(fields) <= _FEW else ""
        else:
            hint = explain_unknown(word, place, fields)
        return f'"{".".join(map(str, path))}" is not a field here; {hint}'

    def _describe_missing(self, detail: ErrorDetails, path: KeyPath) -> str | None:
        is_tag = detail["type"] == "union_tag_not_found"
        field = _get_discriminator(detail["ctx"]) if is_tag else str(detail["loc"][-1])
        around = detail["loc"] if is_tag else detail["loc"][:-1]
        if (*around, field) in self._meant:
            return None
        where = f" in {'.'.join(map(str, path))}" if path else ""
        hint = explain_missing(find_place(self._model, around), field, detail["input"])
        known = f" ({', '.join(sorted(ENGINES))})" if is_tag and field == "engine" else ""
        return f'the field "{field}" is missing{where}{hint}{known}'

    def _describe_need(self, found: _Found) -> str:
        detail, path = found
        kind, context = detail["type"], detail.get("ctx", {})
        if kind in _FORMS and (form := explain_form(self._model, path, detail["input"])):
            return _WANTED[kind].partition(", as in")[0] + form
        if kind == "string_pattern_mismatch":
            is_name = "A-Za-z" in context["pattern"]
            return _NAMED if is_name else f"it must match {context['pattern']}"
        wanted = _WANTED.get(kind) or _LIMITS.get(kind, "").format(**context)
        return wanted or _lower_first(detail["msg"].replace("Input should", "it should"))


_LIST = "a list is needed, as in [a, b]"
_FIELDS = "fields are needed, each with its value, as in {name: value}"
_WHOLE, _NUMBER, _TRUTH = "a whole number is needed", "a number is needed", "write true or false"
_NAMED = "a name is of letters, digits, `_`, `.` and `-`, and not of points alone"
_WANTED: Mapping[str, str] = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type"), _FIELDS),
    **dict.fromkeys(("model_attributes_type", "dataclass_type"), _FIELDS),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    "string_type": "a text is needed; put it in quotes",
    "none_required": "leave it out, or write null",
}
"""What is needed, by the kind of error that pydantic names."""
_FORMS = frozenset(kind for kind, wanted in _WANTED.items() if wanted in (_LIST, _FIELDS))
_LIMITS: Mapping[str, str] = {
    "too_short": "at least {min_length} must stand there",
    "too_long": "at most {max_length} can stand there",
    "string_too_short": "a text of at least {min_length} characters is needed",
    "string_too_long": "a text of at most {max_length} characters is needed",
}
"""What is needed, where it depends on a number."""


def _get_discriminator(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]


def _quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _cut_middle(message: str) -> str:
    """Cut long quotes, and the middle of what is too long still; the end says what is right."""
    message = _LONG_QUOTE.sub(r"\1\2…\1", message)
    return message if len(message) <= 6000 else f"{message[:3000]} … {message[-2000:]}"


_LONG_QUOTE = re.compile(r"""(["'])([^"']{57})[^"']{20,}\1""")


def _split_expected(expected: str) -> list[str]:
    return [word.strip(" '\"") for word in expected.replace(" or ", ", ").split(",")]


def _list_fields(detail: ErrorDetails, model: type[BaseModel]) -> list[str]:
    """List the fields of the spec that an unknown field was written into."""
    owners = [model]
    for key in detail["loc"][:-1]:
        owners = [owner for owner in owners if owner.__name__ == key] or owners
        owners = [spec for owner in owners for spec in _find_children(owner, key)] or owners
    return sorted({name for owner in owners for name in owner.model_fields})


def _find_children(owner: type[BaseModel], key: int | str) -> list[type[BaseModel]]:
    """Find the specs below a key: a union's tag picks its member, an index changes nothing."""
    field = owner.model_fields.get(str(key))
    if field is None:
        tag = owner.model_fields.get("engine")
        names = () if tag is None else get_args(tag.annotation) or (CUSTOM_TAG,)
        return [owner] if tag is None or key in names else []
    return list(find_specs(field.annotation))
