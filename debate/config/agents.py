"""Who sits at the table: seats, their prompts and their sampling."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from debate.config.base import Spec
from debate.config.model_base import Probability
from debate.config.models import ModelSpec
from debate.types import Role

Name = Annotated[str, Field(pattern=r"^[.]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=64)]
"""Letters, digits, `_`, `.` and `-`, but not only points: names become folders."""


class SamplingSpec(Spec):
    """How an agent's replies are sampled, under vLLM's names."""

    temperature: NonNegativeFloat = 0.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus: the smallest set of tokens with this much probability."""
    top_k: PositiveInt | None = None
    """The k most likely tokens only."""
    max_tokens: PositiveInt = 512
    """Longest reply, in tokens."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply, besides those of the prompt set."""
    choice: tuple[str, ...] = ()
    """Texts of which each reply is to be one; for engines that can constrain what they write."""
    regex: str | None = None
    """What each reply is to match from end to end; likewise."""
    extra: dict[str, Any] = {}
    """Passed to the backend's sampling parameters untouched."""

    @model_validator(mode="after")
    def _one_constraint(self) -> SamplingSpec:
        if self.choice and self.regex is not None:
            raise ValueError("`choice` and `regex` both constrain the reply; give one of them")
        return self

    @property
    def is_constrained(self) -> bool:
        """Whether replies are to keep to a form."""
        return bool(self.choice) or self.regex is not None


class SeatFields(Spec):
    """What a seat in a run and an agent card have in common."""

    role: Role = "debater"
    """What the seat does: debater, critic, judge, tool or human."""
    prompts: str = "chat"
    """A shipped prompt set (chat, compact) or a folder, relative to the file that names it."""
    system: str | None = None
    """System prompt, before the persona."""
    persona: str | None = None
    """Who the agent is asked to be."""
    agreement: Probability | None = None
    """How readily it is asked to agree with others, 0 to 1; unset, it is not mentioned."""
    sampling: SamplingSpec = SamplingSpec()
    """How its replies are sampled."""
    confederate: bool = False
    """Part of the treatment, not of the team: it is heard, but has no vote and is not probed."""
    description: str = ""
    """For people."""
    card: dict[str, Any] = {}
    """Facts about the agent, for people: data, training, measured quality."""


class AgentSpec(SeatFields):
    """One seat, or `count` seats alike."""

    id: Name
    """The seat's name, unique in the run; with `count`, the stem of the names."""
    model: Name
    """The name of an entry of `models`."""
    group: Name | None = None
    """A further name by which topologies can address the seat."""
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many seats to make; above one they are called id-1, id-2, …"""


class AgentFile(SeatFields):
    """An agent card: a seat with its model written inline."""

    id: Name | None = None
    """The seat's name; by default the file's."""
    model: ModelSpec
    """The weights and the engine."""
