"""The operating table: thresholds, where they come from, and what the test images show at each."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from patchae.evidence.scores import Scored
from patchae.model.threshold import conformal_threshold
from patchae.registry.evidence import Evidence, evidence_of
from patchae.registry.operating import RATES, Operating, table

SCORES = st.floats(0, 10, allow_subnormal=False)
CALIBRATION = st.lists(SCORES, min_size=1, max_size=60)


@st.composite
def scored(draw: st.DrawFn) -> list[Scored]:
    """Test images of two kinds of defects and good ones, any of which may be missing."""
    kinds = draw(st.lists(st.sampled_from(["good", "crack", "dent"]), max_size=30))
    return [
        Scored(f"{number}.png", f"{number:064x}", kind, int(kind != "good"), draw(SCORES), 0)
        for number, kind in enumerate(kinds)
    ]


def by_source(points: tuple[Operating, ...], source: str) -> list[Operating]:
    return [point for point in points if point.source == source]


@given(scored(), SCORES, CALIBRATION)
def test_every_threshold_says_where_it_comes_from(
    rows: list[Scored], trained: float, calibration: list[float]
) -> None:
    points = table(rows, trained, 0.02, calibration)
    least = 1 / (len(calibration) + 1)
    (own,) = by_source(points, "trained")
    assert (own.threshold, own.promised) == (trained, max(0.02, least))
    promised = {conformal_threshold(calibration, rate) for rate in RATES}
    for point in by_source(points, "calibration"):
        assert point.threshold in promised, "no test image chose it"
        assert point.promised is not None
        assert point.promised >= least, "so few images promise no less"
    for point in by_source(points, "test_images"):
        assert point.promised is None
        n = sum(not row.label for row in rows)
        detected = sum(point.detected.values())
        assert point.false_alarms == 0 or detected == len(rows) - n


@given(scored(), SCORES, CALIBRATION)
def test_a_higher_threshold_never_raises_more_alarms(
    rows: list[Scored], trained: float, calibration: list[float]
) -> None:
    points = table(rows, trained, 0.02, calibration)
    for lower, higher in pairwise(points):
        assert lower.threshold < higher.threshold
        assert lower.false_alarms >= higher.false_alarms
        assert all(lower.detected[kind] >= count for kind, count in higher.detected.items())


@given(scored(), SCORES)
def test_without_calibration_scores_the_trained_threshold_and_the_tests_remain(
    rows: list[Scored], trained: float
) -> None:
    points = table(rows, trained, 0.02, ())
    assert not by_source(points, "calibration")
    assert [point.promised for point in by_source(points, "trained")] == [0.02]


def test_evidence_from_before_the_promise_and_the_table_is_still_read() -> None:
    rows = [Scored(f"{n}.png", f"{n:064x}", "good", 0, float(n), 0) for n in range(3)]
    evidence = evidence_of(
        rows,
        champion=None,
        ms_per_image=None,
        validation_passed=True,
        lineage_complete=True,
        data_recorded=None,
    )
    old = evidence.to_dict()
    del old["promised"], old["operating"]
    again = Evidence.from_dict(old)
    assert (again.promised, again.operating) == (None, ())
    assert again == evidence
