"""Score a folder or a bucket by one version, so that a kill costs a few images at most.

    <out>/job.json           whose scores these are
    <out>/chunks/*.unlogged  what is scored, and may not be in the log of decisions yet
    <out>/chunks/*.parquet   what is done; gone once all is
    <out>/scores.parquet     one row per image
    <out>/worst.html         the images with the highest scores

The same call again scores what is new or changed or could not be read, and nothing else. An image
that cannot be read has a row that says why, and stops no other.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from patchae.errors import DataError, StoreBusy, UsageError
from patchae.files import Progress, sha256_file, silent, write_json
from patchae.predictions.alone import alone
from patchae.predictions.record import Prediction, as_text
from patchae.steps.sources import Item, fetched, listed

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
    "warnings": "string",
}
"""Of scores.parquet; `stamp` tells whether a file is still the one that was scored, `warnings` what
makes a score doubtful."""
_WHEN = {"decided": "datetime64[us, UTC]", "latency_ms": "float64"}
"""What a chunk has besides, for the log."""
_UNLOGGED = ".unlogged"
"""Ends the name of a chunk of which decisions may not be logged yet."""


@dataclass(frozen=True)
class Job:
    """Whose scores a folder holds."""

    model: str
    version: str
    source: str
    threshold: float


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
        StoreBusy: another process scores into `out`.
        StoreUnreachable: the bucket cannot be reached; or a call was killed while it logged, and
            the S3 where it did so cannot.
    """
    items = images_of(job.source)
    _claim(out, job)
    with alone(out / "job.json") as ours:
        if not ours:
            raise StoreBusy(
                "another process scores into this folder",
                where=str(out),
                mend="wait for it to end, or name another --out",
            )
        return _score_due(detector, job, items, out, log, progress=progress, chunk=chunk)


def images_of(source: str) -> list[Item]:
    """Return the images of a source in the order of their names, at least one.

    Raises:
        DataError: there is no such source, or it has no images.
        StoreUnreachable: the bucket does not answer.
    """
    items = list(listed(source))
    if not items:
        raise DataError(
            "there are no images", where=source, mend="name a folder or prefix that has some"
        )
    return items


def require_free(out: Path, source: str) -> None:
    """Let only a folder pass that is new, empty, or holds scores of this source.

    Raises:
        UsageError: it is a file, or holds something else.
    """
    if out.is_file():
        raise UsageError("this is a file", where=str(out), mend="name a folder for --out")
    if held := _job_of(out):
        if held["source"] != source:
            raise _taken(out, held, source)
    elif out.exists() and any(out.iterdir()):
        raise UsageError(
            "the folder holds something else", where=str(out), mend="name a new one for --out"
        )


def _job_of(out: Path) -> dict[str, Any] | None:
    file = out / "job.json"
    return dict(json.loads(file.read_text())) if file.exists() else None


def _taken(out: Path, held: dict[str, Any], wanted: str) -> UsageError:
    return UsageError(
        f"the folder holds scores of {held['model']}/{held['version']} at threshold"
        f" {held['threshold']} for {held['source']}",
        where=str(out),
        mend=f"name another --out for {wanted}, or remove this one",
    )


def _score_due(
    detector: PatchAE,
    job: Job,
    items: Sequence[Item],
    out: Path,
    log: PredictionLog,
    *,
    progress: Progress,
    chunk: int,
) -> pd.DataFrame:
    _settle(out, job, log)
    known = {item.name: item.stamp for item in items}
    done = _done(out)
    done = done[(done.name.map(known) == done.stamp) & done.error.isna()]
    scored = set(done.name)
    due = [item for item in items if item.name not in scored]
    progress("scoring images", len(scored), len(items))
    for start in range(0, len(due), chunk):
        some = due[start : start + chunk]
        with fetched(job.source, some) as paths:
            rows = _score(detector, some, paths)
        file = out / "chunks" / f"{time.time_ns()}{_UNLOGGED}"
        _write(file, rows)
        _log(file, _decisions(job, rows), log)
        progress("scoring images", len(scored) + start + len(some), len(items))
    if due or not (out / "scores.parquet").exists() or len(done) != len(_done(out)):
        whole = _done(out)
        whole = whole[whole.name.map(known) == whole.stamp]
        _write(out / "scores.parquet", whole)
        shutil.rmtree(out / "chunks", ignore_errors=True)
    return _done(out).sort_values(["score", "name"], ascending=[False, True], na_position="last")


def _claim(out: Path, job: Job) -> None:
    require_free(out, job.source)
    if held := _job_of(out):
        if held != asdict(job):
            wanted = f"{job.model}/{job.version} at threshold {job.threshold}"
            raise _taken(out, held, wanted)
        return
    write_json(out / "job.json", asdict(job))


def _settle(out: Path, job: Job, log: PredictionLog) -> None:
    """Log what a killed call had decided and not logged, and count its chunk as done."""
    import pandas as pd

    for file in sorted((out / "chunks").glob(f"*{_UNLOGGED}")):
        decisions = _decisions(job, pd.read_parquet(file))
        logged = log.logged(decisions)
        _log(file, [one for one in decisions if one not in logged], log)


def _log(file: Path, decisions: Sequence[Prediction], log: PredictionLog) -> None:
    """Log the decisions of a chunk; only after that it counts as done, so that each is logged."""
    for one in decisions:
        log.append(one)
    file.rename(file.with_suffix(".parquet"))


def _decisions(job: Job, rows: pd.DataFrame) -> list[Prediction]:
    """What is logged of the rows of a chunk: of the same rows always the same."""
    return [
        Prediction(
            time=row["decided"].to_pydatetime(),
            image=str(row["sha256"]),
            name=str(row["name"])[:500],
            model=job.model,
            version=job.version,
            score=float(row["score"]),
            threshold=job.threshold,
            anomalous=bool(row["anomalous"]),
            latency_ms=float(row["latency_ms"]),
            origin="batch",
        )
        for row in rows[rows.score.notna()].to_dict("records")
    ]


def _score(detector: PatchAE, items: Sequence[Item], paths: Sequence[Path]) -> pd.DataFrame:
    """Rows of some images, and when each was decided."""
    import pandas as pd

    from patchae.model.images import load

    started = time.perf_counter()
    rows, whole = [], []
    for item, path in zip(items, paths, strict=True):
        row: dict[str, object] = dict.fromkeys(COLUMNS | _WHEN) | asdict(item)
        rows.append(row)
        try:
            row["sha256"] = sha256_file(path)
            row["warnings"] = "; ".join(detector.check(path)) or None
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
        row["decided"], row["latency_ms"] = datetime.now(UTC), share
    return pd.DataFrame(rows).astype(COLUMNS | _WHEN)


def _done(out: Path) -> pd.DataFrame:
    """What was scored so far; of an image that was scored twice the newest."""
    import pandas as pd

    files = [out / "scores.parquet", *sorted((out / "chunks").glob("*.parquet"))]
    held = [
        pd.read_parquet(file).reindex(columns=[*COLUMNS]).astype(COLUMNS)
        for file in files
        if file.exists()
    ]
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat([empty, *held]).drop_duplicates("name", keep="last").reset_index(drop=True)


def _write(file: Path, rows: pd.DataFrame) -> None:
    from patchae.files import file_in_one_step

    with file_in_one_step(file) as draft:
        rows.to_parquet(draft, index=False)
