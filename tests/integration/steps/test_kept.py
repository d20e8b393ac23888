"""What a killed training had drawn is used again only for the very files that it was drawn from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from patchae.errors import DataError
from patchae.files import Progress, sha256_file, silent
from patchae.model.split import calibration_split
from patchae.steps import kept
from patchae.steps.job import ClassJob
from patchae.steps.kept import kept_for
from patchae.steps.learn import train_class
from tests.support import write_image
from tests.support.plant import Plant, job_of


class _KilledError(BaseException):
    """Stands for the end of a process: nothing catches it."""


@pytest.fixture(scope="module")
def job(plant: Plant) -> ClassJob:
    """A class that was trained without disturbance, and whose model is gone again."""
    plant.line("restored", "pin")
    return job_of(plant.project, "restored", "pin")


@pytest.fixture(scope="module")
def undisturbed(job: ClassJob) -> str:
    """The digest of its weights."""
    return _weights(job)


def _weights(job: ClassJob, progress: Progress = silent) -> str:
    shutil.rmtree(job.trained, ignore_errors=True)
    assert train_class(job, progress)
    assert _kept(job) == []
    return sha256_file(job.trained / "model" / "model.safetensors")


def _kept(job: ClassJob) -> list[Path]:
    return list(job.folder.glob("samples-*"))


def _killed(what: str, done: int, total: int) -> None:
    if what.startswith("learning"):
        raise _KilledError


@contextmanager
def _overwritten(job: ClassJob) -> Iterator[None]:
    """A learned image shows another part in the block, and is put back as it was, its time too."""
    rows, training = job.train_rows, job.line.training
    aside = calibration_split(list(rows["sha256"]), training.calibration_share, training.seed)
    file = job.project.data / list(rows["path"])[aside.index(False)]
    before, whole = file.stat(), file.read_bytes()
    write_image(file, 7_000_000)
    try:
        yield
    finally:
        file.write_bytes(whole)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_image_that_was_put_back_leaves_nothing_of_the_other_one(
    job: ClassJob, undisturbed: str
) -> None:
    shutil.rmtree(job.trained)
    with _overwritten(job), pytest.raises(DataError, match="changed while it was in use"):
        train_class(job)
    assert _kept(job) == []
    assert _weights(job) == undisturbed


def test_neither_does_a_training_that_was_killed_before_it_noticed(
    job: ClassJob, undisturbed: str
) -> None:
    shutil.rmtree(job.trained)
    with _overwritten(job), pytest.raises(_KilledError):
        train_class(job, _killed)
    assert len(_kept(job)) == 1
    assert _weights(job) == undisturbed


def test_a_killed_training_goes_on_with_what_it_had_drawn(job: ClassJob, undisturbed: str) -> None:
    shutil.rmtree(job.trained)
    with pytest.raises(_KilledError):
        train_class(job, _killed)
    (file,) = _kept(job)[0].iterdir()
    drawn, found = file.stat().st_mtime_ns, []

    def look(what: str, done: int, total: int) -> None:
        if what == "looking":
            found.append(file.stat().st_mtime_ns)

    assert _weights(job, look) == undisturbed
    assert found == [drawn], "not drawn again"


def test_what_other_packages_or_threads_have_drawn_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "image.png"
    write_image(image, 1)
    folder = tmp_path / "work"

    def name() -> str:
        found = kept_for(folder, "cpu", [image])
        found.mkdir(parents=True)
        assert list(folder.iterdir()) == [found]
        return found.name

    (folder / "samples-cpu").mkdir(parents=True)
    names = [name()]
    assert kept_for(folder, "cpu", [image]).name == names[0]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        names.append(name())
    finally:
        torch.set_num_threads(threads)
    with monkeypatch.context() as patch:
        patch.setattr(kept, "version", lambda package: "0")
        names.append(name())
    image.unlink()
    names.append(name())
    assert len(set(names)) == 4
