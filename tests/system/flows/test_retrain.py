"""Retraining a line, told as stories: what the user does, and what stands there afterwards."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from patchae.errors import DataError
from patchae.lineage.gather import audit_model
from patchae.lineage.record import load, missing
from patchae.registry.promotion import rollback
from patchae.registry.verdict import rival_scores_file
from patchae.steps.outcome import LineFailed, LineOutcome
from tests.support import clean, patchae
from tests.support.plant import Plant, only, runs

if TYPE_CHECKING:
    from prefect.client.schemas.objects import TaskRun

pytestmark = pytest.mark.usefixtures("prefect_server")

RETRAIN_KEYS = {"line", "data_version", "models", "report", "seconds"}
MODEL_KEYS = {
    *("class", "model", "version", "trained", "image_auroc", "pixel_auroc", "threshold"),
    *("verdict", "reasons", "failed"),
}
ARTIFACTS = {
    *("lineage.json", "manifest.csv", "validation.json", "scores.csv", "evaluation.json"),
    *("charts/roc.svg", "charts/histogram.svg", "heatmaps.png", "maps/index.json", "maps/00.png"),
    *("model-card.md", "model-card.html"),
}


def retrain(plant: Plant, line: str, **more: Any) -> LineOutcome:
    """Run the flow here and now."""
    from flows.retrain import retrain as flow

    outcome: LineOutcome = flow(line, root=plant.project.root, **more)
    return outcome


@pytest.fixture(scope="module")
def first(plant: Plant, prefect_server: None) -> Any:
    """The first retraining of a line with two classes; returns Prefect's state of it."""
    from flows.retrain import retrain as flow

    plant.line("first", "bolt", "nut")
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        told = {"type": "file", "log_file_path": str(_told(plant)), "append": True}
        patch.setenv("OPENLINEAGE__TRANSPORT", json.dumps(told))
        return flow("first", root=plant.project.root, return_state=True)


