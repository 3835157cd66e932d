"""The base of every spec, the types that several share, and documents validated as specs.

What pydantic finds wrong is reported with file, line, value, and what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from debate.config.document import ConfigDocument, KeyPath, has_key
from debate.config.registry import Kind
from debate.config.secrets import redact
from debate.errors import ConfigError, suggest

Name = Annotated[str, Field(pattern=r"^[.]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=64)]
"""Letters, digits, `_`, `.` and `-`, but not only points: names become folders."""
Probability = Annotated[float, Field(ge=0, le=1)]
Rounds = Annotated[int, Field(ge=0, le=1000, strict=True)]


class Spec(BaseModel):
    """A piece of configuration. Unknown fields are errors; nothing changes after loading."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=False,
        protected_namespaces=(),
        allow_inf_nan=False,
    )

    code_fields: ClassVar[Mapping[str, Kind]] = {}
    """The fields that name code, each with its kind: a name, or a mapping to names."""


class NamedSpec(Spec):
    """A spec for which a bare name may stand: `NAME` is short for `{name: NAME}`."""

    @model_validator(mode="before")
    @classmethod
    def _expand_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class NamedCode(NamedTuple):
    """A name of code in a configuration: its kind, where it stands, and the spec that holds it."""

    kind: Kind
    name: str
    path: KeyPath
    spec: Spec


def iterate_code(value: object, path: KeyPath = ()) -> Iterator[NamedCode]:
    """Yield every name of code in a spec, and in all that it holds."""
    if isinstance(value, Spec):
        for field in type(value).model_fields:
            inside = getattr(value, field)
            if field in value.code_fields:
                yield from _iterate_names(value, value.code_fields[field], inside, (*path, field))
            else:
                yield from iterate_code(inside, (*path, field))
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from iterate_code(inside, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inside in enumerate(value):
            yield from iterate_code(inside, (*path, index))


def _iterate_names(spec: Spec, kind: Kind, value: object, path: KeyPath) -> Iterator[NamedCode]:
    if isinstance(value, str):
        yield NamedCode(kind, value, path, spec)
    elif isinstance(value, Mapping):
        for key, name in value.items():
            yield NamedCode(kind, name, (*path, key), spec)


CUSTOM_TAG = "engine of others"
"""The tag of models whose engine is none of this package's, in pydantic's locations."""

M = TypeVar("M", bound=BaseModel)


def validate_document(
    model: type[M], document: ConfigDocument, *, known: Sequence[KeyPath] = ()
) -> M:
    """Return the document as a `model`. Raises ConfigError that names every problem, one a line.

    Problems below the `known` paths have been reported already and are left out.
    """
    if not isinstance(document.value, dict):
        found = type(document.value).__name__ if document.value is not None else "nothing"
        raise ConfigError(f"{document.locate(())}: expected a mapping of fields, found {found}")
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise ConfigError("\n".join(describe_errors(error, document, model, known))) from None


def describe_errors(
    error: ValidationError,
    document: ConfigDocument,
    model: type[BaseModel],
    known: Sequence[KeyPath] = (),
) -> list[str]:
    """Return one line for each problem, in the order of the file, without repeats."""
    lines = []
    for detail in error.errors(include_url=False):
        path = find_written_path(detail["loc"], document.value)
        if any(path[: len(reported)] == reported for reported in known):
            continue
        location = document.locate(path)
        line = f"{location}: {_describe(detail, path, model)}"
        lines.append((location.source, location.line or 0, line))
    return [line for _, _, line in sorted(dict.fromkeys(lines))]


def find_written_path(loc: Sequence[int | str], value: Any) -> KeyPath:
    """Return the part of pydantic's location that is in the document; union tags are not."""
    path: list[int | str] = []
    for key in loc:
        if not has_key(value, key):
            continue
        value = value[key]
        path.append(key)
    return tuple(path)


def _describe(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> str:
    name = ".".join(map(str, path)) or "the file"
    kind, context = detail["type"], detail.get("ctx", {})
    given = redact(detail["input"], str(path[-1]) if path else "")
    if kind == "extra_forbidden":
        return f'"{name}" is not a field here; {suggest(path[-1], _list_fields(detail, model))}'
    if kind == "missing":
        where = f" in {name}" if path else ""
        return f'the field "{detail["loc"][-1]}" is missing{where}'
    if kind == "literal_error":
        return f"{name} is {_quote(given)}; {suggest(given, _split_expected(context['expected']))}"
    if kind == "union_tag_invalid":
        hint = suggest(context["tag"], _split_expected(context["expected_tags"]))
        return f"{name}.{_get_discriminator(context)} is {_quote(redact(context['tag']))}; {hint}"
    if kind == "union_tag_not_found":
        return f'{name} needs the field "{_get_discriminator(context)}"'
    if kind == "value_error":
        return f"{name}: {_cut_middle(str(context['error']))}"
    wanted = _WANTED.get(kind) or detail["msg"].replace("Input should", "it should")
    return f"{name} is {_quote(given)}; {_lower_first(wanted)}"


_LIST = "a list is needed, as in [a, b]"
_FIELDS = "fields are needed, each with its value, as in {name: value}"
_WHOLE, _NUMBER, _TRUTH = "a whole number is needed", "a number is needed", "write true or false"
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


def _get_discriminator(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _lower_first(message: str) -> str:
    return message[:1].lower() + message[1:]


def _quote(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _cut_middle(message: str) -> str:
    """Leave out the middle of a message that quotes too much; its end says what would be right."""
    return message if len(message) <= 1200 else f"{message[:600]} … {message[-400:]}"


def _split_expected(expected: str) -> list[str]:
    return [word.strip(" '\"") for word in expected.replace(" or ", ", ").split(",")]


def _list_fields(detail: ErrorDetails, model: type[BaseModel]) -> Iterable[str]:
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
    return list(_find_specs(field.annotation))


def _find_specs(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _find_specs(part)
