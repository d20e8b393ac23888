"""A class that has no defective images yet, or no good ones: trained, recorded and held."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from patchae.errors import DataError
from patchae.lineage.bundle import verify
from patchae.lineage.record import missing
from patchae.registry.wording import explain_row
from patchae.steps.enrol import read_lineage
from patchae.steps.learn import train_class
from tests.support import patchae, write_class
from tests.support.lineage.bundles import run
from tests.support.plant import GATES, TINY, Plant, job_of, steps

Said = Callable[..., str]


def _without(plant: Plant, line: str, class_name: str, *kinds: str) -> None:
    """A line whose only class has none of these test images, which its validation allows."""
    plant.line(line, class_name)
    # Without defective images nothing needs to be set: that is a warning.
    severity = {"enough_test_good": "ignore"} if "good" in kinds else {}
    plant.lines[line]["validation"] = {"severity": severity}
    plant.write_lines()
    for kind in kinds:
        shutil.rmtree(plant.project.data / class_name / "test" / kind)
        shutil.rmtree(plant.project.data / class_name / "ground_truth" / kind, ignore_errors=True)


@pytest.fixture
def said(plant: Plant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    """Runs a command in the project; what it printed."""
    monkeypatch.chdir(plant.project.root)

    def run_command(*words: str) -> str:
        code, out, err = patchae(capsys, monkeypatch, *words)
        assert code == 0, err
        return out

    return run_command


@pytest.mark.parametrize(
    ("kind", "null"),
    [("hole", {"image_auroc", "recall"}), ("good", {"image_auroc", "false_alarm_rate"})],
)
def test_it_is_trained_and_held_and_its_record_holds(
    plant: Plant, said: Said, tmp_path: Path, kind: str, null: set[str]
) -> None:
    line, class_name = f"no-{kind}", f"cap-{kind}"
    _without(plant, line, class_name, kind)
    tracking, model = plant.tracking(), f"{line}.{class_name}"
    verdict = steps(plant.project, line, class_name, tracking)
    assert verdict.body["outcome"] == "hold"
    assert verdict.body["reasons"] == ["too_few_test_images"]
    record = read_lineage(tracking, tracking.version(model, "1"))
    assert missing(record) == []
    told: dict[str, Any] = record["evaluation"]
    assert {
        name for name in ("image_auroc", "recall", "false_alarm_rate") if told[name] is None
    } == null
    bundle = tmp_path / "cap.zip"
    answer = json.loads(
        said("audit", f"{model}/1", "--json", "--out", str(bundle)).splitlines()[-1]
    )
    states = {link["code"]: link["state"] for link in answer["links"]}
    assert states["evaluation"] == states["verdict_recomputed"] == states["mlflow"] == "intact"
    assert "broken" not in states.values()
    shutil.copy(verify.__file__, tmp_path)
    checked = run(tmp_path)
    assert (checked.returncode, "no image AUROC" in checked.stdout) == (0, True), checked.stdout
    assert f"{told['n_good']} good, {told['n_defect']} defective" in said("card", f"{model}/1")
    said("report", line)
    said("status", line)
    if kind == "hole":
        assert "5 more defective are needed" in said("status", line)
        without = "without defective ones there is no image AUROC, and nothing says what the model"
        assert without in explain_row(verdict.body)
        said("promote", f"{model}/1", "--override", "--reason", "good parts only, on trial")
        image = next((plant.project.data / class_name / "test/good").iterdir())
        scored = json.loads(said("score", model, str(image), "--json").splitlines()[-1])
        assert scored["version"] == "1"
        assert isinstance(scored["images"][0]["score"], float)


def test_black_masks_of_good_images_say_what_they_are_nothing(
    plant: Plant, said: Said, tmp_path: Path
) -> None:
    source = write_class(tmp_path, "lid", seed=7)
    for image in (source / "test" / "good").iterdir():
        black = source / "ground_truth" / "good" / f"{image.stem}_mask.png"
        black.parent.mkdir(exist_ok=True)
        Image.new("L", (64, 64)).save(black)
    plant.lines["masked"] = {"classes": ["lid"], "training": TINY, "gates": GATES}
    plant.write_lines()
    said("import", str(source))
    said("validate", "masked")
    tracking = plant.tracking()
    verdict = steps(plant.project, "masked", "lid", tracking)
    assert verdict.body["outcome"] == "promote"
    told = read_lineage(tracking, tracking.version("masked.lid", "1"))["evaluation"]
    assert (told["n_good"], told["n_defect"], told["pixel_auroc"] > 0.5) == (6, 6, True)


def test_a_class_without_any_test_image_is_not_trained(plant: Plant) -> None:
    _without(plant, "no-tests", "knob", "good", "hole")
    job = job_of(plant.project, "no-tests", "knob")
    with pytest.raises(DataError, match="no test image") as found:
        train_class(job)
    assert "test/good" in str(found.value.mend)
    assert not job.trained.exists()
