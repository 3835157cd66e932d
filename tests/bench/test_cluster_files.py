"""The files for clusters fit their schemas, one another, and the package."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import ValidationError

from debate.config.references import list_shipped
from tests.bench.kuberay import RayCluster, RayJob

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "cluster"
SECRET = re.compile(r"(?i)(api[_-]?key|token|password|secret)\W*[:=]\s*[\"']?[A-Za-z0-9/+_-]{12,}")


def _read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def _wanted_packages() -> list[str]:
    """The package's own dependencies without Ray, which is the cluster's, and with all engines."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plain = [each for each in project["dependencies"] if not each.startswith("ray")]
    extras = project["optional-dependencies"]
    return sorted([*plain, *extras["local"], *extras["vllm"]])


def test_the_cluster_file_fits_rays_own_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    ray = pytest.importorskip("ray")
    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config = _read("ray-cluster.yaml")
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "max_worker": 2}, schema)


def test_the_cluster_file_names_as_many_workers_as_it_has() -> None:
    config = _read("ray-cluster.yaml")
    assert config["max_workers"] == len(config["provider"]["worker_ips"])


def test_the_kuberay_cluster_fits_what_the_operator_takes() -> None:
    manifest = _read("kuberay-cluster.yaml")
    assert RayCluster.model_validate(manifest).spec.workerGroupSpecs[0].minReplicas == 0
    manifest["spec"]["workerGroupSpec"] = manifest["spec"].pop("workerGroupSpecs")
    with pytest.raises(ValidationError, match="workerGroupSpec"):
        RayCluster.model_validate(manifest)


def test_the_kuberay_job_fits_what_the_operator_takes() -> None:
    job = RayJob.model_validate(_read("kuberay-job.yaml"))
    assert job.spec.shutdownAfterJobFinishes


def test_orchestrators_on_workers_find_the_run_directory_of_the_head() -> None:
    for spec in (_read("kuberay-cluster.yaml")["spec"], _read("kuberay-job.yaml")["spec"]):
        cluster = spec.get("rayClusterSpec", spec)
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            pod = group["template"]["spec"]
            assert {"name": "runs", "mountPath": "/runs"} in pod["containers"][0]["volumeMounts"]
            claim = {"name": "runs", "persistentVolumeClaim": {"claimName": "debate-runs"}}
            assert claim in pod["volumes"]


def test_the_slurm_script_can_be_parsed_and_hears_of_the_limit_before_it_comes() -> None:
    script = FOLDER / "slurm.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    options = set(re.findall(r"^#SBATCH (--\S+)", script.read_text(), re.MULTILINE))
    assert options >= {"--signal=B:TERM@300", "--requeue", "--open-mode=append"}


def test_the_kuberay_job_has_a_gpu_for_each_model_of_the_run_that_it_starts() -> None:
    job = RayJob.model_validate(_read("kuberay-job.yaml"))
    words = shlex.split(job.spec.entrypoint)
    assert words[:4] == ["python", "-m", "debate", "run"]
    assert Path(words[4]).stem in list_shipped("configs")
    config = yaml.safe_load((ROOT / words[4]).read_text(encoding="utf-8"))
    workers = job.spec.rayClusterSpec.workerGroupSpecs[0]
    limits = workers.template.spec.containers[0].resources.limits
    assert workers.replicas * int(limits["nvidia.com/gpu"]) == len(config["agents"])


def test_a_job_writes_where_a_volume_is() -> None:
    job = RayJob.model_validate(_read("kuberay-job.yaml"))
    words = shlex.split(job.spec.entrypoint)
    head = job.spec.rayClusterSpec.headGroupSpec.template.spec.containers[0]
    places = [mount.mountPath for mount in head.volumeMounts]
    assert any(words[words.index("--out") + 1].startswith(f"{place}/") for place in places)


@pytest.mark.parametrize("name", ["runtime-env.yaml", "kuberay-job.yaml"])
def test_a_job_brings_the_packages_that_the_lab_needs(name: str) -> None:
    content = _read(name)
    if "spec" in content:
        content = yaml.safe_load(content["spec"]["runtimeEnvYAML"])
    assert sorted(content["pip"]) == _wanted_packages()
    assert content["working_dir"] == "." or urlsplit(content["working_dir"]).scheme == "https"


def test_ray_takes_the_runtime_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime_env = pytest.importorskip("ray.runtime_env")
    monkeypatch.chdir(ROOT)
    assert runtime_env.RuntimeEnv(**_read("runtime-env.yaml"))["pip"]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_no_file_holds_a_key(path: Path) -> None:
    assert SECRET.search("api_key: abcdefghijkl")
    assert not SECRET.search(path.read_text(encoding="utf-8"))


def test_every_file_that_the_guide_names_is_there() -> None:
    guide = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    named = set(re.findall(r"configs/[\w./-]+\.(?:yaml|sbatch)", guide))
    assert named >= {f"configs/cluster/{path.name}" for path in FOLDER.iterdir()}
    assert all((ROOT / name).is_file() for name in named)
