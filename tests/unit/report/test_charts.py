"""The charts show exactly what labels and scores say."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from patchae.report.charts import bin_of, histogram_svg, roc_points, roc_svg

# Few distinct scores, so that ties within and between the labels are common.
judged = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), max_size=30)
both = judged.filter(lambda images: {label for label, _ in images} == {0, 1})

SVG = "{http://www.w3.org/2000/svg}"
LABELS = [0] * 20 + [1] * 30
SCORES = [0.30 + 0.01 * (i % 13) for i in range(20)] + [0.38 + 0.01 * (i % 29) for i in range(30)]


def split(images: list[tuple[int, int]]) -> tuple[list[int], list[float]]:
    return [label for label, _ in images], [float(score) for _, score in images]


@given(both)
def test_area_under_the_drawn_points_is_the_rank_auroc(images: list[tuple[int, int]]) -> None:
    labels, scores = split(images)
    points = roc_points(labels, scores)
    n_good, n_defect = points[-1]
    area = sum(Fraction((x1 - x0) * (y0 + y1), 2) for (x0, y0), (x1, y1) in pairwise(points))
    wins = sum(
        Fraction(1) if bad > good else Fraction(bad == good, 2)
        for is_bad, bad in images
        for is_other_bad, good in images
        if is_bad and not is_other_bad
    )
    assert area / (n_good * n_defect) == wins / (n_good * n_defect)


@given(judged)
def test_the_curve_runs_from_no_alarm_to_all_alarms_and_never_back(
    images: list[tuple[int, int]],
) -> None:
    labels, scores = split(images)
    points = roc_points(labels, scores)
    assert points[0] == (0, 0)
    assert points[-1] == (labels.count(0), labels.count(1))
    assert all(x0 <= x1 and y0 <= y1 for (x0, y0), (x1, y1) in pairwise(points))


@given(judged)
def test_every_threshold_lies_on_the_curve(images: list[tuple[int, int]]) -> None:
    labels, scores = split(images)
    points = roc_points(labels, scores)
    for threshold in {*scores, -1.0}:
        x = sum(s > threshold for label, s in zip(labels, scores, strict=True) if not label)
        y = sum(s > threshold for label, s in zip(labels, scores, strict=True) if label)
        on_a_run = (
            x0 <= x <= x1 and y0 <= y <= y1 and (x1 - x0) * (y - y0) == (y1 - y0) * (x - x0)
            for (x0, y0), (x1, y1) in pairwise(points)
        )
        assert any(on_a_run) or points == [(0, 0)]


@given(judged, st.randoms(use_true_random=False))
def test_neither_order_nor_a_monotone_map_changes_the_curve(
    images: list[tuple[int, int]], rng: random.Random
) -> None:
    labels, scores = split(images)
    shuffled = rng.sample(images, len(images))
    moved = [math.exp(score) - 3 for _, score in shuffled]
    assert roc_points([label for label, _ in shuffled], moved) == roc_points(labels, scores)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(1e-12, 1e9))
@example(5e-324, 0.0, 1e9)  # the quotient is rounded to 0
def test_no_bar_reaches_across_the_threshold(score: float, threshold: float, width: float) -> None:
    assert (bin_of(score, threshold, width) >= 0) == (score > threshold)


@given(judged, st.integers(-1, 7))
def test_the_charts_count_as_the_gate_does(images: list[tuple[int, int]], threshold: int) -> None:
    labels, scores = split(images)
    missed = sum(label == 1 and score <= threshold for label, score in images)
    alarms = sum(label == 0 and score > threshold for label, score in images)
    said = summary(histogram_svg(labels, scores, threshold, title="scores"))
    assert f", {missed} missed" in said
    assert f", {alarms} false alarm" in said


@given(judged, st.integers(-1, 7))
def test_the_bars_hold_every_image_once(images: list[tuple[int, int]], threshold: int) -> None:
    labels, scores = split(images)
    chart = parse(histogram_svg(labels, scores, threshold, title="scores"))
    for kind, label, bottom in (("good", 0, 148), ("defect", 1, 250)):
        drawn = "".join(
            path.attrib["d"] for path in chart.iter(f"{SVG}path") if path.get("class") == kind
        )
        heights = [bottom - float(bar.split("V")[1].split("H")[0]) for bar in drawn.split("M")[1:]]
        images_here = labels.count(label)
        if images_here:  # heights are counts over the tallest count, within rounding
            unit = max(heights) / max(1, round(tallest(chart, bottom)))
            assert sum(round(height / unit) for height in heights) == images_here
        else:
            assert not heights


def tallest(chart: ElementTree.Element, bottom: float) -> float:
    """The count beside the top of the half that ends at `bottom`."""
    top = {148: "78", 250: "180"}[int(bottom)]
    (text,) = (
        node.text
        for node in chart.iter(f"{SVG}text")
        if node.get("y") == top and node.get("text-anchor") == "end"
    )
    assert text is not None
    return float(text)


def parse(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)  # noqa: S314 - our own text


def summary(chart: str) -> str:
    return parse(chart).attrib["aria-label"]


def test_the_operating_point_is_told_in_words() -> None:
    chart = roc_svg([0, 0, 0, 0, 1, 1], [1, 2, 3, 9, 4, 5], title="ROC", threshold=3)
    assert summary(chart) == (
        "ROC. AUROC 0.7500; at threshold 3.000: recall 100%, false alarms 25.0%"
    )


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([], []),
        ([0], [0.4]),
        ([1], [0.6]),
        ([0, 0], [0.1, 0.2]),
        ([0, 1, 1], [0.5, 0.5, 0.5]),
        ([0, 1], [0.0, 0.0]),
        ([0, 1], [-1e9, 1e9]),
        ([0, 1], [1e-300, 2e-300]),
        ([0, 1], [5.0, math.nextafter(5.0, 6.0)]),
    ],
)
def test_unusual_evidence_is_drawn(labels: list[int], scores: list[float]) -> None:
    for chart in (
        roc_svg(labels, scores, title="x", threshold=0.5),
        histogram_svg(labels, scores, 0.5, title="x"),
        histogram_svg(labels, scores, scores[0] if scores else 0.0, title="x"),
    ):
        assert parse(chart).tag == f"{SVG}svg"
        assert "nan" not in chart
        assert "inf" not in chart


def test_without_both_kinds_the_curve_says_what_is_missing() -> None:
    assert "2 good, 0 defective" in summary(roc_svg([0, 0], [0.1, 0.2], title="x"))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0], [0.1, 0.2], "1 labels for 2 scores"),
        ([2], [0.1], "labels must be 0 or 1"),
        ([0, 1], [0.1, math.nan], "finite"),
        ([0, 1], [0.1, math.inf], "finite"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    labels: list[int], scores: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        roc_svg(labels, scores, title="x")
    with pytest.raises(ValueError, match=message):
        histogram_svg(labels, scores, 0.5, title="x")


def test_charts_are_small_equal_and_need_nothing_from_outside() -> None:
    def draw() -> list[str]:
        return [
            roc_svg(LABELS, SCORES, title="ROC", threshold=0.4),
            histogram_svg(LABELS, SCORES, 0.4, title="scores"),
        ]

    assert draw() == draw()
    for chart in draw():
        assert len(chart) < 5_000
        for node in parse(chart).iter():
            assert node.tag.removeprefix(SVG) in {"svg", "rect", "path", "text", "tspan"}
            assert not [name for name in node.attrib if "href" in name or name.startswith("on")]
            assert not [value for value in node.attrib.values() if "url(" in value]


def test_a_hostile_title_stays_text() -> None:
    title = '"><script>alert(1)</script>&\x00\ud800'
    for chart in (
        roc_svg(LABELS, SCORES, title=title),
        histogram_svg(LABELS, SCORES, 0.4, title=title),
    ):
        tree = parse(chart)
        assert not list(tree.iter(f"{SVG}script"))
        assert tree.attrib["aria-label"].startswith('"><script>alert(1)</script>&\ufffd\ufffd. ')
