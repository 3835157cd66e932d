"""Jinja's sandbox, with a short way to the values that every prompt is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from debate.agents.untrusted import line, quotable


class Visible:
    """A value whose fields any template may read; a subclass is a dataclass with slots."""

    __slots__ = ()


class Names(Context):
    """The names of one rendering, made for less: all renderings share what never differs."""

    def __init__(
        self,
        environment: Templates,
        parent: dict[str, Any],
        name: str | None,
        blocks: dict[str, Callable[[Context], Iterator[str]]],
        globals: MutableMapping[str, Any] | None = None,
    ) -> None:
        """As Jinja makes one, save that without autoescaping no context is evaluated apart."""
        self.parent = parent
        self.vars = {}
        self.environment = environment
        self.eval_ctx = environment.evaluated
        self.exported_vars = set()
        self.name = name
        self.globals_keys = environment.global_names
        self.blocks = {key: [block] for key, block in blocks.items()} if blocks else {}


class PromptTemplate(Template):
    """A template that looks its names up in one flat mapping."""

    def new_context(
        self,
        vars: dict[str, Any] | None = None,
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,
    ) -> Context:
        """The names of one rendering; an included template shares its includer's."""
        if locals:
            return super().new_context(vars, shared, locals)
        names = vars or {}
        parent = names if shared else {**self.globals, **names}
        return self.environment.context_class(self.environment, parent, self.name, self.blocks)


class Templates(ImmutableSandboxedEnvironment):
    """The templates of one folder, strict about missing names, read once.

    Whatever is filled in is made fit to be quoted; the filter `line` keeps it on one line.
    """

    context_class = Names
    template_class = PromptTemplate

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
        self.evaluated = EvalContext(self)
        self.global_names = set(self.globals)
        self._loaded: dict[str, Template] = {}

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """A template of the folder, by its name; each is read once."""
        known = self._loaded.get(name) if isinstance(name, str) and globals is None else None
        if known is None:
            known = super().get_template(name, parent, globals)
            known.globals = dict(known.globals)  # flat: each rendering copies them
            self._loaded[str(name)] = known
        return known

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A field of a visible value as it is; anything else as the sandbox allows it."""
        if isinstance(obj, Visible) and attribute in obj.__slots__:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)
