"""Reading many files: in order, each once, and what was read before is not decoded again."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFile

from patchae.dataset import picture, picture_cache, reading
from patchae.dataset.picture import Picture, read_picture
from patchae.dataset.picture_cache import PictureCache
from patchae.dataset.reading import read_pictures
from patchae.errors import DataError
from tests.support import write_class, write_image

Asked = tuple[Path, bool]
"""A file, and whether it is a mask."""


@pytest.fixture
def files(tmp_path: Path) -> list[Asked]:
    """Images and masks of a class, none of them young, one of them damaged."""
    folder = write_class(tmp_path / "data", "bolt", train_good=5, test_good=2, test_defect=3)
    (folder / "train" / "good" / "damaged.png").write_bytes(b"no image")
    found = [(path, "ground_truth" in path.parts) for path in sorted(folder.glob("*/*/*.png"))]
    age([path for path, _ in found])
    return found


def read(files: list[Asked], **options: Any) -> list[Picture]:
    """All pictures."""
    return list(read_pictures([(str(path), mask) for path, mask in files], **options))


def age(paths: list[Path]) -> None:
    """Make files look as if nobody had changed them for a minute."""
    for path in paths:
        os.utime(path, (time.time() - 60,) * 2)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the size of whatever is decoded."""
    sizes: list[int] = []
    original = picture.picture_of

    def count(content: bytes, **how: Any) -> Picture:
        sizes.append(len(content))
        return original(content, **how)

    monkeypatch.setattr(reading, "picture_of", count)
    return sizes


def test_pictures_come_in_the_order_of_the_files(files: list[Asked]) -> None:
    assert read(files) == [read_picture(path, as_mask=mask) for path, mask in files]
    assert read([]) == []


def test_nothing_is_decoded_twice(tmp_path: Path, files: list[Asked], decoded: list[int]) -> None:
    cache = tmp_path / "state" / "pictures.db"
    first = read(files, cache=cache)
    assert len(decoded) == len(files)
    assert read(files, cache=cache) == first
    assert len(decoded) == len(files)


def test_a_file_that_was_moved_is_hashed_and_not_decoded(
    tmp_path: Path, files: list[Asked], decoded: list[int]
) -> None:
    cache = tmp_path / "pictures.db"
    read(files, cache=cache)
    path, as_mask = files[0]
    moved = path.rename(path.with_name("moved.png"))
    count = len(decoded)
    assert read([(moved, as_mask)], cache=cache) == [read_picture(moved, as_mask=as_mask)]
    assert len(decoded) == count


def test_other_content_of_the_same_length_and_name_is_read(
    tmp_path: Path, files: list[Asked]
) -> None:
    cache, path = tmp_path / "pictures.db", files[0][0]
    (before,) = read(files[:1], cache=cache)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    (after,) = read(files[:1], cache=cache)
    assert after == read_picture(path)
    assert after.sha256 != before.sha256


def test_a_young_file_is_not_trusted(tmp_path: Path) -> None:
    cache, path = tmp_path / "pictures.db", tmp_path / "part.png"
    write_image(path, 1)
    read([(path, False)], cache=cache)
    status = path.stat()
    write_image(path, 2)  # within the same tick, as a coarse file system would show it
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read([(path, False)], cache=cache) == [read_picture(path)]


def test_the_same_file_as_image_and_as_mask(tmp_path: Path, files: list[Asked]) -> None:
    cache, path = tmp_path / "pictures.db", files[0][0]
    for _ in range(2):
        image, mask = read([(path, False), (path, True)], cache=cache)
        assert (image.looks is None, image.coverage is None) == (False, True)
        assert (mask.looks is None, mask.coverage is None) == (True, False)


