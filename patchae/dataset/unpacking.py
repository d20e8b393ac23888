"""Archives on their way into `data/`: unpacked where nothing can be hurt.

An archive may come from anybody. Only regular files with the name of an image are written, under
names that lie in the target and nowhere else; links, devices, absolute names and names with `..`
are refused, as are two entries of one name, encrypted entries, headers that would fill the memory,
and more bytes than the disk has room for. What an entry claims to hold counts for nothing: bytes
are counted as they are written.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from patchae.errors import DataError
from patchae.files import Progress, silent
from patchae.images import IMAGE_SUFFIXES

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
MAX_FILES = 1_000_000
_RESERVE = 1 << 30
"""Bytes that stay free on the disk."""
_BLOCK = 1 << 20
_UTF8 = 0x800
"""Flag of a zip entry whose name is UTF-8."""
_ENCRYPTED = 0x1
_LITTER = "__MACOSX"
_LONG_HEADERS = frozenset(
    {
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
    }
)
_MAX_HEADER = 1 << 20
"""Bytes of a long name, or of what else stands before an entry of a tar."""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, target: Path, progress: Progress = silent) -> int:
    """Unpack the images of an archive into an empty folder; returns how many files were left out.

    Raises:
        DataError: the archive is not there, is damaged, or holds what must not be unpacked; the
            target may then hold a part of it.
    """
    zipped = archive.suffix.lower() == ".zip"
    entries = _of_zip if zipped else _of_tar
    try:
        if not archive.exists():
            raise DataError(
                "there is no such file", where=str(archive), mend="name an archive or a folder"
            )
        if not (zipfile.is_zipfile(archive) if zipped else _is_tar(archive)):
            raise _refused(archive, "it is not what its name says, or damaged")
        return _write(archive, entries(archive), target, progress)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,  # a name that is not the UTF-8 that it says, a sparse map without numbers
    ) as error:
        raise _refused(archive, f"it is damaged: {error}") from None
    except OSError as error:
        raise _refused(archive, f"it cannot be unpacked: {error}") from None


@dataclass(frozen=True)
class _Entry:
    name: str
    problem: str | None
    content: IO[bytes] | None


def _of_zip(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            name, kind = _zip_name(info), stat.S_IFMT(info.external_attr >> 16)
            if info.flag_bits & _ENCRYPTED:
                yield _Entry(name, "is encrypted", None)
            elif kind not in {0, stat.S_IFREG}:
                yield _Entry(name, "is a link or a device", None)
            else:
                with opened.open(info) as content:
                    yield _Entry(name, None, content)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Many tools write UTF-8 and do not say so; Python then takes it for the code page 437."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


class _Member(tarfile.TarInfo):
    """Headers of any length are read whole by Python, before anything is known of their entry."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _LONG_HEADERS and not 0 <= self.size <= _MAX_HEADER:
            raise tarfile.ReadError(f"a header claims {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


def _is_tar(archive: Path) -> bool:
    """As `tarfile.is_tarfile`, which knows no limit."""
    try:
        with tarfile.open(archive, tarinfo=_Member):
            return True
    except tarfile.TarError:
        return False


def _of_tar(archive: Path) -> Iterator[_Entry]:
    with tarfile.open(archive, tarinfo=_Member) as opened:
        for member in opened:
            if member.isdir():
                continue
            content = opened.extractfile(member) if member.isreg() else None
            yield _Entry(member.name, None if content else "is a link or a device", content)


def _write(archive: Path, entries: Iterator[_Entry], target: Path, progress: Progress) -> int:
    room = shutil.disk_usage(target).free - _RESERVE
    taken: set[str] = set()
    left_out = 0
    for number, entry in enumerate(entries, start=1):
        if number > MAX_FILES:
            raise _refused(archive, f"it holds more than {MAX_FILES:,} files")
        path = _inside(entry.name)
        problem = entry.problem or (None if path else "lies outside of the archive")
        if problem:
            raise _refused(archive, f"{entry.name!r} {problem}")
        if path is None or entry.content is None:
            raise AssertionError("an entry without a problem has a path and content")
        if _LITTER in path.parts or path.suffix.lower() not in IMAGE_SUFFIXES:
            left_out += 1
            continue
        # A file system that ignores case would let one overwrite the other.
        folded = path.as_posix().casefold()
        if folded in taken:
            raise _refused(archive, f"{entry.name!r} is there twice")
        taken.add(folded)
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as out:
            while block := entry.content.read(_BLOCK):
                room -= len(block)
                if room < 0:
                    raise _refused(archive, "the disk has no room for what it holds")
                out.write(block)
        progress("unpacking", len(taken), 0)
    return left_out


def _inside(name: str) -> PurePosixPath | None:
    """An entry's name as a path below the target; None if it is not one."""
    path = PurePosixPath(name.replace("\\", "/"))
    unsafe = path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts
    drive = bool(path.parts) and path.parts[0].endswith(":")
    try:
        name.encode()
    except UnicodeEncodeError:
        return None
    return None if unsafe or drive else path


def _refused(archive: Path, why: str) -> DataError:
    return DataError(
        f"the archive is not used: {why}",
        where=str(archive),
        mend="unpack it by hand, look at it, and import the folder",
    )
