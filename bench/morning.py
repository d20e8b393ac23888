"""What it costs to make the site of a plant of 100 models, with a week of their decisions.

    make bench-page [ARGS="--small"]

Builds 10 lines of 10 classes with two versions each (`bench.plant`) and logs decisions of seven
days for every model, then runs `patchae report` in a process of its own, start and imports in the
time. Writes bench/results/page.json; docs/page.md names its figures.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import bench.plant as plants
from bench.lineage import timed
from bench.methods import ROOT
from patchae.files import sha256_bytes, write_json
from patchae.lines_file import load_lines
from patchae.predictions.log import PredictionLog
from patchae.predictions.record import Prediction
from patchae.project import Project

RESULTS = ROOT / "bench" / "results" / "page.json"
CLASSES_OF_A_LINE = 10
DAYS, A_DAY, REPEATS = 7, 900, 5
SIZE = plants.Size(images=100, data_versions=20, changed=10)


def decide(project: Project, models: list[str], a_day: int, *, seed: int = 0) -> int:
    """Log so many decisions a day for each model, the last day's until now; how many in all."""
    drawn, now = random.Random(seed), datetime.now(UTC)
    log = PredictionLog.open(project)
    for back in reversed(range(DAYS)):
        for model in models:
            for number in range(a_day):
                alarm = drawn.random() < 0.03
                log.append(
                    Prediction(
                        now - timedelta(days=back, seconds=number),
                        sha256_bytes(f"{model} {back} {number}".encode()),
                        f"camera/{number:06d}.png",
                        model,
                        "1",
                        0.7 if alarm else 0.2,
                        0.5,
                        alarm,
                        12.0,
                        "service",
                    )
                )
    log.close()
    return DAYS * a_day * len(models)


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer decisions, measured once")
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    plants.CLASSES_OF_A_LINE = CLASSES_OF_A_LINE
    with tempfile.TemporaryDirectory() as folder:
        project = plants.build(Path(folder) / "plant", SIZE)
        models = [
            line.model_name(name)
            for line in load_lines(project.lines_file).lines
            for name in line.classes
        ]
        decisions = decide(project, models, 10 if chosen.small else A_DAY)
        repeats = 1 if chosen.small else REPEATS
        timed(project.root, "-m", "patchae", "report")  # warms the file system up
        seconds = [timed(project.root, "-m", "patchae", "report")[0] for _ in range(repeats)]
        pages = list(project.reports.rglob("*.html"))
        write_json(
            chosen.results,
            {
                "models": len(models),
                "lines": plants.LINES,
                "decisions": decisions,
                "pages": len(pages),
                "bytes": sum(path.stat().st_size for path in pages),
                "report_s": [round(one, 2) for one in seconds],
                "median_s": round(median(seconds), 1),
            },
        )


if __name__ == "__main__":
    main()
