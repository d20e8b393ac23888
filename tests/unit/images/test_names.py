"""Which files are images, by their names, and that nothing else is lost without its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchae.images import (
    IMAGE_SUFFIXES,
    KINDS,
    SUFFIXES,
    UNREADABLE,
    find_images,
    is_image_name,
    left_out,
    summary,
)


@pytest.mark.parametrize(
    "path",
    [
        "a.png",
        "B.JPG",
        "c.jpeg",
        "d.jpe",
        "e.jfif",
        "f.bmp",
        "g.TIF",
        "h.tiff",
        "i.WebP",
        "x/y.png",
    ],
)
def test_an_image_is_known_by_its_suffix_in_any_case(path: str) -> None:
    assert is_image_name(path)
    assert left_out(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "._a.png",
        ".hidden.png",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
        ".thumbs/a.png",
        "__MACOSX/part/._a.png",
        "deep/__macosx/a.png",
        "#recycle/a.png",
        "$RECYCLE.BIN/a.png",
    ],
)
def test_litter_is_nobodys_image(path: str) -> None:
    item = left_out(path)
    assert item is not None
    assert item.kind == "litter"
    assert not is_image_name(path)
    assert summary([item]) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("a.HEIC", "HEIC"), ("a.avif", "AVIF"), ("a.cr3", "raw camera"), ("a.psd", "layered")],
)
def test_an_image_that_is_not_read_is_named_with_what_to_do(path: str, name: str) -> None:
    item = left_out(path)
    assert item is not None
    assert item.kind == "unreadable"
    (line,) = summary([item])
    assert line.startswith(f"1 image of type {name} is not read ({path}): ")


def test_every_type_is_read_or_not_and_has_a_suffix() -> None:
    assert not IMAGE_SUFFIXES & UNREADABLE.keys()
    assert {SUFFIXES[kind] for kinds in KINDS.values() for kind in kinds} <= IMAGE_SUFFIXES
    assert all(kind in KINDS[suffix] for kind, suffix in SUFFIXES.items())


def test_a_folder_gives_its_images_and_names_everything_else(tmp_path: Path) -> None:
    other = tmp_path / "other"
    root = tmp_path / "root"
    for file in ("a.png", "deep/er/b.webp", "._a.png", "c.heic", "notes.txt", "@eaDir/a.jpg"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    other.mkdir()
    (other / "z.png").write_bytes(b"")
    (root / "linked").symlink_to(other)
    (root / "gone.png").symlink_to(tmp_path / "nothing")

    here = find_images(root)
    assert [path.relative_to(root).as_posix() for path in here.paths] == ["a.png", "deep/er/b.webp"]
    assert {(item.path, item.kind) for item in here.left_out} == {
        ("._a.png", "litter"),
        ("@eaDir", "litter"),
        ("c.heic", "unreadable"),
        ("gone.png", "other"),
        ("linked", "link"),
        ("notes.txt", "other"),
    }
    behind = find_images(root, follow_links=True)
    assert root / "linked" / "z.png" in behind.paths


def test_links_that_lead_back_end_somewhere(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "root" / name).mkdir(parents=True)
        (tmp_path / "root" / name / "image.png").write_bytes(b"")
    (tmp_path / "root" / "a" / "to_b").symlink_to(tmp_path / "root" / "b")
    (tmp_path / "root" / "b" / "to_a").symlink_to(tmp_path / "root" / "a")
    (tmp_path / "root" / "self").symlink_to(tmp_path)
    images = find_images(tmp_path / "root", follow_links=True)
    assert {path.resolve() for path in images.paths} == {
        tmp_path / "root" / "a" / "image.png",
        tmp_path / "root" / "b" / "image.png",
    }
    assert {item.kind for item in images.left_out} == {"link"}


def test_a_summary_counts_and_names(tmp_path: Path) -> None:
    items = [left_out(f"{number}.heic") for number in range(5)] + [left_out("notes.txt")]
    lines = summary([item for item in items if item])
    assert lines[0].startswith("5 images of type HEIC are not read (0.heic, 1.heic, 2.heic, ...): ")
    assert lines[1] == "1 file is no image (notes.txt)"
