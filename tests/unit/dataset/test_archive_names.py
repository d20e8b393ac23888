"""Names in archives that were packed on other machines."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from patchae.dataset.sources import import_source
from patchae.dataset.unpacking import unpack
from patchae.errors import DataError, UsageError
from patchae.files import digests_of
from patchae.project import Project
from tests.support import patchae, write_class

ELSEWHERE = {
    "Japan": ("cp932", "検査01_ソ表能.png"),
    "China": ("gbk", "划痕_乗乣.png"),
    "Korea": ("cp949", "긁힘_똠방각하.png"),
    "Taiwan": ("cp950", "刮痕_許功蓋.png"),
    "Germany": ("cp850", "Prüfling Ø.png"),
    "America": ("cp437", "Prüfling ß.png"),
    "Russia": ("cp866", "царапина.png"),
}


def zip_of(archive: Path, *names: bytes, extra: bytes = b"", content: bytes = b"x") -> Path:
    """A zip whose names are bytes that say nothing of their encoding."""
    stand_ins = [chr(ord("b") + number) * len(name) for number, name in enumerate(names)]
    with zipfile.ZipFile(archive, "w") as opened:
        for stand_in in stand_ins:
            entry = zipfile.ZipInfo(stand_in)
            entry.extra = extra
            opened.writestr(entry, content)
    packed = archive.read_bytes()
    for stand_in, name in zip(stand_ins, names, strict=True):
        packed = packed.replace(stand_in.encode(), name)
    archive.write_bytes(packed)
    return archive


def tar_of(archive: Path, *names: bytes) -> Path:
    """A tar of the old form, whose names are bytes."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as opened:
        for name in names:
            entry = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
            entry.size = 1
            opened.addfile(entry, io.BytesIO(b"x"))
    return archive


MAKERS = {"a.zip": zip_of, "a.tar": tar_of}


def unpacked(archive: Path, target: Path, encoding: str | None = None) -> set[str]:
    """The files that come out of an archive."""
    target.mkdir()
    unpack(archive, target, encoding=encoding)
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


@pytest.mark.parametrize("archive", MAKERS)
@pytest.mark.parametrize("country", ELSEWHERE)
def test_names_are_refused_until_their_encoding_is_given(
    tmp_path: Path, country: str, archive: str
) -> None:
    encoding, name = ELSEWHERE[country]
    packed = MAKERS[archive](tmp_path / archive, f"part/test/{name}".encode(encoding))
    with pytest.raises(DataError, match="1 name is not UTF-8") as refusal:
        unpacked(packed, tmp_path / "refused")
    (line,) = (line for line in str(refusal.value).splitlines() if name in line)
    assert encoding in line.partition(":")[0]
    assert not any(path.is_file() for path in (tmp_path / "refused").rglob("*"))
    assert unpacked(packed, tmp_path / "read", encoding) == {f"part/test/{name}"}
    with pytest.raises(DataError, match="1 name is not ascii"):
        unpacked(packed, tmp_path / "wrong", "ascii")


def test_a_backslash_separates_only_where_it_is_no_half_of_a_letter(tmp_path: Path) -> None:
    name = "部品\\test\\ソ表.png"
    packed = zip_of(tmp_path / "a.zip", name.encode("cp932"), b"part\\test\\good\\000.png")
    assert unpacked(packed, tmp_path / "out", "cp932") == {
        "部品/test/ソ表.png",
        "part/test/good/000.png",
    }


def test_names_in_utf8_need_no_word_about_it(tmp_path: Path) -> None:
    names = {f"part/test/{name}" for _, name in ELSEWHERE.values()}
    flagged = tmp_path / "flagged.zip"
    with zipfile.ZipFile(flagged, "w") as opened:
        for name in names:
            opened.writestr(name, b"x")
    encoded = [name.encode() for name in names]
    for number, packed in enumerate(
        (flagged, zip_of(tmp_path / "plain.zip", *encoded), tar_of(tmp_path / "a.tar", *encoded))
    ):
        assert unpacked(packed, tmp_path / f"{number}") == names
    # What says that it is UTF-8 is that, whatever the others are.
    assert unpacked(flagged, tmp_path / "told", "cp932") == names


def test_a_second_name_in_utf8_counts_if_it_belongs_to_the_first(tmp_path: Path) -> None:
    name = "検査_ソ.png"
    first, second = name.encode("cp932"), b"\x01" + bytes(4) + name.encode()
    field = struct.pack("<HH", 0x7075, len(second)) + second
    packed = zip_of(tmp_path / "stale.zip", first, extra=field)
    with pytest.raises(DataError, match="not UTF-8"):
        unpacked(packed, tmp_path / "refused")
    packed.write_bytes(
        packed.read_bytes().replace(
            second, second.replace(bytes(4), struct.pack("<L", zlib.crc32(first)), 1)
        )
    )
    assert unpacked(packed, tmp_path / "read") == {name}


def test_chinese_that_is_valid_utf8_by_chance_is_not_taken_for_it(tmp_path: Path) -> None:
    packed = zip_of(tmp_path / "a.zip", "通/通.png".encode("gbk"))
    with pytest.raises(DataError, match="gbk: 通"):
        unpacked(packed, tmp_path / "refused")
    assert unpacked(packed, tmp_path / "read", "gbk") == {"通/通.png"}


def test_names_of_what_is_left_out_anyway_stop_nothing(tmp_path: Path) -> None:
    readme, litter = "読んで.txt".encode("cp932"), "__MACOSX/検査.png".encode("cp932")
    for name, make in MAKERS.items():
        packed = make(tmp_path / name, readme, litter, b"part/a.png")
        assert unpacked(packed, tmp_path / f"{name}.out") == {"part/a.png"}


@pytest.mark.parametrize("encoding", ["nonsense", "utf-16", "base64", "cp037", "punycode", ""])
def test_an_encoding_that_no_name_can_have_is_refused(project: Project, encoding: str) -> None:
    with pytest.raises(UsageError, match="no encoding that names"):
        import_source(project, "a.zip", encoding=encoding)


def test_an_encoding_needs_an_archive(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="belongs to an archive"):
        import_source(project, str(tmp_path), encoding="cp932")


def test_a_message_names_the_archive_and_not_where_it_was_unpacked(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = write_class(tmp_path / "camera", "part", train_good=1, test_good=1, test_defect=1)
    (folder / "test" / "good" / "000.png").write_bytes(b"")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w") as opened:
        opened.add(tmp_path / "camera", ".")
    code, _, errors = patchae(capsys, monkeypatch, "import", str(archive))
    assert code == 2
    assert f"where:   {archive}" in errors
    assert str(project.state) not in errors


def test_a_class_arrives_under_its_own_names(project: Project, tmp_path: Path) -> None:
    folder = write_class(tmp_path / "camera", "part", train_good=2, test_good=1, test_defect=1)
    (folder / "test/hole").rename(folder / "test/ソ")
    (folder / "ground_truth/hole").rename(folder / "ground_truth/ソ")
    archive = tmp_path / "a.tar"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT, encoding="cp932") as opened:
        opened.add(tmp_path / "camera", ".")
    with pytest.raises(DataError, match="not UTF-8"):
        import_source(project, str(archive))
    assert not project.data.exists()
    assert import_source(project, str(archive), encoding="cp932").masks == 1
    assert digests_of(project.data) == digests_of(tmp_path / "camera")
