"""From a class in `data/` to a job: its manifest, and validation that fails closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patchae.config import Line
from patchae.errors import DataError, ValidationFailed
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.types import ClassDigest, DataVersion

if TYPE_CHECKING:
    import pandas as pd

    from patchae.dataset.validation.record import ValidationRecord
    from patchae.steps.job import ClassJob, Origin


@dataclass(frozen=True)
class Checked:
    """A class whose images were read and checked."""

    class_name: str
    manifest: pd.DataFrame
    digest: ClassDigest
    validation: ValidationRecord


def check(
    project: Project,
    line: Line,
    class_name: str,
    version: DataVersion,
    progress: Progress = silent,
) -> Checked:
    """Read the manifest of a class and validate it; the record is stored with the data version.

    A stored record is used again when images, limits and checks are the same.

    Raises:
        DataError: the class has no folder or no images, or they are not those of the version.
    """
    from patchae.dataset.manifest import class_digest, read_manifest
    from patchae.dataset.validation.strays import strays
    from patchae.dataset.validation.validate import load, reusable, store, validate

    manifest = read_manifest(
        project.data,
        class_name,
        progress,
        cache=project.pictures,
        parquet=project.manifests / f"{class_name}.parquet",
        max_pixels=line.validation_of(class_name).max_pixels,
    )
    _require_version(project, manifest, class_name, version)
    digest = class_digest(manifest)
    rules = line.validation_of(class_name)
    used = [*manifest["path"], *manifest["mask"].dropna()]
    aside = strays(project.data, class_name, used)
    before = _record_before(project, class_name, version, digest)
    record = load(project, version, class_name)
    if record is None or not reusable(record, digest, rules, aside, before):
        progress("validating", 0, 1)
        record = validate(manifest, class_name, rules, version, strays=aside, before=before)
        store(project, record)
        progress("validating", 1, 1)
    return Checked(class_name, manifest, digest, record)


def _record_before(
    project: Project, class_name: str, version: DataVersion, digest: ClassDigest
) -> ValidationRecord | None:
    """What was last found of the class when it held other images, in a version before this one."""
    from patchae.dataset import version_log
    from patchae.dataset.validation.validate import load

    for earlier in version_log.before(project, version):
        record = load(project, earlier, class_name)
        if record and record.appearance and record.class_digest != digest:
            return record
    return None


def _require_version(
    project: Project, manifest: pd.DataFrame, class_name: str, version: DataVersion
) -> None:
    """The images and masks read must be those of the data version, unchanged since the snapshot."""
    from patchae.dataset.layout import is_image_path, masks_among
    from patchae.dataset.version import listing

    listed = listing(project, version)
    held = {path: md5 for path, md5 in listed.items() if is_image_path(path, class_name)}
    held |= {mask: listed[mask] for mask in masks_among(held, listed)}
    read = dict(zip(manifest["path"], manifest["md5"], strict=True))
    masked = manifest[manifest["mask"].notna()]
    read |= dict(zip(masked["mask"], masked["mask_md5"], strict=True))
    changed = sorted(path for path in held.keys() | read.keys() if held.get(path) != read.get(path))
    if changed:
        raise DataError(
            f"an image of '{class_name}' was changed after the snapshot",
            where=str(project.data / changed[0]),
            mend="run the same command again once nothing writes into data/",
        )


def job(
    project: Project,
    line: Line,
    checked: Checked,
    origin: Origin,
) -> ClassJob:
    """The job of a class that passed.

    Raises:
        ValidationFailed: it did not; names the first failed check and one image.
    """
    from patchae.model.key import training_key
    from patchae.steps.job import ClassJob

    require_valid(checked)
    return ClassJob(
        project=project,
        line=line,
        class_name=checked.class_name,
        data_version=DataVersion(checked.validation.data_version),
        manifest=checked.manifest,
        digest=checked.digest,
        validation=checked.validation,
        key=training_key(checked.digest, line.training),
        origin=origin,
    )


def require_valid(checked: Checked) -> None:
    """Let only a class pass that passed every check.

    Raises:
        ValidationFailed: names the failed checks and, of each, one image.
    """
    record = checked.validation
    if record.passed:
        return
    findings = [
        f"{one.code}: {one.title}" + (f" ({one.paths[0]})" if one.paths else "")
        for one in record.failed
    ]
    raise ValidationFailed(
        f"the images of '{checked.class_name}' did not pass validation: {'; '.join(findings)}",
        where=f"data/{checked.class_name}",
        mend="mend or remove these images; docs/validation.md explains every check",
    )
