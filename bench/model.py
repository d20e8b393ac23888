"""Patch AE on the classes of a folder, against the same model without its training.

    make bench DATA=folder        folder in MVTec AD layout

Both run on the same images, size, backbone weights and memory; the only difference is that the
second keeps the auto-encoder's initial weights. Writes bench/results/model.json, renders it into
docs/model.md (`--render` does only that) and prints a table in which `ratio` is the image AUROC of
Patch AE over that of the untrained one.
"""

from __future__ import annotations

import json
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
PAGE = Path(__file__).parents[1] / "docs" / "model.md"
BEGIN, END = "<!-- results:begin -->\n", "<!-- results:end -->"


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


def table(content: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    rows = [
        "| class | image AUROC | pixel AUROC | recall | false alarms | untrained | ratio |"
        " ms per image | training s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, both in content["classes"].items():
        ours, untrained = both["patch_ae"], both["untrained"]
        pixel = "-" if ours["pixel_auroc"] is None else f"{ours['pixel_auroc']:.4f}"
        rows.append(
            f"| {name} | {ours['image_auroc']:.4f} | {pixel} | {ours['recall']:.1%} |"
            f" {ours['false_alarm_rate']:.1%} | {untrained['image_auroc']:.4f} |"
            f" {ours['image_auroc'] / untrained['image_auroc']:.3f} |"
            f" {ours['ms_per_image']:.0f} | {ours['training_seconds']:.0f} |"
        )
    machine = content["machine"]
    where = f"{machine['device']}, {machine['threads']} threads, torch {machine['torch']}"
    return "\n".join([*rows, "", f"Measured on {where}."]) + "\n"


def rendered(page: str, content: dict[str, Any]) -> str:
    """A page with the results between its marks."""
    head, rest = page.split(BEGIN)
    return head + BEGIN + table(content) + END + rest.split(END)[1]


def main() -> None:
    """Measure every class, write the file, render the page."""
    if sys.argv[1:] != ["--render"]:
        if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
            sys.exit(__doc__)
        write_json(RESULTS, bench(Path(sys.argv[1])))
    content = json.loads(RESULTS.read_text())
    PAGE.write_text(rendered(PAGE.read_text(), content))
    print(table(content))


def bench(data: Path) -> dict[str, Any]:
    """Measure every class of a folder."""
    device = pick_device("auto")
    found: dict[str, Any] = {}
    for name in sorted(f.name for f in data.iterdir() if (f / "train" / "good").is_dir()):
        ours = measure(data, name, Training(), device)
        untrained = measure(data, name, Training(epochs=0), device)
        found[name] = {"patch_ae": ours, "untrained": untrained}
        print(f"{name}: {ours['image_auroc']:.4f}, untrained {untrained['image_auroc']:.4f}")
        sys.stdout.flush()
    return {
        "machine": {
            "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        },
        "classes": found,
    }


if __name__ == "__main__":
    main()
