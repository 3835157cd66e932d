"""Sums over a run's turns, for the manifest and to check it by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from debate.log.index import TurnKey, VerdictKey
from debate.log.layout import TURNS, VERDICTS
from debate.log.manifest import Totals
from debate.log.rows import FailureRow, UsageRow
from debate.log.snapshot import snapshot


class CostRow(msgspec.Struct, gc=False):
    """What a turn cost, under the turn's own field names."""

    usage: UsageRow = msgspec.field(default_factory=UsageRow)
    failure: FailureRow | None = None
    shared_with: str | None = None


def totals(costs: Iterable[CostRow], *, num_verdicts: int) -> Totals:
    """Sums over turns of distinct keys. A call shared with another turn costs nothing."""
    turns = failed = prompt = cached = generated = 0
    for cost in costs:
        turns += 1
        failed += cost.failure is not None
        if cost.shared_with is None:
            prompt += cost.usage.prompt_tokens or 0
            cached += cost.usage.cached_tokens or 0
            generated += cost.usage.generated_tokens or 0
    return Totals(
        turns=turns,
        failed=failed,
        verdicts=num_verdicts,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=generated,
    )


def run_totals(directory: Path) -> Totals:
    """The sums over what counts in a run directory: the last line of each key."""
    costs = snapshot(directory, TURNS, TurnKey).rows(CostRow)
    verdicts = snapshot(directory, VERDICTS, VerdictKey)
    return totals(costs, num_verdicts=len(verdicts))
