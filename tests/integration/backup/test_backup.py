"""A project in one file: written while it is used, whole where it is restored, or not there."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from patchae.backup.content import MANIFEST
from patchae.backup.restore import restore
from patchae.backup.write import back_up
from patchae.errors import DataError, UsageError
from patchae.files import digests_of
from patchae.health import examine
from patchae.lineage.gather import audit_model
from patchae.project import Project, prepare_environment
from patchae.registry.agreement import disagreements
from patchae.registry.ledger import Ledger
from patchae.registry.loading import load_version
from patchae.registry.tracking import Tracking
from tests.support import clean, patchae
from tests.support.plant import Plant, steps
from tests.support.retention.shop import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project without images, with a champion."""
    with pytest.MonkeyPatch.context() as patch:
        clean(patch)
        shop = Shop(tmp_path_factory.mktemp("shop") / "plant")
        shop.champion()
        yield shop


@pytest.fixture(scope="module")
def archive(shop: Shop) -> Path:
    """A backup of it."""
    return back_up(shop.project, shop.project.root.with_name("plant.tar")).file


def test_a_trained_project_is_restored_elsewhere_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant = Plant(tmp_path / "plant")
    plant.line("caps", "blue")
    steps(plant.project, "caps", "blue", plant.tracking())
    monkeypatch.chdir(plant.project.root)
    code, out, err = patchae(capsys, monkeypatch, "backup", str(tmp_path / "plant.tar"))
    assert (code, "not in it: Git's history" in out) == (0, True), err
    original = digests_of(plant.project.root)
    image = plant.first_train("blue")
    score = _score(plant.project, image)
    gone = plant.project.root.rename(tmp_path / "lost")
    monkeypatch.chdir(tmp_path)
    code, out, err = patchae(capsys, monkeypatch, "restore", "plant.tar", "again")
    assert code == 0, out + err
    project = Project(tmp_path / "again")
    assert {found.state for found in examine(project, None)} == {"ok"}
    assert _score(project, project.data / image.relative_to(plant.project.data)) == score
    assert audit_model(project, Tracking.open(project), "caps.blue").state == "intact"
    images = {name for name in original if name.startswith("data/")}
    assert {name for name in digests_of(project.root) if name.startswith("data/")} == images
    assert gone.is_dir()
    steps(project, "caps", "blue", Tracking.open(project))  # and it goes on there
    assert disagreements(project) == []


def _score(project: Project, image: Path) -> float:
    prepare_environment(project)
    tracking = Tracking.open(project)
    model = load_version(tracking, tracking.version("caps.blue", "1"), "cpu")
    return model.score([image])[0].score


def test_images_that_are_in_no_version_are_not_left_out_without_a_word(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "plant")
    plant.line("caps", "blue")
    with pytest.raises(DataError, match="in no version"):
        back_up(plant.project, tmp_path / "plant.tar")
    assert not list(tmp_path.glob("*.tar*"))


@pytest.mark.parametrize("spoilt", ["a bit", "the end", "a file", "not a tar"])
def test_a_damaged_backup_is_refused_and_nothing_is_restored(
    archive: Path, tmp_path: Path, spoilt: str
) -> None:
    content = bytearray(archive.read_bytes())
    if spoilt == "a bit":
        content[content.index(b"weights 1 weights 1")] ^= 1
    elif spoilt == "the end":
        del content[len(content) // 2 :]
    elif spoilt == "not a tar":
        content = bytearray(b"no tar at all")
    else:
        content = bytearray(_without(archive, "ledger.db"))
    broken = tmp_path / "broken.tar"
    broken.write_bytes(content)
    with pytest.raises(DataError, match="this is no whole backup"):
        restore(broken, tmp_path / "again")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.tar"]


def _without(archive: Path, name: str) -> bytes:
    written = BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=written, mode="w") as new:
        for entry in old:
            if not entry.name.endswith(name):
                new.addfile(entry, old.extractfile(entry))
    return written.getvalue()


@pytest.mark.parametrize(
    "name", ["../../outside", "/outside", "project/../../outside", "elsewhere"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as evil:
        entry = tarfile.TarInfo(name)
        entry.size = 4
        evil.addfile(entry, BytesIO(b"evil"))
    with pytest.raises(DataError, match="this is no whole backup"):
        restore(tmp_path / "evil.tar", tmp_path / "inner" / "again")
    assert not list(tmp_path.rglob("*outside*"))


def test_a_restore_overwrites_nothing(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for folder in (tmp_path / "full", tmp_path / "full" / "mine.txt"):
        with pytest.raises(UsageError, match="overwrites nothing"):
            restore(archive, folder)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    restore(archive, tmp_path / "empty")
    assert disagreements(Project(tmp_path / "empty")) == []


def test_a_backup_that_is_made_while_versions_come_in_is_consistent(
    shop: Shop, tmp_path: Path
) -> None:
    made: list[str] = []
    over = threading.Event()

    def register() -> None:
        while not over.is_set():
            version = shop.register()
            row = shop.ledger.entries()[-1]
            shop.tracking.link(version, "registered", row)
            made.append(version.version)

    busy = threading.Thread(target=register)
    busy.start()
    try:
        for number in range(3):
            before = len(made)
            while len(made) == before and busy.is_alive():
                over.wait(0.01)
            back_up(shop.project, tmp_path / f"{number}.tar")
    finally:
        over.set()
        busy.join()
    for number in range(3):
        project, told = restore(tmp_path / f"{number}.tar", tmp_path / str(number))
        assert disagreements(project) == []
        assert len(Ledger.of(project).signed_rows()[0]) == told.ledger_rows


def test_what_lies_on_servers_is_named_with_what_to_use(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_PREDICTIONS", "s3://bucket/decisions")
    monkeypatch.setenv("PATCHAE_LEDGER_KEY", str(tmp_path / "key"))
    told = back_up(shop.project, tmp_path / "plant.tar").manifest.elsewhere
    assert any("s3://bucket/decisions" in sentence for sentence in told)
    assert any("key that signs" in sentence for sentence in told)
    with tarfile.open(tmp_path / "plant.tar") as archive:
        assert archive.getnames()[-1] == MANIFEST


def test_a_backup_does_not_lie_in_what_it_is_of(shop: Shop) -> None:
    with pytest.raises(UsageError, match="does not lie in"):
        back_up(shop.project, shop.project.state / "plant.tar")
