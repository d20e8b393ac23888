"""Choose between settings and ideas without looking at any test image.

    python -m bench.choose FOLDER [NAME ...]        folder of classes in MVTec AD layout

Cross-validation on train/good: a third of a class's good images is held out, a model is trained on
the rest and scores the held-out images as they are and with the damage of `bench.damage`, which no
training draws. The image AUROC of telling the two apart decides, in the mean over classes and
trials. There are two trials, since real defects are of kinds that nobody thought of: in one the
training may draw artificial defects that change structure alone and is asked for damage that
changes looks, in the other the reverse. What is good at both has learned more than its lesson.

Candidates are overrides of `Training` or of the weights of the views, in `CANDIDATES`; those named
are measured, the others keep what bench/results/choose.json says of them. The defaults are those of
the best one that is worth its cost, see docs/benchmarks.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench.damage import LOOKS, SHAPES, damaged
from bench.judge import class_names
from patchae.config import Training
from patchae.dataset.layout import image_files
from patchae.files import sha256_file, write_json
from patchae.model import defects, member
from patchae.model.images import load
from patchae.model.metrics import auroc
from patchae.model.split import calibration_split
from patchae.model.training import train

RESULTS = Path(__file__).parent / "results" / "choose.json"
HELD_OUT, MOST_HELD_OUT = 1 / 3, 60
Trial = tuple[tuple[str, ...], tuple[str, ...]]
"""Fillings that a training may draw, and kinds of damage that it is asked for."""
TRIALS: tuple[Trial, ...] = (
    (("other", "own", "blur", "bend"), LOOKS),
    (("colour", "light"), SHAPES),
)


@dataclass(frozen=True)
class Candidate:
    """One row of the table."""

    overrides: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, ...] = member.WEIGHTS


CANDIDATES: dict[str, Candidate] = {
    "balanced": Candidate(),
    "256 px": Candidate({"image_size": 256}),
    "448 px": Candidate({"image_size": 448}),
    "parts not turned upright": Candidate({"pose": "as-is"}),
    "Lite0 alone": Candidate({"backbone": "tf_efficientnet_lite0"}),
    "Lite0 and 2": Candidate({"backbone": "tf_efficientnet_lite0+tf_efficientnet_lite2"}),
    "Lite0, 1 and 2": Candidate(
        {"backbone": "tf_efficientnet_lite0+tf_efficientnet_lite1+tf_efficientnet_lite2"}
    ),
    "distance weighs a quarter": Candidate(weights=(0.25, 1, 1)),
    "distance weighs twice": Candidate(weights=(2, 1, 1)),
    "heads alone": Candidate(weights=(0, 1, 1)),
    "no heads": Candidate({"damaged_images": 0}),
    "no training": Candidate({"epochs": 0, "damaged_images": 0}),
    "untrained encoder": Candidate({"epochs": 0}),
    "memory 2000": Candidate({"memory_size": 2000}),
    "strides 4, 8, 16": Candidate({"strides": (4, 8, 16)}),
    "500 damaged images": Candidate({"damaged_images": 500}),
    "3000 damaged images": Candidate({"damaged_images": 3000}),
}


def measure(data: Path, classes: list[str], candidate: Candidate) -> dict[str, float]:
    """Image AUROC by class, the mean over the trials."""
    found = {}
    for name in classes:
        trials = [_trial(data, classes, name, candidate, trial) for trial in TRIALS]
        found[name] = float(np.mean(trials))
        print(f"  {name} {found[name]:.4f}", end="", flush=True)
    print()
    return found


def _trial(
    data: Path,
    classes: list[str],
    name: str,
    candidate: Candidate,
    trial: Trial,
) -> float:
    paths = image_files(data / name / "train" / "good")
    digests: list[str] = [sha256_file(path) for path in paths]
    held = calibration_split(digests, HELD_OUT, 1000)
    learned = [i for i, out in enumerate(held) if not out]
    aside = [paths[i] for i, out in enumerate(held) if out][:MOST_HELD_OUT]
    settings = Training(**candidate.overrides)
    size = max(320, settings.image_size)
    clean = [_pixels(path, size) for path in aside]
    foreign = [
        _pixels(path, size)
        for other in classes
        if other != name
        for path in image_files(data / other / "train" / "good")[:2]
    ]
    drawn, asked = trial
    asked = tuple(kind for kind in asked if foreign or kind != "foreign")
    broken = list(_copies(clean, foreign, asked))
    fillings = {kind: defects.FILLINGS[kind] for kind in drawn}
    with (
        mock.patch.object(defects, "FILLINGS", fillings),
        mock.patch.object(member, "WEIGHTS", candidate.weights),
    ):
        model = train([paths[i] for i in learned], [digests[i] for i in learned], settings)
        scored = model.score([*clean, *broken])
    return auroc([0] * len(clean) + [1] * len(broken), [one.score for one in scored])


def _copies(
    clean: list[np.ndarray], foreign: list[np.ndarray], kinds: Sequence[str]
) -> Iterator[np.ndarray]:
    """Two damaged copies of each image, the kinds in turn."""
    for index, image in enumerate(clean):
        for again in range(2):
            kind = kinds[(2 * index + again) % len(kinds)]
            for attempt in range(20):
                random = np.random.default_rng([index, again, attempt])
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
        candidate = CANDIDATES[name]
        by_class = measure(data, classes, candidate)
        mean = sum(by_class.values()) / len(by_class)
        told = {"overrides": dict(candidate.overrides), "weights": candidate.weights}
        found[name] = told | {"classes": by_class, "mean": mean}
        write_json(RESULTS, found)
    for name, result in sorted(found.items(), key=lambda item: -item[1]["mean"]):
        print(f"{result['mean']:.4f}  {name}")


if __name__ == "__main__":
    main()
