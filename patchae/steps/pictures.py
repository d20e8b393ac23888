"""The pictures of an evaluation: two charts, and heat maps of the worst and best decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from patchae.report.charts import histogram_svg, roc_svg
from patchae.report.heatmaps import heat_map, sheet
from patchae.steps.job import ClassJob

if TYPE_CHECKING:
    from patchae.model.detector import PatchAE
    from patchae.model.evaluation import Evaluation


def pictures_of(job: ClassJob, model: PatchAE, evaluation: Evaluation) -> dict[str, bytes]:
    """Charts and heat maps by artifact path. Maps are numbered from the worst decision on."""
    labels = [judged.image.label for judged in evaluation.judged]
    scores = [judged.score for judged in evaluation.judged]
    threshold = model.threshold
    roc = roc_svg(labels, scores, title=f"ROC of {job.model}", threshold=threshold)
    histogram = histogram_svg(labels, scores, threshold, title=f"Scores of {job.model}")
    pictures = {"charts/roc.svg": roc.encode(), "charts/histogram.svg": histogram.encode()}
    captioned, index = [], []
    for number, judged in enumerate(evaluation.ranked()):
        path = judged.image.path
        source = job.project.data / path
        png = heat_map(source, evaluation.maps[path], threshold, model.white)
        pictures[f"maps/{number:02d}.png"] = png
        index.append({"file": f"maps/{number:02d}.png", "path": path})
        word = "right" if judged.correct else "wrong"
        captioned.append((f"{path}  {judged.score:.3f} / {threshold:.3f}  {word}", png))
    pictures["maps/index.json"] = (json.dumps(index, indent=2) + "\n").encode()
    pictures["heatmaps.png"] = sheet(captioned)
    return pictures
