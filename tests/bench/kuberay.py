"""What the KubeRay operator takes, version ray.io/v1, as far as our manifests use it: closed."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Closed(BaseModel):
    """Every field must be known."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Closed):
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
    labels: dict[str, str] = {}


class Port(Closed):
    containerPort: int
    name: str = Field(max_length=15)


class Mount(Closed):
    name: str
    mountPath: str


class Resources(Closed):
    requests: dict[str, str]
    limits: dict[str, str]


class Container(Closed):
    name: str
    image: str
    ports: list[Port] = []
    env: list[dict[Literal["name", "value"], str]] = []
    envFrom: list[dict[Literal["secretRef"], dict[str, Any]]] = []
    resources: Resources
    volumeMounts: list[Mount] = []


class Volume(Closed):
    name: str
    persistentVolumeClaim: dict[Literal["claimName"], str] | None = None
    emptyDir: dict[Literal["medium", "sizeLimit"], str] | None = None


class PodSpec(Closed):
    containers: list[Container] = Field(min_length=1)
    volumes: list[Volume] = []

    @model_validator(mode="after")
    def _mounts_exist(self) -> PodSpec:
        known = {volume.name for volume in self.volumes}
        mounted = {mount.name for each in self.containers for mount in each.volumeMounts}
        if mounted != known:
            raise ValueError(f"volumes {sorted(known)}, mounts {sorted(mounted)}")
        return self


class PodTemplate(Closed):
    spec: PodSpec


class Head(Closed):
    serviceType: str | None = None
    rayStartParams: dict[str, str]
    template: PodTemplate


class Workers(Closed):
    groupName: str
    replicas: int
    minReplicas: int
    maxReplicas: int
    rayStartParams: dict[str, str]
    template: PodTemplate

    @model_validator(mode="after")
    def _in_order(self) -> Workers:
        if not self.minReplicas <= self.replicas <= self.maxReplicas:
            raise ValueError("minReplicas ≤ replicas ≤ maxReplicas must hold")
        return self


class Autoscaler(Closed):
    idleTimeoutSeconds: int | None = None
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] | None = None


class ClusterSpec(Closed):
    rayVersion: str
    enableInTreeAutoscaling: bool = False
    autoscalerOptions: Autoscaler | None = None
    headGroupSpec: Head
    workerGroupSpecs: list[Workers] = []

    @model_validator(mode="after")
    def _one_version(self) -> ClusterSpec:
        groups = [self.headGroupSpec, *self.workerGroupSpecs]
        images = [each.image for group in groups for each in group.template.spec.containers]
        if any(f":{self.rayVersion}-" not in image for image in images):
            raise ValueError(f"rayVersion {self.rayVersion} is not that of {images}")
        return self


class RayCluster(Closed):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: Metadata
    spec: ClusterSpec


class JobSpec(Closed):
    entrypoint: str
    runtimeEnvYAML: str
    shutdownAfterJobFinishes: bool = False
    ttlSecondsAfterFinished: int = 0
    backoffLimit: int = 0
    rayClusterSpec: ClusterSpec


class RayJob(Closed):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: JobSpec
