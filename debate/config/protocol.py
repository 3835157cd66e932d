"""What travels on the edges, in which order, how much of it is shown, and when to stop."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator

from debate.config.base import NamedSpec, Spec

CONDITION = re.compile(r"^(disagreement|confidence\s*<\s*(0?\.\d+|[01](?:\.0*)?))$")


class ViewSpec(Spec):
    """How much of the debate an agent is shown; what is left out is recorded on the turn."""

    rounds: Literal["all", "last"] = "all"
    """All earlier rounds, or only the last one (which gives up the prompt's stable prefix)."""
    answers_only: bool = False
    """Show the answers of others without their reasoning."""
    max_critics: PositiveInt | None = None
    """At most this many critics a round, drawn by seed."""
    noise: bool = False
    """Show, in place of all that an author hears, random text of the same length and form."""
    max_tokens: PositiveInt | None = None
    """A budget for the prompt, in tokens as the prompt set estimates them."""


class JudgingSpec(Spec):
    """What a critic is told when it judges an answer in private, under `cross_critique`."""

    labels: Literal["honest", "swapped"] = "honest"
    """Whether named authors are the real ones, or one's own answer passes for another's and every
    other one for one's own."""
    alternatives: Literal["own", "others", "padding"] | None = None
    """Candidate answers shown beside the one that is judged: fresh samples of the critic, other
    agents' openings, or as many lines of noise (the length control); unset, it stands alone."""
    k: Annotated[int, Field(ge=1, le=16, strict=True)] = 3
    """How many alternatives."""


class ProtocolSpec(NamedSpec):
    """How a debate runs. A bare name stands for `{name: NAME}`."""

    name: str = "exchange"
    """`exchange`, `critique`, `cross_critique`, `repeat`, `restate`, or `module.function` of your
    own."""
    speaking: Literal["simultaneous", "sequential"] = "simultaneous"
    """Whether round t hears only round t−1, or also those who spoke earlier in round t."""
    anonymous: bool = True
    """Speakers are numbered instead of named."""
    show_confidence: bool = False
    """Ask for a stated confidence and show it to those who hear the turn."""
    stop: Literal["never", "consensus", "no_change"] = "never"
    """End early when all answers agree, or when a round changed none."""
    quorum: PositiveInt | None = None
    """Go on once so many critics of an author have spoken; those that come later are not heard, and
    are recorded as late."""
    hear_cut: bool = False
    """Let others hear a reply that its token limit cut before its answer was closed: the text as
    far as it goes, without an answer. Unset, only its author sees it."""
    debate_if: str | None = None
    """Debate only on `disagreement` or `confidence < X` at the opening (joined by `or`)."""
    view: ViewSpec = ViewSpec()
    """How much an agent is shown."""
    judging: JudgingSpec = JudgingSpec()
    """What critics are told under `cross_critique`."""

    @field_validator("debate_if")
    @classmethod
    def _known_condition(cls, value: str | None) -> str | None:
        for term in (value or "disagreement").split(" or "):
            if not CONDITION.match(term.strip()):
                raise ValueError(
                    f'"{term.strip()}" is no condition; write "disagreement", '
                    '"confidence < 0.8", or both joined by " or "'
                )
        return value


class ProbeSpec(NamedSpec):
    """A confidence question in a private fork of the context. A bare name stands for itself."""

    name: Literal["belief", "verbal", "p_true", "consistency"]
    """Which estimator."""
    samples: Annotated[int, Field(ge=2, le=256)] = 5
    """Samples of `consistency`."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of `consistency`."""
