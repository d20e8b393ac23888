"""Make the audit bundle of a version: gather its files, render its page, write the zip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from patchae.errors import DataError, UsageError
from patchae.files import Progress, silent
from patchae.lineage.bundle.content import Files, Sources
from patchae.lineage.bundle.images import fetch_images
from patchae.lineage.bundle.write import require_target, write_bundle
from patchae.lineage.material import Audit
from patchae.lineage.record import load
from patchae.project import Project
from patchae.registry.ledger import Ledger
from patchae.registry.registration import LINEAGE_FILE
from patchae.registry.tracking import Tracking, Version
from patchae.report.bundle_page import render
from patchae.report.card import cards
from patchae.types import DataVersion

NO_PAGES: Files = MappingProxyType({})


def require_bundle(target: Path | None, with_model: bool, with_images: bool) -> None:
    """Make sure that what is asked for can be had, before anything is audited.

    Raises:
        UsageError: there is no target for what shall be in it, or it cannot be written.
    """
    if target is not None:
        require_target(target)
    elif with_model or with_images:
        raise UsageError(
            "--with-model and --with-images say what goes into a bundle, and none is written",
            mend="name one: --out FILE.zip",
        )


def bundle_of(
    project: Project,
    tracking: Tracking,
    audit: Audit,
    target: Path,
    *,
    with_model: bool = False,
    with_images: bool = False,
    progress: Progress = silent,
) -> str:
    """Write the bundle of a version that was just audited, whatever the audit found.

    Returns its sha256. The bundle ends at the newest row of the ledger.

    Args:
        project: holds the ledger and the images.
        tracking: MLflow of the project.
        audit: what was found; it goes into the bundle.
        target: the zip; one that is there is replaced in one step.
        with_model: add the model's files.
        with_images: add the images and masks, from DVC.
        progress: called after every few images.

    Raises:
        UsageError: the target is a folder, or `-`.
        StoreUnreachable: MLflow, the ledger or the store of images cannot be used.
    """
    require_target(target)
    known = _known(tracking, audit)
    rows, signatures = Ledger.of(project).signed_rows()
    artifacts = tracking.artifacts(known) if known else tracking.nothing()
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: images may be more than a temporary file system holds.
    with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
        sources = Sources(
            audit=audit,
            artifacts=artifacts,
            rows=rows,
            signatures=signatures,
            model_folder=_model_folder(tracking, known) if with_model else None,
            images=_images(project, artifacts, known.tags if known else {}, Path(folder), progress)
            if with_images
            else None,
        )
        return write_pages(target, sources, _cards(artifacts))


def write_pages(target: Path, sources: Sources, pages: Files = NO_PAGES) -> str:
    """Write a bundle with its page for people; returns its sha256.

    Args:
        target: the zip.
        sources: what the bundle is made from.
        pages: others about the model, by name; the page links to them.

    Raises:
        UsageError: the target is a folder, or `-`.
    """
    index = render(sources, sorted(pages))
    return write_bundle(target, sources, {**pages, "index.html": index.encode()})


def _cards(artifacts: Path) -> Files:
    """The model cards, made anew from the record; none where that is gone or is none."""
    try:
        record = load((artifacts / LINEAGE_FILE).read_text())
    except (OSError, ValueError):
        return NO_PAGES
    return {name: card.encode() for name, card in cards(record).items()}


def _known(tracking: Tracking, audit: Audit) -> Version | None:
    """The version in MLflow; None when it is gone, as the audit says."""
    try:
        return tracking.version(audit.model, audit.version)
    except UsageError:
        return None


def _model_folder(tracking: Tracking, known: Version | None) -> Path:
    return tracking.model_folder(known) if known else tracking.nothing()


def _images(
    project: Project, artifacts: Path, tags: Mapping[str, str], folder: Path, progress: Progress
) -> dict[str, Path]:
    """The images of the version's manifest; none where that cannot be read, as the audit says."""
    from patchae.dataset.manifest import from_csv

    try:
        manifest = from_csv((artifacts / "manifest.csv").read_text())
        version = DataVersion(tags.get("patchae.data_version", ""))
        return fetch_images(project, manifest, version, folder, progress)
    except (OSError, ValueError, DataError):
        return {}
