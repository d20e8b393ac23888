"""The threshold: what it promises of good parts, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest

from patchae.model.threshold import (
    FEW,
    conformal_threshold,
    false_alarm_interval,
    weak_threshold,
)


@pytest.mark.parametrize(("count", "rate"), [(5, 0.02), (40, 0.02), (49, 0.02), (200, 0.05)])
def test_the_interval_holds_the_rate_in_19_of_20_draws(count: int, rate: float) -> None:
    low, high = false_alarm_interval(count, rate)
    assert 0 <= low < high <= 1
    random = np.random.default_rng(0)
    # Of uniform scores the share above a threshold is known: 1 - threshold.
    true = np.array([1 - conformal_threshold(random.random(count), rate) for _ in range(4000)])
    inside = ((true >= low) & (true <= high)).mean()
    assert 0.93 < inside < 0.97


def test_more_images_make_it_surer() -> None:
    widths = [high - low for low, high in (false_alarm_interval(n, 0.05) for n in (20, 100, 500))]
    assert widths == sorted(widths, reverse=True)


def test_the_warning_says_how_many_there_are_and_how_many_would_do() -> None:
    assert "12 good" in weak_threshold(12)
    assert str(FEW) in weak_threshold(12)
