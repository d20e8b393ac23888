"""Many small classes on the workers of a pool: what one and two workers make of a night.

    make bench-scale [ARGS="--classes 4 --images 24"]

A line of 16 classes is retrained on Prefect's own engine: a server, one worker for the run of the
line, and one or two workers that train, each with one CPU and one place of its own, as two machines
would have. Everything else is what `patchae deploy` makes; images are those of the sample under
small changes, the training is the preset `fast`. Each row is a project of its own, with nothing
done before. A row with several classes per run shows what Prefect's start of a run costs.

Not spent training is what remains of (duration of the retraining) x (workers) after the seconds of
training that the lineage records hold: validation, scoring the test images, registration, verdict,
the starts of runs, and waiting. Writes bench/results/scale.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.growth import jittered
from bench.methods import ROOT
from bench.pages import PAGE, SCALE, render
from bench.product_pages import of_scale
from flows.deployments import RETRAIN, TRAIN_CLASS
from flows.server import free_port, prefect_server
from patchae.dataset.layout import image_files
from patchae.dataset.sample import render as render_sample
from patchae.files import write_json
from patchae.project import Project
from patchae.registry.ledger import Ledger

LINE, POOL = "parts", "bench"
TRAINING, OFFICE = "default", "office"
"""The pool's queues: what trains, and the run of the line, which only waits for that."""
ROWS = ((1, 1), (1, 8), (2, 1), (2, 8))
"""Workers, and classes per run."""
PATIENCE_S = 3600


def write_classes(folder: Path, sources: Path, classes: int, images: int) -> list[str]:
    """Classes in MVTec AD layout; names of them. No two images are equal."""
    kinds = sorted(one for one in sources.iterdir() if one.is_dir())
    names = [f"part{number:02d}" for number in range(classes)]
    for number, name in enumerate(names):
        kind = kinds[number % len(kinds)]
        for split in sorted(kind.glob("t*/*")):
            count = images if split.parent.name == "train" else images // 4
            target = folder / name / split.relative_to(kind)
            target.mkdir(parents=True)
            jittered(image_files(split), count, target, seed=number)
    return names


def prepare(root: Path, names: list[str], per_run: int, preset: str) -> Project:
    """A project of one line; its images are in `data/` already."""
    line = {
        "classes": names,
        "work_pool": POOL,
        "classes_per_run": per_run,
        "training": {"preset": preset},
        # What is measured is the night, not how good such models are.
        "gates": {
            "min_image_auroc": 0.5,
            "max_drop": 0.5,
            "max_false_alarms": 1.0,
            "broken_promise": "allow",
        },
    }
    (root / "lines.yaml").write_text(yaml.safe_dump({"lines": {LINE: line}}))
    return Project(root)


