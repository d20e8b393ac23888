"""The methods against one another, on the classes of a folder in MVTec AD layout.

    make bench-model DATA=folder [SEEDS=3] [ARGS="--methods patch-ae padim --classes bottle"]
    make bench-render

Same images, image size and backbone weights for every method; each run in a process of its own.
The first seed runs alone and its times count; the others run side by side on one thread each, and
only what they find counts. Finished runs are kept, see `bench.runs`; the results are all of those
that belong to the images and the source as they are now. Writes bench/results/model.json, and the
scores of all test images into scores.json beside it; renders the former into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.judge import Product, class_names, judge_digest, read_product
from bench.methods import METHODS, ROOT, Method
from bench.pages import PAGE, RESULTS, render
from bench.runs import KEPT, ChildFailed, Run, timed
from bench.tables import of_methods
from patchae.config import Training
from patchae.errors import PatchaeError
from patchae.files import write_json
from patchae.model.training import pick_device


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, render; 0 if every run asked for is there, 1 if not, 2 for misuse."""
    asked = _parser().parse_args(arguments)
    if asked.render:
        render(asked.page, model=asked.results)
        print(of_methods(asked.results))
        return 0
    if asked.data is None or not asked.data.is_dir():
        what = "no folder of images" if asked.data is None else f"{asked.data} is no folder"
        print(f"{what}: make bench-model DATA=folder in MVTec AD layout", file=sys.stderr)
        return 2
    if asked.fresh:
        shutil.rmtree(asked.kept, ignore_errors=True)
    try:
        device = pick_device(asked.device)
        names = class_names(asked.data)
        chosen = _chosen(asked.classes, names, "class")
        methods = _chosen(asked.methods, METHODS, "method")
        products = [read_product(asked.data, name, asked.image_size) for name in chosen]
    except PatchaeError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    beside = 1 if device == "cuda" else asked.beside
    every = [
        Run(
            name, with_ratio(METHODS[name], asked.ratio), product, seed, device, asked.kept,
            alone=seed == 0 or beside == 1,
        )
        for seed in range(asked.seeds)  # so that every class has all its rows early
        for name in METHODS
        for product in products
    ]  # fmt: skip
    wanted = [run for run in every if run.name in methods]
    earlier = {} if asked.fresh else written_before(asked.results)
    if asked.again:
        for run in wanted:
            shutil.rmtree(run.folder, ignore_errors=True)
            earlier.pop(run.key, None)
    failures = do(wanted, earlier, beside)
    results = gathered(every, earlier, products, asked)
    write_json(scores_beside(asked.results), scores_of(results, products))
    write_json(asked.results, results)
    render(asked.page, model=asked.results)
    print(of_methods(asked.results))
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def written_before(results: Path) -> dict[str, dict[str, Any]]:
    """Results of an earlier bench by their run's key, judged as they would be now."""
    if not results.exists() or not scores_beside(results).exists():
        return {}
    classes = json.loads(results.read_text())["classes"].values()
    every = [one for found in classes for runs in found["methods"].values() for one in runs]
    scored = json.loads(scores_beside(results).read_text())
    scores = {run: one for found in scored.values() for run, one in found["runs"].items()}
    return {
        one["run"]: {**one, "scores": scores[one["run"]]}
        for one in every
        if one.get("run") in scores and one["judge"] == judge_digest()
    }


def scores_beside(results: Path) -> Path:
    """The file of all image scores that belongs to a file of results."""
    return results.with_name("scores.json")


def scores_of(results: dict[str, Any], products: list[Product]) -> dict[str, Any]:
    """Take the scores of the test images out of results: labels by class, and scores by run."""
    return {
        product.name: {
            "labels": product.labels,
            "runs": {
                run["run"]: run.pop("scores")
                for runs in results["classes"][product.name]["methods"].values()
                for run in runs
            },
        }
        for product in products
    }


