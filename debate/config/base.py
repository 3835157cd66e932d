"""The base of every spec: frozen, closed, documented by its fields."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
