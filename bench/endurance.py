"""Ten minutes of work for the scoring service, and all that may happen to it meanwhile.

    make bench-endurance [ARGS="--seconds 120"]

A model of the sample has two versions in a real MLflow server. While clients ask the service all
the time, a version is promoted, rolled back, promoted with a damaged weights file and mended, and
MLflow is killed for a minute. Then every answer is compared with the log of decisions, and the log
with the ledger: who judged what, and was it the champion then? Writes bench/results/endurance.json
and docs/benchmarks.md; the exit code is 1 if a request failed, a champion never answered, or any
two of them disagree.
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
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import numpy as np
import psutil

from bench.agreement import disputed, reigns
from bench.methods import ROOT
from bench.pages import ENDURANCE, PAGE, render
from bench.product_pages import of_endurance
from bench.serve import CLASS, LINE, environment, write_images, write_line
from flows.server import free_port
from patchae.dataset.layout import image_files
from patchae.files import sha256_file, write_json
from patchae.predictions.reading import predictions
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.promotion import rollback
from patchae.registry.standing import champion_of, moves
from patchae.registry.tracking import Tracking

MODEL = f"{LINE}.{CLASS}"
FIRST, SECOND = "1", "2"
PATIENCE_S = 180
PER_REQUEST = (1, 1, 1, 4)
"""Images of the requests of a client, in turn."""


class Plant:
    """A project whose MLflow is a server, which can be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        self.port = free_port(0)
        self.environment = environment() | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.port}"}
        self._mlflow: subprocess.Popen[bytes] | None = None

    def start_mlflow(self) -> None:
        """Start the server, and wait until it answers."""
        home = self.project.root / "mlflow"
        home.mkdir(exist_ok=True)
        words = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        words += ["--workers", "1", "--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"]
        words += ["--artifacts-destination", str(home / "artifacts"), "--serve-artifacts"]
        self._mlflow = self._start(words, home / "server.log")
        until(lambda: answers(f"http://127.0.0.1:{self.port}/health"))

    def kill_mlflow(self) -> None:
        """The server is gone from one moment to the next."""
        if self._mlflow:
            os.killpg(self._mlflow.pid, signal.SIGKILL)
            self._mlflow.wait()
            self._mlflow = None

    @contextmanager
    def service(self) -> Iterator[tuple[str, psutil.Process]]:
        """`patchae serve-model`: its address and its process."""
        port = free_port(0)
        words = ["patchae", "serve-model", MODEL, "--port", str(port)]
        running = self._start(words, self.project.root / "service.log")
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
            yield f"http://127.0.0.1:{port}", psutil.Process(running.pid)
        finally:
            running.terminate()
            running.wait(PATIENCE_S)

    def run(self, *words: str, allowed: tuple[int, ...] = (0,)) -> None:
        """A command of patchae that has to end with one of these exit codes."""
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "patchae", *words],
            cwd=self.project.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in allowed:
            raise SystemExit(f"patchae {' '.join(words)}: {done.returncode}: {done.stderr}")

    def move(self, version: str) -> None:
        """Make a version the champion: by hand at first, and as a rollback once it was one."""
        rows = Ledger.of(self.project).entries(MODEL)
        if version in [one.body["to"] for one in moves(rows)]:
            self.run("rollback", MODEL, "--to", version, "--reason", "bench")
        else:
            self.run("promote", f"{MODEL}/{version}", "--override", "--reason", "bench")

    def refused(self, version: str) -> None:
        """A rollback that patchae does not make, since the version is not what it was."""
        words = ("rollback", MODEL, "--to", version, "--reason", "bench")
        self.run(*words, allowed=(1, 3))

    def move_unchecked(self, version: str) -> None:
        """The same move, made by a program that does not look first."""
        with mock.patch.dict(os.environ, self.environment):
            aliases = Tracking.open(self.project).aliases
            rollback(
                Ledger.of(self.project), aliases, MODEL, to=version, actor="bench", reason="bench"
            )

    def newest_weights(self) -> Path:
        """The weights file of the newest version, where the server keeps it."""
        found = (self.project.root / "mlflow" / "artifacts").glob("**/model.safetensors")
        return max(found, key=lambda path: path.stat().st_mtime)

    def _start(self, words: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", *words],
                cwd=self.project.root,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def answers(url: str) -> bool:
    """Whether something answers with 200 there."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def until(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not so():
        if time.monotonic() > end:
            raise SystemExit("what was waited for does not happen")
        time.sleep(0.2)


def ask(url: str, images: list[Path], clients: int, target: Path) -> None:
    """Ask until SIGTERM comes; a line for each answer goes to a file."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    bodies = [(path.name, path.read_bytes(), sha256_file(path)) for path in images]

    def one(first: int) -> list[dict[str, Any]]:
        found, number = [], first
        with httpx.Client(timeout=120) as client:
            while not ended.is_set():
                count = PER_REQUEST[number % len(PER_REQUEST)]
                sent = [bodies[(number + more) % len(bodies)] for more in range(count)]
                files = [("image", (name, content)) for name, content, _ in sent]
                started = time.perf_counter()
                try:
                    told = client.post(url, files=files)
                    status, said = told.status_code, told.json()
                except httpx.TransportError as error:
                    status, said = 0, {"detail": repr(error)}
                found.append(
                    {
                        "status": status,
                        "version": said.get("version"),
                        "images": [digest for _, _, digest in sent],
                        "seconds": time.perf_counter() - started,
                        "said": "" if status == 200 else str(said)[:500],
                    }
                )
                number += 1
        return found

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(one, first) for first in range(clients)]
        found = [answer for some in running for answer in some.result()]
    write_json(target, found)


