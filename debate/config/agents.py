"""Agents: their models, prompts and sampling."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from debate.config.models import ModelSpec
from debate.config.sandbox import ToolsSpec
from debate.config.spec import Name, Probability, Spec
from debate.types import Role


class SamplingSpec(Spec):
    """How an agent's replies are sampled, under vLLM's names."""

    temperature: NonNegativeFloat | None = 0.0
    """Sampling temperature; 0, the default, takes the most likely token each time, and null leaves
    it to the engine or endpoint."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = 1.0
    """Sample from the smallest set of tokens with this much probability; by default from all, and
    null leaves it to the engine or endpoint."""
    top_k: PositiveInt | None = None
    """Sample from this many most likely tokens; by default from all."""
    max_tokens: PositiveInt | None = 512
    """Longest reply, in tokens; what is longer is cut there. Null leaves it to the engine or
    endpoint."""
    stop: tuple[str, ...] = ()
    """Texts that end a reply, besides those of the prompt set."""
    choice: tuple[str, ...] = ()
    """Texts of which each reply is to be one; for engines that can constrain what they write."""
    regex: str | None = None
    """A pattern that each whole reply is to match, likewise."""
    extra: dict[str, Any] = {}
    """Passed to the backend's sampling parameters untouched."""

    @model_validator(mode="after")
    def _check_one_constraint(self) -> SamplingSpec:
        if self.choice and self.regex is not None:
            raise ValueError("`choice` and `regex` both constrain the reply; give one of them")
        return self

    @property
    def is_constrained(self) -> bool:
        """Whether replies are to keep to a form."""
        return bool(self.choice) or self.regex is not None


class AgentFields(Spec):
    """What an agent of a run and an agent card have in common."""

    role: Role = "debater"
    """What the agent does in a debate; debaters answer, critics critique, judges judge."""
    prompts: str = "chat"
    """A shipped prompt set (chat, chat_zero, chat_verdict, json,
    compact, compact_named) or a folder, relative to this file."""
    system: str | None = None
    """System prompt, before the persona; by default none but the prompt set's."""
    persona: str | None = None
    """Who the agent is asked to be, for its system prompt; by default nobody in particular."""
    agreement: Probability | None = None
    """How readily it is asked to agree with others, from 0 to 1; unset, nothing is said of it."""
    sampling: SamplingSpec = SamplingSpec()
    """How its replies are sampled."""
    tools: ToolsSpec | None = None
    """What it may use in the course of a turn, as in `tools: {python: {max_calls: 3}}`; by default
    nothing. What it writes for a tool is run, and what comes out is told to it in the same turn."""
    confederate: bool = False
    """Whether it is no member of the team: it is heard, but has no vote and is not probed."""
    description: str = ""
    """A note for readers; nothing is computed from it."""
    card: dict[str, Any] = {}
    """Facts for readers, such as data, training and quality; nothing is computed from them."""


class AgentSpec(AgentFields):
    """One agent of a run, or `count` agents alike."""

    id: Name
    """The agent's name, unique in the run; with `count`, the stem of the names."""
    model: Name
    """The name of an entry of `models`."""
    group: Name | None = None
    """A further name by which topologies can address it; by default none, with `count` the id."""
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many such agents to make; above one they are called id-1, id-2, …"""
    past_of: Name | None = None
    """The agent of which this one is a past version: an earlier checkpoint, a revision, an adapter
    or a quantisation of the same model. Tables tell it from others; nothing else depends on it."""


class AgentCard(AgentFields):
    """An agent card: an agent in a file of its own, its model written out."""

    id: Name | None = None
    """The agent's name; by default the file's, without its ending."""
    model: ModelSpec
    """The weights and the engine."""
