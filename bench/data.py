"""What versioning, reading and checking images cost, beside plain DVC and plain decoding.

    make bench-data [ARGS="--images 50000"]

Renders images of about 60 kB in a temporary folder, then measures, each in a process of its own:

    versioning   the first snapshot, 100 images more, nothing new: `patchae snapshot` beside
                 `dvc add` and `dvc push` of the same images in a repository of their own
    reading      the manifest and the validation of these images with a cold and with a warm cache,
                 beside a loop that only decodes them with as many processes

Writes bench/results/data.json and docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, cpu_count, delayed
from PIL import Image

from bench.pages import DATA, PAGE, render
from bench.product_pages import of_data
from patchae.files import write_json

SIDE = 288
MORE = 100
SHARES = {("train", "good"): 0.8, ("test", "good"): 0.1, ("test", "hole"): 0.1}
_LINES = "lines:\n  a:\n    classes: [part]\n"
_OFF = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "GX_ANALYTICS_ENABLED": "false"}


def rendered(folder: Path, first: int, count: int, kind: tuple[str, str]) -> None:
    """Write images of a plate with a ring and grain, none like another."""
    target = folder.joinpath(*kind)
    target.mkdir(parents=True, exist_ok=True)
    rows, columns = np.indices((SIDE, SIDE)) - SIDE / 2
    radius = np.hypot(rows, columns)
    plate = np.where(radius < 120, 150, 90) + np.where(np.abs(radius - 80) < 10, 40, 0)
    for number in range(first, first + count):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.normal(0, 14, (9, 9)).astype(np.float32), "F")
        cloud = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        pixels = plate + cloud + random.normal(0, 4, (SIDE, SIDE))
        if kind[1] != "good":
            pixels[100:130, 100:130] = 30
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(target / f"{number:06d}.png", compress_level=1)


def render_all(folder: Path, count: int) -> None:
    """So many images in MVTec AD layout, by all processors."""
    first, tasks = 0, []
    for kind, share in SHARES.items():
        total = round(count * share)
        tasks += [
            (folder, first + start, min(500, total - start), kind) for start in range(0, total, 500)
        ]
        first += total
    Parallel(n_jobs=cpu_count())(delayed(rendered)(*task) for task in tasks)


def decoding_seconds(files: list[Path]) -> float:
    """All files, by as many processes as patchae takes; what starts them is left out."""
    chunks = [files[start : start + 32] for start in range(0, len(files), 32)]
    with Parallel(n_jobs=cpu_count()) as pool:
        pool(delayed(_decode_all)(chunk[:1]) for chunk in chunks[: 2 * cpu_count()])
        started = time.perf_counter()
        pool(delayed(_decode_all)(chunk) for chunk in chunks)
        return time.perf_counter() - started


def _decode_all(files: list[Path]) -> None:
    for file in files:
        with Image.open(file) as image:
            image.load()


def reading_seconds(root: Path) -> dict[str, float]:
    """Manifest and validation, cold and warm; imports and the start of processes left out."""
    from patchae.config import Validation
    from patchae.dataset.manifest import class_digest, read_manifest
    from patchae.dataset.validation.strays import strays
    from patchae.dataset.validation.validate import reusable, validate
    from patchae.types import DataVersion

    data, cache, rules = root / "data", root / "pictures.db", Validation()
    version = DataVersion("0" * 32 + ".dir")
    _warm_up(root)
    found: dict[str, float] = {}
    record = None
    for state in ("cold", "warm"):
        started = time.perf_counter()
        manifest = read_manifest(data, "part", cache=cache)
        used = [*manifest["path"], *manifest["mask"].dropna()]
        aside = strays(data, "part", used)
        digest = class_digest(manifest)
        found[f"{state}_manifest"] = time.perf_counter() - started
        if record is None or not reusable(record, digest, rules, aside):
            record = validate(manifest, "part", rules, version, strays=aside)
        found[f"{state}_all"] = time.perf_counter() - started
        wrong = [check.code for check in record.checks if not check.passed]
        if wrong:
            raise SystemExit(f"the rendered images are not sound: {', '.join(wrong)}")
    return found


def _warm_up(root: Path) -> None:
    """Import everything, and have the processes of `read_pictures` started."""
    from patchae.config import Validation
    from patchae.dataset import reading
    from patchae.dataset.manifest import read_manifest
    from patchae.dataset.validation.validate import validate
    from patchae.types import DataVersion

    few = root / "few"
    for kind in SHARES:
        rendered(few / "part", 0, 30, kind)
    usual, reading.MANY = reading.MANY, 1
    manifest = read_manifest(few, "part")
    reading.MANY = usual
    validate(manifest, "part", Validation(), DataVersion("0" * 32 + ".dir"))
    shutil.rmtree(few)


def versioning(images: Path, root: Path) -> list[dict[str, Any]]:
    """Seconds of each step, plain DVC and patchae."""
    plain, ours = root / "plain", root / "ours"
    for place in (plain, ours):
        place.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=place, check=True)  # noqa: S607
    _run(plain, "dvc", "init", "-q")
    _run(plain, "dvc", "config", "core.analytics", "false")
    _run(plain, "dvc", "remote", "add", "-q", "-d", "here", str(root / "plain-remote"))
    (ours / "lines.yaml").write_text(_LINES)
    for place in (plain, ours):
        shutil.copytree(images, place / "data" / "part")
    steps = []
    for step in ("first", f"{MORE} more", "nothing new"):
        if step == f"{MORE} more":
            for place in (plain, ours):
                rendered(place / "data" / "part", 10_000_000, MORE, ("train", "good"))
        dvc = _run(plain, "dvc", "add", "-q", "data") + _run(plain, "dvc", "push", "-q")
        patchae = _run(ours, "patchae", "snapshot")
        steps.append({"step": step, "dvc": dvc, "patchae": patchae})
        print(f"{step}: dvc {dvc:.1f} s, patchae {patchae:.1f} s", flush=True)
    return steps


def _run(folder: Path, program: str, *arguments: str) -> float:
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own environment
        command, cwd=folder, check=True, env={**os.environ, **_OFF}, capture_output=True
    )
    return time.perf_counter() - started


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, render."""
    parser = argparse.ArgumentParser(
        prog="make bench-data", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50_000, help="how many to render (50000)")
    parser.add_argument("--folder", type=Path, help="where; needs 12 times their size")
    parser.add_argument("--results", type=Path, default=DATA, help="file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page to render into")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        root = Path(temporary)
        images = root / "data" / "part"
        render_all(images, asked.images)
        files = sorted(images.rglob("*.png"))
        size = sum(file.stat().st_size for file in files)
        print(f"{len(files)} images of {size / len(files) / 1e3:.0f} kB", flush=True)
        content: dict[str, Any] = {
            "images": len(files),
            "bytes": size,
            "processes": cpu_count(),
            "decoding": decoding_seconds(files),
            **reading_seconds(root),
        }
        content["versioning"] = versioning(images, root)
    write_json(asked.results, content)
    render(page=asked.page, data=asked.results)
    print(of_data(asked.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
