"""Prompt sets: folders of templates with what is true of all of them, and their rendering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from jinja2 import Template, TemplateError
from jinja2.filters import FILTERS as DEFAULT_FILTERS
from jinja2.meta import find_undeclared_variables
from pydantic import PositiveFloat

from debate.agents.prompt_templates import (
    FILTERS,
    TemplateEnvironment,
    TemplateLoader,
    describe_cause,
    describe_failure,
    require_text,
)
from debate.config.document import ConfigDocument, read_document
from debate.config.registry import add_import_folders, find, is_custom, refuse_code
from debate.config.spec import Spec
from debate.config.validation import validate_document
from debate.errors import ConfigError, suggest
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
        source, *_ = TemplateLoader(self.folder).get_source(self._environment, f"{name}.j2")
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
            raise ConfigError(f"{where}: {describe_cause(cause)}") from None

    def find_unknown_names(self, source: str) -> set[str]:
        """Return the names in an example that no template has. Raises TemplateError."""
        return find_undeclared_variables(self._environment.parse(source)) - _EXAMPLE_NAMES


def load_prompt_set(
    reference: str, *, custom_code: bool = True, import_folder: Path | None = None
) -> PromptSet:
    """Load a shipped prompt set by name, or a folder by path.

    The modules of its filters may lie in its own folder, or in `import_folder`. Raises ConfigError;
    also, without `custom_code`, for a set that names a filter which is not this package's.
    """
    shipped = {folder.name: folder for folder in SHIPPED.iterdir() if folder.is_dir()}
    if reference in shipped:
        return _load_shipped(shipped[reference])
    if not Path(reference).is_dir():
        raise ConfigError(f'prompt set "{reference}" is unknown; {suggest(reference, shipped)}')
    return _load_folder(Path(reference), custom_code=custom_code, import_folder=import_folder)


@cache
def _load_shipped(folder: Path) -> PromptSet:
    """Load a set that comes with this package, once in a process: nobody changes it meanwhile."""
    return _load_folder(folder, custom_code=False, import_folder=None)


def _load_folder(folder: Path, *, custom_code: bool, import_folder: Path | None) -> PromptSet:
    for path in (folder / "prompts.yaml", *sorted(folder.rglob("*.j2"))):
        require_text(path, folder)
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
