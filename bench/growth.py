"""What training and scoring cost by the number of training images.

    make bench-growth DATA=folder [ARGS="--class pill --sizes 100 1000"]

The images are those of one class of a folder in MVTec AD layout, in a temporary folder: each file
is one of train/good under a small shift, a small change of brightness and a little noise, so that
no two are equal. What is measured is time and memory, not how good such a model is. Each size is
trained and scored in a process of its own. Writes bench/results/growth.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.child import Job
from bench.judge import class_names
from bench.methods import METHODS
from bench.pages import GROWTH, PAGE, RESULTS, render
from bench.product_pages import of_sizes
from bench.runs import ChildFailed, start
from patchae.config import Training
from patchae.dataset.layout import image_files
from patchae.files import sha256_file, write_json
from patchae.model.training import pick_device

SIZES = (100, 1_000, 10_000)
SHIFT_PX, BRIGHTNESS, NOISE = 4, 0.05, 2.0
"""The most that an image moves, the largest change of brightness, the deviation of the noise."""
SCORED = 64
"""How many images are scored for the times; every method of `bench.model` scores its test set."""


def jittered(sources: list[Path], count: int, folder: Path, *, seed: int = 0) -> list[Path]:
    """Write `count` images into a folder, each a changed copy of one of `sources`."""
    random = np.random.default_rng(seed)
    written = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        with Image.open(source) as image:
            pixels = np.asarray(image.convert("RGB"), np.float32)
        shift = random.integers(-SHIFT_PX, SHIFT_PX + 1, 2)
        pixels = np.roll(pixels, shift, axis=(0, 1)) * random.uniform(
            1 - BRIGHTNESS, 1 + BRIGHTNESS
        )
        pixels += random.normal(0, NOISE, pixels.shape)
        path = folder / f"{number:06d}.png"
        changed = np.rint(pixels).clip(0, 255).astype(np.uint8)
        Image.fromarray(changed).save(path, compress_level=1)
        written.append(path)
    return written


def measure(sources: list[Path], count: int, image_size: int, device: str) -> dict[str, Any]:
    """Train on `count` images and score some of them.

    Raises:
        ChildFailed: the training ended with an error.
    """
    with tempfile.TemporaryDirectory() as temporary:
        images, out = Path(temporary) / "images", Path(temporary) / "out"
        images.mkdir()
        out.mkdir()
        files = jittered(sources, count, images)
        job = Job(
            folder=str(out),
            train=[str(path) for path in files],
            digests=[sha256_file(path) for path in files],
            test=[str(path) for path in files[:SCORED]],
            image_size=image_size,
            seed=0,
            device=device,
            threads=torch.get_num_threads(),
            options={},
        )
        start(METHODS["patch-ae"], job)
        facts: dict[str, Any] = json.loads((out / "facts.json").read_text())
    return {"images": count, **facts}


def main(arguments: list[str] | None = None) -> int:
    """Measure every size, write after each, render; 0, or 1 if a size failed, or 2 for misuse."""
    asked = _parser().parse_args(arguments)
    names = class_names(asked.data) if asked.data else []
    name = asked.class_name or (names[0] if names else None)
    if name not in names:
        known = f"classes there: {', '.join(names)}" if names else "no class with train/good there"
        print(
            f"make bench-growth DATA=folder in MVTec AD layout [ARGS='--class NAME']; {known}",
            file=sys.stderr,
        )
        return 2
    sources = image_files(asked.data / name / "train" / "good")
    content: dict[str, Any] = {"class": name, "image_size": asked.image_size, "runs": []}
    for count in sorted(asked.sizes):
        print(f"{count} images", flush=True)
        try:
            run = measure(sources, count, asked.image_size, pick_device("auto"))
        except ChildFailed as error:
            print(f"{count} images: {error}", file=sys.stderr)
            return 1
        content["runs"].append(run)
        write_json(asked.results, content)  # the largest takes long; what is done stays
    render(asked.page, model=asked.model_results, growth=asked.results)
    print(of_sizes(asked.results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-growth", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("data", nargs="?", type=Path, help="folder in MVTec AD layout")
    add("--class", dest="class_name", help="class whose images to use; default: the first")
    add("--sizes", nargs="+", type=int, default=SIZES, help="numbers of training images")
    add("--image-size", type=int, default=Training().image_size, help="px")
    add("--results", type=Path, default=GROWTH, help="file to write")
    add("--model-results", type=Path, default=RESULTS, help="results of bench.model, for the page")
    add("--page", type=Path, default=PAGE, help="page to render into")
    return parser


if __name__ == "__main__":
    sys.exit(main())