@contextmanager
def worker(
    api: str, home: Path, queue: str, *, limit: int, cpu: int | None = None, **more: str
) -> Iterator[None]:
    """A process worker for the length of the block, held to one CPU if one is named."""
    home.mkdir(parents=True)
    words = ["worker", "start", "--pool", POOL, "--type", "process", "--name", home.name]
    words += ["--work-queue", queue, "--limit", str(limit)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(home / "prefect"),
        "OMP_NUM_THREADS": "1",
        "PATCHAE_DEVICE": "cpu",
        **more,
    }
    with (home / "worker.log").open("wb") as log:
        running = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "prefect", *words],
            cwd=home,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if cpu is not None:
        os.sched_setaffinity(running.pid, {cpu})
    try:
        yield
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def measure(root: Path, names: list[str], workers: int, per_run: int, preset: str) -> Any:
    """Retrain the line of a project whose `data/` is filled; one row of the results.

    Raises:
        SystemExit: a class failed, or it took longer than an hour.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    project = prepare(root, names, per_run, preset)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = stack.enter_context(prefect_server(home / "server", free_port(0), pages=False))
        subprocess.run(
            [sys.executable, "-m", "patchae", "deploy"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": api},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        stack.enter_context(worker(api, home / "line", OFFICE, limit=1))
        for number in range(workers):
            # Two machines have places of their own; here the name of a GPU tells them apart.
            own = {"CUDA_VISIBLE_DEVICES": str(number)}
            cpu = sorted(os.sched_getaffinity(0))[number % (os.cpu_count() or 1)]
            # While one class trains the next run begins; of long runs each worker has one.
            limit = 2 if per_run == 1 else 1
            place = home / f"w{number}"
            stack.enter_context(worker(api, place, TRAINING, limit=limit, cpu=cpu, **own))
        stack.enter_context(temporary_settings({PREFECT_API_URL: api}))
        client = stack.enter_context(get_client(sync_client=True))
        _until_up(client, workers)
        known = client.read_deployment_by_name(f"{RETRAIN}/{LINE}")
        started = time.monotonic()
        made = client.create_flow_run_from_deployment(known.id, work_queue_name=OFFICE)
        while True:
            state = client.read_flow_run(made.id).state
            if state is not None and state.is_completed():
                break
            if state is not None and state.is_final():
                raise SystemExit(f"the retraining ended {state.name}: {state.message}")
            if time.monotonic() - started > PATIENCE_S:
                raise SystemExit(f"not done after {PATIENCE_S} s")
            time.sleep(1)
        seconds = time.monotonic() - started
        runs = _runs(client)
    trained = training_seconds(project, names)
    return {
        "workers": workers,
        "classes_per_run": per_run,
        "seconds": seconds,
        "training_seconds": trained,
        "train_runs": runs,
        "not_training": 1 - sum(trained) / (seconds * workers),
    }


def _until_up(client: Any, workers: int) -> None:
    """Wait until all workers ask for work; their start is not part of a night."""
    until = time.monotonic() + 120
    while len(client.read_workers_for_work_pool(POOL)) < workers + 1:
        if time.monotonic() > until:
            raise SystemExit("the workers do not start")
        time.sleep(0.5)


def _runs(client: Any) -> list[dict[str, float]]:
    """Of each run that trained: seconds that it waited for a worker, and that it took."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    names = FlowFilter(name=FlowFilterName(any_=[TRAIN_CLASS]))
    found = client.read_flow_runs(flow_filter=names, limit=200)
    return [
        {
            "waited": (one.start_time - one.expected_start_time).total_seconds(),
            "took": one.total_run_time.total_seconds(),
        }
        for one in found
        if one.start_time
    ]


def training_seconds(project: Project, names: list[str]) -> list[float]:
    """How long each class trained, by the lineage record of its version.

    Raises:
        SystemExit: a class has no version.
    """
    ledger, found = Ledger.of(project), []
    for name in names:
        rows = list(ledger.entries(f"{LINE}.{name}", ["registered"]))
        if len(rows) != 1:
            raise SystemExit(f"class {name} has {len(rows)} versions, expected one")
        run = rows[0].body["run_id"]
        (record,) = project.mlflow.glob(f"artifacts/*/{run}/**/lineage.json")
        found.append(float(json.loads(record.read_text())["training"]["seconds"]))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure every row, write after each, render."""
    asked = _parser().parse_args(arguments)
    content: dict[str, Any] = {
        "classes": asked.classes,
        "images": asked.images,
        "preset": asked.preset,
        "cores": os.cpu_count(),
        "rows": [],
    }
    with tempfile.TemporaryDirectory() as temporary:
        rendered = Path(temporary) / "sample"
        render_sample(rendered)
        for workers, per_run in asked.rows:
            root = Path(temporary) / f"works-{workers}-{per_run}"
            names = write_classes(root / "data", rendered, asked.classes, asked.images)
            row = measure(root, names, workers, per_run, asked.preset)
            content["rows"].append(row)
            print(
                f"{workers} workers, {per_run} classes per run: {row['seconds']:.0f} s,"
                f" {row['not_training']:.0%} of it not training",
                flush=True,
            )
            write_json(asked.results, content)
    render(page=asked.page, scale=asked.results)
    print(of_scale(asked.results))
    return 0


def _row(text: str) -> tuple[int, int]:
    workers, _, per_run = text.partition("x")
    return int(workers), int(per_run)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-scale", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--classes", type=int, default=16, help="classes of the line")
    add("--images", type=int, default=48, help="training images of a class")
    add("--preset", default="fast", help="of the training")
    add("--rows", type=_row, nargs="+", default=ROWS, help="WORKERSxCLASSES_PER_RUN ...")
    add("--results", type=Path, default=SCALE, help="file to write")
    add("--page", type=Path, default=PAGE, help="page to render into")
    return parser


if __name__ == "__main__":
    sys.exit(main())
