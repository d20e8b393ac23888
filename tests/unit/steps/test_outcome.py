"""What came of a line: complete as JSON, and an error that can cross processes."""

from __future__ import annotations

import json
import pickle

from patchae.steps.outcome import ClassOutcome, LineFailed, LineOutcome
from patchae.types import DataVersion

GOOD = ClassOutcome(
    class_name="nut",
    model="line.nut",
    version="3",
    trained=True,
    image_auroc=0.97,
    pixel_auroc=None,
    threshold=1.5,
    verdict="promote",
    reasons=("first_champion",),
    because="image AUROC 0.970 reaches the minimum",
)
BAD = ClassOutcome("bolt", "line.bolt", failed="no images\n  where:   data/bolt")
OUTCOME = LineOutcome("line", DataVersion("0" * 32 + ".dir"), (BAD, GOOD), None, 12.345)


def test_a_failed_class_and_a_good_one_have_the_same_keys() -> None:
    assert set(GOOD.to_dict()) == set(BAD.to_dict())
    assert BAD.to_dict()["version"] is None


def test_the_outcome_is_json() -> None:
    told = OUTCOME.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["seconds"] == 12.3


def test_a_failed_line_names_its_failed_classes_only() -> None:
    error = LineFailed(OUTCOME)
    assert error.exit_code == 1
    assert "1 of 2 classes failed: bolt" in error.what
    assert "nut" not in error.what


def test_a_failed_line_survives_being_sent_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(LineFailed(OUTCOME)))  # noqa: S301 - our own bytes
    assert isinstance(error, LineFailed)
    assert error.outcome == OUTCOME
    assert str(error) == str(LineFailed(OUTCOME))
