"""What the entries of an archive are called, wherever it was packed.

A zip says of a name that it is UTF-8, by a flag or by a second name in the entry's extra field, or
it says nothing; then the bytes are those of some code page of Windows, or UTF-8 all the same. A tar
says nothing but in its newest form. Bytes that are no UTF-8 are never guessed at: a wrong guess
would bring images in under kinds of defects that nobody can read.

A name is decoded as a whole and split afterwards: 0x5C, the backslash, is also the second byte of
many Japanese, Chinese and Korean letters.
"""

from __future__ import annotations

import codecs
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from patchae.errors import DataError, UsageError

CODE_PAGES = ("cp932", "gbk", "cp949", "cp950", "cp437", "cp850", "cp1252", "cp852", "cp866")
"""What Windows and older systems pack with: Japanese, Chinese, Korean, Taiwanese; American, Western
European twice, Central European, Russian."""
_SHOWN, _WIDTH = 3, 24
"""So many parts of names, of so many letters, show how a code page reads."""
_UTF8 = 0x800
"""Flag of a zip entry whose name is UTF-8."""
_UNICODE_PATH = 0x7075
"""Extra field of a zip entry: its name in UTF-8, with the CRC of the name that it stands for."""
_ACCENTS = range(0x300, 0x370)
_UNUSED = frozenset({"Cc", "Cn", "Co", "Cs"})
"""Categories of characters that are in no name: control, unassigned, private, half of a pair."""


class Names:
    """Decodes the names of one archive, and remembers those that it cannot be certain of."""

    def __init__(self, encoding: str | None = None) -> None:
        self._encoding = encoding
        self._unclear: list[bytes] = []

    @property
    def clear(self) -> bool:
        """Whether every name so far could be decoded."""
        return not self._unclear

    def decode(self, name: str | bytes) -> str | None:
        """The name as text; None if nobody knows how to read its bytes."""
        text = self._text(name)
        if text is None and isinstance(name, bytes):
            self._unclear.append(name)
        return text

    def shown(self, name: str | bytes) -> str:
        """The name of an entry that is left out, as well as it can be read."""
        text = self._text(name)
        return text or (name if isinstance(name, str) else name.decode(errors="backslashreplace"))

    def require_clear(self, archive: Path) -> None:
        """Refuse an archive with names that could not be decoded.

        Raises:
            DataError: there are some; it shows how they read in each code page that fits.
        """
        if self.clear:
            return
        count = len(self._unclear)
        what = f"{count} name{'s are' if count > 1 else ' is'} not UTF-8"
        if self._encoding:
            what = f"{count} name{'s are' if count > 1 else ' is'} not {self._encoding}"
        lines = [f"  - {', '.join(pages)}: {text}" for text, pages in _readings(self._unclear)]
        raise DataError(
            "\n".join([f"the archive is not used: {what}", *lines]),
            where=str(archive),
            mend=f"patchae import {archive} --encoding NAME, with the NAME whose line reads right"
            if lines
            else "rename the files and pack them again",
        )

    def _text(self, name: str | bytes) -> str | None:
        if isinstance(name, str):
            return name
        try:
            if name.isascii():
                return name.decode("ascii")
            text = name.decode(self._encoding or "utf-8")
        except UnicodeError:
            return None
        return text if self._encoding or _is_name(text) else None


def check_encoding(encoding: str) -> str:
    """Return the encoding if archives can have names in it: its first 128 characters are ASCII.

    Raises:
        UsageError: there is no such encoding, or names cannot be in it.
    """
    every = bytes(range(0x20, 0x7F))
    try:
        fits = codecs.lookup(encoding) and every.decode(encoding) == every.decode("ascii")
    except (LookupError, UnicodeError):
        fits = False
    if not fits:
        raise UsageError(
            f"'{encoding}' is no encoding that names of an archive can have",
            mend=f"give one of Python's text encodings: {', '.join(CODE_PAGES)}, utf-8",
        )
    return encoding


def zip_name(entry: zipfile.ZipInfo) -> str | bytes:
    """The name of a zip entry: text where the entry says that it is UTF-8, else its bytes."""
    if entry.flag_bits & _UTF8:
        return entry.orig_filename
    name = entry.orig_filename.encode("cp437")  # as Python decodes what says nothing
    return _unicode_path(entry.extra, name) or name


def tar_name(name: str) -> str | bytes:
    """The name of a tar member, which Python decodes as UTF-8 with half pairs for other bytes."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a half pair that no byte stands behind
        return name


def _unicode_path(extra: bytes, name: bytes) -> str | None:
    while len(extra) >= 4:
        field, size = struct.unpack_from("<HH", extra)
        content, extra = extra[4 : 4 + size], extra[4 + size :]
        if field == _UNICODE_PATH and len(content) > 5:
            version, crc = struct.unpack_from("<BL", content)
            if version == 1 and crc == zlib.crc32(name):  # else the entry was renamed since
                return content[5:].decode("utf-8")
    return None


def _is_name(text: str) -> bool:
    """Whether text could be somebody's name of a file.

    Two bytes of a code page are valid UTF-8 now and then: the Chinese letters for "through" would
    be an accent without a letter.
    """
    return not any(
        unicodedata.category(letter) in _UNUSED or ord(letter) in _ACCENTS
        for letter in unicodedata.normalize("NFC", text)
    )


def _readings(names: Sequence[bytes]) -> list[tuple[str, list[str]]]:
    """How parts of the names read, and in which code pages so; most like names first."""
    parts = dict.fromkeys(part for name in names for part in name.split(b"/") if not part.isascii())
    found: dict[str, list[str]] = {}
    for page in CODE_PAGES:
        try:
            whole = "".join(name.decode(page) for name in names)
            read = [part.decode(page) for part in list(parts)[:_SHOWN]]
        except UnicodeError:
            continue
        if _is_name(whole):
            short = (part if len(part) <= _WIDTH else f"{part[:_WIDTH]}..." for part in read)
            found.setdefault(", ".join(short), []).append(page)
    return sorted(found.items(), key=lambda reading: sum(map(_is_odd, reading[0])))


def _is_odd(letter: str) -> bool:
    """Whether a character is seldom in names: a symbol, or a narrow form of a letter."""
    alike = unicodedata.normalize("NFKC", letter) == letter
    return not letter.isascii() and not (alike and letter.isalnum())
