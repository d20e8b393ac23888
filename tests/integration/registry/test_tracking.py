"""MLflow behind one door: what is there, what is not, and what cannot be reached."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing

import pytest

from patchae.errors import StoreUnreachable, UsageError
from patchae.lineage.gather import audit_model
from patchae.model.key import source_digest
from patchae.project import Project, prepare_environment
from patchae.registry.tracking import Tracking, Version
from patchae.types import TrainingKey
from tests.support.plant import Works, the_works


@pytest.fixture
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    """A project with registered versions; these tests change nothing in it."""
    return the_works(tmp_path_factory)


@pytest.fixture
def tracking(works: Works) -> Tracking:
    """Its MLflow."""
    return works.tracking()


def test_versions_come_oldest_first(tracking: Tracking) -> None:
    assert [item.version for item in tracking.versions("works.lens")] == ["1", "2"]
    assert tracking.versions("works.wheel") == []


def test_a_version_is_found_by_its_training_key(tracking: Tracking) -> None:
    for version in tracking.versions("works.lens"):
        key = TrainingKey(version.tags["patchae.training_key"])
        assert tracking.with_key("works.lens", key) == version
        assert tracking.with_key("works.disc", key) is None
    assert tracking.with_key("works.lens", TrainingKey("0" * 64)) is None


def test_a_version_that_is_not_there_names_those_that_are(tracking: Tracking) -> None:
    assert tracking.version("works.lens", "2").version == "2"
    with pytest.raises(UsageError, match="use one of: 1, 2"):
        tracking.version("works.lens", "3")
    with pytest.raises(UsageError, match=r"no model is called 'works\.wheel'"):
        tracking.version("works.wheel", "1")


def test_aliases_come_and_go(tracking: Tracking) -> None:
    before = dict(tracking.aliases.get("works.disc"))
    tracking.aliases.set("works.disc", "candidate", "1")
    assert tracking.aliases.get("works.disc") == {**before, "candidate": "1"}
    tracking.aliases.delete("works.disc", "candidate")
    assert tracking.aliases.get("works.disc") == before
    assert tracking.aliases.get("works.wheel") == {}


def test_an_experiment_is_made_once(tracking: Tracking) -> None:
    assert tracking.experiment("another") == tracking.experiment("another")


def test_everything_lies_in_the_project(tracking: Tracking, works: Works) -> None:
    version = tracking.version("works.disc", "1")
    home = works.plant.project.mlflow
    assert tracking.artifacts(version).is_relative_to(home)
    assert tracking.model_folder(version).is_relative_to(home)


def test_the_files_of_a_model_are_those_that_mlflow_loads(tracking: Tracking, works: Works) -> None:
    """MLflow keeps the place to load from beside the source that it shows, and never compares."""
    one, two = tracking.versions("works.lens")
    own, other = tracking.model_folder(two), tracking.model_folder(one)
    before = audit_model(works.plant.project, tracking, "works.lens/2")
    set_to = (
        "UPDATE model_versions SET storage_location = ? WHERE name = 'works.lens' AND version = 2"
    )
    with closing(sqlite3.connect(works.plant.project.mlflow / "mlflow.db")) as database:
        query = (
            "SELECT storage_location FROM model_versions WHERE name = 'works.lens' AND version = 2"
        )
        (right,) = database.execute(query).fetchone()
        try:
            for place in (str(other), str(own / "nowhere")):
                with database:
                    database.execute(set_to, (place,))
                if place == str(other):
                    assert tracking.model_folder(two) == other
                else:
                    assert list(tracking.model_folder(two).iterdir()) == []
                found = audit_model(works.plant.project, tracking, "works.lens/2")
                assert {link.code for link in found.broken} == {"model_files"}
        finally:
            with database:
                database.execute(set_to, (right,))
    assert tracking.model_folder(two) == own
    assert before.state == audit_model(works.plant.project, tracking, "works.lens/2").state


def test_one_project_does_not_decide_for_the_next(works: Works) -> None:
    works.tracking()
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_a_database_that_is_none_is_named(project: Project) -> None:
    prepare_environment(project)
    project.mlflow.mkdir(parents=True)
    (project.mlflow / "mlflow.db").write_text("this is no database, " * 100)
    with pytest.raises(StoreUnreachable) as found:
        Tracking.open(project)
    assert str(project.mlflow / "mlflow.db") in str(found.value)


def test_a_server_that_does_not_answer_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(StoreUnreachable, match="no answer") as found:
            Tracking.open(project)
    assert found.value.where == address
    assert not project.mlflow.exists()


def registered(tracking: Tracking, auroc: float, *, seed: int, **tags: str) -> Version:
    """A version of `seeds.lens` whose run has these results, and these tags besides its own."""
    own = {"line": "seeds", "class": "lens", "data_version": "1.dir", "model_source": "new"}
    run = tracking.client.create_run(
        tracking.experiment("seeds"),
        tags={f"patchae.{name}": value for name, value in {**own, **tags}.items() if value},
    )
    for name, value in (("seed", seed), ("epochs", 3)):
        tracking.client.log_param(run.info.run_id, name, value)
    tracking.client.log_metric(run.info.run_id, "image_auroc", auroc)
    made = tracking.client.create_model_version("seeds.lens", "nowhere", run.info.run_id)
    return tracking.version("seeds.lens", str(made.version))


def test_seeds_are_those_of_the_same_source_and_its_own_result_is_its_own(
    tracking: Tracking,
) -> None:
    tracking.client.create_registered_model("seeds.lens")
    before = registered(tracking, 0.5, seed=0, model_source="")
    registered(tracking, 0.6, seed=1, model_source="")
    registered(tracking, 0.7, seed=1, model_source="old")
    registered(tracking, 0.7, seed=2, data_version="2.dir")
    first = registered(tracking, 0.8, seed=0)
    again = registered(tracking, 0.81, seed=0)
    registered(tracking, 0.9, seed=3)
    assert tracking.seeds(first) == {"0": 0.8, "3": 0.9}
    assert tracking.seeds(again) == {"0": 0.81, "3": 0.9}
    assert tracking.seeds(before) == {"0": 0.5}


def test_a_run_notes_the_source_of_its_model(tracking: Tracking) -> None:
    run = tracking.client.get_run(tracking.version("works.lens", "2").run_id)
    assert run.data.tags["patchae.model_source"] == source_digest()
