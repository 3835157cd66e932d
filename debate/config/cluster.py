"""Where the models run: a local Ray cluster, an existing one, and with what resources."""

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

from debate.config.base import Spec


class SlotsSpec(Spec):
    """How models take turns where there are fewer places than models. A number is the `count`."""

    count: PositiveInt | None = None
    """Models awake at once; by default all, or as many as the GPUs hold where those are too few."""
    swap: Literal["sleep", "reload"] = "sleep"
    """Leave the device by sleep (the weights wait in the machine's memory), or close and reload."""
    min_residency_s: NonNegativeFloat = 5.0
    """A model that has work keeps its slot at least this long."""
    max_wait_s: PositiveFloat = 60.0
    """After this wait, requests of a model without a slot come before the others' work."""

    @model_validator(mode="before")
    @classmethod
    def _from_count(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int) else value


class ClusterSpec(Spec):
    """The Ray cluster that hosts the models. Without an address, one is started and ended here."""

    address: str | None = None
    """`auto` or `host:port` of an existing cluster; by default a local one is started."""
    namespace: str = "debate"
    """Ray namespace of the actors' names."""
    num_cpus: PositiveFloat | None = None
    """Logical CPUs of a local cluster; by default the cores, or what the models want if more."""
    num_gpus: NonNegativeInt | None = None
    """Logical GPUs of a local cluster; by default those that are there."""
    placement_timeout_s: PositiveFloat = 600.0
    """How long to wait for resources that others are using."""
    autoscaling: bool = False
    """Whether to wait for resources that the cluster does not have yet."""
    slots: SlotsSpec = SlotsSpec()
    """How models share places by sleeping and waking, where there are more models than places."""
    orchestrators: PositiveInt = 1
    """Processes that debate a share of the questions each; above one, they are actors."""
    env: dict[str, str | None] = {}
    """Environment variables of the actors; null copies the variable from where the run starts."""
    runtime_env: dict[str, Any] = {}
    """Ray's runtime environment of the actors (`working_dir`, `pip`, …), untouched."""
    quiet: bool = True
    """Keep what Ray and the actors print out of the terminal; it is in Ray's log files."""

    @field_validator("address")
    @classmethod
    def _a_driver_on_the_cluster(cls, address: str | None) -> str | None:
        if address is not None and address.startswith("ray://"):
            raise ValueError(
                "Ray Client addresses cannot stream results; submit the run with "
                "`ray job submit --working-dir . -- python -m debate run CONFIG`, "
                "or run on a node of the cluster with `address: auto`"
            )
        return address
