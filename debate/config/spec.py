"""The base of every spec, and the types that several share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from debate.config.document import KeyPath
from debate.config.registry import Kind

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