@contextmanager
def clients(url: str, images: list[Path], count: int, target: Path) -> Iterator[None]:
    """Clients that ask for the length of the block, in a process of their own."""
    words = ["--ask", url, "--clients", str(count), "--answers", str(target)]
    running = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "bench.endurance", *words, "--images", *map(str, images)], cwd=ROOT
    )
    try:
        yield
    except BaseException:
        running.kill()
        raise
    running.terminate()
    if running.wait(PATIENCE_S):
        raise SystemExit("the clients ended with an error")


def prepare(plant: Plant) -> None:
    """Two versions: the first is the champion, of the second nobody has decided."""
    root = plant.project.root
    write_images(root)
    write_line(root)
    plant.run("retrain", LINE)
    # Other images make another version; what its tests show is too little for this gate.
    for file in image_files(root / "data" / CLASS / "train" / "good")[-5:]:
        file.unlink()
    write_line(root, min_image_auroc=0.97)
    plant.run("retrain", LINE, allowed=(0, 1))
    current = champion_of(Ledger.of(plant.project).entries(MODEL)).current
    if current != FIRST:
        raise SystemExit(f"the champion is {current} already")


def happenings(plant: Plant, url: str) -> list[tuple[float, str, Callable[[], object]]]:
    """What happens, and at which share of the time."""
    weights = plant.newest_weights()
    whole = weights.read_bytes()
    damaged = whole[:-1] + bytes([whole[-1] ^ 1])

    def problem() -> str:
        told = httpx.get(f"{url}/readyz", timeout=60).json()["problems"]
        return str(told.get(MODEL, ""))

    return [
        (0.05, "promotion", lambda: plant.move(SECOND)),
        (0.20, "rollback", lambda: plant.move(FIRST)),
        (0.33, "the other weights damaged", lambda: weights.write_bytes(damaged)),
        (0.34, "a rollback to them refused", lambda: plant.refused(SECOND)),
        (0.40, "made champion nevertheless", lambda: plant.move_unchecked(SECOND)),
        (0.41, "not served", lambda: until(lambda: f"{SECOND} is not served" in problem())),
        (0.50, "mended", lambda: weights.write_bytes(whole)),
        (0.51, "served", lambda: until(lambda: not problem())),
        (0.70, "MLflow killed", plant.kill_mlflow),
        (0.71, "said", lambda: until(lambda: "not known" in problem())),
        (0.80, "MLflow back", plant.start_mlflow),
        (0.81, "all well", lambda: until(lambda: not problem())),
        (0.88, "rollback", lambda: plant.move(FIRST)),
    ]


def measure(root: Path, seconds: float, count: int) -> dict[str, Any]:
    """Everything, once."""
    plant = Plant(root)
    with ExitStack() as stack:
        stack.callback(plant.kill_mlflow)
        plant.start_mlflow()
        prepare(plant)
        images = image_files(root / "data" / CLASS / "test" / "good")
        url, service = stack.enter_context(plant.service())
        target = root / "answers.json"
        memory = [service.memory_info().rss]
        with clients(f"{url}/v1/score/{MODEL}", images, count, target):
            began = time.monotonic()
            log: list[tuple[float, str]] = []
            for share, what, happen in happenings(plant, url):
                time.sleep(max(0.0, began + share * seconds - time.monotonic()))
                memory.append(service.memory_info().rss)
                log.append((time.monotonic() - began, what))
                print(f"{log[-1][0]:6.1f} s {what}", flush=True)
                happen()
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            memory.append(service.memory_info().rss)
            lasted = time.monotonic() - began
    return compared(plant, json.loads(target.read_text())) | {
        "seconds": lasted,
        "clients": count,
        "cores": os.cpu_count(),
        "happened": log,
        "memory_mb": [one / 1e6 for one in memory],
    }


def compared(plant: Plant, answered: list[dict[str, Any]]) -> dict[str, Any]:
    """Answers beside the log, and the log beside the ledger."""
    good = [one for one in answered if one["status"] == 200]
    decisions = list(predictions(plant.project, model=MODEL))
    logged = Counter((one.image, one.version) for one in decisions)
    told = Counter((image, one["version"]) for one in good for image in one["images"])
    changes = moves(Ledger.of(plant.project).entries(MODEL))
    p50, p95, p99 = np.percentile([one["seconds"] * 1e3 for one in good], (50, 95, 99))
    for one in answered:
        if one["status"] != 200:
            print(one["status"], one["said"], file=sys.stderr)
    return {
        "requests": len(answered),
        "failed": len(answered) - len(good),
        "images": sum(told.values()),
        "not_logged": sum((told - logged).values()),
        "not_answered": sum((logged - told).values()),
        "disputed": len(disputed(decisions, changes)),
        "followed_s": [one.followed_s for one in reigns(decisions, changes)][1:],
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, render; 1 if a request failed, a champion never answered, or two disagree."""
    asked = _parser().parse_args(arguments)
    if asked.ask:
        ask(asked.ask, asked.images, asked.clients, asked.answers)
        return 0
    root = Path(tempfile.mkdtemp(prefix="patchae-bench-endurance-"))
    try:
        content = measure(root, asked.seconds, asked.clients)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    write_json(asked.results, content)
    render(page=asked.page, endurance=asked.results)
    print(of_endurance(asked.results))
    wrong = ("failed", "not_logged", "not_answered", "disputed")
    return int(any(content[key] for key in wrong) or None in content["followed_s"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-endurance",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--seconds", type=float, default=600.0, help="of load")
    add("--clients", type=int, default=8, help="at once")
    add("--results", type=Path, default=ENDURANCE, help="file to write")
    add("--page", type=Path, default=PAGE, help="page to render into")
    add("--ask", help=argparse.SUPPRESS)
    add("--answers", type=Path, help=argparse.SUPPRESS)
    add("--images", type=Path, nargs="*", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
