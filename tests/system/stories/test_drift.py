"""The whole story: images arrive, drift is seen, a retraining starts with that reason, the gate
promotes, the service serves it, and the audit shows why."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from flows.server import free_port
from patchae.predictions.reading import predictions
from patchae.registry.ledger import Ledger
from patchae.registry.standing import moves
from tests.support import write_class, write_image
from tests.support.plant import GATES, TINY, Plant
from tests.support.prefect_server import environment, run, until, worker

CAP = "caps.cap"


@contextmanager
def service(plant: Plant, api: str) -> Iterator[httpx.Client]:
    """The scoring service as a user starts it, keeping every image."""
    port = free_port(0)
    words = ["serve-model", CAP, "--port", str(port), "--follow", "0.5", "--keep", "1"]
    log = plant.project.root / "service.log"
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", "patchae", *words],
            cwd=plant.project.root,
            env=environment(api),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        try:
            until(lambda: answers(client) or running.poll() is not None)
            assert running.poll() is None, log.read_text()
            yield client
        finally:
            running.terminate()
            assert running.wait(60) == 0, log.read_text()


def answers(client: httpx.Client) -> bool:
    """Whether the service is up."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def dark(folder: Path, count: int, start: int) -> list[Path]:
    """Good images under a light that is a fifth down."""
    files = []
    for number in range(start, start + count):
        file = folder / f"dark{number}.png"
        write_image(file, number)
        with Image.open(file) as image:
            pixels = np.asarray(image)
        Image.fromarray((pixels * 0.8).astype(np.uint8)).save(file)
        files.append(file)
    return files


def judged(client: httpx.Client, files: list[Path]) -> set[str]:
    """Have images judged; the versions that did."""
    return {
        client.post(
            f"/v1/score/{CAP}",
            content=file.read_bytes(),
            headers={"Content-Type": "image/png"},
            params={"name": file.name},
        ).json()["version"]
        for file in files
    }


def monitored(plant: Plant, api: str) -> Any:
    """What `patchae monitor` says of the class."""
    done = run(plant, api, "monitor", "caps", "--json")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(line)["classes"][0]


def test_from_a_darker_hall_to_a_new_champion(tmp_path: Path, api: str) -> None:
    plant = Plant(tmp_path / "works")
    plant.lines = {
        "caps": {
            "classes": "all",
            "training": TINY,
            "gates": GATES,
            "drift": {"least_images": 30, "images": 40},
        }
    }
    plant.write_lines()
    write_class(plant.project.data, "cap", seed=1)
    first = run(plant, api, "retrain", "caps")
    assert first.returncode == 0, first.stderr
    assert run(plant, api, "deploy").returncode == 0
    with worker(api, tmp_path / "worker"), service(plant, api) as client:
        # A lamp fails. The service judges what comes, and keeps it.
        arrived = dark(tmp_path / "camera", 40, 3_000_000)
        assert judged(client, arrived) == {"1"}
        # A person confirms that the parts are good, and brings some of them in.
        words = ["feedback", CAP, *map(str, arrived[:16]), "--label", "good"]
        assert run(plant, api, *words).returncode == 0
        # Two looks: the second confirms what the first one saw, unless that was beyond doubt.
        looks = [monitored(plant, api)]
        if not looks[0]["asked"]:
            assert judged(client, dark(tmp_path / "camera", 40, 3_000_100)) == {"1"}
            looks.append(monitored(plant, api))
        assert looks[-1]["confirmed"]
        seen = {one["name"] for one in looks[-1]["readings"] if one["drifted"]}
        assert "brightness" in seen
        assert sum(look["asked"] for look in looks) == 1
        until(lambda: plant.standing(CAP).get("champion") == "2")
        until(lambda: judged(client, arrived[:1]) == {"2"})
    _, row = Ledger.of(plant.project).entries(CAP, ["registered"])
    (record,) = plant.project.mlflow.glob(f"artifacts/*/{row.body['run_id']}/**/lineage.json")
    told = json.loads(record.read_text())["run"]
    assert told["trigger"] == "drift"
    assert "brightness" in told["reason"]
    last = moves(plant.ledger.entries(CAP))[-1]
    assert last.body["to"] == "2"
    audit = run(plant, api, "audit", CAP)
    assert audit.returncode == 0, audit.stdout
    by = {one.version for one in predictions(plant.project, model=CAP)}
    assert by == {"1", "2"}
    traced = run(plant, api, "trace", str(arrived[0]))
    assert "caps.cap/1" in traced.stdout
    assert "caps.cap/2" in traced.stdout
