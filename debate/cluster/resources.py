"""The engines that a run's models need, and the GPUs and CPUs for them. Starts nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from debate.config.cluster import ClusterSpec
from debate.config.models import LocalWeights, ModelSpec, TransformersModel
from debate.errors import ConfigError

CLIENT_FIELDS = {"adapter", "price", "max_in_flight", "timeout_s", "max_restarts"}
"""Fields in which models of one engine may differ: the adapter, and those of their clients."""


@dataclass(frozen=True, kw_only=True)
class EnginePlan:
    """An engine to build, and the models that it will serve; most often one.

    The engine is built from `spec`; `adapters` are the folders that it holds for the models, each
    once. Both are those of the model alone where nothing is shared.
    """

    models: tuple[str, ...]
    spec: ModelSpec
    adapters: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The models' names."""
        return " + ".join(self.models)

    @property
    def is_shared(self) -> bool:
        """Whether it serves several models."""
        return len(self.models) > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceRequest:
    """The GPUs and CPUs that one replica needs, all of them on one node.

    `model` names all models of the replica's engine.
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
class ResourceSummary:
    """The replicas' requests beside the cluster's totals, None where only a run could tell them."""

    requests: tuple[ResourceRequest, ...]
    total_gpus: float | None
    total_cpus: float | None

    @property
    def requested_gpus(self) -> float:
        """GPUs of all replicas together."""
        return sum(each.gpus for each in self.requests)


def plan_engines(models: Mapping[str, ModelSpec]) -> tuple[EnginePlan, ...]:
    """Return the engines that `models` need, in the order of their first models.

    Models with weights that are equal but for the adapter share one; one of them may be the bare
    base.
    Models that are equal to the last field and have no adapter stay apart, as they are written.

    >>> base = TransformersModel(engine="transformers", model="m")
    >>> team = {"base": base, "a": base.model_copy(update={"adapter": "/adapters/a"})}
    >>> [each.models for each in plan_engines(team)]
    [('base', 'a')]
    """
    families: dict[str, list[str]] = {}
    for name, spec in models.items():
        families.setdefault(make_base_key(spec) or f"own {name}", []).append(name)
    found = []
    for names in families.values():
        if any(get_adapter(models[name]) for name in names):
            found.append(make_engine_plan({name: models[name] for name in names}))
        else:
            found += [make_engine_plan({name: models[name]}) for name in names]
    order = {name: n for n, name in enumerate(models)}
    return tuple(sorted(found, key=lambda each: order[each.models[0]]))


def make_base_key(spec: ModelSpec) -> str | None:
    """Return a key equal for adapters of one base; None for a model that can share no engine."""
    is_shareable = isinstance(spec, TransformersModel) or spec.host == "actor"
    if not isinstance(spec, LocalWeights) or not is_shareable:
        return None
    return spec.model_dump_json(exclude=CLIENT_FIELDS)


def make_engine_plan(models: Mapping[str, ModelSpec]) -> EnginePlan:
    """Plan one engine for these models, with room for what all of them have in flight."""
    first, *others = models.values()
    if not others:
        return EnginePlan(models=tuple(models), spec=first)
    changes = {"adapter": None, "max_in_flight": sum(s.max_in_flight for s in models.values())}
    folders = (get_adapter(spec) for spec in models.values())
    return EnginePlan(
        models=tuple(models),
        spec=first.model_copy(update=changes),
        adapters=tuple(dict.fromkeys(folder for folder in folders if folder)),
    )


def get_adapter(spec: ModelSpec) -> str | None:
    """Return the folder of a model's adapter."""
    return spec.adapter if isinstance(spec, LocalWeights) else None


