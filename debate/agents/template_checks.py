"""Whether the templates of a prompt set can be rendered at all, in time and memory.

Each is rendered with values that stand for any: once such that conditions hold and lists have one
member, once such that they do not and are empty. Only what no values could mend counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.meta import find_undeclared_variables

from debate.agents.prompt_sets import SHIPPED, PromptSet
from debate.agents.prompt_templates import TemplateEnvironment, describe_failure
from debate.errors import ConfigError
from debate.limits import LimitExceeded, call_limited

_HOPELESS = (
    LimitExceeded,
    MemoryError,
    OverflowError,
    RecursionError,
    SecurityError,
    TemplateNotFound,
    TemplateSyntaxError,
    UnicodeError,
    ZeroDivisionError,
)


class AnyValue(str):
    """A text that has every field, is a list of itself, and can be called and counted with.

    An empty one is an empty list.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[AnyValue]:
        return iter([self] if len(self) else ())

    def __call__(self, *args: Any, **kwargs: Any) -> AnyValue:
        return self

    def _combine(self, other: Any) -> Any:
        return self

    def _compare(self, other: Any) -> bool:
        return len(self) > 0

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _combine
    __rtruediv__ = __floordiv__ = __mod__ = _combine
    __lt__ = __le__ = __gt__ = __ge__ = _compare


class _CheckingEnvironment(TemplateEnvironment):
    """The same templates, and `AnyValue` has whatever field they ask for."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, AnyValue) and not attribute.startswith("_"):
            return obj
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return obj if isinstance(obj, AnyValue) else super().getitem(obj, argument)


def require_rendering(prompts: PromptSet) -> None:
    """Raise ConfigError, with template and line, for a template that no values can render.

    Templates that come with this package are known to be right.
    """
    if prompts.folder.parent == SHIPPED:
        return
    names = sorted(path.name for path in prompts.folder.glob("*.j2"))
    if problems := _find_in_child(prompts, names):
        raise ConfigError("\n".join(problems))


def _find_in_child(prompts: PromptSet, names: list[str]) -> list[str]:
    """Find the problems of these templates; of each alone where their process was ended."""
    try:
        return call_limited(lambda: list(_find_problems(prompts, names)))
    except LimitExceeded as error:
        if len(names) == 1:
            return [f"{prompts.folder / names[0]}: {error}"]
    return [problem for name in names for problem in _find_in_child(prompts, [name])]


def _find_problems(prompts: PromptSet, names: list[str]) -> Iterator[str]:
    environment = _CheckingEnvironment(prompts.folder, prompts.spec.custom_filters)
    for name in names:
        for value in (AnyValue("4"), AnyValue("")):
            try:
                values = _list_values(environment, names, value)
                environment.get_template(name).render(values)
            except _HOPELESS as cause:
                if len(value) or not isinstance(cause, ZeroDivisionError):
                    yield describe_failure(prompts.folder / name, cause)
                    break
            except Exception:  # other values might do
                continue


def _list_values(
    environment: TemplateEnvironment, names: list[str], value: AnyValue
) -> Mapping[str, AnyValue]:
    """Return a value for each name that any of the templates uses."""
    used: set[str] = set()
    for name in names:
        try:
            source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
            used |= find_undeclared_variables(environment.parse(source))
        except (TemplateSyntaxError, UnicodeError):  # told when it is rendered
            continue
    return dict.fromkeys(used, value)
