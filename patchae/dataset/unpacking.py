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

from patchae.dataset.archive_names import Names, tar_name, zip_name
from patchae.errors import DataError
from patchae.files import Progress, silent
from patchae.images import IMAGE_SUFFIXES, LeftOut, is_litter, left_out, suffix_of

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
MAX_FILES = 1_000_000
_RESERVE = 1 << 30
"""Bytes that stay free on the disk."""
_BLOCK = 1 << 20
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


def unpack(
    archive: Path, target: Path, progress: Progress = silent, *, encoding: str | None = None
) -> list[LeftOut]:
    """Unpack the images of an archive into an empty folder; return what was left out.

    Args:
        archive: the archive.
        target: where to.
        progress: called after every image.
        encoding: of names that do not say that they are UTF-8; by default they must be.

    Raises:
        DataError: the archive is not there, is damaged, holds what must not be unpacked, or names
            that are not in the encoding; the target may then hold a part of it.
    """
    zipped = archive.suffix.lower() == ".zip"
    entries = _of_zip if zipped else _of_tar
    names = Names(encoding)
    try:
        if not archive.exists():
            raise DataError(
                "there is no such file", where=str(archive), mend="name an archive or a folder"
            )
        if not (zipfile.is_zipfile(archive) if zipped else _is_tar(archive)):
            raise _refused(archive, "it is not what its name says, or damaged")
        others = _write(archive, entries(archive, names), target, names, progress)
    except UnicodeDecodeError as error:
        raise _refused(
            archive, f"a name says that it is UTF-8 and is not: {error.object!r}"
        ) from None
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,  # a sparse map without numbers
    ) as error:
        raise _refused(archive, f"it is damaged: {error}") from None
    except OSError as error:
        raise _refused(archive, f"it cannot be unpacked: {error}") from None
    names.require_clear(archive)
    return others


@dataclass(frozen=True)
class _Entry:
    name: str | bytes
    problem: str | None
    content: IO[bytes] | None


def _of_zip(archive: Path, names: Names) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as opened:
        entries = [(info, zip_name(info)) for info in opened.infolist()]
        for _, name in entries:
            if _is_image(name):
                names.decode(name)
        names.require_clear(archive)  # a zip lists its names: nothing is unpacked in vain
        for info, name in entries:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or (not info.file_size and info.filename.endswith("\\")):
                continue
            if info.flag_bits & _ENCRYPTED:
                yield _Entry(name, "is encrypted", None)
            elif kind not in {0, stat.S_IFREG}:
                yield _Entry(name, "is a link or a device", None)
            else:
                with opened.open(info) as content:
                    yield _Entry(name, None, content)


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


def _of_tar(archive: Path, names: Names) -> Iterator[_Entry]:
    with tarfile.open(archive, tarinfo=_Member) as opened:
        for member in opened:
            if member.isdir():
                continue
            name = tar_name(member.name)
            if member.issparse():  # holes take no room in the archive, and all of the disk here
                yield _Entry(name, "is a sparse file", None)
                continue
            # Once a name cannot be read the others are only looked at, to show them all.
            content = opened.extractfile(member) if member.isreg() and names.clear else None
            problem = None if member.isreg() else "is a link or a device"
            yield _Entry(name, problem, content)


def _write(
    archive: Path, entries: Iterator[_Entry], target: Path, names: Names, progress: Progress
) -> list[LeftOut]:
    room = shutil.disk_usage(target).free - _RESERVE
    taken: set[str] = set()
    others: list[LeftOut] = []
    for number, entry in enumerate(entries, start=1):
        if number > MAX_FILES:
            raise _refused(archive, f"it holds more than {MAX_FILES:,} files")
        if entry.problem:
            raise _refused(archive, f"{_shown(entry.name)} {entry.problem}")
        if not _is_image(entry.name):
            text = names.shown(entry.name)
            others.append(left_out(text) or LeftOut(text, "litter"))
            continue
        name = names.decode(entry.name)
        if name is None or entry.content is None:
            continue
        path = _inside(name)
        if path is None:
            raise _refused(archive, f"{name!r} lies outside of the archive")
        if is_litter(path.as_posix()):  # only now, when it is split where it may be
            others.append(LeftOut(path.as_posix(), "litter"))
            continue
        # A file system that ignores case would let one overwrite the other.
        folded = path.as_posix().casefold()
        if folded in taken:
            raise _refused(archive, f"{name!r} is there twice")
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
    return others


def _is_image(name: str | bytes) -> bool:
    """Whether an entry is an image by its name; dots and slashes are ASCII in any encoding."""
    text = name if isinstance(name, str) else name.decode("latin-1")
    return _LITTER not in text.split("/") and suffix_of(text) in IMAGE_SUFFIXES


def _shown(name: str | bytes) -> str:
    return repr(name if isinstance(name, str) else name.decode(errors="backslashreplace"))


def _inside(name: str) -> PurePosixPath | None:
    """An entry's name as a path below the target; None if it is not one."""
    path = PurePosixPath(name.replace("\\", "/"))
    unsafe = path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts
    drive = bool(path.parts) and path.parts[0].endswith(":")
    return None if unsafe or drive else path


def _refused(archive: Path, why: str) -> DataError:
    return DataError(
        f"the archive is not used: {why}",
        where=str(archive),
        mend="unpack it by hand, look at it, and import the folder",
    )
