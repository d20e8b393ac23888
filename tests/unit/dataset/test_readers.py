"""Nobody changes images that somebody reads, and whoever does not get them learns who has them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from patchae.dataset.capturing import capture
from patchae.dataset.labelling import bring_back
from patchae.dataset.readers import changing, reading, require_unread
from patchae.dataset.restoring import pull
from patchae.dataset.version import snapshot
from patchae.errors import StoreBusy
from patchae.files import digests_of
from patchae.project import Project
from tests.support import patchae, write_class, write_image

pytestmark = pytest.mark.usefixtures("no_dvc_settings")


@pytest.fixture
def classes(project: Project) -> Project:
    """Two classes in `data/`."""
    for name in ("bolt", "nut"):
        write_class(project.data, name, train_good=3, test_good=2, test_defect=1, seed=len(name))
    return project


def test_who_reads_what_is_said_at_once(classes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/patchae", "retrain", "the line"])
    with reading(classes, ["bolt"]), pytest.raises(StoreBusy) as refused, changing(classes, None):
        pass
    for word in ("bolt", str(os.getpid()), "patchae retrain 'the line'", " since 2"):
        assert word in refused.value.what


def test_several_read_and_other_classes_may_change(classes: Project) -> None:
    with (
        reading(classes, ["bolt", "pin"]),
        reading(classes, ["bolt", "cap"]),
        changing(classes, ["nut"]),
    ):
        pass
    with changing(classes, None):  # nobody is left
        pass


def test_what_is_read_already_needs_no_lock(
    classes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    with (
        reading(classes, ["bolt", "nut"]),
        classes.lock("data"),  # as `doctor --data` has it for long
        reading(classes, ["nut"]),
        pytest.raises(StoreBusy),
    ):
        require_unread(classes, ["nut"])


def test_nobody_begins_to_read_within_a_change(
    classes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHAE_LOCK_TIMEOUT", "0")
    with (
        changing(classes, ["bolt"]),
        pytest.raises(StoreBusy, match=f"process {os.getpid()} .* has held 'data'"),
        reading(classes, ["bolt"]),
    ):
        pass


def test_every_command_that_changes_images_that_are_read_is_refused(
    classes: Project, tmp_path: Path
) -> None:
    version = snapshot(classes).version
    (classes.data / "bolt/train/good/000.png").unlink()
    before = digests_of(classes.data)
    write_image(tmp_path / "new/one.png", 999)
    image = tmp_path / "new/one.png"
    with reading(classes, ["bolt"]):
        for command in (
            lambda: pull(classes, version),
            lambda: pull(classes, version, ["bolt"]),
            lambda: capture(classes, "bolt", tmp_path / "new"),
            lambda: bring_back(classes, "bolt", [image], "good", actor="me"),
        ):
            with pytest.raises(StoreBusy, match="bolt"):
                command()
        assert digests_of(classes.data) == before
        # What changes nothing, or something else, goes on.
        assert pull(classes, version, dry_run=True).written == 1
        assert pull(classes, version, ["nut"]).unchanged == 7
        assert capture(classes, "bolt", tmp_path / "new", dry_run=True).new
        assert capture(classes, "nut", tmp_path / "new").new


def test_a_pull_shows_first_what_would_go_and_a_dry_run_changes_nothing(
    classes: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = snapshot(classes).version
    write_image(classes.data / "bolt/train/good/000.png", 500)
    write_image(classes.data / "nut/test/good/900.png", 501)
    (classes.data / "nut/test/good/000.png").unlink()
    snapshot(classes)
    before, pin = digests_of(classes.data), classes.data_dvc.read_bytes()
    code, out, _ = patchae(capsys, monkeypatch, "pull", version[:8], "--dry-run")
    assert code == 0
    assert "1 files would be removed and 1 overwritten" in out
    assert "bolt/train/good 1, nut/test/good 1" in out
    assert (digests_of(classes.data), classes.data_dvc.read_bytes()) == (before, pin)
    code, out, _ = patchae(capsys, monkeypatch, "pull", version[:8])
    assert code == 0
    assert "1 files are removed and 1 overwritten" in out
    assert "2 written, 1 removed" in out


def test_a_pull_while_images_are_read_ends_with_3_and_names_the_reader(
    classes: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot(classes)
    with reading(classes, ["nut"]):
        code, _, err = patchae(capsys, monkeypatch, "pull")
    assert code == 3
    assert f"process {os.getpid()}" in err
