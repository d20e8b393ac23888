"""Training and scoring: each done once, from the right images, and from no others."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from patchae.errors import DataError
from patchae.evidence.scores import HEADER
from patchae.files import sha256_file
from patchae.steps.job import ClassJob
from patchae.steps.learn import evaluate_class, require_unchanged, train_class
from tests.support import write_image
from tests.support.plant import Plant, job_of, learned


@pytest.fixture(scope="module")
def job(plant: Plant) -> ClassJob:
    """A class that was trained and scored."""
    plant.line("line", "bolt")
    return learned(plant.project, "line", "bolt")


def test_what_is_trained_is_not_trained_again(job: ClassJob) -> None:
    before = written(job.folder)
    assert train_class(job) is False
    evaluate_class(job)
    assert written(job.folder) == before


def test_a_damaged_training_is_done_again_and_gives_the_same_bytes(plant: Plant) -> None:
    plant.line("damaged", "rivet")
    job = learned(plant.project, "damaged", "rivet")
    weights = job.trained / "model" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert train_class(job) is True
    assert weights.read_bytes() == whole


def test_every_test_image_has_one_row_of_scores(job: ClassJob) -> None:
    with (job.evaluated / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    test = job.manifest[job.manifest["split"] == "test"]
    assert [row["path"] for row in rows] == list(test["path"])
    assert [row["sha256"] for row in rows] == list(test["sha256"])
    threshold = json.loads((job.evaluated / "evaluation.json").read_text())["threshold"]
    for row in rows:
        assert row["label"] == str(int(row["defect"] != "good"))
        assert row["decision"] == str(int(float(row["score"]) > threshold))


def test_every_picture_in_the_index_is_there(job: ClassJob) -> None:
    index = json.loads((job.evaluated / "maps" / "index.json").read_text())
    assert index
    for item in index:
        assert (job.evaluated / item["file"]).read_bytes().startswith(b"\x89PNG")
    assert len({item["path"] for item in index}) == len(index)


def test_test_images_influence_neither_weights_nor_threshold(plant: Plant) -> None:
    plant.line("blind", "nut")
    one = learned(plant.project, "blind", "nut")
    for number, path in enumerate(sorted((plant.project.data / "nut" / "test").rglob("*.png"))):
        write_image(path, 5_000_000 + number, defect=number % 3 == 0)
    other = learned(plant.project, "blind", "nut")
    assert other.key != one.key
    assert (one.evaluated / "scores.csv").read_text() != (
        other.evaluated / "scores.csv"
    ).read_text()
    weights = "model/model.safetensors"
    assert sha256_file(one.trained / weights) == sha256_file(other.trained / weights)
    assert threshold(one) == threshold(other)


def test_an_image_changed_meanwhile_gives_no_model(plant: Plant) -> None:
    plant.line("camera", "cog")
    made = job_of(plant.project, "camera", "cog")
    require_unchanged(made, made.manifest)
    write_image(plant.first_train("cog"), 6_000_000)
    with pytest.raises(DataError, match="changed while it was in use") as caught:
        train_class(made)
    assert f"touch {plant.first_train('cog')}" in str(caught.value.mend)
    assert not made.trained.exists()
    plant.first_train("cog").unlink()
    with pytest.raises(DataError) as caught:
        require_unchanged(made, made.manifest)
    assert "touch" not in str(caught.value.mend), "which would make an empty image"


def test_a_mask_changed_meanwhile_is_noticed(plant: Plant) -> None:
    plant.line("drawn", "stud")
    made = job_of(plant.project, "drawn", "stud")
    require_unchanged(made, made.test_rows)
    mask = plant.project.data / made.test_rows["mask"].dropna().iloc[0]
    write_image(mask, 7_000_000)
    with pytest.raises(DataError, match="changed while it was in use") as caught:
        require_unchanged(made, made.test_rows)
    assert caught.value.where == str(mask)


def threshold(job: ClassJob) -> float:
    """The threshold in the evaluation."""
    return float(json.loads((job.evaluated / "evaluation.json").read_text())["threshold"])


def written(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file below a folder, when it was written and what it holds."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, sha256_file(path))
        for path in folder.rglob("*")
        if path.is_file()
    }
