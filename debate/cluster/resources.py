"""What the models want against what is there, without starting anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from debate.cluster.engines import SharedEngine, shared_engines
from debate.config.cluster import ClusterSpec
from debate.config.models import ModelSpec
from debate.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What one replica of a model needs; all of it on one node.

    Models that share an engine are one here, `model` being the names of all.
    """

    model: str
    replica: int
    gpus: float
    cpus: float

    @property
    def bundle(self) -> dict[str, float]:
        """The same under Ray's names, without zeros."""
        return {name: n for name, n in (("GPU", self.gpus), ("CPU", self.cpus)) if n}


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """One machine of the cluster."""

    name: str
    gpus: float
    cpus: float
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Wanted against there. The counts there are None where only a running cluster could tell."""

    wanted: tuple[Wanted, ...]
    gpus_there: float | None
    cpus_there: float | None

    @property
    def gpus_wanted(self) -> float:
        """GPUs of all replicas together."""
        return sum(each.gpus for each in self.wanted)

    @property
    def cpus_wanted(self) -> float:
        """CPUs of all replicas together."""
        return sum(each.cpus for each in self.wanted)

    @property
    def has_enough_gpus(self) -> bool | None:
        """Whether the GPUs suffice; None where that is not known."""
        return None if self.gpus_there is None else self.gpus_wanted <= self.gpus_there


def resources(models: Mapping[str, ModelSpec], cluster: ClusterSpec) -> Resources:
    """What `models` want of `cluster`, and what a local cluster here would have.

    Starts and asks no cluster: with an address, what is there stays unknown until the run.
    """
    wants = wanted(models)
    if cluster.address is not None or "RAY_ADDRESS" in os.environ:
        return Resources(wanted=wants, gpus_there=None, cpus_there=None)
    gpus = num_local_gpus() if cluster.num_gpus is None else cluster.num_gpus
    orchestrators = cluster.orchestrators if cluster.orchestrators > 1 else 0
    most = orchestrators + sum(each.cpus for each in wants)
    cpus = cluster.num_cpus or max(float(os.cpu_count() or 1), most)
    return Resources(wanted=wants, gpus_there=gpus, cpus_there=cpus)


def wanted(models: Mapping[str, ModelSpec]) -> tuple[Wanted, ...]:
    """One entry per replica of each engine that is hosted by actors.

    Raises ConfigError for a share of GPUs that cannot be placed.
    """
    for model, spec in models.items():
        if spec.host == "actor" and spec.gpus > 1 and spec.gpus != int(spec.gpus):
            raise ConfigError(
                f'model "{model}" wants {spec.gpus:g} GPUs per replica; '
                "write a whole number, or a fraction below 1"
            )
    return tuple(want for each in shared_engines(models) for want in wants_of(each))


def wants_of(engine: SharedEngine) -> list[Wanted]:
    """What each replica of an engine needs; nothing of an engine in the driver's process."""
    spec = engine.spec
    return [
        Wanted(model=engine.name, replica=replica, gpus=spec.gpus, cpus=spec.cpus)
        for replica in range(spec.replicas if spec.host == "actor" else 0)
    ]


def misfits(wants: Iterable[Wanted], nodes: Sequence[Node]) -> list[Wanted]:
    """The replicas that even an idle cluster could not place: first fit, largest first.

    >>> want = Wanted(model="llama", replica=0, gpus=1, cpus=1)
    >>> [each.model for each in misfits([want], [Node(name="laptop", gpus=0, cpus=8)])]
    ['llama']
    """
    free = [[node.gpus, node.cpus] for node in nodes]
    left_over = []
    for want in sorted(wants, key=lambda each: (each.gpus, each.cpus), reverse=True):
        room = next((f for f in free if fits(want, gpus=f[0], cpus=f[1])), None)
        if room is None:
            left_over.append(want)
        else:
            room[0] -= want.gpus
            room[1] -= want.cpus
    return left_over


def spread(wants: Iterable[Wanted], nodes: Sequence[Node]) -> dict[Wanted, str]:
    """A node id for each replica, so that every node has its share of the work.

    Each goes where most is free, largest first. Replicas that find no room that way are left out:
    Ray may still find some, for this is a wish and not a condition.

    >>> nodes = [Node(name="n1", id="1", gpus=3, cpus=8), Node(name="n2", id="2", gpus=2, cpus=8)]
    >>> wants = [Wanted(model=name, replica=0, gpus=1, cpus=1) for name in "abc"]
    >>> [spread(wants, nodes)[want] for want in wants]
    ['1', '2', '1']
    """
    free = {node.id: [node.gpus, node.cpus] for node in nodes}
    found = {}
    for want in sorted(wants, key=lambda each: (each.gpus, each.cpus), reverse=True):
        fitting = [id for id, (gpus, cpus) in free.items() if fits(want, gpus=gpus, cpus=cpus)]
        if fitting:
            found[want] = max(fitting, key=lambda id: free[id])
            free[found[want]][0] -= want.gpus
            free[found[want]][1] -= want.cpus
    return found


def fits(want: Wanted, *, gpus: float, cpus: float) -> bool:
    """Whether a replica fits into what is left of a node (Ray counts in ten-thousandths)."""
    return want.gpus <= gpus + 1e-4 and want.cpus <= cpus + 1e-4


def shortage(left_over: Sequence[Wanted], nodes: Sequence[Node]) -> str:
    """Why replicas cannot be placed, as asked against there."""
    first = left_over[0]
    asked = f'model "{first.model}" wants {amount(first.gpus, first.cpus)}'
    if len(left_over) > 1:
        others = sorted({each.model for each in left_over} - {first.model})
        asked += f" and {len(left_over) - 1} more replicas lack room"
        asked += f" ({', '.join(others)})" if others else ""
    total = amount(sum(node.gpus for node in nodes), sum(node.cpus for node in nodes), zeros=True)
    by_node = "; ".join(f"{node.name}: {amount(node.gpus, node.cpus)}" for node in nodes)
    there = f"the cluster has {total} in all" + (f" ({by_node})" if len(nodes) > 1 else "")
    return f"{asked}; {there}. A replica must fit on one node; give it fewer, or add nodes"


def amount(gpus: float, cpus: float, *, zeros: bool = False) -> str:
    """Resources in words.

    >>> amount(1, 2), amount(0, 0.5), amount(0, 8, zeros=True)
    ('1 GPU and 2 CPUs', '0.5 CPUs', '0 GPUs and 8 CPUs')
    """
    parts = [
        f"{count:g} {name}{'' if count == 1 else 's'}"
        for name, count in (("GPU", gpus), ("CPU", cpus))
        if count or zeros
    ]
    return " and ".join(parts) or "nothing"


def num_local_gpus() -> int:
    """GPUs that this process may use: asks nvidia-smi, or torch where the driver is AMD's."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi"):
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=30
        )
        return listed.stdout.count("\nGPU ") + listed.stdout.startswith("GPU ")
    if Path("/dev/kfd").exists():
        import torch

        return torch.cuda.device_count()
    return 0