def describe_shared_engines(engines: Iterable[EnginePlan]) -> list[str]:
    """Return a line for each engine that several models share.

    >>> base = TransformersModel(engine="transformers", model="m", replicas=2)
    >>> team = {name: base.model_copy(update={"adapter": name}) for name in ("a", "b")}
    >>> describe_shared_engines(plan_engines(team))
    ['a, b share one engine on each of 2 replicas: m with 2 adapters']
    """
    lines = []
    for each in engines:
        if each.is_shared and isinstance(each.spec, LocalWeights):
            copies = each.spec.replicas
            where = f" on each of {copies} replicas" if copies > 1 else ""
            num = len(each.adapters)
            lines.append(
                f"{', '.join(each.models)} share one engine{where}: {each.spec.weights} with "
                f"{num} adapter{'' if num == 1 else 's'}"
            )
    return lines


def summarize_resources(models: Mapping[str, ModelSpec], cluster: ClusterSpec) -> ResourceSummary:
    """Return what `models` request, beside what a local cluster on this machine would have.

    Starts and asks no cluster: with an address, the totals stay unknown until the run.
    """
    requests = list_resource_requests(models)
    if is_elsewhere(cluster):
        return ResourceSummary(requests=requests, total_gpus=None, total_cpus=None)
    gpus = count_local_gpus() if cluster.num_gpus is None else cluster.num_gpus
    orchestrators = cluster.orchestrators if cluster.orchestrators > 1 else 0
    most = orchestrators + sum(each.cpus for each in requests)
    cpus = cluster.num_cpus or max(float(os.cpu_count() or 1), most)
    return ResourceSummary(requests=requests, total_gpus=gpus, total_cpus=cpus)


def is_elsewhere(cluster: ClusterSpec) -> bool:
    """Whether a run joins a cluster that is there, by its address or that of the environment."""
    return (cluster.address or os.environ.get("RAY_ADDRESS")) is not None


def list_resource_requests(models: Mapping[str, ModelSpec]) -> tuple[ResourceRequest, ...]:
    """Return one request per replica of each engine that is hosted by actors.

    Raises ConfigError for a share of GPUs that cannot be placed.
    """
    for model, spec in models.items():
        if spec.host == "actor" and spec.gpus > 1 and spec.gpus != int(spec.gpus):
            raise ConfigError(
                f'model "{model}" wants {spec.gpus:g} GPUs per replica; '
                "write a whole number, or a fraction below 1"
            )
    plans = plan_engines(models)
    return tuple(request for plan in plans for request in list_replica_requests(plan))


def list_replica_requests(plan: EnginePlan) -> list[ResourceRequest]:
    """Return one request per replica of an engine; none if the driver's process hosts it."""
    spec = plan.spec
    return [
        ResourceRequest(model=plan.name, replica=replica, gpus=spec.gpus, cpus=spec.cpus)
        for replica in range(spec.replicas if spec.host == "actor" else 0)
    ]


def describe_amount(gpus: float, cpus: float, *, zeros: bool = False) -> str:
    """Return GPUs and CPUs in words; those that are 0 only with `zeros`.

    >>> describe_amount(1, 2), describe_amount(0, 0.5), describe_amount(0, 8, zeros=True)
    ('1 GPU and 2 CPUs', '0.5 CPUs', '0 GPUs and 8 CPUs')
    """
    parts = [
        f"{count:g} {name}{'' if count == 1 else 's'}"
        for name, count in (("GPU", gpus), ("CPU", cpus))
        if count or zeros
    ]
    return " and ".join(parts) or "nothing"


def count_local_gpus() -> int:
    """Count the GPUs that this process may use, by nvidia-smi, or by torch for AMD's driver.

    Without torch AMD's count as none: nothing that is installed could use them.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([each for each in visible.split(",") if each.strip() not in ("", "-1")])
    if shutil.which("nvidia-smi"):
        listed = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False, timeout=30
        )
        return listed.stdout.count("\nGPU ") + listed.stdout.startswith("GPU ")
    if Path("/dev/kfd").exists() and find_spec("torch") is not None:
        import torch

        return torch.cuda.device_count()
    return 0
