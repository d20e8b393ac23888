"""What a run needs at its end is tried at its beginning: nothing is trained in vain."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.retrain import retrain
from patchae.cli import main
from patchae.errors import StoreUnreachable, UsageError
from patchae.health import examine
from tests.support.plant import Plant

pytestmark = pytest.mark.usefixtures("prefect_server")


def _doctor(plant: Plant) -> tuple[str, str]:
    """What `patchae doctor` says of MLflow: state and mend."""
    (found,) = [one for one in examine(plant.project, None) if one.check == "mlflow"]
    return found.state, f"{found.detail}; {found.mend}"


def _status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr("sys.argv", ["patchae", "status"])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    return capsys.readouterr().out


def test_a_deleted_experiment_is_said_before_anything_is_trained(
    plant: Plant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plant.line("caps", "cap")
    retrain("caps", root=plant.project.root)
    tracking = plant.tracking()
    tracking.client.delete_experiment(tracking.experiment("caps"))
    plant.add_train("cap", 2)
    shutil.rmtree(plant.project.work)
    with pytest.raises(UsageError) as refusal:
        retrain("caps", root=plant.project.root)
    assert "MLflow's experiment 'caps' was deleted" in refusal.value.what
    assert not plant.project.work.exists(), "nothing was trained"
    mend = str(refusal.value.mend)
    assert _doctor(plant) == ("fail", f"{refusal.value.what} ({refusal.value.where}); {mend}")
    assert mend in _status(monkeypatch, capsys)
    bin_folder = Path(sys.executable).parent
    command = mend.replace("mlflow experiments", f"{bin_folder}/mlflow experiments")
    subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602
    assert _doctor(plant)[0] == "ok"
    assert mend not in _status(monkeypatch, capsys)
    (outcome,) = retrain("caps", root=plant.project.root).classes
    assert (outcome.version, outcome.failed) == ("2", None)


def test_a_store_of_artifacts_that_cannot_be_written_is_said_first(plant: Plant) -> None:
    plant.line("pins", "pin")
    tracking = plant.tracking()
    place = plant.project.mlflow / "artifacts" / "pins"
    tracking.experiment("pins")
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("no folder")
    with pytest.raises(StoreUnreachable, match="store of artifacts cannot be written"):
        retrain("pins", root=plant.project.root)
    assert _doctor(plant)[0] == "fail"
    place.unlink()
    assert _doctor(plant)[0] == "ok"
    assert not list(place.glob("*")), "nothing of the trial stays"
    assert not (plant.project.work / "pins.pin").exists(), "nothing was trained"


def test_a_deleted_model_is_said_before_it_is_trained(plant: Plant) -> None:
    """Its versions cannot be had back, and their numbers stand in the ledger."""
    plant.line("nuts", "nut", "bolt")
    retrain("nuts", root=plant.project.root, classes=["nut"])
    plant.tracking().client.delete_registered_model("nuts.nut")
    plant.add_train("nut", 2)
    shutil.rmtree(plant.project.work / "nuts.nut")
    state = retrain("nuts", root=plant.project.root, return_state=True)
    found = {one.class_name: one for one in state.result(raise_on_failure=False).outcome.classes}
    assert "the model nuts.nut was deleted in MLflow" in str(found["nut"].failed)
    assert found["bolt"].verdict == "promote", "the other class goes on"
    trained = plant.project.work / "nuts.nut"
    assert not list(trained.rglob("training.json")), "nothing was trained"
