"""Which models of a run are served by one engine: adapters of one base. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from debate.config.models import ModelSpec, VllmModel

OWN = {"adapter", "price", "max_in_flight", "timeout_s", "max_restarts"}
"""Fields in which models of one engine may differ: the adapter, and what each client keeps."""


@dataclass(frozen=True, kw_only=True)
class SharedEngine:
    """The models that one engine serves; most often it is one.

    `spec` is what the engine is built from, and `adapters` the folders of those that it holds for
    the models, each once; both are those of the model alone where nothing is shared.
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


def shared_engines(models: Mapping[str, ModelSpec]) -> tuple[SharedEngine, ...]:
    """The engines that `models` need, in the order of their first models.

    vLLM models that are equal but for the adapter share one; one of them may be the bare base.
    Models that are equal to the last field and have no adapter stay apart, as they are written.

    >>> base = VllmModel(engine="vllm", model="m")
    >>> team = {"base": base, "a": base.model_copy(update={"adapter": "/adapters/a"})}
    >>> [each.models for each in shared_engines(team)]
    [('base', 'a')]
    """
    families: dict[str, list[str]] = {}
    for name, spec in models.items():
        families.setdefault(base_key(spec) or f"own {name}", []).append(name)
    found = []
    for names in families.values():
        if any(adapter_of(models[name]) for name in names):
            found.append(serving({name: models[name] for name in names}))
        else:
            found += [serving({name: models[name]}) for name in names]
    order = {name: n for n, name in enumerate(models)}
    return tuple(sorted(found, key=lambda each: order[each.models[0]]))


def base_key(spec: ModelSpec) -> str | None:
    """What is equal for adapters of one base; None for a model that can share no engine."""
    if not isinstance(spec, VllmModel) or spec.host != "actor":
        return None
    return spec.model_dump_json(exclude=OWN)


def serving(models: Mapping[str, ModelSpec]) -> SharedEngine:
    """The engine of these models. A shared one has room for what all of them have in flight."""
    first, *others = models.values()
    if not others:
        return SharedEngine(models=tuple(models), spec=first)
    changes = {"adapter": None, "max_in_flight": sum(s.max_in_flight for s in models.values())}
    folders = (adapter_of(spec) for spec in models.values())
    return SharedEngine(
        models=tuple(models),
        spec=first.model_copy(update=changes),
        adapters=tuple(dict.fromkeys(folder for folder in folders if folder)),
    )


def adapter_of(spec: ModelSpec) -> str | None:
    """The folder of a model's adapter."""
    return spec.adapter if isinstance(spec, VllmModel) else None


def shared_in_words(engines: Iterable[SharedEngine]) -> list[str]:
    """A line for each engine that several models share.

    >>> base = VllmModel(engine="vllm", model="m", replicas=2)
    >>> team = {name: base.model_copy(update={"adapter": name}) for name in ("a", "b")}
    >>> shared_in_words(shared_engines(team))
    ['a, b share one engine on each of 2 replicas: m with 2 adapters']
    """
    lines = []
    for each in engines:
        if each.is_shared and isinstance(each.spec, VllmModel):
            copies = each.spec.replicas
            where = f" on each of {copies} replicas" if copies > 1 else ""
            num = len(each.adapters)
            lines.append(
                f"{', '.join(each.models)} share one engine{where}: {each.spec.weights} with "
                f"{num} adapter{'' if num == 1 else 's'}"
            )
    return lines
