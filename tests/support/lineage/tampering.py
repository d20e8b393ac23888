"""Everything that somebody could change behind patchae's back, and the links that show it.

`MATRIX` is data: whatever verifies a chain can be run on it. Each change is made to a copy of
`build(folder, proven=True)`: version 2 of `sample.bolt`, compared with champion 1, in a signed
ledger of nine rows whose end the auditor noted (6 registers it, 7 judges it, 8 moves the alias).

The insider of `forging` holds the ledger's key and all that was noted of it; what he changes is
found only because it is computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.support.lineage import changes as do
from tests.support.lineage.answers import edit
from tests.support.lineage.built import Built
from tests.support.lineage.changes import row
from tests.support.lineage.forging import (
    as_insider,
    cut,
    drop_line,
    flip,
    forge,
    forge_chained,
    rewrite,
    with_another_key,
)
from tests.support.lineage.moved import judged_again, used_twice

TRAINED, HOLE = "bolt/train/good/007.png", "bolt/test/hole/001.png"
MASK = "bolt/ground_truth/hole/001_mask.png"


@dataclass(frozen=True)
class Tampering:
    """One change, and the codes of exactly those links that it breaks."""

    name: str
    apply: Callable[[Built], object]
    links: frozenset[str]


def _t(name: str, apply: Callable[[Built], object], *links: str) -> Tampering:
    return Tampering(name, apply, frozenset(links))


FILES = (
    _t(
        "a byte of the weights",
        lambda b: flip(b.model / "artifacts/model.safetensors"),
        "model_files",
    ),
    _t("a file of the model removed", lambda b: (b.model / "MLmodel").unlink(), "model_files"),
    _t("a file added to the model", lambda b: (b.model / "x.pyc").touch(), "model_files"),
    _t("a byte of a training image", lambda b: flip(do.stored(b, TRAINED)), "data_version"),
    _t("a byte of a test image", lambda b: flip(do.stored(b, HOLE)), "data_version"),
    _t("a byte of a mask", lambda b: flip(do.stored(b, MASK)), "data_version"),
    _t("an image removed", lambda b: do.stored(b, TRAINED).unlink(), "data_version"),
    _t("a byte of the .dir listing", lambda b: flip(b.remote / b.data_version), "data_version"),
    _t("the .dir listing removed", lambda b: (b.remote / b.data_version).unlink(), "data_version"),
    _t(
        "an image off the manifest",
        lambda b: drop_line(b.artifacts / "manifest.csv", TRAINED),
        *("manifest", "data_version", "split"),
    ),
    _t("the manifest removed", lambda b: (b.artifacts / "manifest.csv").unlink(), "manifest"),
    _t(
        "a score",
        lambda b: edit(b.artifacts / "scores.csv", ",0,0.3,0", ",0,0.25,0"),
        *("scores", "verdict_recomputed"),
    ),
    _t("the scores removed", lambda b: (b.artifacts / "scores.csv").unlink(), "scores"),
    _t("a score of the champion", lambda b: flip(do.rival(b), -3), "verdict_recomputed"),
    _t("the champion's scores removed", lambda b: do.rival(b).unlink(), "verdict_recomputed"),
    _t(
        "what an image was used for",
        lambda b: edit(b.artifacts / "split.csv", ",calibration", ",learned"),
        "split",
    ),
    _t(
        "a version of a package",
        lambda b: edit(b.artifacts / "components.json", "2.3.1", "2.3.2"),
        "environment",
    ),
    _t(
        "a finding of the validation",
        lambda b: edit(b.artifacts / "validation.json", '"found": 0', '"found": 1'),
        "validation",
    ),
    _t("the validation of other images in its place", do.other_images, "validation"),
    _t("the image to try the model with", lambda b: flip(do.probe(b)), "probe"),
)

RECORD = (
    _t(
        "the record",
        lambda b: rewrite(b.artifacts / "lineage.json", do.run_of(actor="eve")),
        *("lineage_record", "registered"),
    ),
    _t(
        "the record and its tag",
        lambda b: do.retagged(b, do.run_of(actor="eve")),
        *("lineage_record", "registered"),
    ),
    _t(
        "the record of another model in its place",
        lambda b: do.retagged(b, do.of_nut),
        *("lineage_record", "registered", "mlflow", "manifest", "data_version", "validation"),
    ),
    _t(
        "a field of the record removed",
        lambda b: do.retagged(b, lambda record: record["run"].pop("actor")),
        "lineage_record",
    ),
    _t("the record removed", lambda b: (b.artifacts / "lineage.json").unlink(), "lineage_record"),
)

MLFLOW = (
    _t("a threshold", lambda b: b.tags.update({"patchae.threshold": "0.9"}), "threshold"),
    _t("a tag", lambda b: b.tags.update({"patchae.training_key": "f" * 64}), "mlflow"),
    _t(
        "the tag of the record",
        lambda b: b.tags.update({"patchae.lineage_sha256": "f" * 64}),
        "lineage_record",
    ),
    _t(
        "a tag of the run",
        lambda b: do.run_tag(b, "patchae.data_version", "0" * 32 + ".dir"),
        "mlflow",
    ),
    _t(
        "a tag that leads to another row",
        lambda b: b.tags.update({"patchae.ledger_verdict": "3:" + "f" * 64}),
        "mlflow",
    ),
    _t("a metric", lambda b: do.logged(b, image_auroc=0.999), "mlflow"),
    _t("a metric that was not measured", lambda b: do.logged(b, pixel_auroc=0.9), "mlflow"),
    _t("a parameter", lambda b: do.parameter(b, "epochs", "60"), "mlflow"),
    _t("another run behind the version", lambda b: do.run(b, run_id="0" * 32), "mlflow"),
    _t("the run in the trash", lambda b: do.run(b, deleted=True), "mlflow"),
    _t("the version removed", do.version_removed, "mlflow", "lineage_record"),
    _t("the alias moved", lambda b: b.aliases.update(champion="1"), "champion"),
    _t("the alias removed", lambda b: b.aliases.pop("champion"), "champion"),
    _t("where a rollback leads", lambda b: b.aliases.update(previous="2"), "champion"),
    _t("the run started after it was registered", do.late_run, "times"),
)

LEDGER = (
    _t("who wrote a row", lambda b: forge(b, do.by("eve")), "ledger_chain"),
    _t("a row dropped", lambda b: forge(b, lambda rows: [*rows[:2], *rows[3:]]), "ledger_chain"),
    _t("a row that is no JSON", lambda b: forge(b, do.spoiled), "ledger_chain"),
    _t(
        "a row of an unknown kind, digests recomputed",
        lambda b: forge_chained(b, do.of_a_new_kind),
        *("ledger_chain", "registered", "mlflow"),
    ),
    _t("two rows exchanged", lambda b: forge(b, do.exchanged), "ledger_chain"),
    _t(
        "a row inserted, digests recomputed",
        lambda b: forge_chained(b, do.inserted),
        *("ledger_chain", "verdict", "mlflow"),
    ),
    _t("a row added without the key", lambda b: forge_chained(b, do.appended), "ledger_chain"),
    _t("the last row cut off", lambda b: cut(b, 8), "ledger_chain"),
    _t("the promotion cut off", do.promotion_undone, "ledger_chain", "champion"),
    _t(
        "all rows cut off",
        lambda b: cut(b, 0),
        *("ledger_chain", "registered", "champion", "verdict", "mlflow"),
    ),
    _t("signed with another key", with_another_key, "ledger_chain"),
    _t(
        "a weaker policy, digests recomputed",
        lambda b: forge_chained(b, do.weaker),
        *("ledger_chain", "verdict_recomputed", "mlflow"),
    ),
    _t(
        "the verdict, digests recomputed",
        lambda b: forge_chained(b, row("verdict", outcome="hold")),
        *("ledger_chain", "verdict", "verdict_recomputed", "mlflow"),
    ),
    _t(
        "the clock set back for a move",
        lambda b: forge_chained(b, do.dated("move", "2026-05-01T10:00:59Z")),
        "ledger_chain",
    ),
    _t(
        "a time that is none, digests recomputed",
        lambda b: forge_chained(b, do.dated("confirmed", "yesterday")),
        "ledger_chain",
    ),
    _t(
        "another run registered, digests recomputed",
        lambda b: forge_chained(b, row("registered", run_id="0" * 32)),
        *("ledger_chain", "registered", "mlflow"),
    ),
)

INSIDER = (
    _t("a weaker policy, signed", lambda b: as_insider(b, rows=do.weaker), "verdict_recomputed"),
    _t("dressed-up evidence", lambda b: as_insider(b, rows=do.dressed_up), "verdict_recomputed"),
    _t(
        "a verdict of hold",
        lambda b: as_insider(b, rows=row("verdict", outcome="hold")),
        *("verdict", "verdict_recomputed"),
    ),
    _t(
        "moved from another champion",
        lambda b: as_insider(b, rows=row("move", **{"from": "7"})),
        "verdict",
    ),
    _t("moved to though judged again", lambda b: as_insider(b, rows=judged_again), "verdict"),
    _t("moved to twice on one verdict", lambda b: as_insider(b, rows=used_twice), "verdict"),
    _t("moved to though retired", lambda b: as_insider(b, rows=do.retired_before), "verdict"),
    _t("a better recall", lambda b: do.better(b, false_alarm_rate=0.0), "evaluation"),
    _t("a better AUROC", lambda b: do.better(b, image_auroc=0.999), "evaluation"),
    _t("a test image left out", do.unscored, "scores", "evaluation", "verdict_recomputed"),
    _t("a calibration image learned from", do.split_adjusted, "split"),
    _t(
        "the validation of other images, and its digest",
        lambda b: as_insider(b, record=do.validated_as(do.other_images(b))),
        "validation",
    ),
    _t("validation failed", do.failed_validation, "validation", "verdict_recomputed"),
    _t(
        "started after it ended",
        lambda b: as_insider(b, record=do.run_of(started="2026-05-01T11:00:00Z")),
        "times",
    ),
    _t("trained with the clock set back", do.set_back, "times"),
    _t("registered before it was trained", do.early, "times"),
    _t("images made after the training", do.made_later, "times"),
)

MATRIX = (*FILES, *RECORD, *MLFLOW, *LEDGER, *INSIDER)