def do(runs: list[Run], earlier: Container[str] = (), beside: int = 1) -> list[str]:
    """Do those that are not done yet; returns what failed. One failure stops no other run.

    Those that run alone come first; then the others, `beside` at a time.
    """
    missing = [run for run in runs if not run.done and run.key not in earlier]
    failures = [said for run in missing if run.alone and (said := _told(run))]
    with ThreadPoolExecutor(beside) as pool:
        failures += filter(None, pool.map(_told, (run for run in missing if not run.alone)))
    return failures


def _told(run: Run) -> str | None:
    """Do a run and print how it went; returns what failed."""
    title = f"{run.name} on {run.product.name}, seed {run.seed}"
    if not run.method.python.exists():
        return f"{title}: needs the environment of the rivals: make bench-rivals"
    try:
        print(f"{title} {timed(run)} image AUROC {run_auroc(run):.4f}", flush=True)
    except ChildFailed as error:
        print(f"{title} failed", flush=True)
        return f"{title}: {error}"
    return None


def run_auroc(run: Run) -> float:
    """Image AUROC of a finished run."""
    return float(run.result()["image_auroc"])


def gathered(
    runs: Iterable[Run],
    earlier: Mapping[str, dict[str, Any]],
    products: list[Product],
    asked: argparse.Namespace,
) -> dict[str, Any]:
    """The results of all runs that are done, by class and method, in the order of the tables."""
    classes: dict[str, Any] = {
        product.name: {
            "train": len(product.train),
            "test_good": product.labels.count(0),
            "test_defective": product.labels.count(1),
            "methods": {},
        }
        for product in products
    }
    for run in runs:
        result = run.result() if run.done else earlier.get(run.key)
        if result is not None:
            classes[run.product.name]["methods"].setdefault(run.name, []).append(result)
    return {
        "image_size": asked.image_size,
        "cores": os.cpu_count(),
        "methods": list(METHODS),
        "titles": {name: with_ratio(METHODS[name], asked.ratio).title for name in METHODS},
        "classes": classes,
    }


def with_ratio(method: Method, ratio: float | None) -> Method:
    """A method with another share of vectors kept, where it has one."""
    if ratio is None or "ratio" not in method.options:
        return method
    title = method.title.replace("1%", f"{100 * ratio:g}%")
    return replace(method, title=title, options={**method.options, "ratio": ratio})


def _chosen(asked: list[str] | None, known: Iterable[str], what: str) -> list[str]:
    names = list(known)
    unknown = sorted(set(asked or ()) - set(names))
    if unknown or not names:
        raise PatchaeError(
            f"no {what} is called '{unknown[0]}'" if unknown else f"no {what} in the folder",
            mend=f"use some of: {', '.join(names)}" if names else "it needs CLASS/train/good",
        )
    return [name for name in names if asked is None or name in asked]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-model", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("data", nargs="?", type=Path, help="folder in MVTec AD layout")
    add("--methods", nargs="+", metavar="NAME", help=f"some of: {', '.join(METHODS)}")
    add("--classes", nargs="+", metavar="NAME", help="some of the folder's classes")
    add("--seeds", type=int, default=3, help="runs of each method on each class (3)")
    add("--beside", type=int, default=2, help="runs at a time of the seeds after the first (2)")
    add("--ratio", type=float, help="share of patch vectors that PatchCore keeps (0.01)")
    add("--image-size", type=int, default=Training().image_size, help="px, for every method")
    add("--device", default="auto", choices=["auto", "cpu", "cuda"])
    add("--fresh", action="store_true", help="forget the runs that are kept")
    add("--again", action="store_true", help="do what is asked for again, kept or not")
    add("--render", action="store_true", help="only render the page from the results")
    add("--results", type=Path, default=RESULTS, help="file to write, or to render from")
    add("--page", type=Path, default=PAGE, help="page to render into")
    add("--kept", type=Path, default=KEPT, help=f"where runs are kept ({KEPT.relative_to(ROOT)})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
