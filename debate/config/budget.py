"""What a run may spend: its caps, and what its models' tokens cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from debate.config.agents import AgentSpec
from debate.config.document import Problem
from debate.config.models import (
    CalculatorModel,
    CheckerModel,
    HumanModel,
    ModelSpec,
    OpenaiModel,
    OracleModel,
    PythonModel,
    ReplayModel,
    ScriptedModel,
    SimulatedModel,
    TransformersModel,
    VllmModel,
)
from debate.config.spec import Spec

_FREE = (
    *(TransformersModel, VllmModel, SimulatedModel, ScriptedModel),
    *(ReplayModel, CalculatorModel, PythonModel, CheckerModel, OracleModel, HumanModel),
)
"""Models on the user's own machines, and people; without a price, they cost nothing."""

_LIMIT_NAMES = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens")
_COPIES = ("n", "best_of")


class BudgetSpec(Spec):
    """What a run may spend at most, over all times that it is begun or resumed."""

    calls: PositiveInt | None = None
    """Calls of models: every attempt, failed ones too, of turns, probes and final lines."""
    tokens: PositiveInt | None = None
    """Tokens of prompts and replies together."""
    dollars: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Money, in the currency of the models' `price`, which every endpoint then needs."""
    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Hours for which the run is going, breaks between resumptions left out."""

    @property
    def limits(self) -> dict[str, float]:
        """The caps that are set, by name."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    @property
    def counts_tokens(self) -> bool:
        """Whether a cap depends on how long replies are."""
        return self.tokens is not None or self.dollars is not None


def bound_reply(max_tokens: int | None, extra: Mapping[str, Any], spec: ModelSpec) -> int | None:
    """Return the most tokens that one call can generate; None where nothing bounds them.

    extra: the sampling's further parameters. They, and an endpoint's `extra_body`, have the last
    word, so the largest limit among them counts, times the copies that are asked for.

    >>> spec = ScriptedModel(engine="scripted", replies="4")
    >>> bound_reply(100, {"n": 3}, spec), bound_reply(None, {}, spec)
    (300, None)
    """
    if isinstance(spec, HumanModel):
        return 0
    body = {**extra, **(spec.extra_body if isinstance(spec, OpenaiModel) else {})}
    given = [max_tokens, *(body.get(name) for name in _LIMIT_NAMES)]
    kwargs = spec.engine_kwargs if isinstance(spec, VllmModel) else {}
    limits = [each for each in given if type(each) is int] or [
        each for each in (kwargs.get("max_model_len"),) if type(each) is int
    ]
    copies = max((each for name in _COPIES if type(each := body.get(name)) is int), default=1)
    return max(limits) * max(1, copies) if limits else None


def find_budget_problems(
    budget: BudgetSpec, models: Mapping[str, ModelSpec], agents: Mapping[int, AgentSpec]
) -> Iterator[Problem]:
    """Yield what keeps a budget from being kept: unknown prices, replies without a bound.

    models: those that take part. agents: those that take part, by their place in the file.
    """
    if not budget.limits:
        return
    if budget.dollars is not None:
        unknown = [n for n, m in models.items() if m.price is None and not isinstance(m, _FREE)]
        for name in unknown:
            what = (
                f'budget.dollars needs the price of model "{name}": `price: {{prompt: …, '
                "generated: …}`, per million tokens (`price: {}` if it costs nothing)"
            )
            yield Problem(("models", name), what)
    for name, model in models.items():
        if isinstance(model, OpenaiModel) and model.host == "actor":
            what = "with a budget, an endpoint is asked from the run's own process; drop `host`"
            yield Problem(("models", name, "host"), what)
    if budget.counts_tokens:
        yield from _find_unbounded(models, agents)


def _find_unbounded(
    models: Mapping[str, ModelSpec], agents: Mapping[int, AgentSpec]
) -> Iterator[Problem]:
    """Yield agents whose replies may be of any length."""
    for place, agent in agents.items():
        spec, sampling = models.get(agent.model), agent.sampling
        if spec is not None and bound_reply(sampling.max_tokens, sampling.extra, spec) is None:
            what = (
                f'nothing bounds the replies of "{agent.id}", so that no budget of tokens or '
                "dollars can be kept; give it `sampling: {max_tokens: …}`"
            )
            yield Problem(("agents", place, "sampling"), what)
