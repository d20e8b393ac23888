"""What a model does not show and does not promise, as far as its lineage record tells."""

from __future__ import annotations

from patchae.lineage.record import LineageRecord
from patchae.model.threshold import FEW, false_alarm_interval, weak_threshold
from patchae.report import text

WIDE = 0.1
"""An interval of image AUROC that is wider says little."""
FEW_OF_A_KIND = 10
"""Fewer images of a kind of defect leave its recall open."""


def promise(record: LineageRecord) -> tuple[str, ...]:
    """What the threshold is, and which rate of false alarms it promises."""
    count, told = record.training.calibration, record.evaluation
    sentences = [
        f"Scores above {text.number(told.threshold, 6)} are alarms. The threshold was set by"
        f" {text.count(count, 'good image')} that the model did not learn from (split conformal"
        " calibration)."
    ]
    rate = record.training.settings.get("false_alarm_rate")
    if isinstance(rate, float) and 0 < rate < 1 and count:
        low, high = false_alarm_interval(count, rate)
        held = rate if (count + 1) * rate >= 1 else 1 / (count + 1)
        sentences.append(
            f"It was asked to let at most {text.percent(rate)} of good parts raise an alarm, and"
            f" holds {text.percent(held)} on average over such calibrations; this one lies between"
            f" {text.percent(low)} and {text.percent(high)} with a probability of 95 %."
        )
    sentences.append(
        "That holds for parts that are made, lit and photographed like those in train/good, and"
        " ends where they change. Of recall it promises nothing: what was measured stands above."
    )
    sentences.append(
        "Somebody may have moved it since, which no record of a training can say:"
        f" `patchae threshold {record.model}/VERSION` tells, from the ledger."
    )
    return tuple(sentences)


def limits(record: LineageRecord) -> tuple[str, ...]:
    """The limits, the general ones first."""
    return (
        "Kinds of defects that no test image shows were not tried. A score is no probability, and"
        " its size is only comparable within this version.",
        *_of_training(record),
        *_of_test(record),
        *_of_origin(record),
    )


def _of_training(record: LineageRecord) -> list[str]:
    found, training = [], record.training
    used = training.learned + training.calibration
    if used < FEW:
        found.append(f"Weak threshold: {weak_threshold(used)}.")
    rate = training.settings.get("false_alarm_rate")
    if isinstance(rate, float) and (training.calibration + 1) * rate < 1:
        found.append(
            f"{text.count(training.calibration, 'image')} cannot show a false-alarm rate of"
            f" {text.percent(rate)}: the threshold is their largest score."
        )
    return found


def _of_test(record: LineageRecord) -> list[str]:
    found, told = [], record.evaluation
    ends = told.image_auroc_interval
    if ends is None:
        found.append(
            f"How sure the image AUROC is, is not known: {told.n_good} good and {told.n_defect}"
            " defective test images are too few for an interval."
        )
    elif ends[1] - ends[0] > WIDE:
        found.append(
            f"Few test images: the image AUROC on all such images may lie anywhere from"
            f" {text.auroc(ends[0])} to {text.auroc(ends[1])}."
        )
    few = [
        f"'{kind}' ({tally.n})"
        for kind, tally in sorted(told.recall_by_defect.items())
        if tally.n < FEW_OF_A_KIND
    ]
    if few:
        found.append(f"Kinds of defects with fewer than {FEW_OF_A_KIND} images: {', '.join(few)}.")
    if told.pixel_auroc is None:
        found.append("There were no masks: whether the map shows the right place was not measured.")
    found.append(
        f"The time per image was measured on {record.environment.device_name}"
        f" ({record.environment.device}) and holds there alone."
    )
    return found


def _of_origin(record: LineageRecord) -> list[str]:
    found = []
    if not record.validation.passed:
        found.append("The images did not pass validation.")
    elif record.validation.findings:
        count = text.count(len(record.validation.findings), "warning")
        found.append(f"Validation gave {count}: see above.")
    if record.source.git_commit is None:
        found.append("The project was not in Git: its code and settings have no commit.")
    elif record.source.git_clean is False:
        found.append(
            "The working tree held uncommitted changes: the commit alone is not all that was there."
            " The digest of the model's source tells whether they touched it."
        )
    return found
