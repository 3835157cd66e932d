"""The templates of a folder, in a sandbox: what they may use, and what is said of their faults."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError
from jinja2.loaders import split_template_path
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from debate.agents.sanitize import join_lines, sanitize_value
from debate.config.document import MAX_BYTES
from debate.config.registry import find
from debate.errors import ConfigError, DebateError
from debate.input_files import find_text_problem


class FilterFunction(Protocol):
    """Changes a value on its way into a prompt: a prompt filter, as in `{{ turn.text | short }}`.

    It is given the value to the left of the bar, and what the template writes in parentheses. It
    returns what stands in the prompt in its place, most often a text, which is neutralised like
    any other. In templates it goes by the last part of its name. An exception is told with the
    template.
    """

    def __call__(self, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Return the value to show."""


FILTERS: Mapping[str, FilterFunction] = MappingProxyType({"line": join_lines})
"""The filters of this package, which every template may use beside jinja's own."""


class TemplateValue:
    """A value whose fields any template may read; a subclass is a dataclass with slots."""

    __slots__ = ()


class RenderContext(Context):
    """The names of one rendering. All renderings share the evaluation context, which is costly."""

    def __init__(
        self,
        environment: TemplateEnvironment,
        parent: dict[str, Any],
        name: str | None,
        blocks: dict[str, Callable[[Context], Iterator[str]]],
        globals: MutableMapping[str, Any] | None = None,
    ) -> None:
        """Set what Jinja's own constructor sets; without autoescaping one `eval_ctx` serves all."""
        self.parent = parent
        self.vars = {}
        self.environment = environment
        self.eval_ctx = environment.eval_ctx
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
        """Return the names of one rendering; an included template shares its includer's."""
        if locals:
            return super().new_context(vars, shared, locals)
        names = vars or {}
        parent = names if shared else {**self.globals, **names}
        return self.environment.context_class(self.environment, parent, self.name, self.blocks)


class TemplateLoader(FileSystemLoader):
    """Loads the templates of one folder: regular files that lie in it, by no link elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Return a template's text. Raises ConfigError for a file that may not be read."""
        require_text(self._folder.joinpath(*split_template_path(template)), self._folder)
        return super().get_source(environment, template)


def require_text(path: Path, folder: Path) -> None:
    """Raise ConfigError where a file is there, but is no text that lies in the folder."""
    if os.path.lexists(path) and (problem := find_text_problem(path, folder, max_bytes=MAX_BYTES)):
        raise ConfigError(f"{path}: {problem}")


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """The templates of one folder, strict about missing names, read once.

    Every value that is filled in passes `sanitize_value`; the filter `line` puts it on one line.
    """

    context_class = RenderContext
    template_class = PromptTemplate

    def __init__(self, folder: Path, filters: Mapping[str, str] | None = None) -> None:
        """Import what `filters` names, from the names in templates to those in the registry."""
        super().__init__(
            loader=TemplateLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=sanitize_value,
        )
        self.filters |= FILTERS
        self.filters |= {short: _load_filter(name) for short, name in (filters or {}).items()}
        self.eval_ctx = EvalContext(self)
        self.global_names = set(self.globals)
        self._loaded: dict[str, Template] = {}

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """Return a template of the folder, by its name; each is read once."""
        known = self._loaded.get(name) if isinstance(name, str) and globals is None else None
        if known is None:
            known = super().get_template(name, parent, globals)
            known.globals = dict(known.globals)  # flat: each rendering copies them
            self._loaded[str(name)] = known
        return known

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a field of a `TemplateValue` as it is; anything else as the sandbox allows it."""
        if isinstance(obj, TemplateValue) and attribute in obj.__slots__:
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)


def describe_failure(template: Path, cause: Exception) -> str:
    """Say which template failed, in which line, and why; an included one failed itself."""
    name, number = str(template), getattr(cause, "lineno", None)
    for frame in traceback.extract_tb(cause.__traceback__):
        if frame.filename.endswith(".j2"):
            name, number = frame.filename, frame.lineno
    return f"{name}{f':{number}' if number else ''}: {describe_cause(cause)}"


def describe_cause(cause: Exception) -> str:
    text = str(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


def _load_filter(name: str) -> Callable[..., Any]:
    """Import a custom filter. What it raises becomes a ConfigError."""
    function = find("filters", name).value

    @wraps(function)
    def apply(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (DebateError, TemplateError):
            raise
        except Exception as cause:
            told = f"{type(cause).__name__}: {cause}"
            raise ConfigError(f'prompt filter "{name}" raised {told}') from cause

    return apply
