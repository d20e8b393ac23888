"""Score a folder or a bucket by one version, so that a kill costs a few images at most.

    <out>/job.json          whose scores these are
    <out>/chunks/*.parquet  what is done; gone once all is
    <out>/scores.parquet    one row per image
    <out>/worst.html        the images with the highest scores

The same call again scores what is new or changed or could not be read, and nothing else. An image
that cannot be read has a row that says why, and stops no other.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset import bucket
from patchae.dataset.layout import IMAGE_SUFFIXES
from patchae.errors import DataError, StoreUnreachable, UsageError
from patchae.files import Progress, sha256_file, silent, write_json
from patchae.predictions.record import Prediction, as_text

if TYPE_CHECKING:
    import pandas as pd

    from patchae.model.detector import PatchAE
    from patchae.predictions.log import PredictionLog

CHUNK = 64
COLUMNS = {
    "name": "string",
    "stamp": "string",
    "sha256": "string",
    "score": "float64",
    "anomalous": "boolean",
    "error": "string",
}
"""Of scores.parquet; `stamp` tells whether a file is still the one that was scored."""


@dataclass(frozen=True)
class Job:
    """Whose scores a folder holds."""

    model: str
    version: str
    source: str
    threshold: float


@dataclass(frozen=True)
class _Item:
    """One image of a source."""

    name: str
    stamp: str


def score_source(
    detector: PatchAE,
    job: Job,
    out: Path,
    log: PredictionLog,
    *,
    progress: Progress = silent,
    chunk: int = CHUNK,
) -> pd.DataFrame:
    """Score every image of a source that is not scored yet; all rows, highest score first.

    Args:
        detector: the version's model.
        job: model, version and source: a folder, or `s3://bucket/prefix`.
        out: folder of the results; made if need be.
        log: where decisions are logged.
        progress: called after every chunk.
        chunk: images between two writes.

    Raises:
        UsageError: `out` holds scores of another version or source.
        DataError: there are no images.
        StoreUnreachable: the bucket cannot be reached.
    """
    items = list(_listed(job.source))
    if not items:
        raise DataError(
            "there are no images", where=job.source, mend="name a folder or prefix that has some"
        )
    _claim(out, job)
    known = {item.name: item.stamp for item in items}
    done = _done(out)
    done = done[(done.name.map(known) == done.stamp) & done.error.isna()]
    scored = set(done.name)
    due = [item for item in items if item.name not in scored]
    progress("scoring images", len(scored), len(items))
    for start in range(0, len(due), chunk):
        some = due[start : start + chunk]
        with _fetched(job.source, some) as paths:
            rows = _score(detector, job, some, paths, log)
        _write(out / "chunks" / f"{time.time_ns()}.parquet", rows)
        progress("scoring images", len(scored) + start + len(some), len(items))
    if due or not (out / "scores.parquet").exists() or len(done) != len(_done(out)):
        whole = _done(out)
        whole = whole[whole.name.map(known) == whole.stamp]
        _write(out / "scores.parquet", whole)
        shutil.rmtree(out / "chunks", ignore_errors=True)
    return _done(out).sort_values(["score", "name"], ascending=[False, True], na_position="last")


def _claim(out: Path, job: Job) -> None:
    file = out / "job.json"
    if file.exists():
        held = json.loads(file.read_text())
        if held != asdict(job):
            raise UsageError(
                f"the folder holds scores of {held['model']}/{held['version']} for"
                f" {held['source']}",
                where=str(out),
                mend=f"name another --out for {job.model}/{job.version}, or remove this one",
            )
        return
    if out.exists() and any(out.iterdir()):
        raise UsageError(
            "the folder holds something else", where=str(out), mend="name a new one for --out"
        )
    write_json(file, asdict(job))


def _listed(source: str) -> Iterator[_Item]:
    """The images of a source in the order of their names."""
    if source.startswith(bucket.SCHEME):
        for key, stamp in sorted(bucket.stamped(source)):
            if Path(key).suffix.lower() in IMAGE_SUFFIXES:
                yield _Item(key, stamp)
        return
    root = Path(source)
    if not root.is_dir():
        raise DataError("no such folder", where=source, mend="name a folder of images")
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            told = path.stat()
            name = path.relative_to(root).as_posix()
            yield _Item(as_text(name), f"{told.st_size}-{told.st_mtime_ns}")


def _file(root: Path, name: str) -> Path:
    """The file of a name, whose bytes that are no text may stand as `\\udcff` in it."""
    path = root / name
    if path.exists():
        return path
    return root / re.sub(r"\\u(dc[89a-f][0-9a-f])", lambda found: chr(int(found[1], 16)), name)


class _fetched:  # noqa: N801 - reads as a word at its place
    """The files of some images, in their order; those of a bucket only for the block.

    One that is gone by now has a path, and no file.
    """

    def __init__(self, source: str, items: Sequence[_Item]) -> None:
        self._source, self._items = source, items
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> list[Path]:
        if not self._source.startswith(bucket.SCHEME):
            return [_file(Path(self._source), item.name) for item in self._items]
        self._folder = tempfile.TemporaryDirectory()
        paths = [
            Path(self._folder.name) / f"{number}{Path(item.name).suffix}"
            for number, item in enumerate(self._items)
        ]
        base = self._source.rstrip("/")
        files = {
            item.name: (f"{base}/{item.name}", path)
            for item, path in zip(self._items, paths, strict=True)
        }
        try:
            bucket.fetch([*files.values()])
        except StoreUnreachable:
            # An object that was deleted since it was listed fails as a server does that is away.
            there = {key for key, _ in bucket.stamped(self._source)}
            if files.keys() <= there:
                raise
            bucket.fetch([one for name, one in files.items() if name in there])
        return paths

    def __exit__(self, *_: object) -> None:
        if self._folder:
            self._folder.cleanup()


def fetched_one(source: str, name: str) -> AbstractContextManager[Path]:
    """The file of one image for the length of a block."""

    @contextmanager
    def one() -> Iterator[Path]:
        with _fetched(source, [_Item(name, "")]) as (path,):
            yield path

    return one()


def _score(
    detector: PatchAE,
    job: Job,
    items: Sequence[_Item],
    paths: Sequence[Path],
    log: PredictionLog,
) -> pd.DataFrame:
    """Rows of some images; each decision is logged."""
    import pandas as pd

    from patchae.model.images import load

    started = time.perf_counter()
    rows, whole = [], []
    for item, path in zip(items, paths, strict=True):
        row: dict[str, object] = dict.fromkeys(COLUMNS) | asdict(item)
        rows.append(row)
        try:
            row["sha256"] = sha256_file(path)
            pixels = load(path, detector.settings.image_size, detector.white)
            whole.append((row, pixels.permute(1, 2, 0).numpy()))
        except DataError as error:
            row["error"] = as_text(error.what)
        except OSError as error:
            row["error"] = as_text(error.strerror or str(error))
    answers = detector.score([pixels for _, pixels in whole])
    share = (time.perf_counter() - started) * 1e3 / max(1, len(items))
    for (row, _), answer in zip(whole, answers, strict=True):
        row["score"], row["anomalous"] = answer.score, answer.anomalous
        log.append(
            Prediction(
                time=datetime.now(UTC),
                image=str(row["sha256"]),
                name=str(row["name"])[:500],
                model=job.model,
                version=job.version,
                score=answer.score,
                threshold=job.threshold,
                anomalous=answer.anomalous,
                latency_ms=share,
                origin="batch",
            )
        )
    return pd.DataFrame(rows).astype(COLUMNS)


def _done(out: Path) -> pd.DataFrame:
    """What was scored so far; of an image that was scored twice the newest."""
    import pandas as pd

    files = [out / "scores.parquet", *sorted((out / "chunks").glob("*.parquet"))]
    held = [pd.read_parquet(file).astype(COLUMNS) for file in files if file.exists()]
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat([empty, *held]).drop_duplicates("name", keep="last").reset_index(drop=True)


def _write(file: Path, rows: pd.DataFrame) -> None:
    from patchae.files import file_in_one_step

    with file_in_one_step(file) as draft:
        rows.to_parquet(draft, index=False)
