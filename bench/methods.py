"""What `bench.model` compares. A row more here is a column more in everything else.

A method is a child (a module of this package) and the options that it gets. Options of
`bench.ours` are overrides of `patchae.config.Training`: an ablation is one line.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from patchae.config import PRESETS, Training
from patchae.files import digest_json, sha256_file

ROOT = Path(__file__).parents[1]
OWN = Path(sys.executable)
RIVALS = ROOT / ".bench" / "venv" / "bin" / "python"
"""The environment that holds anomalib, from `bench/rivals.txt`: `make bench-rivals`."""

_EVERY = ("bench/child.py", "patchae/model/images.py")
SOURCES = {
    "bench.ours": ("bench/ours.py", "patchae/model/*.py", *_EVERY),
    "bench.whole_map": ("bench/ours.py", "bench/whole_map.py", "patchae/model/*.py", *_EVERY),
    "bench.autoencoder": ("bench/autoencoder.py", *_EVERY),
    "bench.rivals": ("bench/rivals.py", "bench/rivals.txt", "patchae/model/backbone.py", *_EVERY),
}
"""The files that decide what a child measures; a run is done again when one of them changes."""
_JUDGES = {"metrics.py", "evaluation.py"}
"""Files of `patchae/model` that only judge what a model did."""


@dataclass(frozen=True)
class Method:
    """One row of the tables."""

    title: str
    child: str
    """Module that trains and scores, see `SOURCES`."""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The interpreter that runs the child."""
        return RIVALS if self.child == "bench.rivals" else OWN


REFERENCE = "patchcore"
"""The method whose times the ratios are taken of."""

METHODS = {
    "patch-ae": Method("Patch AE", "bench.ours"),
    "fast": Method("Patch AE, preset fast", "bench.ours", PRESETS["fast"]),
    "one-network": Method(
        "Patch AE, EfficientNet-Lite0 alone", "bench.ours", {"backbone": "tf_efficientnet_lite0"}
    ),
    "as-is": Method("Patch AE, parts not turned upright", "bench.ours", {"pose": "as-is"}),
    "frozen": Method("Patch AE, frozen features", "bench.ours", {"epochs": 0, "damaged_images": 0}),
    "no-defects": Method("Patch AE, no artificial defects", "bench.ours", {"damaged_images": 0}),
    "no-encoder": Method("Patch AE, untrained encoder", "bench.ours", {"epochs": 0}),
    "whole-map": Method("Patch AE, decoder that sees the whole map", "bench.whole_map"),
    "autoencoder": Method("plain auto-encoder", "bench.autoencoder"),
    "padim": Method("PaDiM (anomalib)", "bench.rivals", {"model": "padim"}),
    "patchcore": Method(
        "PatchCore-1% (anomalib)", "bench.rivals", {"model": "patchcore", "ratio": 0.01}
    ),
    "best": Method("Patch AE, preset best", "bench.ours", PRESETS["best"]),
}
"""From the fastest to the slowest, so that an interrupted bench has most of its rows."""


def settings_of(method: Method, image_size: int, seed: int) -> dict[str, Any] | None:
    """All settings of a training of ours, defaults included; of other methods there are none."""
    if method.child not in {"bench.ours", "bench.whole_map"}:
        return None
    given = {"image_size": image_size, "seed": seed, **method.options}
    # Not validated here: a mistake in the options is the child's to report, and its run's to fail.
    return Training.model_construct(**given).model_dump(mode="json")


def digest_of(patterns: Sequence[str], root: Path = ROOT) -> str:
    """sha256 over the files that patterns name, by path and content."""
    files = {path for pattern in patterns for path in root.glob(pattern)}
    return digest_json({path.relative_to(root).as_posix(): sha256_file(path) for path in files})


def source_digest(method: Method) -> str:
    """sha256 over everything that decides what a method measures."""
    patterns = SOURCES[method.child]
    files = {path for pattern in patterns for path in ROOT.glob(pattern)}
    names = [path.relative_to(ROOT).as_posix() for path in files if path.name not in _JUDGES]
    return digest_of(names)
