"""What the models of all engines have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from debate.config.base import Spec

Probability = Annotated[float, Field(ge=0, le=1)]


class Price(Spec):
    """What tokens cost, in the user's currency per million."""

    prompt: NonNegativeFloat = 0.0
    """Price of a million prompt tokens."""
    generated: NonNegativeFloat = 0.0
    """Price of a million generated tokens."""


class ModelBase(Spec):
    """What every engine's model has."""

    host: Literal["actor", "driver"] = "actor"
    """Where the engine lives: in its own Ray actor, or in the driver's process."""
    replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Copies of the model; requests that share a prefix go to the same copy."""
    gpus: NonNegativeFloat = 0
    """GPUs of each replica: a whole number, or a fraction of one."""
    cpus: NonNegativeFloat = 1
    """CPUs of each replica."""
    max_in_flight: PositiveInt = 256
    """Requests handed to one replica at a time."""
    timeout_s: PositiveFloat = 600.0
    """A request that takes longer than this many seconds fails."""
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """How often a replica that died is started again before its requests fail."""
    price: Price | None = None
    """Token prices, for the cost in progress and reports."""


class DriverModel(ModelBase):
    """A model that takes next to nothing to run: by default it needs no actor."""

    host: Literal["actor", "driver"] = "driver"
    """Where the engine lives: in the driver's process, or in a Ray actor of its own."""
