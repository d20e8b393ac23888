"""What lies in a class folder and is not used, or could be taken for something else.

Nobody is helped by an image that silently counts for nothing. Litter of operating systems and
hidden files are passed over; everything else that is no image or mask of the layout is a stray.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from patchae.dataset.layout import GROUND_TRUTH
from patchae.images import IMAGE_SUFFIXES, is_litter, walked

if TYPE_CHECKING:
    import pandas as pd

MASK = "mask without image"
MISPLACED = "misplaced image"
UNKNOWN = "unknown file"
ALIKE = "name like another"
_TEXTS = frozenset({"readme", "license", "licence"})
"""Names, without their suffix, that every data set brings along."""


def strays(data: Path, class_name: str, used: Iterable[str]) -> dict[str, str]:
    """What is wrong with each stray, by its path relative to `data`, sorted.

    Args:
        data: the folder that holds the classes.
        class_name: the class.
        used: paths of its images and masks, relative to `data`.
    """
    taken = set(used)
    found = {path: _what(path) for path in _files(data, class_name) if path not in taken}
    for path in _alike(taken):
        found[path] = ALIKE
    return dict(sorted(found.items()))


def table(found: Mapping[str, str]) -> pd.DataFrame:
    """As checks speak about it: columns path and stray."""
    import pandas as pd

    rows = {"path": list(found), "stray": list(found.values())}
    return pd.DataFrame(rows, dtype=object)


def _files(data: Path, class_name: str) -> Iterator[str]:
    for parent, folders, files in walked(data / class_name):
        folders[:] = sorted(name for name in folders if not is_litter(name))
        within = Path(parent).relative_to(data).as_posix()
        for name in files:
            if not is_litter(name) and name.partition(".")[0].lower() not in _TEXTS:
                # What cannot be said in UTF-8 cannot be a path of an image either.
                yield f"{within}/{name}".encode(errors="backslashreplace").decode()


def _what(path: str) -> str:
    parts = PurePosixPath(path).parts
    if PurePosixPath(path).suffix.lower() not in IMAGE_SUFFIXES:
        return UNKNOWN
    return MASK if parts[1] == GROUND_TRUTH else MISPLACED


def _alike(paths: set[str]) -> set[str]:
    """Paths that some file systems take for one another: other case, other form of an umlaut."""
    # Folders too: train/Good and train/good hold images of other names.
    names = set(paths)
    for folder in {path.rpartition("/")[0] for path in paths}:
        names.update(map(str, (PurePosixPath(folder), *PurePosixPath(folder).parents)))
    folded = {name: unicodedata.normalize("NFC", name).casefold() for name in names}
    times = Counter(folded.values())
    return {name for name, one in folded.items() if times[one] > 1}
