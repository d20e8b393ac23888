"""Choose the two constants of `patchae.model.memory` without looking at any test image.

For each class, part of train/good is held out. Each held-out image is scored twice: as it is, and
with an artificial defect that the training never drew (another seed). The pair of constants with
the highest mean image AUROC over the classes, at telling the two apart, is the one to use.

    python bench/choose.py FOLDER [FOLDER ...]      folders in MVTec AD layout

Writes bench/results/choose.json and prints the table.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from patchae.config import Training
from patchae.files import sha256_file, write_json
from patchae.model import memory as memories
from patchae.model.backbone import load_weights, pretrained
from patchae.model.defects import add_defects
from patchae.model.detector import PatchAE
from patchae.model.images import load_batch
from patchae.model.metrics import auroc
from patchae.model.split import calibration_split
from patchae.model.training import learn, standardize

SHRINKAGES = (0.1, 0.3, 1.0, 3.0, 10.0)
FLOORS = (0.9, 0.5, 0.25, 0.1)
MOST_LEARNED, MOST_HELD_OUT, MEMORY, EPOCHS = 120, 48, 5000, 4
SEEDS_OF_DEFECTS = 90_000


def choose(folder: Path) -> dict[str, float]:
    """AUROC for each pair of constants, on one class."""
    paths = sorted((folder / "train" / "good").iterdir())
    settings = Training(image_size=256, epochs=EPOCHS, memory_size=MEMORY)
    held = calibration_split([sha256_file(path) for path in paths], 0.3, settings.seed)
    learned = [path for path, out in zip(paths, held, strict=True) if not out][:MOST_LEARNED]
    aside = [path for path, out in zip(paths, held, strict=True) if out][:MOST_HELD_OUT]
    backbone = pretrained(settings.backbone, settings.strides, load_weights(settings.backbone))
    model = PatchAE(settings, backbone)
    pixels = load_batch(learned, settings.image_size)
    standardize(model, pixels)
    learn(model, pixels, lambda *_: None)
    clean = load_batch(aside, settings.image_size).float() / 255
    generator = Generator().manual_seed(SEEDS_OF_DEFECTS)
    broken, _ = add_defects(clean, 1.0, generator)
    labels = [0] * len(clean) + [1] * len(broken)
    with torch.inference_mode():
        normal = _joined(model, pixels.float() / 255)
        tested = _joined(model, torch.cat([clean, broken]))
    return {
        f"{shrinkage} {floor}": auroc(labels, scores.tolist())
        for shrinkage in SHRINKAGES
        for floor, scores in _scores(normal, tested, len(labels), shrinkage)
    }


def _joined(model: PatchAE, images: Tensor) -> Tensor:
    return torch.cat([model.joined(model.features(part)) for part in torch.split(images, 8)])


def _scores(
    normal: Tensor, tested: Tensor, images: int, shrinkage: float
) -> list[tuple[float, Tensor]]:
    mean, matrix = memories.whitening(normal, shrinkage)
    generator = Generator().manual_seed(0)
    memory = (memories.choose(normal, MEMORY, generator) - mean) @ matrix
    nearest, index = memories.nearest_vectors((tested - mean) @ matrix, memory, 3)
    results = []
    for floor in FLOORS:
        corrected = (nearest / memories.density(memory, floor)[index]).mean(dim=1)
        side = math.isqrt(len(corrected) // images)
        maps = corrected.view(images, 1, side, side)
        smooth = F.avg_pool2d(maps, 3, stride=1, padding=1, count_include_pad=False)
        results.append((floor, smooth.flatten(1).amax(dim=1)))
    return results


def main() -> None:
    """Measure every class of the folders given, then print and write the means."""
    classes = [
        folder
        for root in map(Path, sys.argv[1:])
        for folder in sorted(root.iterdir())
        if (folder / "train" / "good").is_dir()
    ]
    if not classes:
        sys.exit(__doc__)
    found = {}
    for folder in classes:
        found[folder.name] = choose(folder)
        print(folder.name, json.dumps({k: round(v, 4) for k, v in found[folder.name].items()}))
        sys.stdout.flush()
    means = {
        pair: sum(one[pair] for one in found.values()) / len(found)
        for pair in next(iter(found.values()))
    }
    best = max(means, key=lambda pair: means[pair])
    print(f"\n{'shrinkage':>9} {'floor':>6} {'mean image AUROC':>17}")
    for pair, value in means.items():
        shrinkage, floor = pair.split()
        print(f"{shrinkage:>9} {floor:>6} {value:>17.4f}{'  <- best' if pair == best else ''}")
    write_json(
        Path(__file__).parent / "results" / "choose.json",
        {"classes": found, "mean": means, "best": best},
    )


if __name__ == "__main__":
    main()
