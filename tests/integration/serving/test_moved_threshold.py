"""A threshold that is moved is served, logged, scored by, exported, shown and audited."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest

from patchae.export import about
from patchae.lineage.gather import audit_model
from patchae.predictions.reading import predictions
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_in_use, load_version
from patchae.registry.operating import conformal
from patchae.registry.threshold import THRESHOLD_TAG
from patchae.registry.tracking import Tracking
from patchae.report.collect import line_report
from patchae.report.page import render
from patchae.steps.batch import score_batch
from patchae.steps.threshold import look, move
from tests.integration.serving.conftest import Service, running, until
from tests.support import clean
from tests.support.plant import Plant, steps

GEAR = "mill.gear"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """A project with one champion, of which tests move the threshold."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        made = Plant(tmp_path_factory.mktemp("moved") / "plant")
        made.line("mill", "gear")
        steps(made.project, "mill", "gear", made.tracking())
        yield made


def moved(plant: Plant, tracking: Tracking, to: float) -> None:
    """Move it by hand."""
    seen = look(plant.project, tracking, plant.ledger, GEAR)
    move(
        plant.project,
        tracking,
        plant.ledger,
        seen,
        to=to,
        why="set",
        rate=None,
        reason="agreed with the line",
    )


def answers(service: Service) -> tuple[float, float, bool]:
    """Threshold, score, and whether it was an alarm."""
    image = service.image("hole", class_name="gear")
    given = service.post(image.read_bytes(), model=GEAR)
    assert given.status_code == 200, given.text
    told = given.json()
    (judged,) = told["images"]
    return told["threshold"], judged["score"], judged["decision"] == "anomalous"


def test_it_is_served_without_a_restart_and_each_decision_says_by_which(plant: Plant) -> None:
    tracking = plant.tracking()
    with running(plant.project, GEAR) as service:
        trained, score, _ = answers(service)
        champion = service.parts.following.slots[GEAR].champion
        assert champion
        for to, alarm in ((score * 0.99, True), (score * 1.01, False)):
            moved(plant, tracking, to)
            until(lambda to=to: answers(service)[0] == to)
            assert answers(service) == (to, score, alarm)
            now = service.parts.following.slots[GEAR].champion
            assert now
            assert now.detector is champion.detector, "it is not loaded anew"
        decided = [one for one in predictions(plant.project, model=GEAR) if one.score == score]
        assert {one.threshold for one in decided} == {trained, score * 0.99, score * 1.01}
        assert all(one.anomalous == (one.score > one.threshold) for one in decided)
        # Whoever changes what MLflow shows changes nothing of what is served.
        tracking.aliases.tag(GEAR, "1", THRESHOLD_TAG, "0.0")
        links = {link.code: link for link in audit_model(plant.project, tracking, GEAR).links}
        assert links["threshold"].state == "broken"
        assert answers(service)[0] == score * 1.01
        tracking.aliases.tag(GEAR, "1", THRESHOLD_TAG, repr(score * 1.01))


def test_everything_that_asks_the_version_decides_by_it(plant: Plant, tmp_path: Path) -> None:
    tracking, ledger = plant.tracking(), plant.ledger
    version = tracking.version(GEAR, "1")
    trained = load_version(tracking, version).threshold
    scores = [row.score for row in look(plant.project, tracking, ledger, GEAR).rows]
    to = float(np.median(scores))
    moved(plant, tracking, to)
    detector = load_in_use(tracking, ledger, version)
    assert (detector.threshold, about(detector)["threshold"]) == (to, to)
    assert detector.facts["trained_threshold"] == trained
    done = score_batch(plant.project, GEAR, str(plant.project.data / "gear" / "test"), tmp_path)
    assert (done.threshold, done.alarms) == (to, sum(score > to for score in scores))
    assert json.loads((tmp_path / "job.json").read_text())["threshold"] == to
    report = line_report(plant.project, tracking, plant.read("mill"), ["gear"])
    (item,) = report.classes
    assert item.deployed
    assert (item.deployed.threshold, item.deployed.in_force) == (trained, to)
    page = render(report)
    assert "agreed with the line" in page
    assert "the test images themselves" in page
    audit = audit_model(plant.project, tracking, GEAR)
    assert audit.state == "intact", audit.broken


def test_mlflow_alone_can_be_told_the_threshold_that_its_tag_shows(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = plant.tracking()
    seen = look(plant.project, tracking, plant.ledger, GEAR)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri)
    model = mlflow.pyfunc.load_model(f"models:/{GEAR}@champion")
    image = str(plant.project.data / "gear/test/hole/000.png")
    tag = tracking.version(GEAR, "1").tags[THRESHOLD_TAG]
    assert float(tag) == seen.current
    told = model.predict([image], params={"threshold": float(tag)})
    assert told.threshold[0] == seen.current
    assert bool(told.anomalous[0]) == (told.score[0] > seen.current)
    assert model.predict([image]).threshold[0] == seen.trained


def test_a_promise_comes_from_calibration_and_a_reset_from_training(plant: Plant) -> None:
    tracking, ledger = plant.tracking(), Ledger.of(plant.project)
    seen = look(plant.project, tracking, ledger, GEAR)
    scores = seen.facts["calibration_scores"]
    rate = 2 / (len(scores) + 1)
    row = move(
        plant.project,
        tracking,
        ledger,
        seen,
        to=conformal(scores, rate),
        why="false_alarms",
        rate=rate,
        reason="r",
    )
    assert row.body["to"] in scores
    again = look(plant.project, tracking, ledger, GEAR)
    assert again.current == row.body["to"]
    move(
        plant.project,
        tracking,
        ledger,
        again,
        to=seen.trained,
        why="reset",
        rate=None,
        reason="the lamp is back",
    )
    last = look(plant.project, tracking, ledger, GEAR)
    assert (last.current, last.moved) == (seen.trained, None)
    audit = audit_model(plant.project, tracking, GEAR)
    assert audit.state == "intact", audit.broken
