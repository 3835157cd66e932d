"""Prompt sets: a folder of templates and what is true of all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from jinja2 import Template, TemplateError
from jinja2.meta import find_undeclared_variables
from pydantic import PositiveFloat

from debate.agents.templates import Templates
from debate.config.base import Spec
from debate.config.parse import read_document
from debate.config.problems import validate
from debate.errors import ConfigError, suggestion
from debate.tasks.parsing import FORMATS, AnswerFormat

SHIPPED = Path(__file__).parent / "prompts"
REQUIRED = ("system", "opening", "revision", "critique", "judgment")


class CandidateSpec(Spec):
    """How a candidate answer is placed to be scored as the model's own reply."""

    prefill: str = ""
    """What stands between the cue and the candidate."""
    suffix: str = ""
    """What ends the candidate, so that 93 is not the beginning of 936."""


class PTrueSpec(Spec):
    """How truth is asked about a proposed answer."""

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


class PromptSetSpec(Spec):
    """`prompts.yaml` of a prompt set."""

    description: str = ""
    """For people."""
    own_turns: bool = True
    """Whether an agent's own earlier replies stand in its context."""
    carries: tuple[Literal["answer", "reasoning", "critique", "confidence"], ...] | None = None
    """The most that these templates show of a turn; by default whatever the edge carries."""
    chars_per_token: PositiveFloat = 4
    """Characters to a token, for token budgets."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply."""
    answers: str = "chat"
    """The format in which answers are marked and read."""
    belief: CandidateSpec = CandidateSpec()
    """How candidates are scored."""
    p_true: PTrueSpec = PTrueSpec()
    """How truth is asked."""


@dataclass(frozen=True)
class PromptSet:
    """Templates by name, rendered strictly: a missing name is an error, not an empty text."""

    folder: Path
    spec: PromptSetSpec
    _templates: dict[str, Template] = field(default_factory=dict, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: folder and spec; templates are compiled there."""
        return {"folder": self.folder, "spec": self.spec, "_templates": {}}

    @cached_property
    def _environment(self) -> Templates:
        return Templates(self.folder)

    @property
    def format(self) -> AnswerFormat:
        """How answers are marked and read."""
        return FORMATS[self.spec.answers]

    def has(self, name: str) -> bool:
        """Whether the set has this template."""
        return (self.folder / f"{name}.j2").is_file()

    def shows(self, name: str, variable: str) -> bool:
        """Whether a template makes use of a variable."""
        source = (self.folder / f"{name}.j2").read_text(encoding="utf-8")
        return variable in find_undeclared_variables(self._environment.parse(source))

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """One template filled in, without surrounding blank lines. Raises ConfigError."""
        try:
            template = self._templates.get(name) or self._environment.get_template(f"{name}.j2")
            self._templates[name] = template
            return template.render(values).strip("\n")
        except TemplateError as cause:
            number = getattr(cause, "lineno", None)
            line = f":{number}" if number else ""
            where = f"{self.folder / name}.j2{line}"
            raise ConfigError(f"{where}: {type(cause).__name__}: {cause}") from None


def load_prompt_set(reference: str) -> PromptSet:
    """A shipped prompt set by name, or a folder by path. Raises ConfigError."""
    shipped = {folder.name: folder for folder in SHIPPED.iterdir() if folder.is_dir()}
    folder = shipped.get(reference, Path(reference))
    if not folder.is_dir():
        raise ConfigError(f'prompt set "{reference}" is unknown; {suggestion(reference, shipped)}')
    spec = validate(PromptSetSpec, read_document(folder / "prompts.yaml"))
    if spec.answers not in FORMATS:
        raise ConfigError(
            f'{folder / "prompts.yaml"}: answers is "{spec.answers}"; '
            f"{suggestion(spec.answers, FORMATS)}"
        )
    prompts = PromptSet(folder, spec)
    missing = [f"{name}.j2" for name in REQUIRED if not prompts.has(name)]
    if missing:
        raise ConfigError(f"{folder}: the prompt set lacks {', '.join(missing)}")
    return prompts
