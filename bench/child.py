"""What every child does, whatever its method: fit, save, score, and time itself.

    python -m bench.ours JOB          JOB: a JSON file that holds a `Job`

A child sees paths of images and never a label or a mask; the parent judges. It writes into the
job's folder, the second one last and in one step:

    scores.npz    scores (N,) float64, and maps (N, S, S) float16, scaled by a positive number
    facts.json    `Facts`

It runs in the rivals' environment too: of patchae it may import only what needs torch, timm, numpy
and Pillow.
"""

from __future__ import annotations

import json
import platform
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

BATCH = 16
_TIMED = {1: 32, BATCH: 4}
"""How many batches are timed, by their size."""


@dataclass(frozen=True)
class Job:
    """One method, class and seed."""

    folder: str
    """Where the results go."""
    train: list[str]
    """Files of train/good."""
    digests: list[str]
    """sha256 of each of them."""
    test: list[str]
    image_size: int
    seed: int
    device: str
    """`cpu` or `cuda`."""
    threads: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Facts:
    """What a child measured. Times are of this machine, busy or not."""

    training_seconds: float
    """From the list of files to a model that can score; imports left out."""
    ms_batch1: float
    """Milliseconds per image from file to score and map, one at a time: the median of batches."""
    ms_batch16: float
    """The same for batches of 16."""
    model_bytes: int
    """The saved model, its backbone included."""
    peak_memory_mb: float
    """The most memory that the process held at once, in 10^6 bytes."""
    imports_memory_mb: float
    """What it held before it began: Python and its libraries."""
    gpu_peak_mb: float | None
    """The most that torch held on the GPU; None on the CPU."""
    threads: int
    device: str
    versions: dict[str, str]
    notes: dict[str, Any] = field(default_factory=dict)
    """What only this method has, such as the size of its memory."""


class Fitted(Protocol):
    """A trained model, whatever it is."""

    notes: dict[str, Any]

    def score(self, files: Sequence[Path]) -> tuple[Sequence[float], np.ndarray]:
        """Scores and maps (B, S, S) of files, as one batch. Higher is more anomalous."""

    def save(self, folder: Path) -> None:
        """Write everything that scoring needs."""


def work(fit: Callable[[Job], Fitted]) -> None:
    """Do the job that the command line names, with a method given by its `fit`."""
    job = Job(**json.loads(Path(sys.argv[1]).read_text()))
    files = [Path(path) for path in job.test]
    random.seed(job.seed)
    np.random.seed(job.seed)  # scikit-learn under anomalib draws from this one
    torch.manual_seed(job.seed)
    torch.set_num_threads(job.threads)
    imports = _memory("VmRSS")
    started = time.perf_counter()
    model = fit(job)
    if job.device == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as saved:
        model.save(Path(saved))
        size = sum(path.stat().st_size for path in Path(saved).rglob("*") if path.is_file())
    parts = [model.score(files[i : i + BATCH]) for i in range(0, len(files), BATCH)]
    times = {size: _milliseconds(model, files, size) for size in _TIMED}
    facts = Facts(
        training_seconds=seconds,
        ms_batch1=times[1],
        ms_batch16=times[BATCH],
        model_bytes=size,
        peak_memory_mb=_memory("VmHWM"),
        imports_memory_mb=imports,
        gpu_peak_mb=torch.cuda.max_memory_allocated() / 1e6 if job.device == "cuda" else None,
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if job.device == "cuda" else platform.machine(),
        versions={"python": platform.python_version(), "torch": version("torch")},
        notes=model.notes,
    )
    maps = np.concatenate([part for _, part in parts])
    # float16 is precise relative to the value, not near 0: bring the highest to 1,000 first.
    maps *= 1000 / max(float(np.abs(maps).max()), 1e-30)
    scores = np.array([score for part, _ in parts for score in part], np.float64)
    folder = Path(job.folder)
    np.savez_compressed(folder / "scores.npz", scores=scores, maps=maps.astype(np.float16))
    draft = folder / ".facts.json"
    draft.write_text(json.dumps(asdict(facts), indent=2))
    draft.replace(folder / "facts.json")


def _milliseconds(model: Fitted, files: list[Path], size: int) -> float:
    """Per image, the median of batches spread over the test images; one batch to warm up."""
    count = (_TIMED[size] + 1) * size
    chosen = [files[i * len(files) // count % len(files)] for i in range(count)]
    taken = []
    for start in range(0, count, size):
        started = time.perf_counter()
        model.score(chosen[start : start + size])
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken[1:]) / size


def _memory(line: str) -> float:
    """`VmRSS` (now) or `VmHWM` (the most so far) of this process, in 10^6 bytes.

    Where there is no /proc both are `ru_maxrss`. On Linux that one would not do: what the parent
    held when it started the child counts in it.
    """
    try:
        text = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    row = next(row for row in text.splitlines() if row.startswith(f"{line}:"))
    return int(row.split()[1]) * 1024 / 1e6