def test_what_another_reader_found_does_not_count(
    tmp_path: Path, files: list[Asked], decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "pictures.db"
    first = read(files, cache=cache)
    monkeypatch.setattr(picture_cache, "reader", lambda: "the next version")
    assert read(files, cache=cache) == first
    assert len(decoded) == 2 * len(files)


@pytest.mark.parametrize("damage", ["bytes", "schema"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, files: list[Asked], damage: str) -> None:
    cache = tmp_path / "pictures.db"
    if damage == "bytes":
        cache.write_bytes(b"not a database" * 1000)
    else:
        with sqlite3.connect(cache) as database:
            database.execute("CREATE TABLE pictures (reader TEXT)")
    first = read(files, cache=cache)
    assert read(files, cache=cache) == first == read(files)


def test_a_page_that_is_damaged_inside_costs_only_the_time_to_read_again(
    tmp_path: Path, files: list[Asked], decoded: list[int]
) -> None:
    cache = tmp_path / "pictures.db"
    age([path for path, _ in files])
    first = read(files, cache=cache)
    with sqlite3.connect(cache) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = [page for (page,) in database.execute(
            "SELECT rootpage FROM sqlite_master WHERE rootpage > 0")]  # fmt: skip
        (size,) = database.execute("PRAGMA page_size").fetchone()
    content = bytearray(cache.read_bytes())
    for page in pages:
        content[(page - 1) * size : page * size] = b"\xff" * size
    cache.write_bytes(content)
    opened = PictureCache(cache)  # the schema is whole
    assert opened.known([("0" * 64, False)]) == {}
    opened.close()
    cache.write_bytes(content)
    assert read(files, cache=cache) == first
    assert len(decoded) == 2 * len(files)
    read(files, cache=cache)  # made anew
    assert read(files, cache=cache) == first
    assert len(decoded) <= 3 * len(files)


def test_processes_give_the_same(
    tmp_path: Path, files: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MANY", 1)
    cache = tmp_path / "pictures.db"
    expected = [read_picture(path, as_mask=mask) for path, mask in files]
    assert read(files, cache=cache) == expected
    with_cache = PictureCache(cache)
    assert len(with_cache.seen(files[0][0].parents[2])) == len(files)
    with_cache.close()


@pytest.mark.parametrize("many", [1, 1_000], ids=["processes", "threads"])
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, files: list[Asked], many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MANY", many)
    folder = tmp_path / "data" / "bolt" / "train" / "good" / "folder.png"
    folder.mkdir()
    with pytest.raises(DataError) as caught:
        read([*files, (folder, False)])
    assert caught.value.where == str(folder)
    with pytest.raises(DataError, match=r"disappeared|cannot be read"):
        read([(tmp_path / "gone.png", False)])


def test_progress_counts_to_the_end(tmp_path: Path, files: list[Asked]) -> None:
    seen: list[tuple[str, int, int]] = []
    for _ in range(2):  # the second finds all of them in the cache
        seen.clear()
        cache = tmp_path / "pictures.db"
        read(files, cache=cache, progress=lambda *step: seen.append(step), what="looking")
        assert {what for what, _, _ in seen} == {"looking"}
        assert seen[-1] == ("looking", len(files), len(files))


def test_a_cache_that_cannot_be_used_stops_nobody(tmp_path: Path, files: list[Asked]) -> None:
    (tmp_path / "file").touch()
    found = read(files, cache=tmp_path / "file" / "pictures.db")
    assert found == read(files)


def test_memory_that_runs_out_says_nothing_of_an_image(
    tmp_path: Path, files: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [file for file in files if file[0].name != "damaged.png"]

    def fail(error: BaseException) -> Callable[..., None]:
        def load(*_: Any) -> None:
            raise error

        return load

    with monkeypatch.context() as patch:
        patch.setattr(ImageFile.ImageFile, "load", fail(MemoryError()))
        with pytest.raises(MemoryError):
            read(whole, cache=tmp_path / "cache.db")
    assert all(picture.problem is None for picture in read(whole, cache=tmp_path / "cache.db"))
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail(ValueError()))
    assert read(whole)[0].problem == "truncated or damaged: ValueError", "even if it says nothing"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    Image.new("1", (12_000, 12_000)).save(huge)
    assert huge.stat().st_size < 100_000
    found = read_picture(huge)
    assert found.problem is not None
    assert found.problem.startswith(picture.TOO_MANY_PIXELS)
    assert found.kind == "PNG"


@pytest.mark.parametrize("cached", [False, True])
def test_one_file_may_be_asked_for_twice(tmp_path: Path, files: list[Asked], cached: bool) -> None:
    cache = tmp_path / "pictures.db" if cached else None
    for _ in range(2):
        first, second = read([files[0], files[0]], cache=cache)
        assert first == second == read_picture(files[0][0], as_mask=files[0][1])


def test_a_picture_is_there_before_all_are_asked_for(files: list[Asked]) -> None:
    progress: list[int] = []
    stream = read_pictures(
        [(str(path), mask) for path, mask in files],
        progress=lambda _, done, __: progress.append(done),
    )
    assert next(stream) == read_picture(files[0][0], as_mask=files[0][1])
    assert progress == [0]
