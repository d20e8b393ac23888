"""Choose between settings and ideas without looking at any test image.

    python -m bench.choose FOLDER [NAME ...]        folder of classes in MVTec AD layout

Cross-validation on train/good: in each of `ROUNDS` rounds a third of a class's good images is held
out, a model is trained on the rest and scores the held-out images as they are and with the damage
of `bench.damage`, which no training draws. The image AUROC of telling the two apart, in the mean
over rounds and classes, decides. Candidates are overrides of `Training`, in `CANDIDATES`; those
named are measured, the others keep what bench/results/choose.json says of them. The defaults are
those of the best one that is worth its cost, see docs/benchmarks.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.damage import KINDS, damaged
from bench.judge import class_names
from patchae.config import Training
from patchae.dataset.layout import image_files
from patchae.files import sha256_file, write_json
from patchae.model.images import load
from patchae.model.metrics import auroc
from patchae.model.split import calibration_split
from patchae.model.training import train

RESULTS = Path(__file__).parent / "results" / "choose.json"
ROUNDS, HELD_OUT, MOST_HELD_OUT = 1, 1 / 3, 40
CANDIDATES: dict[str, dict[str, Any]] = {
    "balanced": {},
    "256 px": {"image_size": 256},
    "448 px": {"image_size": 448},
    "parts not turned upright": {"pose": "as-is"},
    "Lite0 alone": {"backbone": "tf_efficientnet_lite0"},
    "Lite0, 1 and 2": {
        "backbone": "tf_efficientnet_lite0+tf_efficientnet_lite1+tf_efficientnet_lite2"
    },
    "no training": {"epochs": 0, "damaged_images": 0},
    "no heads": {"damaged_images": 0},
    "memory 2000": {"memory_size": 2000},
    "strides 4, 8, 16": {"strides": (4, 8, 16)},
    "500 damaged images": {"damaged_images": 500},
    "3000 damaged images": {"damaged_images": 3000},
    "untrained encoder": {"epochs": 0},
}


def measure(data: Path, classes: list[str], overrides: dict[str, Any]) -> dict[str, float]:
    """Image AUROC by class, the mean over the rounds."""
    found = {}
    for name in classes:
        rounds = [_round(data, classes, name, overrides, number) for number in range(ROUNDS)]
        found[name] = float(np.mean(rounds))
        print(f"  {name} {found[name]:.4f}", end="", flush=True)
    print()
    return found


def _round(
    data: Path, classes: list[str], name: str, overrides: dict[str, Any], number: int
) -> float:
    paths = image_files(data / name / "train" / "good")
    digests: list[str] = [sha256_file(path) for path in paths]
    held = calibration_split(digests, HELD_OUT, 1000 + number)
    learned = [i for i, out in enumerate(held) if not out]
    aside = [paths[i] for i, out in enumerate(held) if out][:MOST_HELD_OUT]
    settings = Training(**overrides)
    model = train([paths[i] for i in learned], [digests[i] for i in learned], settings)
    size = max(320, settings.image_size)
    clean = [_pixels(path, size) for path in aside]
    foreign = [
        _pixels(path, size)
        for other in classes
        if other != name
        for path in image_files(data / other / "train" / "good")[:2]
    ]
    broken = list(_copies(clean, foreign, number))
    scored = model.score([*clean, *broken])
    return auroc([0] * len(clean) + [1] * len(broken), [one.score for one in scored])


def _copies(
    clean: list[np.ndarray], foreign: list[np.ndarray], number: int
) -> Iterator[np.ndarray]:
    """Two damaged copies of each image, the kinds in turn."""
    for index, image in enumerate(clean):
        for again in range(2):
            kind = KINDS[(2 * index + again) % len(KINDS)]
            for attempt in range(20):
                random = np.random.default_rng([number, index, again, attempt])
                made = damaged(image, kind, random, foreign)
                if made is not None:
                    yield made[0]
                    break


def _pixels(path: Path, size: int) -> np.ndarray:
    return load(path, size).permute(1, 2, 0).numpy().astype(np.float32) / 255


def main() -> None:
    """Measure the candidates asked for, then print and write the table."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    data, asked = Path(sys.argv[1]), sys.argv[2:] or list(CANDIDATES)
    classes = class_names(data)
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in asked:
        print(name)
        by_class = measure(data, classes, CANDIDATES[name])
        mean = sum(by_class.values()) / len(by_class)
        found[name] = {"overrides": CANDIDATES[name], "classes": by_class, "mean": mean}
        write_json(RESULTS, found)
    for name, result in sorted(found.items(), key=lambda item: -item[1]["mean"]):
        print(f"{result['mean']:.4f}  {name}")


if __name__ == "__main__":
    main()
