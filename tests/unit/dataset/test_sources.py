"""Images from archives, buckets and manifests."""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from patchae.dataset import bucket, unpacking
from patchae.dataset.sources import import_source
from patchae.dataset.unpacking import unpack
from patchae.errors import ConfigError, DataError, StoreUnreachable, UsageError
from patchae.files import digests_of
from patchae.project import Project
from tests.support import examples, write_class, write_image


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with one class."""
    write_class(tmp_path / "camera", "bolt", train_good=3, test_good=2, test_defect=2)
    return tmp_path / "camera"


def zipped(folder: Path, target: Path) -> Path:
    shutil.make_archive(str(target.with_suffix("")), "zip", folder)
    return target


def tarred(kind: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, target: Path) -> Path:
        with tarfile.open(target, f"w:{kind}") as archive:
            archive.add(folder, ".")
        return target

    return make


MAKERS: dict[str, Callable[[Path, Path], Path]] = {
    "images.zip": zipped,
    "images.tar": tarred(""),
    "images.tar.gz": tarred("gz"),
    "images.tgz": tarred("gz"),
    "images.tar.xz": tarred("xz"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_is_what_its_folder_is(
    project: Project, source: Path, tmp_path: Path, name: str
) -> None:
    archive = MAKERS[name](source, tmp_path / name)
    done = import_source(project, str(archive))
    assert done.classes == ("bolt",)
    assert digests_of(project.data) == digests_of(source)
    assert not (project.state / "incoming").exists()


def test_folders_around_the_classes_do_not_matter(
    project: Project, source: Path, tmp_path: Path
) -> None:
    wrapped = tmp_path / "wrapped" / "mvtec" / "v1"
    shutil.copytree(source, wrapped)
    archive = zipped(tmp_path / "wrapped", tmp_path / "a.zip")
    assert import_source(project, str(archive)).classes == ("bolt",)


def test_an_archive_of_one_class_is_called_like_it_or_as_asked(
    project: Project, source: Path, tmp_path: Path
) -> None:
    archive = zipped(source / "bolt", tmp_path / "blue bolts.zip")
    assert import_source(project, str(archive)).classes == ("blue-bolts",)
    assert import_source(project, str(archive), name="screws").classes == ("screws",)
    assert import_source(project, str(source / "bolt"), name="nails").classes == ("nails",)
    with pytest.raises(DataError, match="3 classes, and one name"):
        import_source(Project(tmp_path / "other"), str(project.data), name="all")


def test_names_of_people_survive(project: Project, tmp_path: Path) -> None:
    names = ("Prüfling 1.png", "部品.png", "🔩 gut.png", "a b c.PNG")
    folder = write_class(tmp_path / "camera", "bolt", train_good=1, test_good=1, test_defect=1)
    for seed, name in enumerate(names):
        write_image(folder / "train" / "good" / name, seed + 50)
    import_source(project, str(zipped(tmp_path / "camera", tmp_path / "a.zip")))
    arrived = {path.name for path in (project.data / "bolt" / "train" / "good").iterdir()}
    assert arrived == {"000.png", *names}


def test_utf8_names_of_a_zip_that_does_not_say_so(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("bolt/train/good/Pr__fling.png", b"x")
    archive.write_bytes(archive.read_bytes().replace(b"Pr__", "Prü".encode()))
    target = tmp_path / "out"
    target.mkdir()
    unpack(archive, target)
    (name,) = (path.name for path in target.rglob("*.png"))
    assert name == "Prüfling.png"


def _tar(tmp_path: Path, *members: tuple[str, bytes | None, bytes]) -> Path:
    """A tar of (name, content or None, type)."""
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w") as opened:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            info.size = len(content or b"")
            opened.addfile(info, io.BytesIO(content or b""))
    return archive


def _with_header(tmp_path: Path, text: str) -> Path:
    """A tar whose second entry comes with a text."""
    archive = tmp_path / "evil.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as opened:
        for name, headers in (("a.png", {}), ("b.png", {"comment": text})):
            info = tarfile.TarInfo(name)
            info.pax_headers = headers
            opened.addfile(info)
    return archive


def _zip(tmp_path: Path, *members: tuple[str, bytes, int]) -> Path:
    """A zip of (name, content, mode)."""
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(info, content)
    return archive


def _zip_of_bytes(tmp_path: Path, name: bytes) -> Path:
    """A zip with a name of bytes that it calls UTF-8."""
    stand_in = "é" + "x" * (len(name) - 2)  # as long
    archive = _zip(tmp_path, (stand_in, b"x", 0))
    archive.write_bytes(archive.read_bytes().replace(stand_in.encode(), name))
    return archive


def _sparse(tmp_path: Path, places: str) -> Path:
    """A tar of one sparse file, whose map is a text."""
    archive = tmp_path / "evil.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as opened:
        info = tarfile.TarInfo("a.png")
        info.pax_headers = {"GNU.sparse.map": places, "GNU.sparse.size": str(10**30)}
        opened.addfile(info)
    return archive


REG, SYM, CHR, LNK = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE
EVIL: dict[str, Callable[[Path], Path]] = {
    "out of the target": lambda path: _tar(path, ("../x.png", b"x", REG)),
    "deep and out": lambda path: _tar(path, ("a/../../x.png", b"x", REG)),
    "absolute": lambda path: _tar(path, ("/tmp/patchae-x.png", b"x", REG)),  # noqa: S108
    "a symbolic link": lambda path: _tar(path, ("a.png", None, SYM)),
    "a hard link": lambda path: _tar(path, ("a.png", None, LNK)),
    "a device": lambda path: _tar(path, ("a.png", None, CHR)),
    "twice": lambda path: _tar(path, ("a.png", b"x", REG), ("a.png", b"y", REG)),
    "twice but for case": lambda path: _tar(path, ("a.png", b"x", REG), ("A.PNG", b"y", REG)),
    "zip: out of the target": lambda path: _zip(path, ("../x.png", b"x", stat.S_IFREG)),
    "zip: backslashes": lambda path: _zip(path, ("..\\x.png", b"x", stat.S_IFREG)),
    "zip: a drive": lambda path: _zip(path, ("c:/x.png", b"x", stat.S_IFREG)),
    "zip: a link": lambda path: _zip(path, ("x.png", b"/etc/passwd", stat.S_IFLNK)),
    "zip: twice": lambda path: _zip(path, ("x.png", b"a", 0), ("X.png", b"b", 0)),
    "a name of megabytes": lambda path: _tar(path, ("a" * 2_000_000 + ".png", b"x", REG)),
    "a header of megabytes": lambda path: _with_header(path, "a" * 2_000_000),
    "zip: UTF-8 that is none": lambda path: _zip_of_bytes(path, b"\xff\xfe.png"),
    "a sparse map without numbers": lambda path: _sparse(path, "x,y"),
    "a sparse map out of all bounds": lambda path: _sparse(path, f"{10**30},{10**30}"),
    "no archive": lambda path: _written(path / "evil.zip", b"PK but no zip"),
    "no tar": lambda path: _written(path / "evil.tar.xz", b"\xfd7zXZ\x00 and then nothing"),
    "nothing": lambda path: _written(path / "evil.tar", b""),
}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", EVIL)
def test_an_evil_archive_is_refused_and_nothing_is_written_outside(
    project: Project, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    archive = EVIL[kind](folder)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="the archive is not used") as caught:
        import_source(project, str(archive))
    assert caught.value.where == str(archive)
    left = set(tmp_path.rglob("*")) - before - set(project.state.rglob("*")) - {project.state}
    assert left <= {project.data}
    assert not (project.state / "incoming").exists()


def test_a_bomb_is_stopped_by_what_it_writes(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = _zip(tmp_path, ("bolt/train/good/a.png", bytes(50_000_000), 0))
    assert archive.stat().st_size < 100_000
    usage = shutil.disk_usage(tmp_path)
    room = usage._replace(free=unpacking._RESERVE + 10_000_000)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: room)
    with pytest.raises(DataError, match="no room"):
        import_source(project, str(archive))
    monkeypatch.setattr(unpacking, "MAX_FILES", 1)
    many = _tar(tmp_path, *((f"{number}.png", b"x", REG) for number in range(3)))
    with pytest.raises(DataError, match="more than 1 files"):
        import_source(project, str(many))


def test_litter_and_other_files_of_an_archive_are_left_out(
    project: Project, source: Path, tmp_path: Path
) -> None:
    (source / "__MACOSX" / "bolt").mkdir(parents=True)
    (source / "__MACOSX" / "bolt" / "._000.png").write_bytes(b"x")
    (source / "licence.txt").write_text("x")
    done = import_source(project, str(zipped(source, tmp_path / "a.zip")))
    assert (done.classes, len(done.left_out)) == (("bolt",), 2)


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(content=st.binary(max_size=2000), cut=st.integers(0, 4000), name=st.sampled_from([*MAKERS]))
def test_fuzz_any_bytes_give_an_error_or_images(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int, name: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    inside = folder / "in"
    inside.mkdir()
    (inside / "a.png").write_bytes(content)
    archive = MAKERS[name](inside, folder / name)
    archive.write_bytes(archive.read_bytes()[:cut] + content[cut:])
    target = folder / "out"
    target.mkdir()
    try:
        unpack(archive, target)
    except DataError as error:
        assert error.where == str(archive)  # noqa: PT017
    assert {path.name for path in folder.iterdir()} == {"in", "out", name}


def test_a_dry_run_tells_everything_and_changes_nothing(project: Project, source: Path) -> None:
    shutil.copy(source / "bolt/train/good/000.png", source / "bolt/train/good/copy.png")
    told = import_source(project, str(source), dry_run=True)
    assert not project.data.exists() or not any(project.data.iterdir())
    assert told == import_source(project, str(source))
    assert told.copies == (("bolt/train/good/000.png", "bolt/train/good/copy.png"),)


# --- Lookout for Vision


def lookout(folder: Path) -> Path:
    """A training manifest with local copies: normal, anomalous with a mask, and without."""
    lines: list[dict[str, Any]] = []
    for number in range(30):
        path = folder / "bucket" / "img" / f"part {number % 10}" / "photo.jpg"
        path = path.with_name(f"{number // 10}.png")
        write_image(path, number, defect=number >= 24)
        line: dict[str, Any] = {
            "source-ref": f"s3://old-bucket/img/{path.parent.name}/{path.name}",
            "anomaly-label": int(number >= 24),
            "anomaly-label-metadata": {"class-name": "anomaly" if number >= 24 else "normal"},
        }
        if 24 <= number < 28:
            colours = np.full((64, 64, 3), 255, np.uint8)
            colours[20:36, 20:36] = (0x23, 0xA4, 0x36)
            if number == 27:
                colours[0:5, 0:5] = (0xFF, 0x00, 0x00)
            mask = folder / "masks" / f"{number}.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(colours).save(mask)
            line["anomaly-mask-ref"] = f"s3://old-bucket/masks/{number}.png"
            line["anomaly-mask-ref-metadata"] = {
                "internal-color-map": {
                    "0": {"class-name": "BACKGROUND", "hex-color": "#ffffff"},
                    "1": {"class-name": "deep scratch", "hex-color": "#23a436"},
                    "2": {"class-name": "dent", "hex-color": "#ff0000"},
                }
            }
        lines.append(line)
    manifest = folder / "bucket" / "train.manifest"
    shutil.move(folder / "masks", folder / "bucket" / "masks")
    manifest.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return manifest


def test_a_manifest_becomes_the_layout(project: Project, tmp_path: Path) -> None:
    manifest = lookout(tmp_path)
    done = import_source(project, str(manifest), name="pcb")
    assert (done.classes, done.images, done.masks) == (("pcb",), 30, 4)
    counts = {
        kind: len(list((project.data / "pcb" / kind).iterdir()))
        for kind in ("test/deep-scratch", "test/combined", "test/anomaly")
    }
    assert counts == {"test/deep-scratch": 3, "test/combined": 1, "test/anomaly": 2}
    good = [
        len(list((project.data / "pcb" / split / "good").iterdir())) for split in ("train", "test")
    ]
    assert sum(good) == 24
    assert 1 <= good[1] <= 10
    (mask,) = (project.data / "pcb" / "ground_truth" / "combined").iterdir()
    assert (np.asarray(Image.open(mask)) > 0).sum() == 16 * 16 + 25
    again = import_source(project, str(manifest), name="pcb")
    assert again.unchanged == ("pcb",)


def test_a_test_manifest_is_what_is_judged_with(project: Project, tmp_path: Path) -> None:
    manifest = lookout(tmp_path)
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(lines[:20]))
    test = manifest.with_name("test.manifest")
    test.write_text("\n".join(lines[20:]))
    import_source(project, str(manifest), name="pcb", test=test)
    data = project.data / "pcb"
    assert len(list((data / "train" / "good").iterdir())) == 20
    assert len(list((data / "test" / "good").iterdir())) == 4


def test_an_image_without_a_suffix_gets_that_of_its_content(
    project: Project, tmp_path: Path
) -> None:
    manifest = lookout(tmp_path)
    bare = tmp_path / "bucket" / "bare"
    shutil.copy(tmp_path / "bucket/img/part 0/0.png", bare)
    Image.open(bare).convert("L").save(bare, "PNG")
    line = {"source-ref": "s3://old-bucket/bare", "x": 1, "x-metadata": {}}
    manifest.write_text(manifest.read_text() + json.dumps(line) + "\n")
    assert import_source(project, str(manifest), name="pcb").images == 31
    assert [one.name for one in (project.data / "pcb/test/anomaly").glob("*bare*")] == [
        "00031-bare.png"
    ]
    bare.write_bytes(b"no image")
    with pytest.raises(DataError, match="s3://old-bucket/bare: neither its name nor its content"):
        import_source(project, str(manifest), name="other")


@pytest.mark.parametrize("mask", ["too many pixels", "damaged"])
def test_a_mask_that_cannot_be_decoded_is_told(project: Project, tmp_path: Path, mask: str) -> None:
    manifest = lookout(tmp_path)
    file = tmp_path / "bucket/masks/24.png"
    if mask == "damaged":
        file.write_bytes(file.read_bytes()[:60])
    else:
        Image.new("1", (20_000, 20_000)).save(file)
    with pytest.raises(DataError, match=f"a mask of the manifest cannot be read: .*{mask}"):
        import_source(project, str(manifest), name="pcb")


BROKEN = {
    "a mask that is a number": '{"source-ref": "m.manifest", "x": 1, "x-metadata": {}, '
    '"anomaly-mask-ref": 5}',
    "lists in lists": "[" * 100_000,
    "no JSON": "{",
    "no object": "[1]",
    "no image": '{"anomaly-label": 1, "anomaly-label-metadata": {}}',
    "no label": '{"source-ref": "a.png"}',
    "a label of its own": '{"source-ref": "a.png", "x": 7, "x-metadata": {}}',
    "nothing": "",
    "an image that is nowhere": '{"source-ref": "a.png", "x": 1, "x-metadata": {}}',
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_manifest_is_told(project: Project, tmp_path: Path, kind: str) -> None:
    manifest = tmp_path / "m.manifest"
    manifest.write_text(BROKEN[kind])
    with pytest.raises(DataError) as caught:
        import_source(project, str(manifest), name="pcb")
    assert str(manifest) in str(caught.value)
    assert not (project.data / "pcb").exists()


@pytest.mark.parametrize("name", ["../../evil", "/tmp/evil", "a/b", "..", ""])  # noqa: S108
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_name_that_is_a_path_writes_nothing_anywhere(
    project: Project, tmp_path: Path, name: str, dry_run: bool
) -> None:
    manifest = lookout(tmp_path)
    before = digests_of(tmp_path)
    with pytest.raises(UsageError, match="cannot be the name of a class"):
        import_source(project, str(manifest), name=name, dry_run=dry_run)
    assert digests_of(tmp_path) == before


def test_a_manifest_needs_a_name_and_a_test_manifest_a_manifest(
    project: Project, tmp_path: Path, source: Path
) -> None:
    with pytest.raises(UsageError, match="what the class is called"):
        import_source(project, str(lookout(tmp_path)))
    with pytest.raises(UsageError, match="--test"):
        import_source(project, str(source), test=tmp_path / "t.manifest")


def test_a_file_of_another_kind_is_not_taken_for_a_missing_folder(project: Project) -> None:
    with pytest.raises(DataError, match="neither an archive nor a manifest"):
        import_source(project, str(project.lines_file))


@pytest.mark.parametrize("name", ["nowhere.zip", "nowhere.tar.gz"])
def test_an_archive_that_is_not_there_is_not_called_damaged(project: Project, name: str) -> None:
    with pytest.raises(DataError, match="there is no such file") as caught:
        import_source(project, name)
    assert caught.value.where == name


def test_an_address_with_a_lone_bracket_is_none(project: Project) -> None:
    with pytest.raises(DataError, match="not an address in S3"):
        import_source(project, "s3://[x/y")


def test_two_keys_are_never_one_file() -> None:
    told = bucket.placed(["p/good/1.png", "p/good/2.png"], "p/")
    assert {key: str(path) for key, path in told.items()} == {
        "p/good/1.png": "good/1.png",
        "p/good/2.png": "good/2.png",
    }
    for one, other in (("p/good//1.png", "p/good/1.png"), ("p/a.png", "p/a.png/b.png")):
        with pytest.raises(DataError) as caught:
            bucket.placed([one, other], "p/")
        assert repr(one) in str(caught.value)
        assert repr(other) in str(caught.value)


def test_a_bucket_that_cannot_be_reached_is_a_store_that_cannot(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreUnreachable, match="S3 cannot be used"):
        import_source(project, "s3://plant/images")
    with pytest.raises(DataError, match="not an address"):
        import_source(project, "s3://")


def test_an_address_of_a_store_that_is_none_is_a_mistake_in_the_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    with pytest.raises(ConfigError, match="Invalid endpoint: minio:9000") as caught:
        import_source(project, "s3://plant/images")
    assert "http://" in str(caught.value.mend)
