"""Jinja's sandbox, with a short way to the values that every prompt is made of."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from debate.agents.untrusted import line, quotable


class Visible:
    """A value whose fields any template may read; a subclass is a dataclass with slots."""

    __slots__ = ()


class Templates(ImmutableSandboxedEnvironment):
    """The templates of one folder, strict about missing names, read once.

    Whatever is filled in is made fit to be quoted; the filter `line` keeps it on one line.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=quotable,
        )
        self.filters["line"] = line

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """A template, its globals flat: each rendering copies them, and copying layers is slow."""
        template = super().get_template(name, parent, globals)
        if isinstance(template.globals, ChainMap):
            template.globals = dict(template.globals)
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field of a visible value as it is; anything else as the sandbox allows it."""
        if isinstance(obj, Visible) and attribute in type(obj).__slots__:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)
