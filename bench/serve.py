"""The scoring service under load, beside MLflow's own server with the same model.

    make bench-serve [ARGS="--seconds 5"]

The sample is retrained once in a temporary project with images of 256 px. Then each server in turn
answers 1, 8 and 32 clients, each of which sends one image after the other over loopback. A client
is a thread of a process of its own, so that the clients do not share an interpreter with a server.
Writes bench/results/serving.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import numpy as np
import yaml
from PIL import Image

from bench.growth import jittered
from bench.methods import ROOT
from bench.pages import PAGE, SERVING, render
from bench.product_pages import of_serving
from flows.server import free_port
from patchae.dataset.layout import image_files
from patchae.dataset.sample import render as render_sample
from patchae.files import write_json

LINE, CLASS = "bench", "washer"
CLIENTS = (1, 8, 32)
SIDE = 256
PATIENCE_S = 300


def environment() -> dict[str, str]:
    """This source, and no server of somebody else."""
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    # MLflow starts uvicorn by its name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PYTHONPATH": str(ROOT), "PATH": path}


def prepare(root: Path) -> None:
    """A project with a champion for one class of images of `SIDE` px."""
    write_images(root)
    write_line(root)
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "patchae", "retrain", LINE],
        cwd=root,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def write_images(root: Path) -> None:
    """One class of the sample in `data/`, with images of `SIDE` px."""
    with tempfile.TemporaryDirectory() as temporary:
        render_sample(Path(temporary), classes=[CLASS])
        for split in sorted((Path(temporary) / CLASS).glob("t*/*")):
            target = root / "data" / CLASS / split.relative_to(Path(temporary) / CLASS)
            target.mkdir(parents=True)
            files = image_files(split)
            for file in jittered(files, len(files), target, seed=len(split.name)):
                with Image.open(file) as image:
                    image.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file)


def write_line(root: Path, min_image_auroc: float = 0.5) -> None:
    """The line of that class."""
    line = {
        "classes": [CLASS],
        "training": {"preset": "fast"},
        "gates": {
            "min_image_auroc": min_image_auroc,
            "max_drop": 0.5,
            "max_false_alarms": 1.0,
            "broken_promise": "allow",
        },
    }
    (root / "lines.yaml").write_text(yaml.safe_dump({"lines": {LINE: line}}))


@contextmanager
def server(root: Path, words: list[str], health: str) -> Iterator[None]:
    """A server for the length of the block, once it answers."""
    with (root / f"{words[1]}.log").open("wb") as log:
        running = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", *words],
            cwd=root,
            env=environment() | {"MLFLOW_TRACKING_URI": uri_of(root)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urlopen(health, timeout=5):  # noqa: S310 - our own address
                    break
            except OSError:
                if running.poll() is not None or time.monotonic() > until:
                    raise SystemExit(f"{words[0]} does not start: {log.name}") from None
                time.sleep(0.2)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGTERM)
        try:
            running.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def uri_of(root: Path) -> str:
    """The project's MLflow, as a server finds it."""
    return f"sqlite:///{root / '.patchae' / 'mlflow' / 'mlflow.db'}"


def load(url: str, images: list[Path], form: str, clients: int, seconds: float) -> dict[str, Any]:
    """Ask from a process of its own; what came of it."""
    words = ["--ask", url, "--form", form, "--clients", str(clients), "--seconds", str(seconds)]
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "bench.serve", *words, "--images", *map(str, images)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ask(url: str, images: list[Path], form: str, clients: int, seconds: float) -> dict[str, Any]:
    """`clients` clients ask for so long; requests per second, and percentiles of their times."""
    kind = "application/json" if form == "mlflow" else "image/png"
    bodies = [_pixels(path) if form == "mlflow" else path.read_bytes() for path in images]
    end = time.perf_counter() + seconds

    def one(first: int) -> list[tuple[float, bool]]:
        found = []
        with httpx.Client(timeout=120) as client:
            number = first
            while (started := time.perf_counter()) < end:
                body = bodies[number % len(bodies)]
                told = client.post(url, content=body, headers={"Content-Type": kind})
                found.append((time.perf_counter() - started, told.status_code == 200))
                number += 1
        return found

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        answers = [answer for some in pool.map(one, range(clients)) for answer in some]
    took = time.perf_counter() - began
    times = np.array([seconds for seconds, _ in answers]) * 1e3
    p50, p95, p99 = np.percentile(times, (50, 95, 99))
    return {
        "clients": clients,
        "requests": len(answers),
        "failed": sum(not good for _, good in answers),
        "per_second": len(answers) / took,
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
    }


