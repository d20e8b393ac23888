"""A folder through a model: everything once, whatever happens in between."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from patchae.errors import DataError, NegativeFinding, StoreBusy, UsageError
from patchae.predictions.alone import alone
from patchae.predictions.log import PredictionLog
from patchae.predictions.reading import frame, table
from patchae.predictions.record import Prediction
from patchae.registry.loading import load_version
from patchae.steps import scoring
from patchae.steps.batch import score_batch
from patchae.steps.scoring import Job, score_source
from tests.support.plant import Works, the_works

LENS = "works.lens"


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    return the_works(tmp_path_factory)


@pytest.fixture
def images(works: Works, tmp_path: Path) -> Path:
    """Twelve images in two folders."""
    source = works.plant.project.data / "lens" / "test"
    return Path(shutil.copytree(source, tmp_path / "images"))


def test_scores_are_those_of_the_model(works: Works, images: Path, tmp_path: Path) -> None:
    works.tracking()
    found = score_batch(works.plant.project, f"{LENS}/1", str(images), tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    assert found.images == len(rows) == 12
    tracking = works.tracking()
    model = load_version(tracking, tracking.version(LENS, "1"))
    for row in rows.to_dict("records"):
        (one,) = model.score([images / row["name"]])
        assert row["score"] == pytest.approx(one.score, abs=1e-6)
        assert row["anomalous"] == one.anomalous
    page = (tmp_path / "out" / "worst.html").read_text()
    assert page.count("<figure>") == 12
    assert page.index(found.worst[0].name) < page.index(found.worst[-1].name)
    assert "http" not in page.replace("http-equiv", "")


def test_a_killed_batch_goes_on_where_it_was(
    works: Works, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking, out = works.tracking(), tmp_path / "out"
    model = load_version(tracking, tracking.version(LENS, "1"))
    job = Job(LENS, "1", str(images), model.threshold)
    with closing(PredictionLog(tmp_path / "log")) as log:
        write = scoring._write

        def dies(file: Path, rows: pd.DataFrame) -> None:
            if sum(1 for _ in (out / "chunks").glob("*")) == 2:
                raise KeyboardInterrupt
            write(file, rows)

        with monkeypatch.context() as patch:
            patch.setattr(scoring, "_write", dies)
            with pytest.raises(KeyboardInterrupt):
                score_source(model, job, out, log, chunk=2)
        assert not (out / "scores.parquet").exists()
        asked: list[int] = []
        score = model.score
        monkeypatch.setattr(model, "score", lambda some: (asked.append(len(some)), score(some))[1])
        rows = score_source(model, job, out, log, chunk=2)
        assert sum(asked) == 8
        assert len(rows) == 12
        log.flush()
        assert len(table(tmp_path / "log", "")) == 12
        # Once more: nothing is done; then for one image that changed and one that is new.
        asked.clear()
        assert len(score_source(model, job, out, log)) == 12
        shutil.copy(images / "good" / "001.png", images / "good" / "000.png")
        shutil.copy(images / "good" / "001.png", images / "new.png")
        (images / "good" / "002.png").unlink()
        rows = score_source(model, job, out, log)
        assert sum(asked) == 2
    assert set(rows.name) == {path.relative_to(images).as_posix() for path in images.rglob("*.png")}
    assert not (out / "chunks").exists()
    same = rows.set_index("name").score
    assert same["good/000.png"] == same["new.png"] == same["good/001.png"]


class _Dies(PredictionLog):
    """The log of a process that is killed before its n-th decision is logged, or right after."""

    left, after = 0, False

    def append(self, prediction: Prediction) -> None:
        self.left -= 1
        if self.left < 0 and not self.after:
            raise KeyboardInterrupt
        super().append(prediction)
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [0, 2, 3, 11])
def test_a_batch_that_is_killed_while_it_logs_logs_everything_once(
    works: Works, images: Path, tmp_path: Path, number: int, *, after: bool
) -> None:
    tracking, out = works.tracking(), tmp_path / "out"
    model = load_version(tracking, tracking.version(LENS, "1"))
    job = Job(LENS, "1", str(images), model.threshold)
    with closing(_Dies(tmp_path / "log")) as log:
        log.left, log.after = number, after
        with pytest.raises(KeyboardInterrupt):
            score_source(model, job, out, log, chunk=4)
    with closing(PredictionLog(tmp_path / "log")) as log:
        rows = score_source(model, job, out, log, chunk=4)
    logged = table(tmp_path / "log", "").to_pandas()
    assert sorted(logged.name) == sorted(rows.name)
    assert dict(zip(logged.name, logged.score, strict=True)) == dict(
        zip(rows.name, rows.score, strict=True)
    )
    assert [*pd.read_parquet(out / "scores.parquet")] == [*scoring.COLUMNS]


def test_two_do_not_score_into_one_folder(works: Works, images: Path, tmp_path: Path) -> None:
    project, out = works.plant.project, tmp_path / "out"
    score_batch(project, f"{LENS}/1", str(images), out)
    with alone(out / "job.json"), pytest.raises(StoreBusy, match="another process"):
        score_batch(project, f"{LENS}/1", str(images), out)


def test_what_cannot_be_read_is_listed_and_stops_nothing(
    works: Works, images: Path, tmp_path: Path
) -> None:
    (images / "broken.png").write_bytes(b"no image")
    found = score_batch(works.plant.project, LENS, str(images), tmp_path / "out")
    assert (found.images, [name for name, _ in found.unreadable]) == (13, ["broken.png"])
    with pytest.raises(NegativeFinding, match=r"1 of 13 images"):
        found.raise_if_unreadable()
    assert "broken.png" in (tmp_path / "out" / "worst.html").read_text()
    shutil.copy(images / "good" / "000.png", images / "broken.png")
    assert not score_batch(works.plant.project, LENS, str(images), tmp_path / "out").unreadable


def test_pixels_that_a_model_cannot_see_are_not_judged(
    works: Works, images: Path, tmp_path: Path
) -> None:
    for name, mode in (("floats.tiff", "F"), ("wide.tiff", "I")):
        Image.new(mode, (64, 64), 100_000).save(images / name)
    before = len(frame(works.plant.project, model=LENS))
    found = score_batch(works.plant.project, LENS, str(images), tmp_path / "out")
    assert found.images == 14
    assert [name for name, _ in found.unreadable] == ["floats.tiff", "wide.tiff"]
    assert all(f"mode {mode}" in why for (_, why), mode in zip(found.unreadable, "FI", strict=True))
    assert len(frame(works.plant.project, model=LENS)) == before + 12


def test_what_could_not_be_read_is_tried_again_though_nothing_of_it_changed(
    works: Works, images: Path, tmp_path: Path
) -> None:
    """As a share that answers again: the same size, the same time."""
    file, project = images / "good" / "000.png", works.plant.project
    told, whole = file.stat(), file.read_bytes()
    file.write_bytes(bytes(len(whole)))
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    found = score_batch(project, f"{LENS}/1", str(images), tmp_path / "out")
    assert [name for name, _ in found.unreadable] == ["good/000.png"]
    file.write_bytes(whole)
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    found = score_batch(project, f"{LENS}/1", str(images), tmp_path / "out")
    assert (found.images, found.unreadable) == (12, ())
    assert pd.read_parquet(tmp_path / "out" / "scores.parquet").score.notna().all()


def test_a_file_name_that_is_no_text_is_scored_and_shown(
    works: Works, images: Path, tmp_path: Path
) -> None:
    for byte in (b"\xfe", b"\xff"):
        shutil.copy(images / "good" / "000.png", images / os.fsdecode(b"a " + byte + b".png"))
    found = score_batch(works.plant.project, f"{LENS}/1", str(images), tmp_path / "out")
    assert (found.images, found.unreadable) == (14, ())
    names = {r"a \udcfe.png", r"a \udcff.png"}
    rows = frame(works.plant.project, model=LENS)[-14:]
    assert names <= set(rows.name)
    assert names <= set(pd.read_parquet(tmp_path / "out" / "scores.parquet").name)
    page = (tmp_path / "out" / "worst.html").read_text()
    assert page.count("<figure>") == 14
    assert all(name in page for name in names)


def test_a_store_of_decisions_that_is_away_ends_no_batch(
    works: Works, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = works.plant.project
    before = len(frame(project, model=LENS))
    with monkeypatch.context() as patch:
        patch.setenv("PATCHAE_PREDICTIONS", "no address in S3")
        assert score_batch(project, f"{LENS}/1", str(images), tmp_path / "out").images == 12
    assert (tmp_path / "out" / "worst.html").exists()
    assert len(frame(project, model=LENS)) == before + 12


def test_every_decision_is_logged(works: Works, images: Path, tmp_path: Path) -> None:
    project = works.plant.project
    before = len(frame(project, model=LENS))
    found = score_batch(project, f"{LENS}/1", str(images), tmp_path / "out")
    rows = frame(project, model=LENS)[before:]
    assert len(rows) == 12
    assert set(rows.origin) == {"batch"}
    assert rows.anomalous.sum() == found.alarms


def test_a_folder_of_something_else_is_left_alone(
    works: Works, images: Path, tmp_path: Path
) -> None:
    project, out = works.plant.project, tmp_path / "out"
    score_batch(project, f"{LENS}/1", str(images), out)
    with pytest.raises(UsageError, match=r"scores of works\.lens/1"):
        score_batch(project, f"{LENS}/2", str(images), out)
    with pytest.raises(UsageError, match="something else"):
        score_batch(project, LENS, str(images), images)
    with pytest.raises(DataError, match="no such folder"):
        score_batch(project, LENS, str(tmp_path / "out" / "none"), tmp_path / "new")
