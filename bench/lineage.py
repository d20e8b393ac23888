"""What it costs to ask where models came from, on a plant of years.

    make bench-lineage [ARGS="--small"]

Builds 1,000 model versions over 200 data versions of 50,000 images each (`bench.plant`), then runs
commands on it as a person would, each in a process of its own with its start and its imports in
the time: trace of one image and of a list, history at a moment, audit of one version. The first
trace, which fills the index, is told apart. Beside them the plain way to the same answer: a program
that asks MLflow for every version and looks for the image in its manifest.csv and split.csv.

Writes bench/results/lineage.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.methods import ROOT
from bench.pages import LINEAGE, PAGE, render
from bench.plant import BETWEEN, SMALL, START, Size, build
from bench.product_pages import of_lineage
from patchae.files import write_json
from patchae.project import Project

REPEATS = 5
ASKED = 1_000
"""Images of the list."""
MODEL = "line03.class17"
LIMITS = {"trace_one": 1.0, "trace_list": 5.0, "history_at": 1.0, "audit": 3.0}
"""What the commands are to stay under (s)."""


def timed(folder: Path, *words: str) -> tuple[float, str]:
    """Seconds that a Python process took, and what it printed.

    Raises:
        SystemExit: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own environment
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:4])} ended with {done.returncode}:\n{done.stderr}")
    return seconds, done.stdout


def again(folder: Path, *words: str, repeats: int) -> tuple[list[float], str]:
    """`timed`, several times; the first one more to warm the file system up."""
    _, said = timed(folder, *words)
    return [timed(folder, *words)[0] for _ in range(repeats)], said


def users_in(said: str) -> dict[str, list[list[str]]]:
    """From the JSON of a trace: for each image, which model versions used it and what for."""
    found = json.loads(said.splitlines()[-1])["images"]
    return {
        one["sha256"]: sorted([use["model"], use["version"], use["use"]] for use in one["uses"])
        for one in found
    }


def sample(project: Project, count: int) -> list[str]:
    """Digests of images of which most were used by some model version, drawn from manifests."""
    manifests = sorted(project.mlflow.rglob("manifest.csv"))
    drawn = random.Random(0)
    found: set[str] = set()
    while len(found) < count:
        lines = drawn.choice(manifests).read_text().splitlines()[1:]
        found |= {line.split(",")[4] for line in drawn.sample(lines, min(20, len(lines)))}
    return sorted(found)[:count]


def measure(project: Project, size: Size, repeats: int, asked: int) -> dict[str, Any]:
    """Run everything on a plant; the results as JSON values."""
    root = project.root
    digests = sample(project, asked)
    listed = root / "bad.csv"
    listed.write_text("sha256\n" + "\n".join(digests) + "\n")
    patchae = ("-m", "patchae")
    filling, _ = timed(root, *patchae, "trace", digests[0])
    print(f"index filled in {filling:.1f} s", flush=True)
    seconds: dict[str, list[float]] = {}
    seconds["trace_one"], _ = again(root, *patchae, "trace", digests[0], "--json", repeats=repeats)
    seconds["trace_list"], many = again(
        root, *patchae, "trace", "--from-list", str(listed), "--json", repeats=repeats
    )
    moment = (START + BETWEEN * size.data_versions / 2).isoformat()
    seconds["history_at"], _ = again(
        root, *patchae, "history", MODEL, "--at", moment, repeats=repeats
    )
    seconds["history_line_at"], _ = again(
        root, *patchae, "history", MODEL.partition(".")[0], "--at", moment, repeats=repeats
    )
    seconds["status"], _ = again(root, *patchae, "status", repeats=repeats)
    seconds["audit"], _ = again(root, *patchae, "audit", f"{MODEL}@champion", repeats=repeats)
    for name, took in seconds.items():
        print(f"{name}: {median(took):.2f} s", flush=True)
    scan = ("-m", "bench.lineage", "--scan", str(root), "--for", str(listed))
    scanning, scanned = timed(root, *scan)
    users = json.loads(scanned.splitlines()[-1])
    if users != users_in(many):
        raise SystemExit("the scan through MLflow and the trace say different things")
    print(f"scan: {scanning:.1f} s, the same answer", flush=True)
    uses = size.model_versions * size.images
    memberships = size.data_versions * size.classes * size.images
    return {
        "model_versions": size.model_versions,
        "data_versions": size.data_versions,
        "images": size.classes * size.images,
        "model_uses": uses,
        "memberships": memberships,
        "index_bytes": project.trace.stat().st_size,
        "asked": asked,
        "affected": len({(u[0], u[1]) for every in users.values() for u in every}),
        "rows": _rows(project),
        "filling": filling,
        "scan": scanning,
        "limits": LIMITS,
        "seconds": seconds,
        "cores": os.cpu_count(),
    }


def _rows(project: Project) -> int:
    from patchae.registry.ledger import Ledger

    head = Ledger(project.ledger).head()
    return head.seq if head else 0


def scan(root: Path, listed: Path) -> dict[str, list[list[str]]]:
    """The answer of a trace, by MLflow alone: every version's lists, one after the other."""
    import mlflow

    uri = f"sqlite:///{Project(root).mlflow / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    users: dict[str, list[list[str]]] = {sha256: [] for sha256 in listed.read_text().split()[1:]}
    for model in client.search_registered_models(max_results=1000):
        for version in client.search_model_versions(f"name = '{model.name}'", max_results=1000):
            for name in ("manifest.csv", "split.csv"):
                file = mlflow.artifacts.download_artifacts(
                    run_id=version.run_id, artifact_path=name, tracking_uri=uri
                )
                for line in Path(file).read_text().splitlines()[1:]:
                    cells = line.split(",")
                    sha256 = cells[4] if name == "manifest.csv" else cells[1]
                    if sha256 in users and (name == "split.csv" or cells[1] == "test"):
                        use = "judged" if name == "manifest.csv" else cells[2]
                        users[sha256].append([model.name, str(version.version), use])
    return {sha256: sorted(found) for sha256, found in users.items()}


def main(arguments: list[str] | None = None) -> int:
    """Build, measure, write, render; 1 if a command took longer than it may."""
    asked = _parser().parse_args(arguments)
    if asked.scan:
        print(json.dumps(scan(asked.scan, asked.listed)))
        return 0
    size = SMALL if asked.small else Size()
    root = Path(tempfile.mkdtemp(dir=asked.folder, prefix="plant-"))
    try:
        started = time.perf_counter()
        project = build(root, size)
        building = time.perf_counter() - started
        print(f"built in {building:.0f} s", flush=True)
        content = measure(project, size, asked.repeats, min(ASKED, size.images))
    finally:
        shutil.rmtree(root, ignore_errors=True)
    write_json(asked.results, {**content, "building": building})
    render(page=asked.page, lineage=asked.results)
    print(of_lineage(asked.results))
    late = [name for name, limit in LIMITS.items() if median(content["seconds"][name]) >= limit]
    return 1 if late and not asked.small else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-lineage",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--small", action="store_true", help="a plant that is made in seconds")
    add("--repeats", type=int, default=REPEATS, help="runs of each command; the median counts")
    add("--folder", type=Path, help="where; needs 3 GB")
    add("--results", type=Path, default=LINEAGE, help="file to write")
    add("--page", type=Path, default=PAGE, help="page to render into")
    add("--scan", type=Path, help=argparse.SUPPRESS)
    add("--for", dest="listed", type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
