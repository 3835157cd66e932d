"""Prompt sets: folders of Jinja templates, what is true of all of them, and their rendering."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.loaders import split_template_path
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import PositiveFloat

from debate.agents.sanitize import join_lines, sanitize_value
from debate.config.document import MAX_BYTES, ConfigDocument, read_document
from debate.config.registry import add_import_folders, find, is_custom, refuse_code
from debate.config.spec import Spec, validate_document
from debate.errors import ConfigError, DebateError, suggest
from debate.input_files import find_text_problem
from debate.tasks.answer_format import FORMATS, AnswerFormat
from debate.types import AnswerKind, Message

SHIPPED = Path(__file__).parent / "prompts"
REQUIRED = ("system", "opening", "revision", "critique", "judgment")
AskingTemplate = Literal["opening", "revision", "critique", "judgment", "verbal", "p_true"]
"""A template that asks for a reply, before which examples may stand."""

_EXAMPLE_NAMES = frozenset(
    {
        *("question", "show_confidence", "heard", "first", "subject", "in_debate"),
        *("alternatives", "answer", "positive"),
    }
)
"""The names that the texts of an example may use: those of the template that it stands before."""


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


class CandidateSpec(Spec):
    """The texts around a candidate answer that is scored as the model's own reply."""

    prefill: str = ""
    """The text between the cue and the candidate."""
    suffix: str = ""
    """The text that ends the candidate, so that 93 is not the beginning of 936."""


class PTrueSpec(Spec):
    """The words by which a model is asked whether a proposed answer is right."""

    prefill: str = ""
    """The beginning of the reply, before the word that is scored."""
    positive: tuple[str, ...] = ("True",)
    """Words that say that the answer is right."""
    negative: tuple[str, ...] = ("False",)
    """Words that say that it is wrong."""
    reason: bool = False
    """Let the model write freely up to `prefill` first."""
    both_polarities: bool = True
    """Ask whether it is right and whether it is wrong, and average: yes-bias cancels."""


class ExampleSpec(Spec):
    """A worked example: an exchange that stands before the real ones, as if it had been earlier.

    Both texts are templates, filled in as the template before which they stand.
    """

    user: str
    """What is asked, as the template would ask it."""
    assistant: str
    """The reply, in the form in which replies are to be given."""
    templates: tuple[AskingTemplate, ...] = ("opening",)
    """The templates before which it stands; one of `opening` stands in all that follows it, too."""
    kinds: tuple[AnswerKind, ...] = get_args(AnswerKind)
    """The kinds of question before which it stands."""


class PromptSetSpec(Spec):
    """`prompts.yaml` of a prompt set."""

    description: str = ""
    """For people."""
    own_turns: bool = True
    """Let an agent's own earlier replies stand in its context."""
    carries: tuple[Literal["answer", "reasoning", "critique", "confidence"], ...] | None = None
    """The most that these templates show of a turn; by default whatever the edge carries."""
    chars_per_token: PositiveFloat = 4
    """Characters to a token, for token budgets."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply."""
    answers: str = "chat"
    """A format in which answers are marked and read: chat, compact or json."""
    format: AnswerFormat | None = None
    """Fields of that format to change."""
    examples: tuple[ExampleSpec, ...] = ()
    """Worked examples, in the order in which they stand."""
    belief: CandidateSpec = CandidateSpec()
    """The texts around a candidate that is scored."""
    final_line: CandidateSpec = CandidateSpec(prefill="Answer: ")
    """The texts around an answer that was asked for as a final line, as it is read and heard."""
    p_true: PTrueSpec = PTrueSpec()
    """The words by which truth is asked."""
    filters: tuple[str, ...] = ()
    """Filters of installed packages' or of one's own, as `module.function`, for these templates."""

    @property
    def custom_filters(self) -> Mapping[str, str]:
        """The filters by the name that they have in templates."""
        return {name.rpartition(".")[2]: name for name in self.filters if name not in FILTERS}


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


class _TemplateLoader(FileSystemLoader):
    """Loads the templates of one folder: regular files that lie in it, by no link elsewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Return a template's text. Raises ConfigError for a file that may not be read."""
        _require_text(self._folder.joinpath(*split_template_path(template)), self._folder)
        return super().get_source(environment, template)


def _require_text(path: Path, folder: Path) -> None:
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
            loader=_TemplateLoader(folder),
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


