"""What calls come to in the units of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from debate.config.budget import BudgetSpec
from debate.config.models import ModelSpec
from debate.log.spend import CallSize, SpendTotals

Units = dict[str, Decimal]
"""Amounts of what a budget caps: `calls`, `tokens`, `dollars` and `hours`."""


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """The caps of a run, and the models whose tokens count towards them, in every process alike."""

    budget: BudgetSpec
    models: Mapping[str, ModelSpec]

    @property
    def caps(self) -> Units:
        """The caps that are set."""
        return {name: Decimal(str(value)) for name, value in self.budget.limits.items()}

    def price(self, model: str, size: CallSize) -> Units:
        """Return what calls of a model come to; a model without a price, or not known, is free."""
        tokens = Decimal(size.prompt_tokens + size.generated_tokens)
        spec, dollars = self.models.get(model), Decimal(0)
        if spec is not None and spec.price is not None:
            prompt, generated = (
                Decimal(str(each)) for each in (spec.price.prompt, spec.price.generated)
            )
            dollars = prompt * size.prompt_tokens + generated * size.generated_tokens
        return {"calls": Decimal(size.calls), "tokens": tokens, "dollars": dollars / 1_000_000}

    def sum_up(self, totals: SpendTotals) -> Units:
        """Return what a run has come to."""
        found: Units = dict.fromkeys(("calls", "tokens", "dollars"), Decimal(0))
        for model, size in totals.models.items():
            add_units(found, self.price(model, size))
        return found | {"hours": Decimal(repr(totals.seconds)) / 3600}


def add_units(sums: Units, more: Units) -> None:
    """Add amounts to sums."""
    for name, amount in more.items():
        sums[name] = sums.get(name, Decimal(0)) + amount
