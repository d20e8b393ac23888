"""The two charts of a model version, as small self-contained SVG texts.

Pure functions of labels and scores: equal input gives equal bytes. A chart brings its own paper and
colours, so it is readable as a file on any background; see `patchae.report.svg` for how a page
restyles it. Nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from patchae.report import svg
from patchae.report.text import auroc, count, number, percent

LEFT, RIGHT = 52.0, 346.0
BINS = 28

Labels = Sequence[int]
"""1: defective, 0: good; one for each score."""


def roc_points(labels: Labels, scores: Sequence[float]) -> list[tuple[int, int]]:
    """Corners of the ROC curve as (false alarms, defects found), from (0, 0) to (good, defective).

    One step for each distinct score, so equal scores give a slope and not an invented order; points
    inside a straight run are left out.

    Law: the area under them, divided by good x defective, is the rank AUROC, exactly.

    Raises:
        ValueError: the lengths differ, a label is not 0 or 1, or a score is not finite.
    """
    _check(labels, scores)
    steps: dict[float, list[int]] = {}
    for label, score in zip(labels, scores, strict=True):
        steps.setdefault(score, [0, 0])[label] += 1
    corners = [(0, 0)]
    for score in sorted(steps, reverse=True):
        good, defect = steps[score]
        x, y = corners[-1][0] + good, corners[-1][1] + defect
        if len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (x1 - x0) * (y - y1) == (y1 - y0) * (x - x1):
                corners.pop()
        corners.append((x, y))
    return corners


def roc_svg(
    labels: Labels, scores: Sequence[float], *, title: str, threshold: float | None = None
) -> str:
    """The ROC curve with its area and, given a threshold, the point at which the model works.

    Args:
        labels: 1 for a defective image, 0 for a good one.
        scores: anomaly scores, one for each label.
        title: what stands above the chart.
        threshold: an image raises an alarm if its score lies above.

    Raises:
        ValueError: as `roc_points`.
    """
    corners = roc_points(labels, scores)
    n_good, n_defect = corners[-1]
    top, bottom = 36.0, 248.0
    parts = _unit_axes(top, bottom)
    if not n_good or not n_defect:
        needs = f"needs both kinds of images; {n_good} good, {n_defect} defective"
        parts.append(svg.text((LEFT + RIGHT) / 2, (top + bottom) / 2, needs, kind="ink"))
        return svg.chart(title, needs, parts)

    def place(false_alarms: int, found: int) -> tuple[float, float]:
        return (
            LEFT + false_alarms / n_good * (RIGHT - LEFT),
            bottom - found / n_defect * (bottom - top),
        )

    curve = [place(*corner) for corner in corners]
    parts += [
        svg.stroke("grid", svg.polyline([(LEFT, bottom), (RIGHT, top)]), width=1.5, dash="4 4"),
        svg.fill("good", svg.polyline([*curve, (RIGHT, bottom)]) + "Z", opacity=0.1),
        svg.stroke("good", svg.polyline(curve), width=2.25),
    ]
    area = f"AUROC {auroc(_area(corners) / (n_good * n_defect))}"
    parts.append(
        svg.text(RIGHT - 10, bottom - 50, svg.escape(area), "end", "ink", size=15, bold=True)
    )
    if threshold is None:
        return svg.chart(title, area, parts)

    alarms = [label for label, score in zip(labels, scores, strict=True) if score > threshold]
    found, false_alarms = sum(alarms), len(alarms) - sum(alarms)
    at = f"at threshold {number(threshold)}:"
    rates = f"recall {percent(found / n_defect)}, false alarms {percent(false_alarms / n_good)}"
    x, y = place(false_alarms, found)
    diamond = f"M{svg.n(x)} {svg.n(y - 6)}l6 6l-6 6l-6-6z"
    mark = svg.sign("defect", "◆")
    parts += [
        svg.fill("defect", diamond),
        svg.text(RIGHT - 10, bottom - 29, f"{mark} {svg.escape(at)}", "end", "ink"),
        svg.text(RIGHT - 10, bottom - 13, svg.escape(rates), "end", "ink"),
    ]
    return svg.chart(title, f"{area}; {at} {rates}", parts)


def histogram_svg(labels: Labels, scores: Sequence[float], threshold: float, *, title: str) -> str:
    """How often each score occurs among good images and, below them, among defective ones.

    The threshold is an edge between two bins, so every bar lies on one side of it: solid bars are
    wrong decisions, pale ones right. Each half has its own scale of counts.

    Raises:
        ValueError: as `roc_points`, or the threshold is not finite.
    """
    _check(labels, [*scores, threshold], extra=1)
    span = max([*scores, threshold]) - min([*scores, threshold])
    width = (span or abs(threshold) or 1.0) / BINS
    bins = [bin_of(score, threshold, width) for score in scores]
    room = 1 if span else BINS // 2  # equal scores: some axis around the one bar
    low, high = min([*bins, -room]), max([*bins, room - 1]) + 1

    def across(edge: float) -> float:
        return LEFT + (edge - low) / (high - low) * (RIGHT - LEFT)

    parts, said = [], []
    for label, kind, top, bottom in ((0, "good", 74.0, 148.0), (1, "defect", 176.0, 250.0)):
        own = Counter(b for b, other in zip(bins, labels, strict=True) if other == label)
        tallest = max(own.values(), default=1)
        paths = {True: "", False: ""}  # by whether the decision is right
        for index, images in sorted(own.items()):
            x0, x1 = across(index) + 0.4, across(index + 1) - 0.4
            y = bottom - images / tallest * (bottom - top)
            paths[(index >= 0) == bool(label)] += (
                f"M{svg.n(x0)} {svg.n(bottom)}V{svg.n(y)}H{svg.n(x1)}V{svg.n(bottom)}z"
            )
        wrong = sum(images for index, images in own.items() if (index >= 0) != bool(label))
        total = count(own.total(), "defective image" if label else "good image")
        errors = f"{wrong:,} missed" if label else count(wrong, "false alarm")
        parts += [
            svg.stroke("grid", f"M{svg.n(LEFT)} {svg.n(top)}H{svg.n(RIGHT)}"),
            svg.fill(kind, paths[True], opacity=0.4),
            svg.fill(kind, paths[False]),
            svg.stroke("soft", f"M{svg.n(LEFT)} {svg.n(bottom)}H{svg.n(RIGHT)}"),
            svg.text(LEFT - 6, top + 4, f"{tallest}", "end"),
            svg.text(LEFT - 6, bottom + 4, "0", "end"),
            svg.text(LEFT, top - 9, total, "start", "ink", bold=True),
            svg.text(RIGHT, top - 9, f"{svg.sign(kind, '■')} {errors}", "end", "ink"),
        ]
        said.append(f"{total}, {errors}")

    line = svg.n(across(0))
    level = f"threshold {number(threshold)}"
    parts += [
        svg.stroke("ink", f"M{line} 72V148M{line} 174V250", width=1.5, dash="4 3"),
        svg.text(RIGHT, 40, f"{level}, alarms to its right", "end", "ink"),
        svg.text((LEFT + RIGHT) / 2, 286, "anomaly score"),
        svg.text(14, 162, "images", turned=True),
    ]
    parts += [
        svg.text(across((value - threshold) / width), 266, name)
        for value, name in svg.ticks(threshold + low * width, threshold + high * width)
    ]
    return svg.chart(title, "; ".join([*said, level]), parts)


def bin_of(score: float, threshold: float, width: float) -> int:
    """Bin of a score, counted from the threshold: (threshold + k width, threshold + (k+1) width].

    Law: the bin is at least 0 exactly when the score lies above the threshold, whatever rounding
    does to the division.
    """
    index = math.ceil((score - threshold) / width) - 1
    return max(index, 0) if score > threshold else min(index, -1)


def _unit_axes(top: float, bottom: float) -> list[str]:
    """Grid, tick labels and axis titles of the ROC curve, both axes from 0 to 100%."""
    grid, names = "", []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = LEFT + share * (RIGHT - LEFT), bottom - share * (bottom - top)
        grid += f"M{svg.n(x)} {svg.n(top)}V{svg.n(bottom)}M{svg.n(LEFT)} {svg.n(y)}H{svg.n(RIGHT)}"
        names += [
            svg.text(x, bottom + 17, f"{100 * share:.0f}%", "end" if share == 1 else "middle"),
            svg.text(LEFT - 6, y + 4, f"{100 * share:.0f}%", "end"),
        ]
    return [
        svg.stroke("grid", grid),
        *names,
        svg.text((LEFT + RIGHT) / 2, bottom + 38, "false alarms among good images"),
        svg.text(14, (top + bottom) / 2, "alarms among defective images", turned=True),
    ]


def _area(corners: Sequence[tuple[int, int]]) -> float:
    """Area under the corners by trapezoids, in false alarms x defects found."""
    return sum((x1 - x0) * (y0 + y1) for (x0, y0), (x1, y1) in pairwise(corners)) / 2


def _check(labels: Labels, scores: Sequence[float], extra: int = 0) -> None:
    if len(labels) + extra != len(scores):
        raise ValueError(f"{len(labels)} labels for {len(scores) - extra} scores")
    if set(labels) - {0, 1}:
        raise ValueError("labels must be 0 or 1")
    if not all(math.isfinite(score) for score in scores):
        raise ValueError("scores and threshold must be finite")
