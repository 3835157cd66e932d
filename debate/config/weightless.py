"""Models without weights: simulated opinions, scripts, finished logs, a calculator."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from debate.config.model_base import DriverModel, Probability


class SimulatedModel(DriverModel):
    """Opinion dynamics with known parameters; what it says is labelled simulated."""

    engine: Literal["simulated"]
    competence: Probability = 0.6
    """Probability that the opening answer is right, averaged over questions."""
    concentration: PositiveFloat = 4.0
    """Total prior weight of the Dirichlet opinion; lower is more opinionated."""
    num_wrong: PositiveInt = 3
    """Wrong answers that a number or text question can draw."""
    shared: Probability = 0.0
    """Share of questions whose opinion is common to all simulated models with equal `world`."""
    world: int = 0
    """Seed of what is shared between models."""
    conformity: NonNegativeFloat = 1.0
    """Weight of each heard answer of another agent in the opinion's update."""
    self_trust: NonNegativeFloat = 1.0
    """Weight of the agent's own heard answer in the update; above zero it entrenches."""
    drift: float = 0.0
    """Extra weight per round on the truth (negative: on errors); zero is a martingale."""
    confidence_noise: NonNegativeFloat = 0.0
    """Standard deviation of the stated confidence's error, in logits."""
    confidence_bias: float = 0.0
    """Shift of the stated confidence, in logits; above zero is over-confident."""
    discernment: NonNegativeFloat | None = None
    """As a critic, by how many logits P(true) lies above zero for right answers and below it for
    wrong ones; unset, P(true) is the agent's own belief in the answer."""
    leniency: float = 0.0
    """With `discernment`: logits added to P(true) of whatever the critic judges."""
    self_leniency: float = 0.0
    """With `discernment`: logits added where the critic judges an answer of its own."""
    judgement_noise: NonNegativeFloat = 1.0
    """With `discernment`: standard deviation of P(true)'s error, in logits."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply."""
    parse_failure: Probability = 0.0
    """Probability of a reply without a readable answer."""
    failure: Probability = 0.0
    """Probability of an engine failure."""


class ScriptedModel(DriverModel):
    """Fixed answers, written beforehand."""

    engine: Literal["scripted"]
    replies: dict[str, str | list[str]] | list[str] | str | None = None
    """One reply for everything; one per round; or by question id (`*` for the others)."""
    states: Literal["wrong", "right"] | None = None
    """Instead of `replies`: the right answer to each question, or one and the same wrong one."""
    latency_s: NonNegativeFloat = 0.0
    """Seconds until a reply."""

    @model_validator(mode="after")
    def _one_script(self) -> ScriptedModel:
        if (self.replies is None) == (self.states is None):
            raise ValueError("write what is said as exactly one of `replies` and `states`")
        return self


class ReplayModel(DriverModel):
    """A finished run's turns, given again."""

    engine: Literal["replay"]
    path: str
    """The run directory, relative to the file that names it."""
    agent: str | None = None
    """The recorded agent to speak as; by default the one that asks."""


class CalculatorModel(DriverModel):
    """An exact calculator for arithmetic questions: the tool that a debate can be anchored to."""

    engine: Literal["calculator"]
