"""Images on a real S3 server: as a DVC remote, and as a source of imports."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchae.dataset import dvc_store
from patchae.dataset.history import versions
from patchae.dataset.restoring import pull
from patchae.dataset.sources import import_source
from patchae.dataset.upkeep import examine
from patchae.dataset.version import pinned_version, snapshot
from patchae.errors import DataError, StoreSilent, StoreUnreachable
from patchae.files import Progress, digests_of
from patchae.project import Project
from tests.support import write_class, write_image
from tests.support.s3 import Server, server, start


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests of this file share, each with a bucket of its own."""
    with server(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def bucket(running: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, and an environment that reaches it."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    name = "plant-" + "".join(c for c in request.node.name.lower() if c.isalnum())[-40:]
    running.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def plant(project: Project, bucket: str, no_dvc_settings: None) -> Project:
    """A project with images whose DVC remote is that bucket; only the address is configured."""
    write_class(project.data, "bolt", train_good=6, test_good=2, test_defect=2)
    config = f"[core]\n    remote = plant\n['remote \"plant\"']\n    url = s3://{bucket}/images\n"
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text(config + "    verify = true\n")
    return project


def keys(running: Server, bucket: str) -> set[str]:
    pages = running.client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"] for page in pages for found in page.get("Contents", ())}


def test_a_version_goes_to_the_bucket_and_comes_back(
    plant: Project, running: Server, bucket: str
) -> None:
    first = snapshot(plant)
    before = digests_of(plant.data)
    assert len(keys(running, bucket)) == len({*before.values()}) + 1
    write_image(plant.data / "bolt" / "train" / "good" / "900.png", 900)
    second = snapshot(plant)
    assert len(keys(running, bucket)) == len({*before.values()}) + 3, "an image and a listing more"
    shutil.rmtree(plant.data)
    shutil.rmtree(plant.root / ".dvc" / "cache")
    done = pull(plant, first.version)
    assert digests_of(plant.data) == before
    assert done.fetched == len({*before.values()})
    assert [one.version for one in versions(plant)][1:] == [second.version, first.version]


def test_wrong_credentials_and_a_missing_bucket_are_told(
    plant: Project, running: Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreUnreachable, match="'plant' cannot be used"):
        snapshot(plant)
    with pytest.raises(StoreUnreachable, match="S3 cannot be used"):
        import_source(plant, f"s3://{bucket}/x")
    assert pinned_version(plant) is None, "nothing is pinned that is not stored"
    monkeypatch.undo()
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.client().delete_bucket(Bucket=bucket)
    with pytest.raises(StoreUnreachable, match="'plant' cannot be used"):
        snapshot(plant)
    with pytest.raises(StoreUnreachable, match="S3 cannot be used"):
        import_source(plant, f"s3://{bucket}/x")


def test_damage_in_the_bucket_is_found_and_mended(
    plant: Project, running: Server, bucket: str
) -> None:
    version = snapshot(plant).version
    path = "bolt/train/good/003.png"
    from patchae.dataset.version import listing

    md5 = listing(plant, version)[path]
    key = f"images/files/md5/{md5[:2]}/{md5[2:]}"
    client = running.client()
    content = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.put_object(Bucket=bucket, Key=key, Body=content[:-1] + b"x")
    found = examine(plant, version)
    assert [(flaw.path, flaw.side, flaw.state, flaw.mended) for flaw in found.flaws] == [
        (path, "remote", "damaged", True)
    ]
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    client.put_object(Bucket=bucket, Key=key, Body=content[:-1] + b"x")
    shutil.rmtree(plant.root / ".dvc" / "cache")
    (plant.data / path).unlink()
    with pytest.raises(DataError, match="damaged in the remote") as caught:
        pull(plant, version)
    assert path in str(caught.value)


def test_images_come_from_a_bucket(
    project: Project, running: Server, bucket: str, tmp_path: Path
) -> None:
    folder = write_class(tmp_path, "bolt", train_good=3, test_good=2, test_defect=2)
    client = running.client()
    for file in folder.rglob("*.png"):
        key = "lines/caps/" + file.relative_to(tmp_path).as_posix()
        client.upload_file(str(file), bucket, key)
    client.put_object(Bucket=bucket, Key="lines/caps/readme.txt", Body=b"x")
    done = import_source(project, f"s3://{bucket}/lines/caps")
    assert (done.classes, len(done.left_out)) == (("bolt",), 1)
    assert digests_of(project.data / "bolt") == digests_of(folder)
    assert import_source(project, f"s3://{bucket}/lines/caps/bolt/", name="nut").classes == ("nut",)
    with pytest.raises(DataError, match="no images under this address"):
        import_source(project, f"s3://{bucket}/nowhere")


@pytest.fixture
def own(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Server, Progress]]:
    """A server of a project's own, and a progress that switches it off half-way through a push."""
    with server(tmp_path / "own-s3") as own:
        for name, value in own.environment.items():
            monkeypatch.setenv(name, value)
        own.client().create_bucket(Bucket="plant")
        write_class(project.data, "bolt", train_good=20, test_good=4, test_defect=4)
        config = "[core]\n    remote = plant\n['remote \"plant\"']\n    url = s3://plant/images\n"
        (project.root / ".dvc").mkdir()
        (project.root / ".dvc" / "config").write_text(config)

        def pull_the_plug(what: str, done: int, total: int) -> None:
            if what == "pushing new images" and done >= total // 2 > 0:
                own.stop()

        yield own, pull_the_plug


def test_a_server_that_goes_away_half_way_loses_nothing(
    project: Project, own: tuple[Server, Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, pull_the_plug = own
    monkeypatch.setattr(dvc_store, "AGAIN_AFTER_S", (0.1,))
    before = digests_of(project.data)
    with pytest.raises(StoreSilent, match="'plant' cannot be used"):
        snapshot(project, progress=pull_the_plug)
    assert pinned_version(project) is None
    assert digests_of(project.data) == before
    again = start(running.folder, running.ports)
    try:
        version = snapshot(project).version
        assert examine(project, version).flaws == ()
    finally:
        again.stop()


def test_a_server_that_comes_back_gets_the_rest(
    project: Project, own: tuple[Server, Progress], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, pull_the_plug = own
    monkeypatch.setattr(dvc_store, "AGAIN_AFTER_S", (0.1,))
    again: list[Server] = []

    def plug_in_again(what: str, done: int, total: int) -> None:
        if not again:
            pull_the_plug(what, done, total)
        if what.startswith("the remote does not answer"):
            again.append(start(running.folder, running.ports))

    try:
        version = snapshot(project, progress=plug_in_again).version
        assert len(again) == 1
        assert examine(project, version).flaws == ()
    finally:
        for one in again:
            one.stop()
