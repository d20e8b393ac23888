"""Data sets of Amazon Lookout for Vision, whose users kept their images and a manifest.

A manifest has one JSON object per line:

    source-ref               the image, s3://bucket/key or a path
    LABEL                    1 anomalous, 0 normal; LABEL is any key with LABEL-metadata beside it
    anomaly-mask-ref         optional: a picture in which each kind of anomaly has a colour
    anomaly-mask-ref-metadata   which colour is which kind

What becomes of a line: an anomalous image goes to `test/KIND`, where KIND is the one kind in its
mask, `combined` for several, or `anomaly` without a mask. A normal image goes to `train/good`; of a
test manifest, or drawn for it by its content, to `test/good`. Masks become black and white.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from patchae.dataset.bucket import SCHEME, fetch
from patchae.dataset.importing import refusal
from patchae.dataset.layout import GOOD, GROUND_TRUTH
from patchae.dataset.picture import read_picture
from patchae.dataset.splitting import split_of
from patchae.errors import DataError
from patchae.files import Progress, sha256_file, silent
from patchae.images import IMAGE_SUFFIXES
from patchae.images import SUFFIXES as SUFFIXES_OF_KINDS

SUFFIXES = (".manifest", ".jsonl")
_MASK, _MASK_FACTS = "anomaly-mask-ref", "anomaly-mask-ref-metadata"
_UNKIND = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class _Line:
    image: str
    anomalous: bool
    mask: str | None
    colours: Mapping[str, str]
    """Kind of anomaly by its colour, `#rrggbb`; without the background."""


def is_manifest(path: Path) -> bool:
    """Whether a file is such a manifest by its name."""
    return path.name.lower().endswith(SUFFIXES)


def lay_out(
    manifest: Path,
    class_name: str,
    target: Path,
    *,
    test: Path | None = None,
    progress: Progress = silent,
) -> None:
    """Bring the images of a manifest into MVTec AD layout under `target/class_name`.

    Args:
        manifest: the training manifest, or the only one.
        class_name: folder to make.
        target: an empty folder.
        test: the test manifest, if there is one.
        progress: called as images arrive.

    Raises:
        DataError: a line is not what it must be, or an image is nowhere, or of no type of data/.
        StoreUnreachable: S3 does not answer, or refuses.
    """
    parts = [(manifest, _lines(manifest), False)]
    if test:
        parts.append((test, _lines(test), True))
    fetched = target / ".fetched"
    number = 0
    total = sum(len(lines) for _, lines, _ in parts)
    for file, lines, judges in parts:
        files = _gathered(file, lines, fetched, progress)
        if nameless := [line.image for line in lines if not _suffix(files[line.image])]:
            problems = [
                f"{one}: neither its name nor its content is of a type of data/" for one in nameless
            ]
            raise refusal(file, problems)
        for line in lines:
            number += 1
            image = files[line.image]
            mask = files[line.mask] if line.mask else None
            # Names come from the manifest and may clash; a number keeps them apart and in order.
            name = f"{number:05d}-{_UNKIND.sub('-', image.stem)[:80]}"
            to_judge = judges or (test is None and split_of(sha256_file(image)) == "test")
            _place(line, image, mask, target / class_name, name, to_judge=to_judge)
            progress("sorting images", number, total)
    shutil.rmtree(fetched, ignore_errors=True)


def _suffix(image: Path) -> str | None:
    """That of the name if the layout knows it, else that of the content; None: it has neither."""
    own = image.suffix.lower()
    return own if own in IMAGE_SUFFIXES else SUFFIXES_OF_KINDS.get(read_picture(image).kind)


def _place(
    line: _Line, image: Path, mask: Path | None, folder: Path, name: str, *, to_judge: bool
) -> None:
    suffix = _suffix(image)
    if not line.anomalous:
        _copy(image, folder / ("test" if to_judge else "train") / GOOD / f"{name}{suffix}")
        return
    kinds, marked = _marked(mask, line.colours) if mask else ([], None)
    kind = kinds[0] if len(kinds) == 1 else "combined" if kinds else "anomaly"
    _copy(image, folder / "test" / kind / f"{name}{suffix}")
    if marked is not None and marked.any():
        from PIL import Image

        target = folder / GROUND_TRUTH / kind / f"{name}_mask.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(marked.astype(np.uint8) * 255).save(target)


def _marked(mask: Path, colours: Mapping[str, str]) -> tuple[list[str], np.ndarray]:
    """The kinds of anomaly in a mask, and where they are (H, W), bool."""
    from PIL import Image

    if problem := read_picture(mask, as_mask=True).problem:
        raise DataError(
            f"a mask of the manifest cannot be read: {problem}",
            where=str(mask),
            mend="copy it again, or remove its reference from the manifest",
        )
    with Image.open(mask) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(np.uint32)
    codes = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    marked, kinds = np.zeros(codes.shape, bool), []
    for colour, kind in colours.items():
        here = codes == int(colour.removeprefix("#"), 16)
        if here.any():
            kinds.append(_UNKIND.sub("-", kind).strip("-") or "anomaly")
            marked |= here
    return sorted(set(kinds)), marked


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _gathered(
    manifest: Path, lines: Sequence[_Line], fetched: Path, progress: Progress
) -> dict[str, Path]:
    """A file for every reference: a copy beside the manifest if there is one, else from S3."""
    wanted = dict.fromkeys(
        reference for line in lines for reference in (line.image, line.mask) if reference
    )
    found: dict[str, Path] = {}
    remote: list[tuple[str, Path]] = []
    for reference in wanted:
        beside = _beside(manifest.parent, reference)
        if beside:
            found[reference] = beside
        elif reference.startswith(SCHEME):
            suffix = PurePosixPath(reference).suffix
            stem = PurePosixPath(reference).stem
            found[reference] = fetched / f"{len(remote):06d}" / f"{stem}{suffix}"
            remote.append((reference, found[reference]))
        else:
            raise DataError(
                f"an image of the manifest is not there: {reference}",
                where=str(manifest),
                mend="put the images beside the manifest, in the folders that it names",
            )
    fetch(remote, progress)
    return found


def _beside(folder: Path, reference: str) -> Path | None:
    """A copy of what a reference names: the longest end of its path that exists in a folder."""
    parts = PurePosixPath(reference.removeprefix(SCHEME)).parts
    if ".." in parts:
        return None
    for start in range(len(parts)):
        path = folder.joinpath(*(part for part in parts[start:] if part != "/"))
        if path.is_file():
            return path
    return None


def _lines(manifest: Path) -> list[_Line]:
    try:
        text = manifest.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the manifest cannot be read: {error}",
            where=str(manifest),
            mend="name a manifest of Lookout for Vision",
        ) from None
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                found.append(_parsed(json.loads(line)))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise DataError(
                    f"line {number} is not one of Lookout for Vision: {error}",
                    where=str(manifest),
                    mend="it needs source-ref and a label 0 or 1 with its metadata",
                ) from None
    if not found:
        raise DataError(
            "the manifest is empty", where=str(manifest), mend="name one that lists images"
        )
    return found


def _parsed(line: Any) -> _Line:
    image = line["source-ref"]
    labels = [key for key in line if f"{key}-metadata" in line and key not in {"source-ref", _MASK}]
    if not isinstance(image, str) or len(labels) != 1 or line[labels[0]] not in {0, 1}:
        raise ValueError("it has no source-ref, or not one label of 0 or 1")
    mask = line.get(_MASK)
    if not isinstance(mask, str | None):
        raise ValueError(f"{_MASK} is not an address")  # noqa: TRY004 - told with the others
    map_ = line.get(_MASK_FACTS, {}).get("internal-color-map", {})
    colours = {
        kind["hex-color"]: kind["class-name"]
        for kind in map_.values()
        if kind["class-name"].upper() != "BACKGROUND"
    }
    for colour in colours:
        int(colour.removeprefix("#"), 16)
    return _Line(image, line[labels[0]] == 1, mask, colours)
