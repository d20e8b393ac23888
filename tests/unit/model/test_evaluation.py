"""Evaluation: metrics of a trained model, and the maps worth looking at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from patchae.config import Training
from patchae.errors import DataError
from patchae.files import sha256_file
from patchae.images import load_mask
from patchae.lineage.ranks import image_auroc
from patchae.model.detector import PatchAE
from patchae.model.evaluation import Evaluation, TestImage, evaluate, margin
from patchae.model.training import train
from tests.support.trained import SETTINGS, Small


@pytest.fixture(scope="module")
def model(small: Small) -> PatchAE:
    """The small model with a threshold at which some decisions are wrong."""
    model = PatchAE.load(small.saved)
    scores = sorted(s.score for s in model.score([small.data / i.path for i in small.tests()]))
    model.facts["threshold"] = scores[7]  # 6 good ones and 2 defective ones are not above it
    return model


@pytest.fixture(scope="module")
def evaluation(small: Small, model: PatchAE) -> Evaluation:
    """The small model against its test images, with the worst and the best maps."""
    seen: list[tuple[str, int, int]] = []
    evaluation = evaluate(
        model, small.data, small.tests(), keep_maps=4, progress=lambda *step: seen.append(step)
    )
    assert seen == [("judging", 8, 12), ("judging", 12, 12)]
    return evaluation


@pytest.fixture(scope="module")
def few(small: Small) -> list[TestImage]:
    """One good and two defective test images."""
    return small.tests()[5:8]


def test_scores_come_in_the_order_of_the_images(small: Small, evaluation: Evaluation) -> None:
    assert [judged.image for judged in evaluation.judged] == small.tests()


def test_image_auroc_is_that_of_other_implementations(evaluation: Evaluation) -> None:
    labels = [judged.image.label for judged in evaluation.judged]
    scores = [judged.score for judged in evaluation.judged]
    value = evaluation.metrics["image_auroc"]
    assert value == pytest.approx(image_auroc(labels, scores))
    assert value == pytest.approx(roc_auc_score(labels, scores))
    assert value == 1.0, "a dark hole in stripes is easy"


def test_decisions_follow_the_threshold(evaluation: Evaluation) -> None:
    metrics = evaluation.metrics
    for judged in evaluation.judged:
        assert judged.anomalous == (judged.score > metrics["threshold"])
    assert (metrics["n_good"], metrics["n_defect"]) == (6, 6)
    assert metrics["recall_by_defect"] == {"hole": {"found": 4, "n": 6}}
    assert metrics["recall"] == pytest.approx(4 / 6)
    assert metrics["false_alarm_rate"] == 0
    assert metrics["ms_per_image"] > 0


def test_pixel_auroc_judges_the_maps_against_the_masks(
    small: Small, model: PatchAE, evaluation: Evaluation
) -> None:
    every = evaluate(model, small.data, small.tests(), keep_maps=99)
    labels: list[bool] = []
    scores: list[float] = []
    for image in small.tests():
        map_ = every.maps[image.path]
        mask = load_mask(small.data / image.mask, SETTINGS.image_size) if image.mask else None
        labels += [False] * map_.size if mask is None else mask.ravel().tolist()
        scores += map_.ravel().tolist()
    assert evaluation.metrics["pixel_auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert evaluation.metrics["pixel_auroc"] > 0.9
    for name in ("pixel_auroc", "aupro"):
        low, high = evaluation.metrics[f"{name}_interval"]
        assert 0 < low <= evaluation.metrics[name] <= high <= 1


def test_without_masks_there_is_no_pixel_auroc(
    small: Small, model: PatchAE, few: list[TestImage]
) -> None:
    metrics = evaluate(model, small.data, [replace(image, mask=None) for image in few]).metrics
    names = ("pixel_auroc", "pixel_auroc_interval", "aupro", "aupro_interval")
    assert [metrics[name] for name in names] == [None] * 4
    assert metrics["image_auroc"] == 1.0


def test_a_defective_image_without_a_mask_is_left_out_of_the_pixels(
    small: Small, model: PatchAE, few: list[TestImage]
) -> None:
    some = [*few[:2], replace(few[2], mask=None)]
    left_out = evaluate(model, small.data, some)
    assert left_out.metrics["pixel_auroc"] == pytest.approx(
        evaluate(model, small.data, few[:2]).metrics["pixel_auroc"], abs=1e-6
    )
    assert set(left_out.maps) == {image.path for image in few}, "few images all keep their maps"


def test_the_worst_and_the_best_decisions_keep_their_maps(evaluation: Evaluation) -> None:
    threshold = evaluation.metrics["threshold"]
    order = sorted(evaluation.judged, key=lambda judged: margin(judged, threshold))
    ranked = evaluation.ranked()
    assert ranked == order[:2] + order[-2:]
    assert [judged.correct for judged in ranked] == [False, False, True, True]
    assert set(evaluation.maps) == {judged.image.path for judged in ranked}


def test_a_damaged_mask_or_image_is_named(small: Small, model: PatchAE, tmp_path: Path) -> None:
    image = small.tests()[-1]
    for field in ("path", "mask"):
        broken = tmp_path / f"{field}.png"
        broken.write_bytes(b"\x89PNG")
        with pytest.raises(DataError, match="not an image") as caught:
            evaluate(model, small.data, [replace(image, **{field: str(broken)})])
        assert caught.value.where == str(broken)


@pytest.mark.realdata
def test_bottles_are_told_from_broken_ones(real_images: Path) -> None:
    good = sorted((real_images / "bottle" / "train" / "good").iterdir())[::3]
    settings = Training(image_size=128, epochs=1, memory_size=2000)
    model = train(good, [sha256_file(path) for path in good], settings)
    tests = [
        TestImage(path.relative_to(real_images).as_posix(), sha256_file(path), path.parent.name,
                  None)
        for path in sorted((real_images / "bottle" / "test").glob("*/*"))
    ]  # fmt: skip
    metrics = evaluate(model, real_images, tests).metrics
    assert metrics["image_auroc"] >= 0.95
    assert metrics["recall"] >= 0.7
