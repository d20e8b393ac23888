"""The manifests against Kubernetes' own schemas; no cluster runs here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "infra" / "kubernetes"
MANIFESTS = [
    (path.name, one)
    for path in sorted(FOLDER.glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text())
]
TEMPLATE: dict[str, Any] = json.loads((FOLDER / "base-job-template.json").read_text())
DEFAULTS = {
    name: one.get("default", {"string": "text", "object": {}, "integer": 1}[one["type"]])
    for name, one in TEMPLATE["variables"]["properties"].items()
    if one["type"] != "boolean"
}


def filled(value: Any) -> Any:
    """The job as Prefect makes it of the template: placeholders replaced by values."""
    if isinstance(value, dict):
        return {key: filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    if isinstance(value, str) and (whole := re.fullmatch(r"{{ (\w+) }}", value)):
        return DEFAULTS[whole.group(1)]
    if isinstance(value, str):
        return re.sub(r"{{ (\w+) }}", lambda found: str(DEFAULTS[found.group(1)]), value)
    return value


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


def test_the_job_of_the_template_is_a_job_with_a_gpu() -> None:
    job = filled(TEMPLATE["job_configuration"]["job_manifest"])
    (container,) = pod(job)["containers"]
    del container["env"]  # Prefect makes a list of it, and of the command
    assert container.pop("args") == DEFAULTS["command"]
    kubernetes_validate.validate(job, kubernetes_validate.latest_version(), strict=True)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert job["spec"]["backoffLimit"] == 0, "Prefect starts a run again, not Kubernetes"


def test_the_template_names_only_variables_that_it_has() -> None:
    # The image begins with `patchae`; a run begins with what Prefect says.
    (container,) = pod(TEMPLATE["job_configuration"]["job_manifest"])["containers"]
    assert (container["command"], container["args"]) == (["/usr/bin/env"], "{{ command }}")
    named = set(re.findall(r"{{ (\w+) }}", json.dumps(TEMPLATE["job_configuration"])))
    assert named == set(TEMPLATE["variables"]["properties"])


def test_nothing_runs_as_root_or_may_become_it() -> None:
    running = [one for _, one in MANIFESTS if one["kind"] == "Deployment"]
    running.append(filled(TEMPLATE["job_configuration"]["job_manifest"]))
    for one in running:
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
