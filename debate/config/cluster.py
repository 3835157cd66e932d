"""Where the models run: on a local Ray cluster or an existing one, and with what resources."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from debate.config.spec import Spec


class SlotsSpec(Spec):
    """How models take turns on the GPUs. A bare number stands for `{count: NUMBER}`."""

    count: PositiveInt | None = None
    """The most models awake at once; by default all, or as many as the GPUs hold."""
    swap: Literal["sleep", "reload"] = "sleep"
    """How a model leaves its GPUs: it sleeps, its weights in the machine's memory, or is closed and
    loaded again."""
    min_residency_s: NonNegativeFloat = 5.0
    """Seconds for which a model that has work stays awake at least."""
    max_wait_s: PositiveFloat = 60.0
    """Seconds after which the waiting requests of a sleeping model come before the others' work."""

    @model_validator(mode="before")
    @classmethod
    def _expand_count(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int) else value


class ClusterSpec(Spec):
    """The Ray cluster that the models run on. Without an address, one is started for the run."""

    address: str | None = None
    """`auto` or `host:port` of an existing cluster; by default a local one is started."""
    namespace: str = "debate"
    """The Ray namespace of the actors."""
    num_cpus: PositiveFloat | None = None
    """Logical CPUs of a local cluster; by default the cores, or what the models want if that is
    more."""
    num_gpus: NonNegativeInt | None = None
    """Logical GPUs of a local cluster; by default those that are there."""
    placement_timeout_s: PositiveFloat = 600.0
    """Seconds to wait for resources that others are using."""
    autoscaling: bool = False
    """Whether to wait for resources that the cluster does not have yet."""
    slots: SlotsSpec = SlotsSpec()
    """How models take turns where there are more of them than the GPUs hold."""
    orchestrators: PositiveInt = 1
    """The number of processes that debate a share of the questions each; above one, they are
    actors."""
    env: dict[str, str | None] = {}
    """Environment variables of the actors; null copies the variable from where the run starts."""
    runtime_env: dict[str, Any] = {}
    """Ray's runtime environment of the actors (`working_dir`, `pip`, …), passed on untouched."""
    quiet: bool = True
    """Whether what Ray and the actors print is kept out of the terminal; Ray's log files hold
    it."""

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address is not None and address.startswith("ray://"):
            raise ValueError(
                "Ray Client addresses cannot stream results; submit the run with "
                "`ray job submit --working-dir . -- python -m debate run CONFIG`, "
                "or run on a node of the cluster with `address: auto`"
            )
        return address
