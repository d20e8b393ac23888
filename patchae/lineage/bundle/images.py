"""The images of a version, masks included, read from DVC by their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from patchae.dataset.dvc_repo import open_store
from patchae.dataset.version import read_listing
from patchae.errors import DataError
from patchae.files import Progress, silent
from patchae.project import Project
from patchae.types import DataVersion

if TYPE_CHECKING:
    import pandas as pd


def fetch_images(
    project: Project,
    manifest: pd.DataFrame,
    version: DataVersion,
    folder: Path,
    progress: Progress = silent,
) -> dict[str, Path]:
    """Write the images of a manifest into a folder; returns where each lies, by its path.

    An image is asked for by the md5 in the manifest, a mask by that in the data version. What is
    gone, damaged or not in the data version is left out: whoever checks sees that it is missing.

    Raises:
        StoreUnreachable: the remote does not answer, and the cache does not hold it all.
    """
    wanted = dict(zip(manifest["path"], manifest["md5"], strict=True))
    masks = [mask for mask in manifest["mask"] if isinstance(mask, str)]
    found: dict[str, Path] = {}
    with open_store(project) as store:
        if masks:
            try:
                listed = read_listing(store, project, version)
            except DataError:
                listed = {}
            wanted |= {mask: listed[mask] for mask in masks if mask in listed}
        for number, (path, md5) in enumerate(sorted(wanted.items()), 1):
            content = store.read(md5)
            if content is not None:
                # Numbered, so that no name of an image can lead out of the folder.
                found[path] = folder / f"{number:08d}"
                found[path].write_bytes(content)
            progress("fetching images", number, len(wanted))
    return found