@dataclass(frozen=True)
class PromptSet:
    """Templates by name, rendered strictly: a missing name is an error, not an empty text."""

    folder: Path
    spec: PromptSetSpec
    _templates: dict[str, Template] = field(default_factory=dict, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: folder and spec; the other process compiles the templates."""
        return {"folder": self.folder, "spec": self.spec, "_templates": {}}

    @cached_property
    def _environment(self) -> TemplateEnvironment:
        return TemplateEnvironment(self.folder, self.spec.custom_filters)

    @cached_property
    def format(self) -> AnswerFormat:
        """The format in which answers are marked and read."""
        base, changed = FORMATS[self.spec.answers], self.spec.format
        if changed is None:
            return base
        fields = {name: getattr(changed, name) for name in changed.model_fields_set}
        return base.model_copy(update=fields)

    def has_template(self, name: str) -> bool:
        """Return whether the set has this template."""
        return (self.folder / f"{name}.j2").is_file()

    def uses_variable(self, name: str, variable: str) -> bool:
        """Return whether a template makes use of a variable."""
        source, *_ = _TemplateLoader(self.folder).get_source(self._environment, f"{name}.j2")
        return variable in find_undeclared_variables(self._environment.parse(source))

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """Fill in one template, without surrounding blank lines. Raises ConfigError."""
        try:
            template = self._templates.get(name) or self._environment.get_template(f"{name}.j2")
            self._templates[name] = template
            return template.render(values).strip("\n")
        except ConfigError:  # of a filter of the user's own
            raise
        except Exception as cause:  # whatever a user's template computes
            raise ConfigError(describe_failure(self.folder / f"{name}.j2", cause)) from None

    def render_examples(
        self, name: str, kind: AnswerKind, values: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        """Fill in the examples that stand before a template, in order. Raises ConfigError."""
        return tuple(
            Message(role=role, content=self._render_example(index, role, values))
            for index, example in enumerate(self.spec.examples)
            if name in example.templates and kind in example.kinds
            for role in ("user", "assistant")
        )

    def _render_example(
        self, index: int, role: Literal["user", "assistant"], values: Mapping[str, Any]
    ) -> str:
        name = f"examples[{index}].{role}"
        try:
            if name not in self._templates:
                source: str = getattr(self.spec.examples[index], role)
                self._templates[name] = self._environment.from_string(source)
            return self._templates[name].render(values).strip("\n")
        except ConfigError:
            raise
        except Exception as cause:
            where = f"{self.folder / 'prompts.yaml'}: {name}"
            raise ConfigError(f"{where}: {_describe_cause(cause)}") from None

    def find_unknown_names(self, source: str) -> set[str]:
        """Return the names in an example that no template has. Raises TemplateError."""
        return find_undeclared_variables(self._environment.parse(source)) - _EXAMPLE_NAMES


def describe_failure(template: Path, cause: Exception) -> str:
    """Say which template failed, in which line, and why; an included one failed itself."""
    name, number = str(template), getattr(cause, "lineno", None)
    for frame in traceback.extract_tb(cause.__traceback__):
        if frame.filename.endswith(".j2"):
            name, number = frame.filename, frame.lineno
    return f"{name}{f':{number}' if number else ''}: {_describe_cause(cause)}"


def _describe_cause(cause: Exception) -> str:
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


def load_prompt_set(
    reference: str, *, custom_code: bool = True, import_folder: Path | None = None
) -> PromptSet:
    """Load a shipped prompt set by name, or a folder by path.

    The modules of its filters may lie in its own folder, or in `import_folder`. Raises ConfigError;
    also, without `custom_code`, for a set that names a filter which is not this package's.
    """
    shipped = {folder.name: folder for folder in SHIPPED.iterdir() if folder.is_dir()}
    folder = shipped.get(reference, Path(reference))
    if not folder.is_dir():
        raise ConfigError(f'prompt set "{reference}" is unknown; {suggest(reference, shipped)}')
    for path in (folder / "prompts.yaml", *sorted(folder.rglob("*.j2"))):
        _require_text(path, folder)
    document = read_document(folder / "prompts.yaml")
    spec = validate_document(PromptSetSpec, document)
    if spec.answers not in FORMATS:
        raise ConfigError(
            f'{folder / "prompts.yaml"}: answers is "{spec.answers}"; '
            f"{suggest(spec.answers, FORMATS)}"
        )
    if any(is_custom("filters", name) for name in spec.filters) and custom_code:
        add_import_folders([folder, *([import_folder] if import_folder else [])])
    if wrong := list(_find_filter_problems(spec, document, custom_code=custom_code)):
        raise ConfigError("\n".join(wrong))
    prompts = PromptSet(folder, spec)
    missing = [f"{name}.j2" for name in REQUIRED if not prompts.has_template(name)]
    if missing:
        raise ConfigError(f"{folder}: the prompt set lacks {', '.join(missing)}")
    if wrong := list(_find_example_problems(prompts, document)):
        raise ConfigError("\n".join(wrong))
    return prompts


def _find_example_problems(prompts: PromptSet, document: ConfigDocument) -> Iterator[str]:
    """Yield, with file and line, what is wrong with the examples of a prompt set."""
    for index, example in enumerate(prompts.spec.examples):
        for template in example.templates:
            if not prompts.has_template(template):
                place = document.locate(("examples", index, "templates"))
                yield f"{place}: there is no {template}.j2 for this example to stand before"
        for role, source in (("user", example.user), ("assistant", example.assistant)):
            place = document.locate(("examples", index, role))
            try:
                unknown = prompts.find_unknown_names(source)
            except TemplateError as cause:
                yield f"{place}: {type(cause).__name__}: {cause}"
                continue
            for name in sorted(unknown):
                yield f"{place}: {name!r} is unknown here; {suggest(name, _EXAMPLE_NAMES)}"


def _find_filter_problems(
    spec: PromptSetSpec, document: ConfigDocument, *, custom_code: bool
) -> Iterator[str]:
    """Yield, with file and line, the filters that are forbidden, missing, or have a name twice."""
    taken = {**DEFAULT_FILTERS, **FILTERS}
    for index, name in enumerate(spec.filters):
        place, short = document.locate(("filters", index)), name.rpartition(".")[2]
        if not custom_code and is_custom("filters", name):
            yield f"{place}: {refuse_code('filters', name)}"
            continue
        try:
            found = find("filters", name)
        except ConfigError as error:
            yield f"{place}: {error}"
            continue
        if found.is_custom and short in taken:
            yield f'{place}: a filter is called "{short}" already; give yours another name'
        taken[short] = found.value