def _pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return json.dumps({"inputs": pixels[None].tolist()}).encode()


def outside(base: str, before: dict[str, float]) -> float:
    """Of the time of the requests since then, the share in which no model worked for them."""
    now = sums(base)
    spent = now["patchae_request_seconds_sum"] - before["patchae_request_seconds_sum"]
    worked = now["patchae_model_seconds_sum"] - before["patchae_model_seconds_sum"]
    return 1 - worked / spent


def sums(base: str) -> dict[str, float]:
    """The sums of the service's histograms."""
    text = httpx.get(f"{base}/metrics").text
    rows = [line.rpartition(" ") for line in text.splitlines() if "_sum{" in line]
    return {name.partition("{")[0]: float(value) for name, _, value in rows}


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, render."""
    asked = _parser().parse_args(arguments)
    if asked.ask:
        found = ask(asked.ask, asked.images, asked.form, asked.clients[0], asked.seconds)
        print(json.dumps(found))
        return 0
    root = Path(tempfile.mkdtemp(prefix="patchae-bench-serve-"))
    try:
        content = measure(root, asked.clients, asked.seconds)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    write_json(asked.results, content)
    render(page=asked.page, serving=asked.results)
    print(of_serving(asked.results))
    return 0


def measure(root: Path, clients: list[int], seconds: float) -> dict[str, Any]:
    """Both services, and ours with ONNX Runtime."""
    prepare(root)
    images = image_files(root / "data" / CLASS / "test" / "good")
    rows: list[dict[str, Any]] = []
    share = 0.0
    for name, runtime in (("patchae", "torch"), ("patchae, ONNX Runtime", "onnx")):
        port = free_port(0)
        base = f"http://127.0.0.1:{port}"
        words = ["patchae", "serve-model", f"{LINE}.{CLASS}", "--port", str(port)]
        with server(root, [*words, "--runtime", runtime], f"{base}/readyz"):
            url = f"{base}/v1/score/{LINE}.{CLASS}"
            load(url, images, "png", 1, 2)
            for count in clients:
                before = sums(base)
                rows.append({"service": name, **load(url, images, "png", count, seconds)})
                if runtime == "torch" and count == clients[0]:
                    share = outside(base, before)
                print(rows[-1], flush=True)
    port = free_port(0)
    words = ["mlflow", "models", "serve", "-m", f"models:/{LINE}.{CLASS}@champion"]
    words += ["--env-manager", "local", "--port", str(port), "--host", "127.0.0.1"]
    with server(root, words, f"http://127.0.0.1:{port}/health"):
        url = f"http://127.0.0.1:{port}/invocations"
        load(url, images, "mlflow", 1, 2)
        for count in clients:
            found = load(url, images, "mlflow", count, seconds)
            rows.append({"service": "mlflow models serve", **found})
            print(rows[-1], flush=True)
    return {
        "what": f"Preset `fast`, images of {SIDE} x {SIDE} px",
        "cores": os.cpu_count(),
        "seconds": seconds,
        "clients": list(clients),
        "outside": share,
        "rows": rows,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-serve", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--clients", type=int, nargs="+", default=CLIENTS, help="clients at once")
    add("--seconds", type=float, default=20.0, help="of each measurement")
    add("--results", type=Path, default=SERVING, help="file to write")
    add("--page", type=Path, default=PAGE, help="page to render into")
    add("--ask", help=argparse.SUPPRESS)
    add("--form", help=argparse.SUPPRESS)
    add("--images", type=Path, nargs="*", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
