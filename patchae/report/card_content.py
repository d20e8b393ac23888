"""What a model card says, from the lineage record alone: equal records give equal cards.

The version number is not in the record, which is written before there is one; the digest of the
record stands for it, and the ledger's row on the registration ties the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from patchae.evidence.counts import share_interval
from patchae.lineage.record import LineageRecord, digest
from patchae.report import text
from patchae.report.card_limits import limits, promise
from patchae.report.card_parts import Card, Code, Row, Section, images, moment, value_of

_SHOWN = ("patchae", "torch", "torchvision", "timm", "numpy", "pillow", "safetensors")
"""Packages that a card names; `components.json` has all of them."""


def card_of(content: Mapping[str, Any]) -> Card:
    """The card of a lineage record, given as the JSON of `lineage.json`.

    Raises:
        ValueError: the record is not complete.
    """
    record = LineageRecord.model_validate(content)
    run = record.run
    return Card(
        title=f"Model card: {record.model}",
        lead=f"Finds anomalies in images of '{record.class_name}' on line '{record.line}'.",
        facts=(
            ("Trained", moment(run.started)),
            ("Record, sha256", Code(digest(content))),
            ("Data version", Code(record.data.version)),
            ("Code", f"patchae {record.source.patchae_version}"),
        ),
        sections=(
            _purpose(record),
            _data(record),
            _validation(record),
            _training(record),
            _settings(record),
            _environment(record),
            _results(record),
            Section("Threshold", promise(record)),
            _policy(record),
            Section("Limits", items=limits(record)),
            _files(record),
            _verify(record),
        ),
    )


def _purpose(record: LineageRecord) -> Section:
    return Section(
        "What it is for",
        (
            f"One image of '{record.class_name}' in; out come an anomaly score, a decision (alarm"
            f" or none) and a map of where the image is unusual. It learned what good parts look"
            " like, from images of good parts alone, and knows no kinds of defects.",
            "It is made for visual inspection of this product under the camera and light of its"
            " training images. It is not made for other products, for safety functions of a"
            " machine, or for anything about people.",
        ),
    )


def _data(record: LineageRecord) -> Section:
    data, training = record.data, record.training
    return Section(
        "Data",
        (
            "No test image influenced training, threshold or settings. The images are in DVC under"
            " the data version; `manifest.csv` lists each with its content.",
        ),
        ("what", "value"),
        (
            ("data version", Code(data.version)),
            ("class digest", Code(data.class_digest)),
            ("manifest, sha256", Code(data.manifest_sha256)),
            ("train/good", images(data.images.train_good)),
            ("of these learned", images(training.learned)),
            ("of these set the threshold", images(training.calibration)),
            ("split, sha256", Code(training.split_sha256)),
            ("test/good", images(data.images.test_good)),
            ("test, defective", images(data.images.test_defect)),
        ),
    )


def _validation(record: LineageRecord) -> Section:
    found = record.validation
    word = "passed" if found.passed else "did NOT pass"
    some = "; these found something:" if found.findings else ", none of which found anything."
    return Section(
        "Validation of the images",
        (f"The images {word} {text.count(found.checks, 'check')}{some}",),
        ("code", "severity", "images") if found.findings else (),
        tuple((Code(one.code), one.severity, f"{one.found:,}") for one in found.findings),
    )


def _training(record: LineageRecord) -> Section:
    training, source, run = record.training, record.source, record.run
    flow_run, commit = run.prefect_flow_run_id, source.git_commit
    tree = {True: "nothing but that", False: "uncommitted changes", None: "not known"}
    return Section(
        "Training",
        (),
        ("what", "value"),
        (
            ("backbone", training.backbone),
            ("weights of the backbone, sha256", Code(training.weights_sha256)),
            ("seed", str(training.seed)),
            ("began", moment(run.started)),
            ("took", f"{training.seconds:.1f} s"),
            ("why", f"{run.trigger.replace('_', ' ')}{f': {run.reason}' if run.reason else ''}"),
            *((("started by", run.started_by),) if run.started_by else ()),
            ("by", f"{run.actor} on {run.host}"),
            ("flow run", Code(flow_run) if flow_run else "none: by hand"),
            ("run in MLflow", Code(run.mlflow_run_id)),
            ("Git commit", Code(commit) if commit else "none: outside Git"),
            ("working tree", tree[source.git_clean]),
            ("source of the model, sha256", Code(source.model_source_sha256)),
            ("training key", Code(record.training_key)),
        ),
    )


def _settings(record: LineageRecord) -> Section:
    return Section(
        "Settings",
        (),
        ("setting", "value"),
        tuple((name, value_of(value)) for name, value in record.training.settings.items()),
    )


def _environment(record: LineageRecord) -> Section:
    place = record.environment
    named = [f"{name} {place.packages[name]}" for name in _SHOWN if name in place.packages]
    return Section(
        "Environment",
        (),
        ("what", "value"),
        (
            ("Python", place.python),
            ("platform", place.platform),
            ("device", f"{place.device}: {place.device_name}"),
            ("driver", place.driver or "none"),
            ("threads", str(place.threads)),
            ("packages", f"{len(place.packages)}, among them {', '.join(named) or 'none of note'}"),
            ("list of components, sha256", Code(place.components_sha256)),
        ),
    )


def _results(record: LineageRecord) -> Section:
    told = record.evaluation
    kinds = (
        (
            f"recall of '{kind}'",
            text.percent(tally.found / tally.n if tally.n else None),
            _interval(share_interval(tally.found, tally.n) if tally.n else None, text.percent),
            f"{tally.found} of {text.count(tally.n, 'image')}",
        )
        for kind, tally in sorted(told.recall_by_defect.items())
    )
    both = f"{told.n_good} good, {told.n_defect} defective"
    good, defective = images(told.n_good), images(told.n_defect)
    return Section(
        "What it showed on the test images",
        ("Intervals hold the value on all such images with a confidence of 95 %.",),
        ("measure", "value", "95 % interval", "on"),
        (
            _measure("image AUROC", told.image_auroc, told.image_auroc_interval, both, both),
            _measure("pixel AUROC", told.pixel_auroc, told.pixel_auroc_interval, "pixels"),
            _measure("AUPRO", told.aupro, told.aupro_interval, "regions of defects"),
            (
                "recall",
                text.percent(told.recall),
                _interval(told.recall_interval, text.percent),
                defective,
            ),
            *kinds,
            (
                "false alarms",
                text.percent(told.false_alarm_rate),
                _interval(told.false_alarm_rate_interval, text.percent),
                good,
            ),
            ("time per image", f"{text.number(told.ms_per_image, 3)} ms", text.NONE, "one by one"),
        ),
    )


def _policy(record: LineageRecord) -> Section:
    return Section(
        "Gates",
        (
            "What stood in `lines.yaml` when the model was registered. The verdict, and the policy"
            " that it was decided under, are rows of the ledger.",
        ),
        ("gate", "value"),
        tuple((name, value_of(value)) for name, value in record.policy.items()),
    )


def _files(record: LineageRecord) -> Section:
    return Section(
        "Files",
        (),
        ("file", "bytes", "sha256"),
        tuple(
            (Code(path), f"{file.bytes:,}", Code(file.sha256))
            for path, file in sorted(record.files.items())
        ),
    )


def _verify(record: LineageRecord) -> Section:
    before = record.ledger
    stood = f"row {before.seq}, digest {before.digest}" if before else "no row at all"
    return Section(
        "How to verify it",
        (
            "Everything here is from one lineage record. The ledger's row on the registration holds"
            " the version's number and the digest of the record, which is shown at the top; the"
            f" newest row before it was {stood}.",
        ),
        commands=(
            (f"patchae audit {record.model}/VERSION", "is all of this still true?"),
            (f"patchae reproduce {record.model}/VERSION", "does it come out the same again?"),
            (f"patchae history {record.model}", "was it in use, when, and who decided it?"),
        ),
    )


def _measure(
    name: str,
    value: float | None,
    ends: list[float] | None,
    what: str,
    without: str = "no masks",
) -> Row:
    if value is None:
        return name, text.NONE, text.NONE, without
    return name, text.auroc(value), _interval(ends, text.auroc), what


def _interval(ends: Iterable[float] | None, write: Any) -> str:
    return text.NONE if ends is None else " to ".join(write(end) for end in ends)
