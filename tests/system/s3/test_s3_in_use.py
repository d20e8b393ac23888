"""A champion at work with a real S3 server: images come from it, and decisions go to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from patchae.dataset import bucket
from patchae.errors import StoreUnreachable
from patchae.predictions import parts, remote
from patchae.predictions.log import PredictionLog
from patchae.predictions.reading import predictions
from patchae.predictions.record import Prediction
from patchae.project import Project
from patchae.steps.batch import score_batch
from tests.support.plant import Works, the_works
from tests.support.s3 import Server, server, start
from tests.unit.predictions.test_log import decision

LENS = "works.lens"


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    return the_works(tmp_path_factory)


@pytest.fixture
def far(
    works: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Server, str]]:
    """A server with a bucket, and the address that decisions go to; none were logged before."""
    works.tracking()
    shutil.rmtree(works.plant.project.predictions, ignore_errors=True)
    with server(tmp_path / "s3") as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        started.client().create_bucket(Bucket="plant")
        address = "s3://plant/decisions"
        monkeypatch.setenv("PATCHAE_PREDICTIONS", address)
        yield started, address


def test_a_bucket_is_scored_and_its_decisions_are_read_back(
    works: Works, far: tuple[Server, str], tmp_path: Path
) -> None:
    started, _ = far
    project = works.plant.project
    source = project.data / "lens" / "test"
    files = sorted(source.rglob("*.png"))
    for file in files:
        started.client().upload_file(str(file), "plant", f"new/{file.relative_to(source)}")
    out = tmp_path / "out"
    there = score_batch(project, f"{LENS}/1", "s3://plant/new", out)
    here = score_batch(project, f"{LENS}/1", str(source), tmp_path / "here")
    assert there.images == here.images == len(files)
    scores = [pd.read_parquet(folder / "scores.parquet") for folder in (out, tmp_path / "here")]
    assert scores[0].score.tolist() == scores[1].score.tolist()
    # Nothing of the log stayed here; what was decided is found all the same.
    assert parts.days(project.predictions) == []
    (page,) = (
        started.client()
        .get_paginator("list_objects_v2")
        .paginate(Bucket="plant", Prefix="decisions/date=")
    )
    assert page["Contents"]
    found = _batch_decisions(project)
    assert len(found) == 2 * len(files)
    assert {one.image for one in found} == set(scores[0].sha256)
    # Again: nothing is fetched or decided twice, litter is passed over, what is missed is named.
    for name in ("._a.png", "good/Thumbs.db", ".thumbs/a.png", "@eaDir/a.png", "photo.heic"):
        started.client().put_object(Bucket="plant", Key=f"new/{name}", Body=b"x")
    again = score_batch(project, f"{LENS}/1", "s3://plant/new", out)
    assert (again.images, again.unreadable, again.no_images) == (len(files), (), ())
    (missed,) = again.not_scored
    assert "type HEIC is not read (photo.heic)" in missed
    assert _batch_decisions(project) == found


def test_an_object_that_goes_while_its_bucket_is_scored_stops_no_other(
    works: Works, far: tuple[Server, str], tmp_path: Path
) -> None:
    client = far[0].client()
    source = works.plant.project.data / "lens" / "test" / "good"
    files = sorted(source.glob("*.png"))
    for file in files:
        client.upload_file(str(file), "plant", f"going/{file.name}")

    def listed(*_: object) -> None:
        client.delete_object(Bucket="plant", Key=f"going/{files[1].name}")

    found = score_batch(
        works.plant.project, f"{LENS}/1", "s3://plant/going", tmp_path / "out", listed
    )
    assert [name for name, _ in found.unreadable] == [files[1].name]
    assert len(found.worst) == len(files) - 1
    again = score_batch(works.plant.project, f"{LENS}/1", "s3://plant/going", tmp_path / "out")
    assert (again.images, again.unreadable) == (len(files) - 1, ())


def test_two_processes_send_the_same_part(
    works: Works, far: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = works.plant.project
    files = [
        parts.write(project.predictions, name, [decision(7, model="by.two")])[0] for name in "ab"
    ]
    put = bucket.put

    def twice(file: Path, address: str) -> None:
        put(file, address)
        for one in files:  # the other process was quicker
            put(one, address.replace(file.name, one.name)) if one.exists() else None
            one.unlink(missing_ok=True)

    monkeypatch.setattr(bucket, "put", twice)
    with closing(PredictionLog.open(project)) as log:
        log.flush()
    assert len(list(predictions(project, model="by.two"))) == 2


def test_what_was_fetched_is_of_its_address_and_goes_when_s3_lets_it_go(
    works: Works, far: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    started, address = far
    project = works.plant.project
    for number, where in enumerate((address, f"{address}-others")):
        parts.write(project.predictions, f"of-{number}", [decision(number, model="fetched.one")])
        remote.send(project.predictions, where)
    # A copy that somebody made beside the days is none of them.
    stray = "decisions/date=2026-03-04.bak/part-of-2.parquet"
    started.client().put_object(Bucket="plant", Key=stray, Body=b"")
    for number, where in enumerate((address, f"{address}-others")):
        monkeypatch.setenv("PATCHAE_PREDICTIONS", where)
        assert [one.image[-1] for one in predictions(project, model="fetched.one")] == [str(number)]
    (listed,) = [
        one["Key"]
        for one in started.client().list_objects_v2(Bucket="plant")["Contents"]
        if one["Key"].endswith("part-of-1.parquet")
    ]
    started.client().delete_object(Bucket="plant", Key=listed)
    assert not list(predictions(project, model="fetched.one"))


def test_decisions_wait_here_until_the_server_is_back(
    works: Works, far: tuple[Server, str]
) -> None:
    started, _ = far
    project = works.plant.project
    before = len(list(predictions(project, model="far.away")))
    started.stop()
    log = PredictionLog.open(project)
    log.append(decision(1, model="far.away"))
    with pytest.raises(StoreUnreachable):
        log.flush()
    assert parts.days(project.predictions)
    again = start(started.folder, started.ports)
    try:
        log.flush()
        assert parts.days(project.predictions) == []
        with closing(log):
            found = list(predictions(project, model="far.away"))
        assert len(found) == before + 1
    finally:
        again.stop()


def _batch_decisions(project: Project) -> list[Prediction]:
    """Those of the lens; decisions of a service may have been left by other tests."""
    return [one for one in predictions(project, model=LENS) if one.origin == "batch"]
