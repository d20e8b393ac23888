"""Patch AE on the classes of a folder, against the same model without its training.

    make bench DATA=folder        folder in MVTec AD layout

Both run on the same images, size, backbone weights and memory; the only difference is that the
second keeps the auto-encoder's initial weights. Writes bench/results/model.json and prints a table
in which `ratio` is the image AUROC of Patch AE over that of the untrained one.
"""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch

from patchae.config import Training
from patchae.dataset.manifest import read_manifest
from patchae.files import write_json
from patchae.model.evaluation import TestImage, evaluate
from patchae.model.training import pick_device, train

RESULTS = Path(__file__).parent / "results" / "model.json"


def measure(data: Path, class_name: str, settings: Training, device: str) -> dict[str, Any]:
    """Train and judge one class; seconds are of this machine, busy or not."""
    manifest = read_manifest(data, class_name)
    learned = manifest[(manifest["split"] == "train") & (manifest["defect"] == "good")]
    tested = manifest[manifest["split"] == "test"]
    columns = (tested["path"], tested["sha256"], tested["defect"], tested["mask"])
    images = [TestImage(*values) for values in zip(*columns, strict=True)]
    started = time.perf_counter()
    model = train(
        [data / path for path in learned["path"]],
        list(learned["sha256"]),
        settings,
        device=device,
    )
    seconds = time.perf_counter() - started
    metrics = evaluate(model, data, images, keep_maps=0).metrics
    kept = ("image_auroc", "pixel_auroc", "recall", "false_alarm_rate", "ms_per_image")
    return {name: metrics[name] for name in kept} | {"training_seconds": seconds}


def main() -> None:
    """Measure every class, print the table, write the file."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    data = Path(sys.argv[1])
    device = pick_device("auto")
    classes = sorted(f.name for f in data.iterdir() if (f / "train" / "good").is_dir())
    print(f"{'class':<12} {'image':>7} {'pixel':>7} {'untrained':>9} {'ratio':>6} {'train s':>8}")
    found: dict[str, Any] = {}
    for name in classes:
        ours = measure(data, name, Training(), device)
        untrained = measure(data, name, Training(epochs=0), device)
        found[name] = {"patch_ae": ours, "untrained": untrained}
        print(
            f"{name:<12} {ours['image_auroc']:>7.4f} {ours['pixel_auroc'] or 0:>7.4f}"
            f" {untrained['image_auroc']:>9.4f}"
            f" {ours['image_auroc'] / untrained['image_auroc']:>6.3f}"
            f" {ours['training_seconds']:>8.0f}",
            flush=True,
        )
    machine = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    write_json(RESULTS, {"machine": machine, "classes": found})


if __name__ == "__main__":
    main()
