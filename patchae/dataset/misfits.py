"""What names say against where a file lies: masks among images, good parts among defects.

Both would be judged as defective parts, and every number of a model would be wrong without a word.
The rule is one for import, capture and validation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from patchae.dataset.layout import GOOD, GROUND_TRUTH

_MASK = r"(?:mask|masks|gt|groundtruth|ground[_ -]truth|label|labels|seg|segmentation|annotation)"
_MARKED = re.compile(
    rf"(?:(.+?)(?:[_ .-]+|(?<=\d)){_MASK}(?:[_ .-]?\d+)?|{_MASK}[_ .-]+(.+))", re.IGNORECASE
)
"""The name of a mask, and in it that of its image: `00001_GT`, `7-label`, `mask_7`, `7_mask_2`."""
_PHOTO = re.compile(
    r"(?:(.+?)[_ .-]+)?(?:img|image|photo|rgb|colou?r|orig|original)(?:[_ .-]+(.+))?"
)
"""The name of an image that says that it is one: `img_7`, beside `mask_7`."""
_MASK_KINDS = re.compile(
    r"masks?|gt|ground[_ -]?truths?|segmentations?|annotations?", re.IGNORECASE
)
"""Kinds that hold masks; `label` and `seg` may be the part that is defective."""
_MASK_FOLDER = re.compile(
    rf"(?:.+[_ .-])?{_MASK}s?(?:[_ .-]?(?:images?|imgs?|png|test))?", re.IGNORECASE
)
"""Folders beside train and test that hold masks: `masks`, `labels`, `defect_masks`."""
_GOOD_WORDS = frozenset(
    {
        "good", "goods", "goodpart", "goodparts", "ok", "okay", "oks", "okpart", "okparts",
        "notdefective", "nondefective", "nodefect", "nodefects", "defectfree", "faultless",
        "normal", "normals", "pass", "passed", "nominal", "flawless", "healthy", "anomalyfree",
        "noanomaly", "nonanomalous",
        "gut", "gutteil", "gutteile", "io", "iot", "inordnung", "fehlerfrei",
        "bon", "bonne", "conforme", "buono", "buoni", "bueno", "buenos", "bom",
        "dobry", "dobre", "goed", "iyi", "saglam",
        "годные", "годный", "норма",
        "良品", "良", "ok品", "正常", "正常品", "合格", "合格品", "正品",
        "好", "好品", "정상", "양품", "합격",
    }
)  # fmt: skip
"""What people call good parts, without spaces, signs and numbers, in small letters."""


def masks_among(paths: Iterable[str]) -> set[str]:
    """Return the files among images that are masks by their names.

    Of two files in one folder, `00001.png` and `00001_GT.png`, the second is the mask of the first,
    whatever their types are. So is `test/spot_mask/7.png` that of `test/spot/7.png`.

    Args:
        paths: POSIX paths that end in KIND/IMAGE.
    """
    stems: dict[str, dict[str, str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        stems.setdefault(folder, {})[path] = name.rpartition(".")[0]
    found = set()
    for folder, named in stems.items():
        parent, _, kind = folder.rpartition("/")
        of_kind = _owner(kind)
        if _MASK_KINDS.fullmatch(kind) or (of_kind and f"{parent}/{of_kind}" in stems):
            found |= set(named)
            continue
        there = {stem.casefold() for stem in named.values()}
        there |= {one[1] or one[2] for stem in there if (one := _PHOTO.fullmatch(stem))}
        for path, stem in named.items():
            owner = _owner(stem)
            if owner and owner.casefold() in there:
                found.add(path)
    return found


def is_for_masks(folder: str) -> bool:
    """Return whether a folder of a class is called as people call the folder of their masks."""
    return folder != GROUND_TRUTH and _MASK_FOLDER.fullmatch(folder) is not None


def is_like_good(kind: str) -> bool:
    """Return whether a kind of defect is called as people call good parts: OK, gut, 良品."""
    if kind == GOOD:
        return False
    plain = unicodedata.normalize("NFKC", kind).casefold()
    return re.sub(r"[\W\d_]+", "", plain) in _GOOD_WORDS


def _owner(stem: str) -> str | None:
    match = _MARKED.fullmatch(stem)
    return (match[1] or match[2]) if match else None