def finished_tasks(flow_run: UUID, names: Collection[str]) -> dict[str, TaskRun]:
    """The tasks of a run by name, once those named are done: Prefect learns of them afterwards."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    end = time.monotonic() + 120
    with get_client(sync_client=True) as client:
        while True:
            found = {run.name: run for run in client.read_task_runs(flow_run_filter=chosen)}
            done = {name for name, run in found.items() if run.state and run.state.is_final()}
            if done.issuperset(names) or time.monotonic() > end:
                return found
            time.sleep(0.2)


def at_work(flow_run: UUID, class_name: str) -> tuple[datetime, datetime]:
    """When a class began to be trained, and when its evaluation ended."""
    names = [f"{step} {class_name}" for step in ("train", "evaluate")]
    known = finished_tasks(flow_run, names)
    begun, ended = (known[name] for name in names)
    assert begun.start_time is not None
    assert ended.end_time is not None
    return begun.start_time, ended.end_time


def _told(plant: Plant) -> Path:
    """Where the OpenLineage events of the first retraining go."""
    return plant.project.state / "events.jsonl"


class TestTheFirstTime:
    def test_both_classes_are_registered_judged_and_promoted(
        self, plant: Plant, first: Any
    ) -> None:
        outcome: LineOutcome = first.result()
        assert [one.class_name for one in outcome.classes] == ["bolt", "nut"]
        tracking = plant.tracking()
        for one in outcome.classes:
            assert (one.version, one.trained, one.verdict) == ("1", True, "promote")
            entries = plant.ledger.entries(one.model)
            kinds = [entry.kind for entry in entries]
            assert kinds == ["registered", "verdict", "move", "confirmed"]
            assert len({entry.flow_run for entry in entries} - {""}) == 1, "one flow run, named"
            version = only(tracking.versions(one.model))
            assert entries[0].body["run_id"] == version.run_id
            assert entries[0].actor == "tester"
            assert tracking.aliases.get(one.model) == plant.standing(one.model)
            assert plant.standing(one.model) == {"champion": "1"}
        assert plant.ledger.verify() == []

    def test_no_class_is_trained_while_another_is_judged_on_its_test_images(
        self, first: Any
    ) -> None:
        """A gate may ask how long an image takes."""
        times = sorted(at_work(first.state_details.flow_run_id, one) for one in ("bolt", "nut"))
        assert times[0][1] <= times[1][0]

    def test_the_run_holds_everything_that_an_auditor_asks_for(
        self, plant: Plant, first: Any
    ) -> None:
        outcome: LineOutcome = first.result()
        tracking = plant.tracking()
        run = only(runs(tracking, "first", "bolt"))
        assert run.info.status == "FINISHED"
        assert run.data.params["image_size"] == "64"
        assert run.data.metrics["image_auroc"] == outcome.classes[0].image_auroc
        assert {"loss", "threshold", "training_seconds"} <= set(run.data.metrics)
        dataset = only(run.inputs.dataset_inputs).dataset
        assert (dataset.name, dataset.digest) == ("bolt", outcome.data_version)

        folder = tracking.artifacts(tracking.version("first.bolt", "1"))
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
        assert there >= ARTIFACTS
        record = load((folder / "lineage.json").read_text())
        assert missing(record) == []
        assert record["data"]["version"] == outcome.data_version
        assert record["run"]["mlflow_run_id"] == run.info.run_id
        assert record["run"]["prefect_flow_run_id"] == str(first.state_details.flow_run_id)

    def test_the_audit_of_each_champion_is_intact(self, plant: Plant, first: Any) -> None:
        for model in ("first.bolt", "first.nut"):
            audit = audit_model(plant.project, plant.tracking(), model)
            assert {link.code: link.detail for link in audit.broken} == {}
            assert audit.not_checkable == ()

    def test_the_report_lies_on_disk_and_in_mlflow(self, plant: Plant, first: Any) -> None:
        page = Path(str(first.result().report))
        assert "bolt" in page.read_text()
        tracking = plant.tracking()
        query = "tags.`patchae.kind` = 'report'"
        run = only(tracking.client.search_runs([tracking.experiment("first")], query))
        assert run.info.status == "FINISHED"
        assert {item.path for item in tracking.client.list_artifacts(run.info.run_id)} == {
            *("index.html", "life-bolt.html", "life-nut.html")
        }

    @pytest.mark.usefixtures("first")
    def test_a_report_that_cannot_be_written_fails_nothing(
        self, plant: Plant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from flows import retrain as module

        def unwritable(*_: Any) -> Path:
            raise DataError("no room", where="the report", mend="make some")

        monkeypatch.setattr(module, "write_report", unwritable)
        outcome = retrain(plant, "first")
        assert outcome.report is None
        assert [(one.version, one.failed) for one in outcome.classes] == [("1", None)] * 2

    def test_a_catalogue_is_told_of_the_flow_and_each_class(self, plant: Plant, first: Any) -> None:
        events = [json.loads(line) for line in _told(plant).read_text().splitlines()]
        ends = [(e["job"]["name"], e["eventType"]) for e in events if e["eventType"] != "START"]
        assert sorted(ends[:2]) == [
            ("train first.bolt", "COMPLETE"),
            ("train first.nut", "COMPLETE"),
        ]
        assert ends[2:] == [("retrain first", "COMPLETE")]
        assert len(events) == 6
        flow_run = str(first.state_details.flow_run_id)
        assert events[0]["run"]["runId"] == events[-1]["run"]["runId"] == flow_run
        done = next(e for e in events if (e["job"]["name"], e["eventType"]) in ends[:1])
        (images,) = done["inputs"]
        assert images["facets"]["version"]["datasetVersion"] == first.result().data_version
        assert images["inputFacets"]["dataQualityMetrics"]["rowCount"] == 36
        checks = images["inputFacets"]["dataQualityAssertions"]["assertions"]
        assert {one["severity"] for one in checks} == {"error", "warn"}
        assert done["outputs"][0]["facets"]["version"]["datasetVersion"] == "1"

    def test_prefect_shows_each_step_by_name(self, plant: Plant, first: Any) -> None:
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
        from prefect.client.schemas.sorting import ArtifactSort

        run_id = first.state_details.flow_run_id
        chosen = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(run_id)
            artifacts = client.read_artifacts(
                flow_run_filter=chosen, sort=ArtifactSort.KEY_ASC, limit=20
            )
        assert flow_run.name == "retrain first"
        assert flow_run.state is not None
        assert flow_run.state.is_completed()
        steps = ("class", "validate", "train", "evaluate", "register", "gate")
        names = {f"{step} {name}" for step in steps for name in ("bolt", "nut")}
        tasks = finished_tasks(run_id, names)
        assert names <= set(tasks)
        assert all(task.state and task.state.is_completed() for task in tasks.values())
        assert {item.key for item in artifacts} >= {
            "first-results",
            "first-report",
            "first-mlflow",
        }


def test_the_same_command_again_does_nothing_twice(plant: Plant, first: Any) -> None:
    tracking, before = plant.tracking(), plant.ledger.entries()
    outcome = retrain(plant, "first")
    assert [one.trained for one in outcome.classes] == [False, False]
    assert outcome.data_version == first.result().data_version
    assert [one.to_dict() | {"trained": True} for one in outcome.classes] == [
        one.to_dict() for one in first.result().classes
    ]
    assert plant.ledger.entries() == before
    for name in ("bolt", "nut"):
        only(tracking.versions(f"first.{name}"))
        only(runs(tracking, "first", name))


def test_new_images_train_their_class_alone_and_an_equal_model_replaces_the_champion(
    plant: Plant,
) -> None:
    plant.line("grown", "gear", "cog")
    before = retrain(plant, "grown")
    plant.add_train("gear", 4)
    after = retrain(plant, "grown", reason="more parts")

    assert after.data_version != before.data_version
    assert {one.class_name: one.trained for one in after.classes} == {"cog": False, "gear": True}
    model, tracking = "grown.gear", plant.tracking()
    assert plant.standing(model) == {"champion": "2", "previous": "1"}
    assert tracking.aliases.get(model) == plant.standing(model)
    assert plant.moves(model) == [(None, "1"), ("1", "2")]
    assert len(plant.ledger.entries("grown.cog")) == 4

    verdict = plant.verdicts(model)[-1]
    assert verdict.body["reasons"] == ["auroc_reaches_minimum", "not_worse_than_champion"]
    beside = verdict.body["evidence"]["champion"]
    assert (beside["version"], beside["same_images"], beside["problem"]) == ("1", True, "")
    assert beside["paired"]["champion"]["auroc"] == beside["image_auroc_then"]
    beside_file = rival_scores_file("1", verdict.body["champion_scores_sha256"])
    folder = tracking.artifacts(tracking.version(model, "2"))
    scores = [
        [line.split(",")[:4] for line in (folder / name).read_text().splitlines()]
        for name in ("scores.csv", beside_file)
    ]
    assert scores[0] == scores[1]  # the same images, and other scores
    audit = audit_model(plant.project, tracking, model)
    assert (audit.version, audit.broken, audit.not_checkable) == ("2", (), ())


def test_defective_parts_among_the_good_ones_never_replace_a_better_champion(
    plant: Plant,
) -> None:
    plant.line("kept", "clip")
    retrain(plant, "kept")
    plant.add_train("clip", 16, defect=True)
    one = only(retrain(plant, "kept").classes)

    # Six and six images show that it is worse, and not for certain by how much.
    assert (one.version, one.verdict, one.trained) == ("2", "hold", True)
    assert "comparison_uncertain" in one.reasons
    assert "worse than champion version 1" in one.because
    assert plant.standing("kept.clip") == {"champion": "1"}
    assert plant.tracking().aliases.get("kept.clip") == {"champion": "1"}
    again = only(retrain(plant, "kept").classes)
    assert (again.version, again.verdict, again.trained) == ("2", "hold", False)
    assert len(plant.verdicts("kept.clip")) == 2


def test_another_gate_judges_again_without_training(plant: Plant) -> None:
    plant.line("strict", "ring")
    plant.gates("strict", min_test_good=100)
    held = only(retrain(plant, "strict").classes)
    assert (held.verdict, held.reasons) == ("hold", ("too_few_test_images",))
    assert plant.standing("strict.ring") == {}

    plant.gates("strict", min_test_good=5)
    freed = only(retrain(plant, "strict").classes)
    assert (freed.trained, freed.version, freed.verdict) == (False, "1", "promote")
    assert [row.body["outcome"] for row in plant.verdicts("strict.ring")] == ["hold", "promote"]
    assert plant.tracking().aliases.get("strict.ring") == {"champion": "1"}


def test_what_a_person_rolled_back_is_not_promoted_again(plant: Plant) -> None:
    plant.line("undone", "cap")
    retrain(plant, "undone")
    plant.add_train("cap", 4)
    retrain(plant, "undone")
    tracking = plant.tracking()
    rollback(
        plant.ledger, tracking.aliases, "undone.cap", actor="owner", reason="false alarms on line 3"
    )
    rows = plant.ledger.entries()
    retrain(plant, "undone")
    assert plant.ledger.entries() == rows
    assert tracking.aliases.get("undone.cap") == {"champion": "1"}


def test_a_broken_image_stops_its_class_alone_until_it_is_mended(
    plant: Plant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.line("spoiled", "pin", "rod")
    whole = plant.spoil("pin")

    code, out, err = patchae(capsys, monkeypatch, "retrain", "spoiled", "--json")
    assert code == 1
    assert "Traceback" not in out + err
    assert "1 of 2 classes failed: pin" in err
    assert "decodable" in out
    assert "data/pin" in out  # where
    told = json.loads(out.splitlines()[-1])
    assert set(told) == RETRAIN_KEYS
    pin, rod = told["models"]
    assert set(pin) == MODEL_KEYS
    assert "pin/train/good/000.png" in pin["failed"]
    assert (rod["verdict"], rod["failed"]) == ("promote", None)
    assert "pin/train/good/000.png" in Path(told["report"]).read_text()
    assert plant.tracking().versions("spoiled.pin") == []

    plant.first_train("pin").write_bytes(whole)
    code, out, _ = patchae(capsys, monkeypatch, "retrain", "spoiled", "--json")
    assert code == 0
    told = json.loads(out.splitlines()[-1])
    assert [(one["trained"], one["verdict"]) for one in told["models"]] == [
        (True, "promote"),
        (False, "promote"),
    ]


def test_a_failed_line_is_a_failed_flow_run_that_names_the_class(plant: Plant) -> None:
    from flows.retrain import retrain as flow

    plant.line("mixed", "hook")
    plant.misplace("hook")
    state = flow("mixed", root=plant.project.root, return_state=True)
    assert state.is_failed()
    assert "hook" in str(state.message)
    error = state.result(raise_on_failure=False)
    assert isinstance(error, LineFailed)
    failed = only(error.outcome.failed)
    assert "only_good_in_train" in str(failed.failed)
    assert plant.tracking().versions("mixed.hook") == []


def test_a_class_without_images_says_how_to_bring_them(
    plant: Plant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant.line("bare", "stud")
    plant.lines["bare"]["classes"] = ["stud", "void"]
    plant.write_lines()
    (plant.project.data / "void").mkdir()
    code, out, err = patchae(capsys, monkeypatch, "retrain", "bare", "--class", "void", "--json")
    assert code == 1
    assert "class 'void' has no images" in out
    assert "patchae import" in out
    assert "Traceback" not in out + err
    assert [one["class"] for one in json.loads(out.splitlines()[-1])["models"]] == ["void"]


def test_an_mlflow_server_that_is_not_there_ends_it_with_its_address(
    plant: Plant,
    first: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    rows = plant.ledger.entries()
    code, out, err = patchae(capsys, monkeypatch, "retrain", "first")
    assert code == 3
    assert "MLflow cannot be used" in err
    assert address in err
    assert "MLFLOW_TRACKING_URI" in err
    assert "Traceback" not in out + err
    assert plant.ledger.entries() == rows
