"""Single changes to a version and to what vouches for it; `tampering` puts them together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from patchae.dataset.validation.record import ValidationRecord
from patchae.files import canonical_json, sha256_bytes
from patchae.lineage.record import digest
from patchae.registry.chain import Row
from tests.support.lineage.answers import edit
from tests.support.lineage.built import Built
from tests.support.lineage.forging import (
    Rows,
    as_insider,
    cut,
    drop_line,
    find,
    reworded,
    rewrite,
)


def stored(built: Built, path: str) -> Path:
    """The object of an image in the remote."""
    return built.remote / built.listing[path]


def rival(built: Built) -> Path:
    """The champion's scores that the verdict compared with."""
    (file,) = built.artifacts.glob("champion-1/*.csv")
    return file


def probe(built: Built) -> Path:
    """The image to try the model with."""
    (file,) = (built.artifacts / "probe").iterdir()
    return file


def other_images(built: Built) -> str:
    """`validation.json` as it would be of other images; its digest."""
    path = built.artifacts / "validation.json"
    rewrite(path, lambda told: told.update(class_digest="e" * 64))
    return str(ValidationRecord.from_dict(json.loads(path.read_text())).digest)


def validated_as(sha256: str) -> Callable[[dict[str, Any]], None]:
    """The record with the digest of another validation."""
    return lambda record: record["validation"].update(sha256=sha256)


def retagged(built: Built, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the record, and its digest in MLflow."""
    path = built.artifacts / "lineage.json"
    rewrite(path, change)
    built.tags["patchae.lineage_sha256"] = digest(json.loads(path.read_text()))


def of_nut(record: dict[str, Any]) -> None:
    """The record as if it were on another model."""
    record.update({"class": "nut", "model": "sample.nut"})


def row(kind: str, **body: Any) -> Callable[[Rows], None]:
    """Change the body of the last row of a kind."""

    def change(rows: Rows) -> None:
        at = find(rows, kind)
        rows[at] = reworded(rows[at], **body)

    return change


def weaker(rows: Rows) -> None:
    """The policy of the verdict asks for less than it did."""
    at = find(rows, "verdict")
    policy = json.loads(rows[at].body)["policy"]
    rows[at] = reworded(rows[at], policy={**policy, "min_image_auroc": 0.1})


def dressed_up(rows: Rows) -> None:
    """The evidence of the verdict counts more images than there were."""
    at = find(rows, "verdict")
    evidence = json.loads(rows[at].body)["evidence"]
    rows[at] = reworded(rows[at], evidence={**evidence, "n_good": 600})


def exchanged(rows: Rows) -> None:
    """Two neighbours stand in each other's place."""
    rows[2], rows[3] = replace(rows[3], seq=3), replace(rows[2], seq=4)


def spoiled(rows: Rows) -> None:
    """A row can no longer be read."""
    rows[2] = replace(rows[2], body=rows[2].body[:-1])


def of_a_new_kind(rows: Rows) -> None:
    """A row says something that no ledger says."""
    rows[2] = replace(rows[2], kind="wished")


def inserted(rows: Rows) -> Rows:
    """A row nobody wrote stands between others."""
    return [*rows[:5], reworded(rows[2], version="9"), *rows[5:]]


def appended(rows: Rows) -> Rows:
    """Somebody without the key added a row."""
    return [*rows, reworded(replace(rows[2], time=rows[-1].time), version="9")]


def retired_before(rows: Rows) -> Rows:
    """The version was retired before it was moved to."""
    at, body = find(rows, "move"), canonical_json({"version": "2", "reason": "old lamp"})
    retired = replace(rows[at - 1], kind="retired", body=body)
    shifted = [_later(one) for one in rows[at:]]
    return [*rows[:at], retired, *shifted]


def _later(one: Row) -> Row:
    body = json.loads(one.body)
    return reworded(one, move=body["move"] + 1) if one.kind == "confirmed" else one


def dated(kind: str, time: str) -> Callable[[Rows], None]:
    """A row has another time."""

    def change(rows: Rows) -> None:
        at = find(rows, kind)
        rows[at] = replace(rows[at], time=time)

    return change


def promotion_undone(built: Built) -> None:
    """The promotion was cut off, and MLflow put back as it was before."""
    cut(built, 7)
    built.aliases = {"champion": "1"}


def unscored(built: Built) -> None:
    """A hard image was left out of the scores, and every digest of them adjusted."""
    path = built.artifacts / "scores.csv"
    drop_line(path, "test/good/005.png")
    new = sha256_bytes(path.read_bytes())
    as_insider(
        built,
        record=lambda record: record["evaluation"].update(scores_sha256=new),
        rows=row("verdict", scores_sha256=new),
    )


def better(built: Built, **numbers: float) -> None:
    """Better results in the record, and in MLflow."""
    as_insider(built, record=lambda record: record["evaluation"].update(numbers))
    logged(built, **numbers)


def logged(built: Built, **numbers: float) -> None:
    """Other metrics in MLflow."""
    built.run = replace(built.run, metrics={**built.run.metrics, **numbers})


def split_adjusted(built: Built) -> None:
    """An image that set the threshold was learned from, and the digest of the list adjusted."""
    path = built.artifacts / "split.csv"
    edit(path, ",calibration", ",learned")
    new = sha256_bytes(path.read_bytes())
    as_insider(built, record=lambda record: record["training"].update(split_sha256=new))


def failed_validation(built: Built) -> None:
    """The images did not pass, and everything says so but the verdict."""
    path = built.artifacts / "validation.json"

    def fail(told: dict[str, Any]) -> None:
        told["passed"] = told["checks"][0]["passed"] = False
        told["checks"][0]["found"] = 1

    rewrite(path, fail)
    new = ValidationRecord.from_dict(json.loads(path.read_text())).digest
    as_insider(built, record=lambda record: record["validation"].update(sha256=new, passed=False))


def run_of(**times: str) -> Callable[[dict[str, Any]], None]:
    """The record with other times of its training."""
    return lambda record: record["run"].update(times)


def run(built: Built, **values: Any) -> None:
    """Other facts of the run in MLflow."""
    built.run = replace(built.run, **values)


def run_tag(built: Built, name: str, value: str) -> None:
    """Another tag of the run."""
    run(built, tags={**built.run.tags, name: value})


def parameter(built: Built, name: str, value: str) -> None:
    """Another parameter of the run."""
    assert name in built.run.params
    run(built, params={**built.run.params, name: value})


def version_removed(built: Built) -> None:
    """MLflow has neither the version nor its run."""
    built.tags, built.run = {}, replace(built.run, deleted=True)


def late_run(built: Built) -> None:
    """MLflow's run is dated an hour after its version was registered."""
    run(built, started=datetime(2026, 5, 1, 11, tzinfo=UTC), ended=None)


def by(actor: str) -> Callable[[Rows], None]:
    """Somebody else wrote the verdict."""

    def change(rows: Rows) -> None:
        at = find(rows, "verdict")
        rows[at] = replace(rows[at], actor=actor)

    return change


def set_back(built: Built) -> None:
    """The clock stood a day back while it trained: the rows before it are from later."""
    as_insider(
        built, record=run_of(started="2026-04-30T10:00:00Z", finished="2026-04-30T10:00:12Z")
    )
    built.made = "2026-04-30T09:30:00+00:00"


def early(built: Built) -> None:
    """The version is dated as registered before the training began."""
    as_insider(built, rows=dated("registered", "2026-05-01T09:07:00Z"))


def made_later(built: Built) -> None:
    """The data version is noted as made an hour after the training."""
    built.made = "2026-05-01T11:00:00+00:00"
