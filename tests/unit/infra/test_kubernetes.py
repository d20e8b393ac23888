"""The manifests against Kubernetes' own schemas; no cluster runs here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support import ROOT

FOLDER = ROOT / "infra" / "kubernetes"
MANIFESTS = [
    (path.name, one)
    for path in sorted(FOLDER.glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text())
]
TEMPLATES: dict[str, dict[str, Any]] = {
    pool: json.loads((FOLDER / name).read_text())
    for pool, name in (
        ("patchae", "base-job-template.json"),
        ("patchae-data", "data-job-template.json"),
    )
}
"""By work pool."""
CONFIG = next(one for _, one in MANIFESTS if one["kind"] == "ConfigMap")["data"]
WORKERS = [one for _, one in MANIFESTS if one["kind"] == "Deployment"]

each_pool = pytest.mark.parametrize("pool", TEMPLATES)


def filled(value: Any, given: dict[str, Any]) -> Any:
    """A part of a template as Prefect makes it: placeholders replaced by values."""
    if isinstance(value, dict):
        return {key: filled(inner, given) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, given) for inner in value]
    if isinstance(value, str) and (whole := re.fullmatch(r"{{ (\w+) }}", value)):
        return given[whole.group(1)]
    if isinstance(value, str):
        return re.sub(r"{{ (\w+) }}", lambda found: str(given[found.group(1)]), value)
    return value


def job_of(pool: str, **given: Any) -> dict[str, Any]:
    """The job of a run; of what Prefect fills in, some value of its type."""
    some = {"string": "text", "object": {}, "integer": 1, "boolean": True}
    variables = TEMPLATES[pool]["variables"]["properties"]
    values = {name: one.get("default", some[one["type"]]) for name, one in variables.items()}
    job = filled(TEMPLATES[pool]["job_configuration"]["job_manifest"], {**values, **given})
    (container,) = pod(job)["containers"]
    # Prefect makes a list of the environment, and of the command.
    assert (container.pop("env"), container.pop("args")) == ({}, "text")
    return job  # type: ignore[no-any-return]


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    """What runs, of a manifest that runs something."""
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(("name", "manifest"), MANIFESTS)
def test_every_manifest_fits_its_schema(name: str, manifest: dict[str, Any]) -> None:
    version = kubernetes_validate.latest_version()
    kubernetes_validate.validate(manifest, version, strict=True)
    assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "patchae", name


def test_a_wrong_manifest_does_not_fit() -> None:
    wrong = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


@each_pool
def test_what_a_template_makes_is_a_job(pool: str) -> None:
    job = job_of(pool)
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    assert job["spec"]["backoffLimit"] == 0, "Prefect starts a run again, not Kubernetes"
    security = pod(job_of(pool, uid=1000))["securityContext"]
    assert (security["runAsUser"], security["fsGroup"]) == (1000, 1000)


@each_pool
def test_a_template_names_only_variables_that_it_has(pool: str) -> None:
    # The image begins with `patchae`; a run begins with what Prefect says.
    template = TEMPLATES[pool]
    (container,) = pod(template["job_configuration"]["job_manifest"])["containers"]
    assert (container["command"], container["args"]) == (["/usr/bin/env"], "{{ command }}")
    named = set(re.findall(r"{{ (\w+) }}", json.dumps(template["job_configuration"])))
    assert named == set(template["variables"]["properties"])


def test_a_lines_run_takes_no_gpu_from_its_classes_and_has_the_project() -> None:
    training, waiting = (pod(job_of(pool)) for pool in TEMPLATES)
    limits = training["containers"][0]["resources"]["limits"]
    assert limits.pop("nvidia.com/gpu") == 1
    assert training.pop("tolerations")
    assert "gpu" not in json.dumps(TEMPLATES["patchae-data"]["job_configuration"])
    claim = waiting["volumes"].pop(0)
    assert claim["persistentVolumeClaim"] == {"claimName": "patchae-project"}
    mount = waiting["containers"][0]["volumeMounts"].pop(0)
    assert mount == {"name": claim["name"], "mountPath": "/project"}
    for one in (training, waiting):  # all else is the same, but for how much there is of it
        del one["containers"][0]["resources"]
    assert training == waiting


def test_every_pool_has_a_worker_and_they_are_alike() -> None:
    assert len(WORKERS) == len(TEMPLATES)
    specs = []
    for pool, worker in zip(TEMPLATES, WORKERS, strict=True):
        spec = pod(worker)
        (container,) = spec["containers"]
        asked = container.pop("command")
        assert asked[asked.index("--pool") + 1] == pool
        labels = worker["spec"]["template"]["metadata"]["labels"]
        assert labels == worker["spec"]["selector"]["matchLabels"]
        assert labels == {"app": worker["metadata"]["name"]}
        specs.append(spec)
    assert specs[0] == specs[1]


def test_state_stays_in_the_project_and_the_rest_is_written_where_there_is_room() -> None:
    """A folder of a pod is gone with it; one that no volume has cannot be written."""
    assert "PATCHAE_STATE" not in CONFIG
    told = {one["name"]: one.get("value") for one in pod(WORKERS[0])["containers"][0]["env"]}
    for pool in TEMPLATES:
        (container,) = pod(job_of(pool))["containers"]
        mounted = [mount["mountPath"] for mount in container["volumeMounts"]]
        # Jobs have all settings of Prefect that their worker has.
        for path in (CONFIG["PATCHAE_WORKPLACES"], told["PREFECT_HOME"]):
            assert any(Path(path).is_relative_to(one) for one in mounted), pool


def test_a_worker_watches_its_own_namespace_and_passes_on_no_key() -> None:
    (secret,) = (one for _, one in MANIFESTS if one["kind"] == "Secret")
    for worker in WORKERS:
        environment = {one["name"]: one for one in pod(worker)["containers"][0]["env"]}
        prefix = "PREFECT_INTEGRATIONS_KUBERNETES"
        watched = environment[f"{prefix}_OBSERVER_NAMESPACES"]["value"]
        assert watched == worker["metadata"]["namespace"]
        name = environment[f"{prefix}_WORKER_API_AUTH_STRING_SECRET_NAME"]["value"]
        key = environment[f"{prefix}_WORKER_API_AUTH_STRING_SECRET_KEY"]["value"]
        assert name == secret["metadata"]["name"]
        assert key in secret["stringData"]
        source = environment["PREFECT_API_AUTH_STRING"]["valueFrom"]["secretKeyRef"]
        assert source == {"name": name, "key": key}


def test_nothing_runs_as_root_or_may_become_it() -> None:
    for one in (*WORKERS, *map(job_of, TEMPLATES)):
        assert pod(one)["securityContext"]["runAsNonRoot"] is True
        for container in pod(one)["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert re.search(r":[\w.-]+$", container["image"])
            assert not container["image"].endswith(":latest")


def test_the_secret_is_a_template_and_the_rest_holds_none() -> None:
    kinds = {one["kind"]: one for _, one in MANIFESTS}
    secret = kinds["Secret"]["stringData"]
    names = {"MLFLOW_TRACKING_USERNAME", "AWS_ACCESS_KEY_ID"}
    assert all(not value for name, value in secret.items() if name not in names)
    assert not set(secret) & set(kinds["ConfigMap"]["data"])


def test_pods_take_no_places_of_a_machine_since_kubernetes_counts_gpus() -> None:
    kinds = {one["kind"]: one for _, one in MANIFESTS}
    assert kinds["ConfigMap"]["data"]["PATCHAE_MACHINE"] == ""
