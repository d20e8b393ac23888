"""Confirmed labels come back as images, each where its own content says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from patchae.dataset.labelling import LOG, Labelled, bring_back
from patchae.dataset.layout import images
from patchae.dataset.splitting import split_of
from patchae.errors import DataError
from patchae.files import digests_of, sha256_file
from patchae.project import Project
from tests.support import write_class, write_image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    write_class(tmp_path / "data", "cap")
    return Project(tmp_path)


def back(project: Project, label: str, *files: Path, dry_run: bool = False) -> Labelled:
    """Bring images back."""
    return bring_back(project, "cap", files, label, actor="ann", dry_run=dry_run)


def written(folder: Path, count: int, start: int = 5_000_000) -> list[Path]:
    """New images."""
    for number in range(count):
        write_image(folder / f"part {number}.png", start + number)
    return sorted(folder.iterdir())


def test_a_quarter_of_good_images_is_for_tests_and_content_decides(project: Project) -> None:
    files = written(project.root / "new", 40)
    done = back(project, "good", *files)
    assert len(done.new) == 40
    for path in done.new:
        held = project.data / path
        assert path.split("/")[1] == split_of(sha256_file(held), "good")
    share = sum("/test/" in path for path in done.new) / 40
    assert 0.05 < share < 0.5
    assert back(project, "good", *files) == Labelled((), tuple(map(str, files)))


def test_defects_are_only_ever_tests(project: Project) -> None:
    done = back(project, "dent", *written(project.root / "new", 9))
    assert all(path.startswith("cap/test/dent/") for path in done.new)


def test_who_said_what_is_kept(project: Project) -> None:
    (file,) = written(project.root / "new", 1)
    back(project, "dent", file)
    (row,) = map(json.loads, (project.root / LOG).read_text().splitlines())
    assert (row["actor"], row["label"], row["class"]) == ("ann", "dent", "cap")
    assert row["sha256"] == sha256_file(project.data / row["path"])


def test_an_image_has_one_label(project: Project) -> None:
    known = project.data / "cap" / "train" / "good" / "000.png"
    with pytest.raises(DataError, match="as 'good' already"):
        back(project, "dent", *written(project.root / "new", 2), known)
    assert not (project.data / "cap" / "test" / "dent").exists(), "all or nothing"
    assert not (project.root / LOG).exists()


@pytest.mark.parametrize(
    ("name", "kind", "suffix"),
    [
        ("photo.jfif", "JPEG", ".jfif"),
        ("photo", "PNG", ".png"),
        ("photo.0001", "TIFF", ".tif"),
        ("photo.JPEG", "JPEG", ".jpeg"),
    ],
)
def test_a_copy_has_a_name_that_is_used(
    project: Project, name: str, kind: str, suffix: str
) -> None:
    (file,) = written(project.root / "new", 1)
    given = file.with_name(name)
    Image.open(file).save(given, kind)
    (path,) = back(project, "dent", given).new
    assert path.endswith(suffix)
    assert path in [image.path for image in images(project.data, "cap")]
    assert back(project, "dent", given).known == (str(given),)


def test_an_image_of_a_type_that_data_does_not_hold_is_refused(project: Project) -> None:
    (file,) = written(project.root / "new", 1)
    Image.open(file).save(file.with_suffix(".gif"))
    with pytest.raises(DataError, match=r"part 0\.gif: images of type GIF .* are not read; save"):
        back(project, "dent", file.with_suffix(".gif"))
    assert not (project.data / "cap" / "test" / "dent").exists()


def test_an_image_that_was_edited_in_its_place_stays_as_it_is(project: Project) -> None:
    (file,) = written(project.root / "new", 1)
    (name,) = back(project, "dent", file).new
    write_image(project.data / name, 71)
    edited, said = digests_of(project.data), (project.root / LOG).read_text()
    again = back(project, "dent", file)
    assert (again.new, again.known) == ((), (str(file),))
    assert digests_of(project.data) == edited
    assert (project.root / LOG).read_text() == said


def test_bad_input_changes_nothing(project: Project) -> None:
    broken = project.root / "broken.png"
    broken.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png"):
        back(project, "dent", broken)
    with pytest.raises(DataError, match="cannot be the name"):
        back(project, "../dent", *written(project.root / "new", 1))
    with pytest.raises(DataError, match="what good parts are called"):
        back(project, "OK", *written(project.root / "new", 1))
    assert back(project, "dent", *written(project.root / "new", 1), dry_run=True).new
    assert not (project.data / "cap" / "test" / "dent").exists()
