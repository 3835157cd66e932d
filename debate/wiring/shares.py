"""A run in several orchestrators: the questions dealt out, the counts gathered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from debate.cluster.models import running_models
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec, OpenaiModel
from debate.engines.client import ModelClient, ModelCounters
from debate.log import CallCache, RunLog
from debate.orchestrator.calls import Client
from debate.orchestrator.cell import Cell
from debate.wiring.debating import debate_all
from debate.wiring.plan import Plan, Work
from debate.wiring.progress import Tally


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one orchestrator is to do. `specs` are all models; it starts those without an actor."""

    directory: Path
    cells: tuple[Cell, ...]
    work: tuple[Work, ...]
    specs: Mapping[str, ModelSpec]
    cache: str | None
    at_once: int


class Status(NamedTuple):
    """How far a share has come since its process began."""

    counts: Mapping[str, float]
    counters: tuple[ModelCounters, ...]
    stale: tuple[str, ...]


class ShareWork:
    """A share, debated into a log file of its own: `shard` is its number."""

    def __init__(self, share: Share, shard: int) -> None:
        self._share = share
        self._shard = shard
        self._tally = Tally(models=share.specs, num_debates=len(share.work) * len(share.cells))
        self._own: Mapping[str, ModelClient] = {}
        self._stale: list[str] = []

    async def run(self, client: Callable[[str], Client]) -> None:
        """Debate everything. Raises LogError where the disk fails or the run is not there."""
        share = self._share
        own = {name: spec for name, spec in share.specs.items() if spec.host == "driver"}
        with ExitStack() as stack:
            log = stack.enter_context(RunLog.join(share.directory, shard=str(self._shard)))
            cache = CallCache(Path(share.cache)) if share.cache else None
            if cache:
                stack.callback(cache.close)
            async with running_models(own, ClusterSpec()) as self._own:
                clients = {name: self._own.get(name) or client(name) for name in share.specs}
                await debate_all(
                    share.work,
                    share.cells,
                    at_once=share.at_once,
                    clients=clients,
                    log=log,
                    watcher=self._tally,
                    cache=cache,
                    stale=self._stale,
                )

    def status(self) -> Status:
        """What has been counted."""
        counters = tuple(each.counters() for each in self._own.values())
        return Status(self._tally.counts(), counters, tuple(self._stale))


@dataclass(kw_only=True)
class Gathered:
    """The statuses of all shares, added up into one tally."""

    tally: Tally
    latest: dict[int, Status] = field(default_factory=dict)
    kept_stale: list[str] = field(default_factory=list)
    """Recorded turns that this process made again, or one that is gone."""

    def take(self, share: int, status: object) -> None:
        """Add what is new."""
        assert isinstance(status, Status)
        before = self.latest[share].counts if share in self.latest else {}
        self.tally.add({name: n - before.get(name, 0) for name, n in status.counts.items()})
        self.latest[share] = status

    def lose(self, share: int) -> None:
        """A process is gone; the one that takes its place will find its debates in the log."""
        status = self.latest.pop(share, None)
        if status is not None:
            self.kept_stale += status.stale
            self.tally.add({name: -status.counts[name] for name in ("debates", "ties", "replayed")})

    def counters(self) -> list[ModelCounters]:
        """The models inside the shares."""
        return [each for status in self.latest.values() for each in status.counters]

    @property
    def stale(self) -> list[str]:
        """Recorded turns that were made again."""
        found = [name for status in self.latest.values() for name in status.stale]
        return [*self.kept_stale, *found]


def shares(plan: Plan, directory: Path, *, at_once: int) -> list[Share]:
    """The run's work dealt out card by card, and what limits the whole run divided."""
    num = min(plan.spec.cluster.orchestrators, plan.num_work)
    return [
        Share(
            directory=directory.resolve(),
            cells=plan.cells,
            work=tuple(islice(plan.work, first, None, num)),
            specs={name: divided(spec, num) for name, spec in plan.models.items()},
            cache=str(Path(plan.spec.log.cache).resolve()) if plan.spec.log.cache else None,
            at_once=math.ceil(at_once / num),
        )
        for first in range(num)
    ]


def divided(spec: ModelSpec, num: int) -> ModelSpec:
    """The spec for one of `num` processes that each have the model in them."""
    if spec.host != "driver":
        return spec
    limits: dict[str, object] = {"max_in_flight": math.ceil(spec.max_in_flight / num)}
    if isinstance(spec, OpenaiModel) and spec.requests_per_minute:
        limits["requests_per_minute"] = spec.requests_per_minute / num
    return spec.model_copy(update=limits)


async def debate_shares(
    plan: Plan, directory: Path, clients: Mapping[str, Client], gathered: Gathered, *, at_once: int
) -> None:
    """Debate every share in an actor of its own. Raises the first one's error."""
    from debate.cluster.orchestrators import run_shares

    works: Sequence[Callable[[int], ShareWork]] = [
        partial(ShareWork, share) for share in shares(plan, directory, at_once=at_once)
    ]
    await run_shares(
        works,
        plan.spec.cluster,
        clients,
        run=plan.spec.name,
        on_status=gathered.take,
        on_lost=gathered.lose,
    )
