"""One run of a method on a class: a process of its own, kept on disk, found again.

A run lies in `.bench/runs/`, in a folder named by what determines it: method and options, class
and images, seed, image size, device, threads, source. A bench that was killed therefore goes on
where it was, and a change of the model makes only that model run again. Results that were written
before count as well while they bear the same name, so another machine of the kind can go on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from bench.child import Job
from bench.judge import Product, judge
from bench.methods import ROOT, Method, settings_of, source_digest
from patchae.files import digest_json, write_json

KEPT = ROOT / ".bench" / "runs"
ENVIRONMENT = {
    # torch asks for huge pages: the greedy coreset makes and drops an array of hundreds of MB for
    # every pick, and the kernel would hand each out in pieces of 4 kB. The same for every method.
    "THP_MEM_ALLOC_ENABLE": "1",
    "TQDM_DISABLE": "1",
    "PYTHONWARNINGS": "ignore",
}


class ChildFailed(Exception):
    """A child ended with an error; the message tells where its output is."""


@dataclass(frozen=True)
class Run:
    """One method, class and seed; not necessarily done yet."""

    name: str
    method: Method
    product: Product
    seed: int
    device: str
    kept: Path = KEPT
    alone: bool = True
    """Whether nothing else of the bench runs beside it: its times count."""

    @cached_property
    def key(self) -> str:
        """What determines it; fixed when first asked, whatever is edited later."""
        return digest_json(
            {
                "child": self.method.child,
                "options": self.method.options,
                "settings": settings_of(self.method, self.product.image_size, self.seed),
                "images": self.product.digest,
                "image_size": self.product.image_size,
                "seed": self.seed,
                "device": self.device,
                "threads": self.threads,
                "source": source_digest(self.method),
            }
        )[:16]

    @property
    def threads(self) -> int:
        """All of torch's, or one where others run beside it."""
        return torch.get_num_threads() if self.alone else 1

    @property
    def folder(self) -> Path:
        """Where its files are, or will be."""
        return self.kept / f"{self.name}-{self.product.name}-{self.seed}-{self.key}"

    @property
    def done(self) -> bool:
        """Whether its child has finished."""
        return (self.folder / "facts.json").exists()

    def do(self) -> None:
        """Start the child and wait for it. What an earlier try left is thrown away.

        Raises:
            ChildFailed: it ended with an error.
        """
        folder, product = self.folder, self.product
        for left_behind in self.kept.glob(f".{folder.name}.*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        # A child may outlive a bench that was killed: it then writes where nobody looks.
        draft = folder.with_name(f".{folder.name}.{os.getpid()}")
        job = Job(
            folder=str(draft.resolve()),
            train=[str((product.data / path).resolve()) for path in product.train],
            digests=list(product.digests),
            test=[str((product.data / test.path).resolve()) for test in product.tests],
            image_size=product.image_size,
            seed=self.seed,
            device=self.device,
            threads=self.threads,
            options=self.method.options,
        )
        start(self.method, job)
        draft.rename(folder)

    def result(self) -> dict[str, Any]:
        """Facts and metrics of a finished run, as one flat mapping."""
        facts = json.loads((self.folder / "facts.json").read_text())
        return {
            **facts,
            **judge(self.folder, self.product),
            "seed": self.seed,
            "run": self.key,
            "alone": self.alone,
        }


def start(method: Method, job: Job) -> None:
    """Run a child in its job's folder, its output in `output.txt` there.

    Raises:
        ChildFailed: it ended with an error.
    """
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "job.json", asdict(job))
    with (folder / "output.txt").open("wb") as output:
        ended = subprocess.run(  # noqa: S603 - our own module
            [method.python, "-m", method.child, folder / "job.json"],
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ended.returncode != 0:
        lines = (folder / "output.txt").read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else f"ended with {ended.returncode}"
        raise ChildFailed(f"{last}; all of it: {folder / 'output.txt'}")


def timed(run: Run) -> str:
    """Do a run and say how long it took.

    Raises:
        ChildFailed: its child ended with an error.
    """
    started = time.perf_counter()
    run.do()
    return f"{time.perf_counter() - started:.0f} s"
